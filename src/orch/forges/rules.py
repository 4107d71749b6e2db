"""What our own forges agree on: the marker in a PR's body, its texts, and where a slug may lead.

Invariant: pure, and the same for the local forge and its double.
"""

from __future__ import annotations

import re
import time

from orch.model.errors import NotFound, UsageError
from orch.model.repo import Repo

STATES = ("open", "merged", "closed")
LARGEST = 1024 * 1024
"""Bytes of one PR record, all in all."""

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/#:]|-(?!-)){0,199}", re.ASCII)
_SLUG = re.compile(r"[\w][\w.-]{0,99}")


def marker(key: str) -> str:
    """`<!-- orch:v1:KEY -->`: tells whose PR it is, unseen by those who read it. The key has
    nothing in it that could end the comment. `UsageError(bad_key)`."""
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"The key {key[:80]!r} is not made of up to 200 letters, digits and ._/#:-.",
            code="bad_key",
            hint="Use a short word of letters and digits.",
        )
    return f"<!-- orch:v1:{key} -->"


def with_marker(body: str, key: str) -> str:
    """`body` with the marker of `key` as its last line; once, however often it is done."""
    if not key:
        return body
    mark = marker(key)
    if body.endswith(mark):
        return body
    return f"{body.rstrip()}\n\n{mark}" if body.strip() else mark


def slug(repo: Repo) -> str:
    """The repository's slug, proven to be a single plain name below a directory (H94: numbers and
    heads mean something only within it). `UsageError(bad_name)`."""
    if not _SLUG.fullmatch(repo.slug):
        raise UsageError(
            f"The repository's slug {repo.slug[:80]!r} is not made of letters, digits and ._-.",
            code="bad_name",
            hint="Register it under another one: `orch repo add PATH --slug NAME`.",
        )
    return repo.slug


def text(name: str, words: str) -> str:
    """`words`, proven to be Unicode text. `UsageError(not_utf8)`."""
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The pull request's {name} holds bytes that are no UTF-8 text, "
            f"at character {error.start + 1}.",
            code="not_utf8",
            hint="Save the text as UTF-8, then run the command again.",
        ) from error
    return words


def timestamp(now: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def unknown(repo: Repo, number: int) -> NotFound:
    return NotFound(
        f"There is no pull request {number} in {repo.slug}.",
        code="unknown_pr",
        hint="`orch pr list` shows all.",
    )
