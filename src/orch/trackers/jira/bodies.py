"""What is said on Jira, as Markdown, and our marks in it.

Invariant: our mark is never to be seen there. On Cloud it is a property beside a document (ADF), on
Data Center an anchor within wiki markup, which shows nothing; here it is `orch.model.marks` again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from orch.hosts.jira.shapes import PROPERTY, Attachment
from orch.model import marks
from orch.trackers import adf

_LONGEST = 32_000
"""Characters; Jira takes 32,767, of which the mark needs some."""
_CUT = "\n\n…"
_ANCHOR = re.compile(r"\{anchor:orch:v1:([A-Za-z0-9._/#:-]{1,300})\}")


class Written(NamedTuple):
    """A body as Jira takes it, and the properties that go with it."""

    body: Any
    properties: Mapping[str, Any]


def read(body: Any, *, attachments: Iterable[Attachment] = (), key: str = "") -> str:
    """`body` as Markdown; with `key`, whose mark it carries beside it, with that mark at its end."""
    if isinstance(body, dict):
        text = adf.to_markdown(body, attachments=_addresses(attachments))
    else:
        text = body if isinstance(body, str) else ""
        text = _ANCHOR.sub(lambda found: marks.mark(found[1]), text.replace("\r\n", "\n"))
    return marks.marked(text, key) if key else text


def written(text: str, *, key: str, cloud: bool) -> Written:
    """`text` (Markdown) with the mark of `key`, cut to what Jira takes."""
    if cloud:
        cut = text if len(text) <= _LONGEST else text[:_LONGEST] + _CUT
        cut = cut.replace("<!-- orch:", "<!-- orch\u2060:")  # our mark is a property, never text
        return Written(adf.from_markdown(cut), {PROPERTY: {"key": key}} if key else {})
    from orch.trackers.jira.wiki import from_markdown

    wiki = from_markdown(text)
    while len(wiki) > _LONGEST:
        text = text[: len(text) * _LONGEST // len(wiki) - len(_CUT)]
        wiki = from_markdown(text + _CUT)
    return Written(f"{wiki}\n\n{{anchor:orch:v1:{key}}}".lstrip() if key else wiki, {})


def says(body: Any, wanted: Any) -> bool:
    """Whether both say the same: Jira gives documents back with attributes of its own."""
    return read(body).rstrip() == read(wanted).rstrip()


def _addresses(attachments: Iterable[Attachment]) -> dict[str, str]:
    """Where the files of an issue are. A document knows them by another id, so it is by name."""
    return {one.filename: one.content for one in attachments if one.filename and one.content}
