"""Atlassian's document format (ADF), as Jira Cloud has it, to Markdown (GFM) and back.

Invariants: `to_markdown` takes any JSON object, never raises for what is in it and loses no text;
text of a document never becomes markup, HTML or a mention on GitHub. `from_markdown` takes any
text and gives a document that fits Atlassian's schema and holds only what Jira takes in a
description or comment. Both end in bounded time. docs/adf.md has a line for every node and mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orch.trackers.adf.blocks import page
from orch.trackers.adf.nodes import At, refuse_unless


def to_markdown(document: dict[str, Any], *, attachments: Mapping[str, str] | None = None) -> str:
    """`document` in GitHub Flavored Markdown, without a line break at its end.

    `attachments` gives addresses of media, by the media's id or file name; the others become links
    to `attachment:ID`. A `TypeError` says what was given instead of a JSON object.
    """
    refuse_unless(dict, document, "an ADF document is a JSON object (a dict)")
    return page(document, At(attachments=attachments or {}))


def from_markdown(text: str) -> dict[str, Any]:
    """The document (version 1) that says what `text` says; raw HTML in it is text.

    A `TypeError` says what was given instead of a str.
    """
    refuse_unless(str, text, "Markdown is a str")
    from orch.trackers.adf.reading import document  # the parser costs 30 ms of import

    return document(text)
