"""Tickets: found by what they say, bound to a pull request, resolved.

Invariant: what is asked for is checked before a ticket is touched; doing it again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.errors import Conflict, NotFound, UsageError
from orch.model.naming import moment
from orch.model.ticket import Ticket

if TYPE_CHECKING:
    from orch.api.facade import Orch

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PULL = re.compile(r"(?:(?P<repo>[a-z0-9-]+)?#)?(?P<number>[0-9]{1,9})")


def find(
    orch: Orch, *, states: Sequence[str] = (), labels: Sequence[str] = (), repo: str = "",
    text: str = "", limit: int = 0,
) -> tuple[list[Ticket], Sequence[str]]:  # fmt: skip
    """Newest first: in any of `states`, with any of `labels`, of `repo`, with `text` in id, title or
    body; at most `limit` (0: all). Then a sentence for each ticket that cannot be read."""
    found, broken = orch.issues()
    wanted = _repo(orch, repo, found) if repo else ""
    kept = [
        ticket
        for ticket in found
        if (not states or ticket.status in states)
        and set(labels) <= set(ticket.labels)
        and (not wanted or ticket.repo == wanted)
        and (not text or _says(ticket, text.casefold()))
    ]
    return (kept[:limit] if limit else kept), broken


def _says(ticket: Ticket, folded: str) -> bool:
    return any(folded in text.casefold() for text in (ticket.id, ticket.title, ticket.body))


def _repo(orch: Orch, word: str, found: Sequence[Ticket]) -> str:
    """A registered repository, or the very word that tickets have."""
    try:
        return orch.repo(word).slug
    except NotFound:
        if any(ticket.repo == word for ticket in found):
            return word
        raise


def link(orch: Orch, word: str, pull: str, *, dry_run: bool = False) -> Ticket:
    """Bind the ticket to a pull request: a URL, `N`, `#N` or `REPO#N`."""
    ticket = _kept(orch, word)
    url = _url(orch, ticket, pull)
    if ticket.pr_url and ticket.pr_url != url:
        raise Conflict(
            f"{ticket.id} is linked to {ticket.pr_url}", code="linked_already",
            hint=f"orch tickets unlink {ticket.id}",
        )  # fmt: skip
    return ticket if dry_run else _bound(orch, ticket, url)


def unlink(orch: Orch, word: str, *, dry_run: bool = False) -> Ticket:
    """Forget the ticket's pull request. Without one, nothing happens."""
    ticket = _kept(orch, word)
    return ticket if dry_run else _bound(orch, ticket, "")


def _bound(orch: Orch, ticket: Ticket, url: str) -> Ticket:
    """In the vault's file, or with what is remembered of a source's ticket."""
    known = orch.store.tickets.ticket(ticket.id) if ":" in ticket.id else None
    if known is None:
        return orch.rooms.tracker.update(ticket.id, pr_url=url)
    from orch.api.tracked_tickets import linked

    linked(orch, known, url)
    return replace(ticket, pr_url=url)


def resolve(
    orch: Orch, word: str, *, pull: str = "", result: str = "", dry_run: bool = False
) -> Ticket:
    """Mark it resolved, as the effect `ResolveIssue` does: one that is so stays, to the time."""
    ticket = _kept(orch, word)
    if ":" in ticket.id:
        raise UsageError(
            f"{ticket.id} lives at its tracker; it is closed there, or when its task is done",
            code="not_ours", hint=f"orch tickets show {ticket.id}",
        )  # fmt: skip
    wanted = {"status": "resolved"}
    if pull:
        wanted["pr_url"] = _url(orch, ticket, pull)
    if result:
        wanted["resolution"] = result
    if dry_run or all(getattr(ticket, name) == value for name, value in wanted.items()):
        return ticket
    wanted["resolved"] = moment(orch.rooms.clock.now())
    return orch.rooms.tracker.update(ticket.id, **wanted)


def _kept(orch: Orch, word: str) -> Ticket:
    """A ticket of the tracker; a file that somebody only points at is not ours to change."""
    ticket = orch.issue(word)
    if ticket.tracker == "file":
        raise UsageError(
            f"{word} is a file of yours; only issues of the vault are changed", code="not_ours",
            hint="orch issue list",
        )  # fmt: skip
    return ticket


def _url(orch: Orch, ticket: Ticket, pull: str) -> str:
    if _URL.fullmatch(pull):
        return pull
    match = _PULL.fullmatch(pull)
    if match is None:
        raise UsageError(
            f"{pull!r} is neither a URL nor the number of a pull request", code="bad_pr",
            hint="orch pr list",
        )  # fmt: skip
    repo = match["repo"] or ticket.repo
    number = int(match["number"])
    known, _ = orch.pulls()
    found = [p for p in known if p.number == number and (not repo or p.repo == repo)]
    if len(found) > 1:
        listed = ", ".join(f"{each.repo}#{each.number}" for each in found)
        raise UsageError(f"{pull!r} could be {listed}", code="ambiguous", hint="orch pr list")
    if not found:
        where = f" of {repo}" if repo else ""
        raise NotFound(
            f"there is no pull request {number}{where}", code="unknown_pr", hint="orch pr list"
        )
    return found[0].url
