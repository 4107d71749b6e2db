"""One issue as a Markdown file: from its bytes to a `Ticket`, wherever the file lies.

Invariant: reading changes nothing, and what cannot be read is an error with file and line (H105).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from orch.model import naming
from orch.model.errors import NotFound, UsageError
from orch.model.ticket import STATES, Ticket
from orch.shelf import Shelf, Unreadable
from orch.trackers import frontmatter, rules
from orch.trackers.scalars import Broken

if TYPE_CHECKING:
    from pathlib import Path

_BOM = "\ufeff"
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_ID = re.compile(r"\w[\w./#-]{0,99}")


def parse_issue_file(path: Path) -> Ticket:
    """A ticket from any Markdown file (`--issue FILE`). Front matter is optional.

    Title: front matter, else the first `#` heading, else the file's stem. Id: front matter, else a
    slug of the stem. `tracker` is `file`, `path` absolute. A link is followed: the person named it.
    Errors: `NotFound` (`unknown_issue`), `UsageError` (`issue_broken`), `ToolFailed`.
    """
    shown = os.path.abspath(path)
    directory, name = os.path.split(os.path.realpath(path))
    try:
        content = Shelf(directory, suffix="", limit=rules.LARGEST).read(name)
    except Unreadable as error:
        raise broken(shown, 0, error.reason) from error
    if content is None:
        raise NotFound(
            f"There is no file {shown}.",
            code="unknown_issue",
            hint="Give the path of a Markdown file, or the id of an issue (`orch issue list`).",
            file=shown,
        )
    stem = os.path.splitext(os.path.basename(shown))[0]
    try:
        ticket = _ticket_in(decoded(content.data), naming.slug(stem) or "issue", shown)
    except Broken as error:
        raise broken(shown, error.line, error.reason) from error
    title = ticket.title or rules.one_line(_heading(ticket.body)) or rules.one_line(stem)
    return msgspec.structs.replace(ticket, title=title, tracker="file")


def ticket_of(document: frontmatter.Document, identifier: str, path: str) -> Ticket:
    """What the front matter says; `identifier` where it names none. `Broken` with the line."""
    status = document.scalar("status") or "open"
    if status not in STATES:
        raise Broken(
            document.line_of("status"), f"`status` is {status!r}, not one of {', '.join(STATES)}"
        )
    return Ticket(
        id=document.scalar("id") or identifier,
        title=rules.one_line(document.scalar("title")),
        body=document.body,
        status=status,
        labels=tuple(map(rules.one_line, document.sequence("labels"))),
        repo=rules.one_line(document.scalar("repo")),
        path=path,
        created=rules.one_line(document.scalar("created")),
        resolved=rules.one_line(document.scalar("resolved")),
        pr_url=rules.one_line(document.scalar("pr_url")),
        resolution=rules.one_line(document.scalar("resolution")),
    )


def decoded(data: bytes) -> str:
    """`data` as text, to the byte. `Broken` with the line of the first byte that is no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Broken(line, f"the byte 0x{data[error.start]:02x} is no UTF-8 text") from error


def broken(path: str, line: int, reason: str) -> UsageError:
    """The error for a file that is no issue. `line` counts from 1; 0 for the file as a whole."""
    where = f"{path}, line {line}" if line else path
    return UsageError(
        f"{where}: {reason}.",
        code="issue_broken",
        hint="Mend the file (it was left as it is), then run `orch issue list`.",
        file=path,
        **({"line": line} if line else {}),
    )


def _ticket_in(text: str, identifier: str, path: str) -> Ticket:
    if not frontmatter.is_front_matter(text):
        return Ticket(id=identifier, title="", body=text.removeprefix(_BOM), path=path)
    document = frontmatter.read(text)
    ticket = ticket_of(document, identifier, path)
    if not _ID.fullmatch(ticket.id):
        raise Broken(
            document.line_of("id"), "`id` is not made of up to 100 letters, digits and ./#_-"
        )
    return ticket


def _heading(body: str) -> str:
    """The first `#` heading outside of fenced code, without closing marks; empty for none."""
    fence = ""
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence and (match := _HEADING.fullmatch(line.rstrip())):
            text = match[1].rstrip("#")
            return text.strip() if text.endswith((" ", "\t")) or not text else match[1].strip()
    return ""
