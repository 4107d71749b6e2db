"""markdown-it's inline tokens to text nodes with marks, breaks, and pictures on their way.

Invariant: every character of the line is in a node, and an address that cannot be a link is said.
Marks go together as ADF allows: code stands alone or in a link. A picture is an `image` node here;
`pictures` finds it a place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from orch.trackers.adf.escaping import BREAKS
from orch.trackers.adf.nodes import Node

_MARKS: dict[str, Node] = {
    "strong": {"type": "strong"},
    "em": {"type": "em"},
    "s": {"type": "strike"},
    "<ins>": {"type": "underline"},
    "<sub>": {"type": "subsup", "attrs": {"type": "sub"}},
    "<sup>": {"type": "subsup", "attrs": {"type": "sup"}},
}
_BARE = re.compile(r"(?i)(?<!\w)(?:https?://|www\.)(?=\w)[^\s<]+")
_ENTITY_AT_END = re.compile(r"&\w+;\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SHOWN = re.compile(
    r"(?i)(?:https?|ftps?|sftp|smb|file)://|(?:mailto|tel|sip|xmpp|urn|git|ssh|svn|irc|news):"
)


def is_shown(address: str) -> bool:
    """Whether Jira shows a link to this address: of a known scheme (isSafeUrl of Atlassian's
    adf-schema) or of none."""
    return bool(address) and (not _SCHEME.match(address) or _SHOWN.match(address) is not None)


def spans(tokens: Sequence[Token]) -> list[Node]:
    """The nodes that a line comes to."""
    line = _Line()
    paired = _paired(tokens)
    for index, token in enumerate(tokens):
        name = token.type.removesuffix("_open").removesuffix("_close")
        if name in _MARKS:
            line.marks[name] += token.nesting
        elif token.type == "link_open":
            line.begin_link(str(token.attrGet("href") or ""), str(token.attrGet("title") or ""))
        elif token.type == "link_close":
            line.end_link()
        elif token.type == "html_inline":
            line.tag(token.content, is_paired=index in paired)
        elif token.type == "hardbreak":
            line.nodes.append({"type": "hardBreak"})
        elif token.type == "softbreak":
            line.add(" ")
        elif token.type == "image":
            line.image(token)
        elif token.type == "code_inline":
            line.add(token.content, code=True)
        elif token.type == "text" and not line.links:
            for part, href in _addresses(token.content):
                line.add(part, href=href)
        else:
            line.add(token.content)
    return _tidy(line.nodes)


class _Line:
    """The nodes so far and the marks that are open. `links` are the open ones: address, mark (none
    where Jira would not show the link) and how much had been said before."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.marks: Counter[str] = Counter()
        self.links: list[tuple[str, Node | None, int]] = []
        self.said = 0

    def add(self, text: str, *, code: bool = False, href: str = "") -> None:
        """Text behind the others, joined to the last where the marks are the same."""
        for number, part in enumerate(BREAKS.split(text)):
            if number:
                self.nodes.append({"type": "hardBreak"})
            if part:
                self._add(part, code=code, href=href)

    def _add(self, text: str, *, code: bool, href: str) -> None:
        self.said += 1
        marks = self._now(code=code, href=href)
        last = self.nodes[-1] if self.nodes else {}
        if last.get("type") == "text" and last.get("marks", []) == marks:
            last["text"] += text
        else:
            self.nodes.append({"type": "text", "text": text, **({"marks": marks} if marks else {})})

    def _now(self, *, code: bool = False, href: str = "") -> list[Node]:
        link = next((mark for _, mark, _ in reversed(self.links) if mark), None)
        if href:
            link = {"type": "link", "attrs": {"href": href}}
        links = [link] if link else []
        if code:
            return [*links, {"type": "code"}]
        names = [name for name in _MARKS if self.marks[name] > 0]
        if "<sub>" in names and "<sup>" in names:
            names.remove("<sup>")  # ADF has one of them at a time
        return [*links, *(_MARKS[name] for name in names)]

    def begin_link(self, href: str, title: str) -> None:
        attrs = {"href": href, **({"title": title} if title else {})}
        mark: Node | None = {"type": "link", "attrs": attrs} if is_shown(href) else None
        self.links.append((href, mark, self.said))

    def end_link(self) -> None:
        """A link without words shows its address, one that is not shown says it behind them."""
        href, mark, before = self.links[-1]
        if self.said == before:
            self.add(href)
        elif mark is None and href and self.nodes[-1].get("text") != href:
            self.add(f" ({href})")
        self.links.pop()

    def tag(self, content: str, *, is_paired: bool) -> None:
        if content.startswith("<br"):
            self.nodes.append({"type": "hardBreak"})
        elif is_paired:
            self.marks[content.replace("/", "")] += -1 if content.startswith("</") else 1
        else:
            self.add(content)

    def image(self, token: Token) -> None:
        said = "".join(node.get("text", "") for node in spans(token.children or []))
        title = str(token.attrGet("title") or "")
        alt = " – ".join(part for part in (said, title) if part)
        url = str(token.attrGet("src") or "")
        self.said += 1
        self.nodes.append({"type": "image", "url": url, "alt": alt, "marks": self._now()})


def _tidy(nodes: list[Node]) -> list[Node]:
    """The nodes without breaks at the ends, and without blanks at the ends and around breaks."""
    lines: list[list[Node]] = [[]]
    for node in nodes:
        if node["type"] == "hardBreak":
            lines.append([])
        else:
            lines[-1].append(node)
    for line in lines:
        for end, strip in ((0, str.lstrip), (-1, str.rstrip)):
            while line and line[end]["type"] == "text" and not _is_code(line[end]):
                text = strip(line[end]["text"], " \t")
                if text:
                    line[end] = {**line[end], "text": text}
                    break
                del line[end]
    shown = [number for number, line in enumerate(lines) if line]
    tidied: list[Node] = []
    for number, line in enumerate(lines[shown[0] : shown[-1] + 1] if shown else []):
        tidied += [{"type": "hardBreak"}, *line] if number else line
    return tidied


def _is_code(node: Node) -> bool:
    return any(mark["type"] == "code" for mark in node.get("marks", []))


def _paired(tokens: Sequence[Token]) -> set[int]:
    """The indexes of our tags that have a partner, which stands between the same marks."""
    found: set[int] = set()
    begun: dict[tuple[str, int], list[int]] = {}
    for index, token in enumerate(tokens):
        if token.type != "html_inline" or token.content.startswith("<br"):
            continue
        key = (token.content.replace("/", ""), token.level)
        if not token.content.startswith("</"):
            begun.setdefault(key, []).append(index)
        elif begun.get(key):
            found |= {begun[key].pop(), index}
    return found


def _addresses(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text, and the address of each that GFM takes for a link."""
    at = 0
    for match in _BARE.finditer(text):
        shown = _ended(match[0])
        yield text[at : match.start()], ""
        yield shown, f"http://{shown}" if shown[:1] in "wW" else shown
        at = match.start() + len(shown)
    yield text[at:], ""


def _ended(shown: str) -> str:
    """An address without the punctuation of the sentence that it stands in (GFM 6.9)."""
    end = len(shown)
    surplus = shown.count(")") - shown.count("(")
    while end:
        last = shown[end - 1]
        entity = _ENTITY_AT_END.search(shown, max(0, end - 40), end) if last == ";" else None
        if last in "?!.,:*_~'\"":
            end -= 1
        elif last == ")" and surplus > 0:
            end, surplus = end - 1, surplus - 1
        elif entity:
            end = entity.start()
        else:
            break
    return shown[:end]
