"""What has no form of its own in Markdown gives way to what it holds.

Invariant: a node that is taken away leaves all of its content in its place, and an extension its
name and parameters too.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.trackers.adf.nodes import (
    Node,
    as_nodes,
    attributes,
    children,
    holds_blocks,
    is_inline,
    kind,
    paragraph,
)

_TRANSPARENT = frozenset({
    "doc", "layoutSection", "layoutColumn", "bodiedSyncBlock", "caption", "listItem",
    "tableRow", "tableCell", "tableHeader", "taskItem", "blockTaskItem", "decisionItem",
})  # fmt: skip
_NAMED = frozenset({
    "extension", "bodiedExtension", "multiBodiedExtension", "extensionFrame",
})  # fmt: skip
_LINES = frozenset({"paragraph", "heading"})
_KNOWN = frozenset({
    "bulletList", "orderedList", "taskList", "decisionList", "codeBlock", "blockquote", "panel",
    "expand", "nestedExpand", "rule", "table", "mediaSingle", "mediaGroup", "media",
    "blockCard", "embedCard", "syncBlock",
})  # fmt: skip


def unfolded(nodes: Sequence[Node]) -> list[Node]:
    """The blocks and inline nodes that are written, in order. Not recursive: any depth will do."""
    found: list[Node] = []
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        name = kind(node)
        if is_inline(node) and name != "unsupportedInline":
            found.append(node)
        elif name in _TRANSPARENT or name in ("unsupportedInline", "unsupportedBlock"):
            held = as_nodes(attributes(node).get("originalValue")) + children(node)
            stack.extend(reversed(_lines(held) if name == "caption" else held))
            if not held and name.startswith("unsupported"):
                found.append({**node, "type": "unknown"})
        elif name in _NAMED:
            stack.extend(reversed(children(node)))
            found.append({**node, "type": "extension", "content": []})
        elif name in _LINES:
            held = children(node)
            if any(holds_blocks(child) for child in held):
                stack.extend(reversed(held))
            else:
                found.append(node)
        elif name in _KNOWN:
            found.append(node)
            if name in ("rule", "blockCard", "embedCard", "syncBlock", "media"):
                found[-1] = {**node, "content": []}
                stack.extend(reversed(children(node)))
        elif holds_blocks(node):
            found.extend([{**node, "content": []}] if attributes(node) else [])
            stack.extend(reversed(children(node)))
        else:
            found.append(node)
    return found


def _lines(nodes: list[Node]) -> list[Node]:
    """The words of a caption are a paragraph of their own."""
    return nodes if any(map(holds_blocks, nodes)) else [paragraph(*nodes)]
