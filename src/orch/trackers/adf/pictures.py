"""Where pictures go: paragraphs of nothing else become media, pictures between words become links.

Invariant: no `image` node is left. Only a picture at an address of the web can be media: a file of
Jira's own needs an id that no text has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orch.trackers.adf.nodes import Node, text_node
from orch.trackers.adf.spans import is_shown

_WEB = re.compile(r"(?i)https?://")


def pictures(nodes: Sequence[Node], *, inline: bool = False) -> list[Node]:
    """The nodes of a line as blocks; with `inline` as the line that they stay."""
    shown = [node for node in nodes if node["type"] == "image"]
    others = [node for node in nodes if node["type"] not in ("image", "hardBreak")]
    is_gallery = shown and all(not node.get("text", "").strip() for node in others)
    if is_gallery and not inline and all(_WEB.match(node["url"]) for node in shown):
        return [_media(node) for node in shown]
    line = [part for node in nodes for part in (_link(node) if node["type"] == "image" else [node])]
    return line if inline else [{"type": "paragraph", "content": line}]


def _media(image: Node) -> Node:
    attrs = {"type": "external", "url": image["url"]}
    media: Node = {"type": "media", "attrs": {**attrs, **_alt(image)}}
    if links := [mark for mark in image["marks"] if mark["type"] == "link"]:
        media["marks"] = links
    return {"type": "mediaSingle", "attrs": {"layout": "center"}, "content": [media]}


def _alt(image: Node) -> Node:
    return {"alt": image["alt"]} if image["alt"] else {}


def _link(image: Node) -> list[Node]:
    """A picture in a line: its description, linked to it. In a link it is only described."""
    url, words = image["url"], image["alt"] or image["url"]
    if not words:
        return []
    marks = image["marks"]
    is_linked = any(mark["type"] == "link" for mark in marks)
    if is_shown(url) and not is_linked:
        marks = [{"type": "link", "attrs": {"href": url}}, *marks]
        return [{**text_node(words), "marks": marks}]
    said = words if url in ("", words) else f"{words} ({url})"
    return [{**text_node(said), **({"marks": marks} if marks else {})}]
