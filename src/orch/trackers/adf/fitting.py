"""Blocks as the schema allows them where they stand.

Invariant: what may not stand somewhere is said in another form and in the same place: a heading in
a list as a bold line, a table in a quote as its Markdown in a code block, a quote in a quote as the
blocks in it. Lists of tasks get their ids here, numbered through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from orch.trackers.adf.nodes import ALERTS, EXPAND, At, Node, led_by, paragraph, text_node
from orch.trackers.adf.tables import table

_STRONG: Node = {"type": "strong"}
_EVERYWHERE = {"paragraph", "bulletList", "orderedList", "codeBlock", "mediaSingle"}
_ALLOWED = {
    "doc": {"heading", "rule", "taskList", "blockquote", "panel", "expand", "table"},
    "expand": {"heading", "rule", "taskList", "blockquote", "panel", "nestedExpand", "table"},
    "nestedExpand": {"heading", "rule", "taskList", "blockquote", "panel"},
    "panel": {"heading", "rule", "taskList"},
    "blockquote": set(),
    "listItem": {"taskList"},
}


def fitted(nodes: Sequence[Node], place: str) -> list[Node]:
    """The blocks as they may stand in `place`, all the way down."""
    return list(_fitted(nodes, place, count(1)))


def _fitted(nodes: Sequence[Node], place: str, ids: Iterator[int]) -> Iterator[Node]:
    for node in nodes:
        name = node["type"]
        if name == "expand" and place == "expand":
            name = "nestedExpand"
        if name not in _EVERYWHERE | _ALLOWED[place]:
            yield from _fitted(_instead(node), place, ids)
        elif name in ("bulletList", "orderedList"):
            items = [
                {"type": "listItem", "content": _held(item, "listItem", ids)}
                for item in node["content"]
            ]
            yield {**node, "content": items}
        elif name == "taskList":
            yield _tasks(node, ids)
        elif name in _ALLOWED:
            attrs = {"attrs": node.get("attrs", {})} if name == "nestedExpand" else {}
            yield {**node, "type": name, **attrs, "content": _held(node, name, ids)}
        else:
            yield node


def _held(node: Node, place: str, ids: Iterator[int]) -> list[Node]:
    """What a node holds; ADF has no empty items, quotes or panels."""
    return list(_fitted(node["content"], place, ids)) or [paragraph()]


def _tasks(node: Node, ids: Iterator[int]) -> Node:
    held = [
        _tasks(item, ids)
        if item["type"] == "taskList"
        else {**item, "attrs": {"localId": f"task-{next(ids)}", **item["attrs"]}}
        for item in node["content"]
    ]
    return {"type": "taskList", "attrs": {"localId": f"tasks-{next(ids)}"}, "content": held}


def _instead(node: Node) -> list[Node]:
    """Blocks that say the same and may stand anywhere, or come nearer to that."""
    name = node["type"]
    if name == "heading":
        return [paragraph(*map(_strong, node["content"]))]
    if name == "rule":
        return [paragraph(text_node("---"))]
    if name == "taskList":
        return [{"type": "bulletList", "content": list(_boxed(node["content"]))}]
    if name == "table":
        return [{"type": "codeBlock", "content": [text_node(table(node, At()))]}]
    attrs = node.get("attrs", {})
    if name == "panel":
        alert = text_node(f"[!{ALERTS.get(attrs.get('panelType', ''), 'NOTE')}]")
        return [paragraph(alert), *node["content"]]
    if name == "blockquote":
        return [*node["content"]]
    # The arrow is not bold: the first line of a quote that is all bold would be an expand again.
    title = [_strong(text_node(attrs["title"]))] if attrs.get("title") else []
    return [paragraph(*led_by(EXPAND, title)), *node["content"]]


def _boxed(items: Sequence[Node]) -> Iterator[Node]:
    """Tasks as items of a list with their boxes as text."""
    for item in items:
        if item["type"] == "taskList":
            yield {"type": "listItem", "content": [item]}
            continue
        box = "[x]" if item["attrs"]["state"] == "DONE" else "[ ]"
        yield {"type": "listItem", "content": [paragraph(*led_by(box, item["content"]))]}


def _strong(node: Node) -> Node:
    marks = node.get("marks", [])
    if node["type"] != "text" or any(mark["type"] in ("code", "strong") for mark in marks):
        return node
    at = 1 if marks and marks[0]["type"] == "link" else 0
    return {**node, "marks": [*marks[:at], _STRONG, *marks[at:]]}
