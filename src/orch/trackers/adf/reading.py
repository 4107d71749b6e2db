"""Markdown (GFM) to a document: markdown-it's tokens become nodes, innermost first.

Invariant: the document fits Atlassian's schema, whatever the text was, and says all of it. A text
that is too long or nests too deep for a parser is taken as plain text, in paragraphs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from orch.trackers.adf.escaping import NOTHING, clean
from orch.trackers.adf.fitting import fitted
from orch.trackers.adf.nodes import EXPAND, Node, led_by, paragraph, text_node
from orch.trackers.adf.pictures import pictures
from orch.trackers.adf.spans import spans

LONGEST = 512 * 1024
"""Characters that are parsed; Jira takes 32,767 in a description, GitHub 65,536."""
MOST_BRACKETS = 50_000
"""The one thing that takes the parser quadratic time (2 s for these in one paragraph)."""
MOST_NESTED = 100
"""Levels of the parser: a quote is one, a list with its items two."""

_TAG = re.compile(r"<(?:br ?/?|/?(?:ins|sub|sup)|!-- --)>")
_TASK = re.compile(r"\[([ xX])\](?:[ \t]+|$)")
_ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|$)", re.IGNORECASE)
_PANELS = {
    "NOTE": "info", "TIP": "success", "IMPORTANT": "note", "WARNING": "warning", "CAUTION": "error",
}  # fmt: skip


class _Frame:
    """A block that is open: what it holds so far, and what its first line said about it."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.nodes: list[Node] = []
        self.panel = ""
        self.state = ""


def document(text: str) -> dict[str, Any]:
    """The document that says what `text` says."""
    text = clean(text)
    is_short = len(text) <= LONGEST and text.count("[") <= MOST_BRACKETS
    nodes = _parsed(text) if is_short else None
    if nodes is None:
        nodes = _plain(text)
    return {"version": 1, "type": "doc", "content": fitted(nodes, "doc")}


def _parsed(text: str) -> list[Node] | None:
    """The blocks of a text; None where it nests so deep that the parser would cut it."""
    tokens = _parser().parse(text)
    if any(token.level >= MOST_NESTED - 2 for token in tokens):
        return None
    frames = [_Frame(Token("doc_open", "", 1))]
    for token in tokens:
        if token.nesting > 0:
            frames.append(_Frame(token))
        elif token.nesting < 0:
            frame = frames.pop()
            frames[-1].nodes += _CLOSERS[frame.token.type](frame)
        elif token.type == "inline":
            frames[-1].nodes += _inline(token, frames)
        else:
            frames[-1].nodes += _leaf(token)
    return frames[0].nodes


def _plain(text: str) -> list[Node]:
    """Paragraphs with the lines as they are."""
    found = []
    for part in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        held: list[Node] = []
        for line in part.strip("\n").split("\n"):
            held += [{"type": "hardBreak"}] * bool(held) + ([text_node(line)] if line else [])
        if held:
            found.append(paragraph(*held))
    return found


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTED})
    parser.enable(["table", "strikethrough"])
    parser.disable("text_join")  # what was escaped has to stay apart: it is no bare address
    parser.inline.ruler.before("autolink", "tags_we_write", _tag)
    # Addresses stay as they were written; which of them may be links is decided in `spans`.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    parser.normalizeLinkText = lambda link: link  # type: ignore[method-assign]
    return parser


def _tag(state: StateInline, silent: bool) -> bool:
    """The few tags that `to_markdown` writes; all others are text."""
    found = _TAG.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        token = state.push("html_inline", "", 0)
        token.content = "" if found[0] == NOTHING else found[0]
    state.pos = found.end()
    return True


def _inline(token: Token, frames: list[_Frame]) -> list[Node]:
    """The nodes of a line, without the words that make it a task or its quote a panel."""
    held = token.children or []
    above = frames[-2] if len(frames) > 1 else frames[-1]
    if frames[-1].token.type == "paragraph_open" and not above.nodes:
        if above.token.type == "list_item_open" and (task := _TASK.match(token.content)):
            above.state = "TODO" if task[1] == " " else "DONE"
            held = _without(held, task.end())
        elif above.token.type == "blockquote_open" and (alert := _ALERT.match(token.content)):
            above.panel = _PANELS[alert[1].upper()]
            held = _without(held, len(alert[0].rstrip("\n")))
    return spans(held)


def _without(tokens: list[Token], count: int) -> list[Token]:
    """The tokens without the first `count` characters of text, and no break behind them."""
    rest = list(tokens)
    while rest and (count > 0 or rest[0].type == "softbreak"):
        first = rest.pop(0)
        if len(first.content) > count > 0:
            rest.insert(0, first.copy(content=first.content[count:].lstrip(" \t")))
        count -= len(first.content)
        if first.type == "softbreak":
            break
    return rest


