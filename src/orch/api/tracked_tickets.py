"""Tickets wherever they live, as one list: the vault's and those of every source.

Invariant: reads the books and the vault, never a tracker: a listing costs nobody's requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from orch.api import records
from orch.api.tickets import find
from orch.model.errors import NotFound, UsageError
from orch.model.naming import moment, nearest
from orch.model.ticket_books import Known, TicketBooks, as_ticket

if TYPE_CHECKING:
    from orch.api.facade import Orch
    from orch.config import Config
    from orch.model.ticket import Ticket


def record(ticket: Ticket, known: Known, task: int = 0) -> dict[str, Any]:
    """A ticket of a source, with the keys of `records.ticket_record`."""
    of = known.ticket
    return {
        **records.ticket_record(ticket),
        "source": of.source, "source_id": of.source_id, "url": of.url,
        "state": "closed" if known.gone else of.state,
        "word": "gone" if known.gone else of.word,
        "assignee": of.assignee, "priority": of.priority, "blocked_by": list(of.blocked_by),
        "synced_at": moment(known.synced_at), "author": of.author.name, "parent": of.parent,
        "milestone": of.milestone, "gone": known.gone, "task": task or None, "why": known.why,
    }  # fmt: skip


def record_of(orch: Orch, known: Known) -> dict[str, Any]:
    task = orch.store.task_of_issue(known.ticket.id)
    return record(
        ticket_of(orch.rooms.config(None), known), known, task.id if task is not None else 0
    )


def ticket_of(config: Config, known: Known) -> Ticket:
    source = config.sources.get(known.ticket.source)
    return as_ticket(known, source.kind if source is not None else "")


def listing(
    orch: Orch, *, states: Sequence[str] = (), labels: Sequence[str] = (), repo: str = "",
    text: str = "", limit: int = 0, source: str = "",
) -> tuple[list[dict[str, Any]], Sequence[str]]:  # fmt: skip
    """Those of the sources by number, then the vault's, newest first; filters as in `tickets.find`.
    `source` narrows to one (`vault` is one)."""
    _known_source(orch, source)
    rows = [] if source == "vault" else orch.store.tickets.tickets(source)
    slug = repo if any(row.ticket.repo == repo for row in rows) else ""
    if repo and not slug:
        slug = next((one.slug for one in orch.repos() if one.slug == repo), "")
    folded = text.casefold()
    kept = [
        row
        for row in rows
        if (not states or row.ticket.state in states or (not row.open and "closed" in states))
        and set(labels) <= set(row.ticket.labels)
        and (not repo or row.ticket.repo == slug)
        and (not text or any(
            folded in word.casefold() for word in (row.ticket.id, row.ticket.title, row.ticket.body)
        ))
    ]  # fmt: skip
    tasks = {task.issue: task.id for task in orch.store.tasks_of_sources()} if kept else {}
    found = [
        record(ticket_of(orch.rooms.config(None), row), row, tasks.get(row.ticket.id, 0))
        for row in kept
    ]
    broken: Sequence[str] = ()
    if source in ("", "vault"):
        try:
            own, broken = find(orch, states=states, labels=labels, repo=repo, text=text)
        except NotFound:
            if not slug:
                raise
            own = []
        found += [records.ticket_record(ticket) for ticket in own]
    return (found[:limit] if limit else found), broken


def _known_source(orch: Orch, source: str) -> None:
    known = [*orch.rooms.config(None).sources, "vault"]
    if source and source not in known:
        near = nearest(source, known)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise NotFound(
            f"there is no source {source!r}{meant}", code="unknown_source",
            hint="orch repo sources list",
        )  # fmt: skip


def remembered(books: TicketBooks, word: str) -> Known | None:
    """The ticket of a source that `word` means: `thing:12`, or `12`, `#12` or `PROJ-12` where only
    one source has it. None where none has. `UsageError(ambiguous)`."""
    if ":" in word:
        return books.ticket(word)
    found = books.with_source_id(word.removeprefix("#"))
    if len(found) > 1:
        listed = ", ".join(row.ticket.id for row in found)
        raise UsageError(
            f"{word!r} could be {listed}", code="ambiguous",
            hint=f"orch tickets show {found[0].ticket.id}",
        )  # fmt: skip
    return found[0] if found else None


def linked(orch: Orch, known: Known, url: str) -> Known:
    """The ticket with a person's own link to a pull request, or (empty) without one."""
    changed = replace(known, pr_url=url)
    orch.store.tickets.change(changed)
    return changed
