"""What our own trackers agree on: how issues are named, and what a ticket's words may be.

Invariant: pure, and the same for the vault and its double, so that a text that one refuses the
other refuses too, before anything changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orch.model import naming
from orch.model.errors import NotFound, UsageError
from orch.model.ticket import STATES

PREFIX = "ISSUE-"
DIGITS = 3
LARGEST = 1024 * 1024
"""Bytes of an issue, all in all."""

_LONGEST_TITLE = 1_000
_LONGEST_LINE = 2_000
_MOST_LABELS = 50
_LONGEST_LABEL = 200
_NUMBER = re.compile(r"(?:issue-)?([0-9]{1,9})", re.ASCII | re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#:-]{0,199}", re.ASCII)
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def issue_id(number: int) -> str:
    """`ISSUE-007`"""
    return f"{PREFIX}{number:0{DIGITS}d}"


def number_of(identifier: str) -> int | None:
    """The number that `7`, `007`, `issue-7` or `ISSUE-007` mean; None for any other word."""
    match = _NUMBER.fullmatch(identifier.strip())
    return int(match[1]) if match else None


def unknown(identifier: str, known: Iterable[int]) -> NotFound:
    """The error for an id that nothing has, with the nearest that are there."""
    number = number_of(identifier)
    word = one_line(identifier).upper()[:40] if number is None else issue_id(number)
    there = [issue_id(number) for number in sorted(known)]
    near = naming.nearest(word, there)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return NotFound(
        f"there is no issue {one_line(identifier)[:80]!r}{meant}",
        code="unknown_issue",
        hint="orch issue list" if there else 'orch issue create "TITLE"',
        near=near,
    )


def one_line(text: str) -> str:
    """`text` with each line break as a space, and none of either at its ends."""
    return _BREAKS.sub(" ", text).strip()


def changes(fields: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """The fields that are to change, checked and normalised. `UsageError` (`unknown_field`,
    `bad_status`, `empty_title`, `too_large`, `not_utf8`) before anything is touched."""
    checked: dict[str, str | tuple[str, ...]] = {}
    for name, value in fields.items():
        if name == "labels":
            checked[name] = labels(value)
        elif name == "title":
            checked[name] = title(value)
        elif name == "status":
            checked[name] = status(value)
        elif name == "body":
            checked[name] = body(value)
        elif name in ("pr_url", "resolved", "resolution"):
            checked[name] = line(name, value)
        else:
            raise UsageError(
                f"An issue's {name!r} cannot be changed.",
                code="unknown_field",
                hint="What can be: status, labels, title, body, pr_url, resolved, resolution.",
            )
    return checked


def title(text: str) -> str:
    """A title on one line: any Unicode, not empty, at most 1,000 characters."""
    words = one_line(_unicode("title", text))
    if not words:
        raise UsageError(
            "An issue needs a title.", code="empty_title", hint='orch issue create "What to do"'
        )
    return _short("title", words, _LONGEST_TITLE)


def status(word: str) -> str:
    if word not in STATES:
        raise UsageError(
            f"The status {word!r} is not one of {', '.join(STATES)}.",
            code="bad_status",
            hint=f"Use one of {', '.join(STATES)}.",
        )
    return word


def labels(words: Sequence[str]) -> tuple[str, ...]:
    """Labels on one line each, empty ones left out, in the order given."""
    if isinstance(words, str):
        raise UsageError(
            f"Labels are a list, not the text {words!r}.",
            code="bad_labels",
            hint="--labels one,two",
        )
    lines = (one_line(_unicode("label", word)) for word in words)
    kept = tuple(_short("label", word, _LONGEST_LABEL) for word in lines if word)
    if len(kept) > _MOST_LABELS:
        raise UsageError(
            f"{len(kept)} labels are more than the {_MOST_LABELS} an issue may have.",
            code="too_large",
            hint="Leave some out.",
        )
    return kept


def body(text: str) -> str:
    """A body to the byte, at most 1 MiB."""
    size = len(_unicode("body", text).encode())
    if size > LARGEST:
        raise UsageError(
            f"The body has {size:,} bytes; an issue may have {LARGEST:,} at most.",
            code="too_large",
            hint="Put the long text into a file of the repository, and name that file in the body.",
        )
    return text


def line(name: str, text: str) -> str:
    """A short text on one line, empty allowed."""
    return _short(name, one_line(_unicode(name, text)), _LONGEST_LINE)


def key(text: str) -> str:
    """The key that makes a creation happen once; empty for none."""
    if text and not _KEY.fullmatch(text):
        raise UsageError(
            f"The key {text[:80]!r} is not made of up to 200 letters, digits and ._/#:-.",
            code="bad_key",
            hint="Use a short word of letters and digits.",
        )
    return text


def _unicode(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The {name} holds bytes that are no UTF-8 text, at character {error.start + 1}.",
            code="not_utf8",
            hint="Save the text as UTF-8, then run the command again.",
        ) from error
    return text


def _short(name: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise UsageError(
            f"The {name} has {len(text):,} characters; it may have {longest:,} at most.",
            code="too_large",
            hint=f"Shorten the {name}; the body has room.",
        )
    return text
