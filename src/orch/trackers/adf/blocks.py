"""Blocks of a document to Markdown: paragraphs, lists, quotes, code, panels, media.

Invariant: what is written is read back as these blocks and no others. Lists that follow each other
take turns with their markers, fences are longer than any in the code, what would join the line
above gets an empty line, and nothing nests deeper than `nodes.DEEPEST`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from orch.trackers.adf import escaping
from orch.trackers.adf.atoms import Look, pieces
from orch.trackers.adf.inline import BREAK, Piece, Place, pieces_of, written
from orch.trackers.adf.nodes import (
    ALERTS,
    EXPAND,
    At,
    Node,
    attribute,
    attributes,
    children,
    holds_blocks,
    is_inline,
    kind,
    number,
    texts,
    words,
)
from orch.trackers.adf.tables import table
from orch.trackers.adf.unfolding import unfolded

HIGHEST = 999_999_999  # CommonMark: nine digits

Family = Literal["", "text", "bullets", "numbers"]
_FAMILIES: dict[str, Family] = {
    "bulletList": "bullets",
    "taskList": "bullets",
    "decisionList": "bullets",
    "orderedList": "numbers",
}
_RULE = re.compile(r" *([-*_])(?: *\1){2,} *")
_INTERRUPTS = re.compile(r"(?:[-*]|1[.)]) +[^ ]")


class Part(NamedTuple):
    """A block as Markdown, and what it is to its neighbours."""

    family: Family
    text: str


def page(document: Node, at: At) -> str:
    """The whole document; a node that is no `doc` counts as the only one in it."""
    is_document = kind(document) == "doc" or not kind(document)
    nodes = children(document) if is_document else [document]
    return escaping.clean(_spaced(parts(nodes, at)))


def parts(nodes: Sequence[Node], at: At) -> list[Part]:
    """Blocks as Markdown, those that show nothing left out; stray inline nodes are paragraphs."""
    if at.is_too_deep:
        return _flattened(nodes)
    found: list[Part] = []
    is_other = False
    for group in _grouped(unfolded(nodes)):
        family = _FAMILIES.get(kind(group[0]), "")
        follows = bool(family and found and found[-1].family == family)
        part = _part(group, at.deeper(), is_other=follows and not is_other)
        if part.text:
            is_other = follows and not is_other
            found.append(part)
    return found


def _flattened(nodes: Sequence[Node]) -> list[Part]:
    said = [Piece("text", " ".join(texts(list(nodes))))] if nodes else []
    split = [piece for item in said for piece in pieces_of(item.text)]
    text = written(split, Place.PARAGRAPH)
    return [Part("text", text)] if text else []


def _grouped(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """Each block alone; inline nodes, and unknown ones beside them, together."""
    run: list[Node] = []
    for index, node in enumerate(nodes):
        beside = bool(run) or (index + 1 < len(nodes) and is_inline(nodes[index + 1]))
        if is_inline(node) or (beside and not holds_blocks(node)):
            run.append(node)
            continue
        if run:
            yield run
            run = []
        yield [node]
    if run:
        yield run


def _part(group: Sequence[Node], at: At, *, is_other: bool) -> Part:
    node = group[0]
    if len(group) > 1 or is_inline(node):
        return Part("text", written(list(pieces(list(group), at)), Place.PARAGRAPH))
    if kind(node) in ("bulletList", "orderedList"):
        return Part(_FAMILIES[kind(node)], _list(node, at, is_other=is_other))
    if kind(node) in ("taskList", "decisionList"):
        return Part("bullets", _item_list(node, at, "*" if is_other else "-"))
    write = _WRITERS.get(kind(node), _shown)
    text = write(node, at)
    return Part("text" if write in (_paragraph, _shown) else "", text)


def _spaced(found: Sequence[Part], *, tight: bool = False) -> str:
    """Parts with an empty line between them; none before a list that can do without."""
    text = ""
    for index, part in enumerate(found):
        closes_up = (
            tight
            and index > 0
            and found[index - 1].family == "text"
            and part.family in ("bullets", "numbers")
            and _INTERRUPTS.match(part.text)
            and not _RULE.fullmatch(part.text.partition("\n")[0])
        )
        text += ("\n" if closes_up else "\n\n") * bool(index) + part.text
    return text


def _paragraph(node: Node, at: At) -> str:
    return written(list(pieces(children(node), at, Look({}))), Place.PARAGRAPH)


def _shown(node: Node, at: At) -> str:
    """A node that is shown as a line: a card, an extension, a medium, or one that is unknown."""
    return written(list(pieces([node], at)), Place.PARAGRAPH)


def _heading(node: Node, at: At) -> str:
    level = number(attributes(node).get("level"), 1, 1, 6)
    text = written(list(pieces(children(node), at)), Place.HEADING)
    return f"{'#' * level} {escaping.heading(text)}" if text else ""


def _code(node: Node, _at: At) -> str:
    said = "".join(
        words(child.get("text")) if kind(child) == "text" else _code_of(child)
        for child in children(node)
    )
    said = said.replace("\r\n", "\n").replace("\r", "\n")
    info = " ".join(attribute(node, "language").split())
    mark = "~" if "`" in info else "`"
    fence = mark * max(3, escaping.longest(said, mark) + 1)
    info = re.sub(r"[\\&](?=[!-/:-@\[-`{-~]|#?\w)", r"\\\g<0>", info)
    info = info if not info.startswith("~") else f"\\{info}"
    return f"{fence}{info}\n{said}\n{fence}" if said else f"{fence}{info}\n{fence}"


def _code_of(node: Node) -> str:
    return "\n" if kind(node) == "hardBreak" else " ".join(texts(node))


def _rule(_node: Node, _at: At) -> str:
    return "---"


def _quote(node: Node, at: At) -> str:
    return _prefixed(_spaced(parts(children(node), at)))


def _panel(node: Node, at: At) -> str:
    held = parts(children(node), at)
    icon = attribute(node, "panelIconText") if attribute(node, "panelType") == "custom" else ""
    if icon:
        held.insert(0, Part("text", written(list(pieces_of(icon)), Place.PARAGRAPH)))
    alert = f"[!{ALERTS.get(attribute(node, 'panelType'), 'NOTE')}]"
    if not held:
        return f"> {alert}"
    joins = held[0].family == "text"
    return _prefixed(alert + ("\n" if joins else "\n\n") + _spaced(held))


def _expand(node: Node, at: At) -> str:
    title = " ".join(escaping.BREAKS.sub(" ", attribute(node, "title")).split())
    head = Piece("text", f"{EXPAND} {title}".strip(), frozenset({"strong"}))
    lines = [Part("text", written([head], Place.PARAGRAPH)), *parts(children(node), at)]
    return _prefixed(_spaced(lines))


def _prefixed(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n")) if text else ""


def _media_single(node: Node, at: At) -> str:
    look = Look(node)
    media = [child for child in children(node) if kind(child) == "media"]
    others = [child for child in children(node) if kind(child) != "media"]
    shown = Part("text", written(list(pieces(media, at, look)), Place.PARAGRAPH))
    return _spaced([part for part in [shown, *parts(others, at)] if part.text])


def _media_group(node: Node, at: At) -> str:
    found: list[Piece] = []
    for child in children(node):
        found += [*([BREAK] if found else []), *pieces([child], at)]
    return written(found, Place.PARAGRAPH)


def _list(node: Node, at: At, *, is_other: bool) -> str:
    ordered = kind(node) == "orderedList"
    first = number(attributes(node).get("order"), 1, 0, HIGHEST)
    items: list[str] = []
    for index, child in enumerate(children(node)):
        held = children(child) if kind(child) == "listItem" else [child]
        sign = (")" if is_other else ".") if ordered else ("*" if is_other else "-")
        marker = f"{min(first + index, HIGHEST)}{sign}" if ordered else sign
        items.append(_item(marker, _spaced(parts(held, at), tight=True)))
    return _stacked(items)


def _item_list(node: Node, at: At, marker: str) -> str:
    """Tasks or decisions. A list among the items hangs below the item before it."""
    items: list[str] = []
    for child in children(node):
        held = parts(children(child), at)
        if kind(child) in ("taskItem", "blockTaskItem"):
            is_done = attribute(child, "state").upper() == "DONE"
            items.append(_item(marker, _led("[x]" if is_done else "[ ]", held)))
        elif kind(child) == "decisionItem":
            state = attribute(child, "state")
            note = "" if state in ("", "DECIDED") else f" ({state})"
            mark = Piece("text", f"Decision{note}:", frozenset({"strong"}))
            items.append(_item(marker, _led(written([mark], Place.PARAGRAPH), held)))
        elif items and kind(child) in _FAMILIES:
            below = _spaced(parts([child], at))
            gap = "\n" if _INTERRUPTS.match(below) else "\n\n"
            items[-1] += gap * bool(below) + _indented(below, len(marker) + 1)
        else:
            items.append(_item(marker, _spaced(parts([child], at), tight=True)))
    return _stacked(items)


def _led(lead: str, held: Sequence[Part]) -> str:
    """What a task or decision says, behind its box or word."""
    if held and held[0].family == "text":
        return _spaced([Part("text", f"{lead} {held[0].text}"), *held[1:]], tight=True)
    return _spaced([Part("text", lead), *held])


def _item(marker: str, text: str) -> str:
    if not text:
        return marker
    first = text.partition("\n")[0]
    width = len(marker) + 1
    if _RULE.fullmatch(f"{marker} {first}"):  # `- ---` would be a rule and no item
        return f"{marker}\n{_indented(text, width)}"
    return f"{marker} {_indented(text, width)[width:]}"


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line if line else "" for line in text.split("\n"))


def _stacked(items: Sequence[str]) -> str:
    return ("\n\n" if any("\n\n" in item for item in items) else "\n").join(items)


_WRITERS: dict[str, Callable[[Node, At], str]] = {
    "paragraph": _paragraph,
    "heading": _heading,
    "codeBlock": _code,
    "rule": _rule,
    "blockquote": _quote,
    "panel": _panel,
    "expand": _expand,
    "nestedExpand": _expand,
    "mediaSingle": _media_single,
    "mediaGroup": _media_group,
    "table": table,
}
