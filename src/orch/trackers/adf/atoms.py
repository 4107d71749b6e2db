"""Inline nodes to pieces of a line: texts with their marks, mentions, dates, cards, media.

Invariant: every inline node says something, known or not; what an unknown one holds is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from orch.trackers.adf import escaping
from orch.trackers.adf.inline import BREAK, Piece, pieces_of
from orch.trackers.adf.nodes import (
    BLOCKS,
    At,
    Node,
    as_json,
    as_nodes,
    attribute,
    attributes,
    children,
    kind,
    marks_of,
    texts,
    words,
)

MARKS = frozenset({"strong", "em", "strike", "underline"})
_SHOWN = ("text", "title", "shortName", "alt", "name", "url")
_DULL = frozenset({"localId", "layout", "width", "height"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Link = tuple[str, str]


class Look:
    """What the marks of a node and those around it come to."""

    def __init__(self, node: Node, outer: Look | None = None) -> None:
        self.marks: frozenset[str] = outer.marks if outer else frozenset()
        self.link: Link | None = outer.link if outer else None
        self.is_code: bool = outer.is_code if outer else False
        for mark in marks_of(node):
            name = kind(mark)
            if name in MARKS:
                self.marks |= {name}
            elif name == "subsup":
                self.marks |= {"sup" if attribute(mark, "type") == "sup" else "sub"}
            elif name == "code":
                self.is_code = True
            elif name == "link" and attribute(mark, "href"):
                self.link = (attribute(mark, "href"), attribute(mark, "title"))

    def piece(self, text: str, *, code: bool = False) -> Iterator[Piece]:
        is_code = code or self.is_code
        return pieces_of(text, "code" if is_code else "text", self.marks, self.link)


def pieces(nodes: list[Node], at: At, outer: Look | None = None) -> Iterator[Piece]:
    """What inline nodes show, in order."""
    for node in nodes:
        look = Look(node, outer)
        if at.is_too_deep:
            yield from look.piece(" ".join(texts(node)))
            continue
        atom = _ATOMS.get(kind(node), _container if kind(node) in BLOCKS else _unknown)
        yield from atom(node, at, look)
        if held := children(node):
            yield from pieces(held, at.deeper(), look)


def _text(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    return look.piece(words(node.get("text")))


def _break(_node: Node, _at: At, look: Look) -> Iterator[Piece]:
    yield BREAK._replace(marks=look.marks, link=look.link)


def _mention(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    name = attribute(node, "text", "id") or "unknown"
    return look.piece(name if name.startswith("@") else f"@{name}")


def _emoji(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    return look.piece(attribute(node, "text", "shortName", "id"))


def _date(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    stamp = attribute(node, "timestamp")
    try:
        stamp = (_EPOCH + timedelta(milliseconds=int(stamp))).date().isoformat()
    except (OverflowError, ValueError):
        return look.piece(stamp)  # said as it is
    return look.piece(stamp)


def _status(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    said = attribute(node, "text")
    return pieces_of(said, "text", look.marks | {"strong"}, look.link)


def card(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    """A card: a link to its address, under its name where JSON-LD gives one."""
    data = attributes(node).get("data")
    url, name = attribute(node, "url"), ""
    if isinstance(data, dict):
        url, name = url or words(data.get("url")), words(data.get("name"))
    if url:
        yield from pieces_of(name or url, "text", look.marks, (url, ""))
    elif name:
        yield from look.piece(name)
    if data and not (url and name):
        yield from _details(data, look, gap=bool(url or name))
    if source := attributes(node).get("datasource"):
        yield from _details(source, look, gap=bool(url))


def _details(value: object, look: Look, *, gap: bool) -> Iterator[Piece]:
    if gap:
        yield Piece("text", " ", look.marks)
    yield from look.piece(as_json(value), code=True)


def _placeholder(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    return look.piece(attribute(node, "text"))


def extension(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    """What stands for an extension, its name, and what it was given."""
    said = attribute(node, "text")
    yield from look.piece(said)
    name = " ".join(
        filter(None, (attribute(node, "extensionType"), attribute(node, "extensionKey")))
    )
    yield from look.piece(f"{' ' if said else ''}[extension {name}]".replace(" ]", "]"))
    if given := attributes(node).get("parameters"):
        yield from _details(given, look, gap=True)


def media(node: Node, at: At, look: Look) -> Iterator[Piece]:
    """A picture where an address is known, else a link to the attachment under its name."""
    name = attribute(node, "alt", "__fileName", "fileName", "name")
    key = attribute(node, "id")
    url = attribute(node, "url") or at.attachments.get(key) or at.attachments.get(name, "")
    if url and escaping.is_safe(url):
        yield Piece("image", name, look.marks, look.link, url)
        return
    target = url or f"attachment:{quote(key, safe='')}"
    shown = name or url or f"attachment {key}".strip()
    if look.link is None:
        yield from pieces_of(shown, "text", look.marks, (target, "") if url or key else None)
        return
    yield from look.piece(shown)
    if url or key:
        yield Piece("text", " (", look.marks)
        yield Piece("text", "attachment", look.marks, (target, ""))
        yield Piece("text", ")", look.marks)


def _container(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    """A block in the middle of a line: its content follows, on a line of its own."""
    yield BREAK
    yield from look.piece(attribute(node, "title"))


def _unknown(node: Node, _at: At, look: Look) -> Iterator[Piece]:
    """The attribute that reads like text, and the others as JSON."""
    given = {key: value for key, value in attributes(node).items() if key not in _DULL}
    known = next((key for key in _SHOWN if isinstance(given.get(key), str) and given[key]), None)
    if known:
        yield from look.piece(words(given.pop(known)))
    if given and not _is_only_an_id(given):
        yield from _details({kind(node) or "node": given}, look, gap=known is not None)
    elif not known and not children(node):
        yield from look.piece(f"[{kind(node) or 'node'}]" if node else "")


def _is_only_an_id(given: Node) -> bool:
    return set(given) <= {"id", "shortName", "accessLevel", "userType"}


def _original(node: Node, at: At, look: Look) -> Iterator[Piece]:
    original = as_nodes(attributes(node).get("originalValue"))
    if not original:
        yield from _unknown(node, at, look)
    yield from pieces(original, at.deeper(), look)


_ATOMS: dict[str, Callable[[Node, At, Look], Iterator[Piece]]] = {
    "text": _text,
    "hardBreak": _break,
    "mention": _mention,
    "emoji": _emoji,
    "date": _date,
    "status": _status,
    "inlineCard": card,
    "blockCard": card,
    "embedCard": card,
    "placeholder": _placeholder,
    "inlineExtension": extension,
    "extension": extension,
    "mediaInline": media,
    "media": media,
    "image": media,
    "unsupportedInline": _original,
    "unsupportedBlock": _original,
    "syncBlock": _unknown,
    "confluenceUnsupportedBlock": _unknown,
}
