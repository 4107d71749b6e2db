"""A tolerant look at the JSON of a document: what a node is called, says and holds.

Invariant: every function takes any JSON value and raises for none, however deep or malformed;
what is text in a place where no text belongs is still found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DEEPEST = 40
"""Levels of lists, quotes and cells that are written as such; what is deeper becomes plain text."""

Node = dict[str, Any]

INLINE = frozenset({
    "text", "hardBreak", "mention", "emoji", "date", "status", "inlineCard", "placeholder",
    "inlineExtension", "mediaInline", "unsupportedInline", "confluenceUnsupportedInline",
    "image",
})  # fmt: skip
BLOCKS = frozenset({
    "doc", "paragraph", "heading", "bulletList", "orderedList", "listItem", "taskList",
    "taskItem", "blockTaskItem", "decisionList", "decisionItem", "codeBlock", "blockquote",
    "panel", "expand", "nestedExpand", "rule", "table", "tableRow", "tableCell", "tableHeader",
    "mediaSingle", "mediaGroup", "media", "caption", "blockCard", "embedCard", "layoutSection",
    "layoutColumn", "extension", "bodiedExtension", "multiBodiedExtension", "extensionFrame",
    "syncBlock", "bodiedSyncBlock", "bodiedRule", "unsupportedBlock",
    "confluenceUnsupportedBlock",
})  # fmt: skip
_LOOKED_AT = 20  # nodes
_SAYS_NOTHING = frozenset({"type", "localId", "version"})
ALERTS = {
    "info": "NOTE",
    "note": "IMPORTANT",
    "tip": "TIP",
    "success": "TIP",
    "warning": "WARNING",
    "error": "CAUTION",
    "custom": "NOTE",
}
EXPAND = "▸"
"""A quote that begins with a bold line of this mark and a title was an expand."""
"""The word of a quote that stands for each kind of panel."""


class At(NamedTuple):
    """Where in the document we are: how deep, and what is known about its attachments."""

    depth: int = 0
    attachments: Mapping[str, str] = {}

    def deeper(self) -> At:
        return self._replace(depth=self.depth + 1)

    @property
    def is_too_deep(self) -> bool:
        return self.depth >= DEEPEST


def refuse_unless(kind_of: type, value: object, what: str) -> None:
    """A `TypeError` that says what was given in place of `what`."""
    if not isinstance(value, kind_of):
        given = "null" if value is None else f"a value of type {type(value).__name__}"
        raise TypeError(f"{what}, not {given}")


def kind(node: object) -> str:
    """The type of a node; empty where it has none."""
    found = node.get("type") if isinstance(node, Mapping) else None
    return found if isinstance(found, str) else ""


def attributes(node: Node) -> Node:
    """The `attrs` of a node; empty where there are none."""
    found = node.get("attrs")
    return found if isinstance(found, dict) else {}


def words(value: object) -> str:
    """A value where a text is expected, as text; nothing for null, true and false."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return repr(value) if isinstance(value, float) or abs(value) < 10**300 else hex(value)
    return as_json(value)


def attribute(node: Node, *names: str) -> str:
    """The first attribute of these names that says something."""
    found = attributes(node)
    return next((text for name in names if (text := words(found.get(name)))), "")


def number(value: object, default: int, least: int, most: int) -> int:
    """A whole number within bounds, whatever was given."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return default
    return int(min(max(value, least), most))


def as_json(value: object) -> str:
    """JSON on one line; where that cannot be written, the texts in it."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, TypeError, ValueError):
        return " ".join(texts(value))


def texts(value: object) -> Iterator[str]:
    """Every text anywhere in a value, in order, at any depth."""
    stack: list[object] = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, Mapping):
            said = [item for key, item in found.items() if key not in _SAYS_NOTHING]
            stack.extend(reversed(said))
        elif isinstance(found, list | tuple):
            stack.extend(reversed(found))
        elif isinstance(found, str):
            yield found
        elif isinstance(found, int | float) and not isinstance(found, bool):
            yield words(found)


def as_nodes(value: object) -> list[Node]:
    """The nodes in a `content`, which should be a list of objects and may be anything."""
    found: list[Node] = []
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            found.append(dict(item))
        elif isinstance(item, list | tuple):
            stack.extend(reversed(item))
        elif said := words(item):
            found.append(text_node(said))
    return found


def children(node: Node) -> list[Node]:
    """What a node holds; a stray `text` of a node that is none counts as its first child."""
    held = as_nodes(node.get("content"))
    if kind(node) != "text" and (stray := words(node.get("text"))):
        held.insert(0, text_node(stray))
    return held


def marks_of(node: Node) -> list[Node]:
    """The marks of a node; a bare name counts as a mark."""
    found = node.get("marks")
    listed = found if isinstance(found, list | tuple) else [found]
    return [
        {"type": mark} if isinstance(mark, str) else dict(mark)
        for mark in listed
        if isinstance(mark, str | Mapping)
    ]


def text_node(text: str) -> Node:
    return {"type": "text", "text": text}


def paragraph(*nodes: Node) -> Node:
    return {"type": "paragraph", "content": list(nodes)}


def is_inline(node: Node) -> bool:
    return kind(node) in INLINE


def holds_blocks(node: Node) -> bool:
    """Whether a node is a block, or unknown with a block inside. One with too much inside to look
    through each time counts as such."""
    stack = [node]
    for _ in range(_LOOKED_AT):
        if not stack:
            return False
        found = stack.pop()
        if kind(found) in BLOCKS:
            return True
        if kind(found) not in INLINE:
            stack.extend(children(found))
    return True


def led_by(lead: str, said: list[Node]) -> list[Node]:
    """A line with a word before it."""
    if not said:
        return [text_node(lead)]
    if kind(said[0]) == "text" and not said[0].get("marks"):
        return [text_node(f"{lead} {said[0]['text']}"), *said[1:]]
    return [text_node(f"{lead} "), *said]