def _leaf(token: Token) -> list[Node]:
    if token.type == "hr":
        return [{"type": "rule"}]
    node: Node = {"type": "codeBlock"}
    if info := " ".join(unescapeAll(token.info).split()):
        node["attrs"] = {"language": info}
    if code := token.content.removesuffix("\n"):
        node["content"] = [text_node(code)]
    return [node]


def _paragraph(frame: _Frame) -> list[Node]:
    return pictures(frame.nodes) if frame.nodes else []


def _heading(frame: _Frame) -> list[Node]:
    level = int(frame.token.tag[1:])
    nodes = pictures(frame.nodes, inline=True)
    return [{"type": "heading", "attrs": {"level": level}, "content": nodes}] if nodes else []


def _list(frame: _Frame) -> list[Node]:
    """A list; of tasks where every item is one, else with the boxes as text."""
    ordered = frame.token.type == "ordered_list_open"
    if not ordered and all(item.get("state") and _is_task(item) for item in frame.nodes):
        return [{"type": "taskList", "content": [n for i in frame.nodes for n in _task(i)]}]
    for item in frame.nodes:
        if state := item.pop("state", ""):
            _box(item, "[x]" if state == "DONE" else "[ ]")
    node: Node = {"type": "orderedList" if ordered else "bulletList"}
    start = frame.token.attrGet("start") if ordered else None
    if start is not None and int(start) != 1:
        node["attrs"] = {"order": int(start)}
    return [{**node, "content": frame.nodes}]


def _is_task(item: Node) -> bool:
    """Whether an item holds lines first and then only lists of tasks."""
    types = [node["type"] for node in item["content"]]
    lines = [name for name in types if name == "paragraph"]
    return types == lines + ["taskList"] * (len(types) - len(lines))


def _task(item: Node) -> list[Node]:
    said: list[Node] = []
    for node in item["content"]:
        if node["type"] == "paragraph":
            said += [{"type": "hardBreak"}] * bool(said) + node["content"]
    below = [node for node in item["content"] if node["type"] != "paragraph"]
    return [{"type": "taskItem", "attrs": {"state": item["state"]}, "content": said}, *below]


def _box(item: Node, box: str) -> None:
    held = item["content"]
    if held and held[0]["type"] == "paragraph":
        held[0] = paragraph(*led_by(box, held[0]["content"]))
    else:
        held.insert(0, paragraph(text_node(box)))


def _item(frame: _Frame) -> list[Node]:
    node: Node = {"type": "listItem", "content": frame.nodes}
    return [{**node, "state": frame.state} if frame.state else node]


def _quote(frame: _Frame) -> list[Node]:
    """A quote, a panel (`[!NOTE]`), or what was written for an expand (`**▸ Title**`)."""
    if frame.panel:
        return [{"type": "panel", "attrs": {"panelType": frame.panel}, "content": frame.nodes}]
    head = frame.nodes[0] if frame.nodes else {}
    said = head.get("content", []) if head.get("type") == "paragraph" else []
    if len(said) == 1 and said[0].get("marks") == [{"type": "strong"}]:
        mark, _, title = said[0]["text"].partition(" ")
        if mark == EXPAND:
            attrs = {"attrs": {"title": title}} if title else {}
            return [{"type": "expand", **attrs, "content": frame.nodes[1:]}]
    return [{"type": "blockquote", "content": frame.nodes}] if frame.nodes else []


def _table(frame: _Frame) -> list[Node]:
    """A table; an empty head is none."""
    rows = frame.nodes
    is_empty = not any(cell["content"][0]["content"] for cell in rows[0]["content"])
    return [{"type": "table", "content": rows[1:] if is_empty and len(rows) > 1 else rows}]


def _row(frame: _Frame) -> list[Node]:
    return [{"type": "tableRow", "content": frame.nodes}]


def _cell(frame: _Frame) -> list[Node]:
    name = "tableHeader" if frame.token.type == "th_open" else "tableCell"
    return [{"type": name, "content": [paragraph(*pictures(frame.nodes, inline=True))]}]


def _through(frame: _Frame) -> list[Node]:
    return frame.nodes


_CLOSERS: dict[str, Callable[[_Frame], list[Node]]] = {
    "paragraph_open": _paragraph,
    "heading_open": _heading,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "list_item_open": _item,
    "blockquote_open": _quote,
    "table_open": _table,
    "thead_open": _through,
    "tbody_open": _through,
    "tr_open": _row,
    "th_open": _cell,
    "td_open": _cell,
}
