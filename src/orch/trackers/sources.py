"""What our sources over remote trackers agree on.

Invariant: nothing is asked here; errors name the ticket and the source that was asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orch.hosts import shared
from orch.hosts.failures import Limited, Missing, Unanswered
from orch.hosts.moments import before
from orch.model.errors import NotFound, OrchError, UsageError
from orch.model.repo import Repo, shown_url
from orch.model.tracked import Remark

if TYPE_CHECKING:
    from orch.config.source_tree import SourcePremises
    from orch.hosts.dialect import Dialect
    from orch.hosts.service import Service

OVERLAP_S = 120.0
"""How far before its cursor a look begins: longer than trackers' lists lag behind their writes."""

_MOST_KNOWN = 300


def unknown(source_id: str, source: str) -> NotFound:
    return NotFound(
        f"There is no ticket {source_id[:80]!r} at {source}.",
        code="unknown_issue",
        hint="orch tickets list",
    )


@contextmanager
def one_that_is_there(source_id: str, source: str) -> Iterator[None]:
    """What is not there is `NotFound(unknown_issue)`."""
    try:
        yield
    except Missing as error:
        raise unknown(source_id, source) from error


def number(source_id: str, source: str) -> int:
    """The number that a ticket is known by. `NotFound(unknown_issue)` for what is none."""
    if source_id.isascii() and source_id.isdigit() and len(source_id) < 16:
        return int(source_id)
    raise unknown(source_id, source)


def service(dialect: Dialect, premises: SourcePremises) -> Service:
    """The one that a source is configured for."""
    config = premises.config
    return shared.service(
        dialect, premises.environ, url=config.base_url, token=config.token,
        purpose=f"sources.{premises.name}.token", now=premises.clock.now,
        accounts=premises.accounts,
    )  # fmt: skip


def project(path: str, source: str, repo: Repo) -> str:
    """`path`, if there is one. `UsageError(no_project)`."""
    if path:
        return path
    raise UsageError(
        f"The source {source} names no project, and the remote of {repo.slug}"
        f" ({shown_url(repo.remote_url) or 'it has none'}) is not at its server.",
        code="no_project",
        hint=f'project = "group/name" in [sources.{source}]',
    )


def heard_since(cursor: str, began: str, overlap_s: float = OVERLAP_S) -> str:
    """From when on remarks are to be read, for `news`."""
    return before(cursor.partition(" ")[0] or began, overlap_s)


def news(
    cursor: str, began: str, remarks: Sequence[Remark], overlap_s: float = OVERLAP_S
) -> tuple[tuple[Remark, ...], str]:
    """What of these was not told before, and the cursor for the next call.

    A cursor is `SINCE ID@DIGEST ...`: when the look began, and what was told already of that which
    the next one reads again. The first look tells nothing, and remembers what it saw.
    """
    told = cursor.split(" ")[1:]
    ordered = sorted(remarks, key=lambda one: (one.updated, len(one.id), one.id))
    fresh = tuple(one for one in ordered if seen(one) not in told) if cursor else ()
    edge = before(began, overlap_s)
    kept = [seen(one) for one in ordered if one.updated >= edge][-_MOST_KNOWN:]
    return fresh, " ".join([began, *kept])


def seen(one: Remark) -> str:
    """Tells a remark as it was told from one that was edited since, be it in the same second."""
    text = f"{one.updated}\0{one.body}".encode("utf-8", "surrogatepass")
    return f"{one.id}@{hashlib.sha256(text).hexdigest()[:8]}"


def title(words: str, longest: int) -> str:
    """A title that a tracker takes: one line, not empty, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return (line if len(line) <= longest else f"{line[: longest - 1]}…") or "(no title)"


def probed(look: Callable[[], str]) -> str:
    """What a look says, or the sentence of the error that it ends with. Limits and silence are
    raised: they say nothing about what is missing."""
    try:
        return look()
    except (Limited, Unanswered):
        raise
    except OrchError as error:
        return error.message
