"""Tickets in: what a source shows is remembered, and what follows from it is asked for.

Invariants:

- What is remembered is written before anything follows from it, and what followed is noted last: a
  crash in between repeats the question, and its answer is the same (one task for a ticket, ever).
- Nothing is closed because it was missing: a ticket that a whole listing lacks is asked for by its id
  first, and one that nobody knows any more ends nothing (H93).
- A task gets the words that were approved; what is written into the ticket later does not reach it.

Synchronous; shared by the service's loop and `orch tickets sync`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from orch.config.source_tree import SourceConfig
from orch.engine.starting import Starting
from orch.engine.waiting import due_of, pause_after
from orch.model.command import AddTask, CloseTask, NoteTask, QueueTask, RequestStop
from orch.model.errors import NotFound, OrchError
from orch.model.event import Actor
from orch.model.run import TERMINAL
from orch.model.task import CLOSED, Task
from orch.model.ticket_books import Known, SourceState, TicketBooks, stamp_of
from orch.model.tracked import Tracked, apart
from orch.ports import Store, TicketSource

WHOLE_S = 24 * 3600.0
"""Seconds after which a source is read as a whole again: what no change told of comes to light."""
MOST_ASKED = 200
"""Tickets that one look asks for one by one."""
LONGEST_PAUSE_S = 3600.0
HELD = "waits for ticket"
_GONE = "cannot be found at the tracker any more"
_CLOSED = "was closed while pull request"
log = logging.getLogger(__name__)


class Sources(Protocol):
    """The sources that are configured now."""

    def all(self) -> Mapping[str, SourceConfig]: ...
    def open(self, name: str) -> TicketSource:
        """Made when it is first needed. Refuses what cannot be one."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a source: how many tickets were told of, how many were news, the tasks that were
    made, and the refusal or fault that ended it."""

    source: str
    seen: int = 0
    news: int = 0
    open: int = 0
    tasks: tuple[int, ...] = ()
    error: str = ""
    hint: str = ""


class Sourcing:
    """`now` gives seconds since the epoch; `actor` is who asks for the tasks."""

    def __init__(
        self, store: Store, sources: Sources, now: Callable[[], float], actor: Actor
    ) -> None:
        self.sources = sources
        self._books = store.tickets
        self._store = store
        self._now = now
        self._actor = actor

    def state(self, name: str) -> SourceState:
        return self._books.state(name) or SourceState(name=name)

    def look(self, name: str, *, whole: bool = False) -> Looked:
        """Read what has changed, or everything where that is due, and ask for what follows. What
        goes wrong is told in the answer and kept with the source; nothing is lost by it."""
        config, state, now = self.sources.all()[name], self.state(name), self._now()
        what = told(config)
        fresh = whole or state.what != what or now - state.whole_at >= WHOLE_S
        try:
            source = self.sources.open(name)
            batch = source.look("" if fresh else state.cursor)
            read = replace(
                state, what=what, cursor=batch.cursor, looked_at=now, error="", tries=0,
                whole_at=now if batch.whole else state.whole_at, due=now + config.interval_s,
            )  # fmt: skip
            rows = [Known(ticket=t, synced_at=now) for t in batch.tickets if t.source == name]
            news = self._books.put(rows, read)
            if batch.whole:
                self._confirm(name, source, {row.ticket.source_id for row in rows})
            made = self._follow_all(name, config, source)
        except OrchError as error:
            return self._failed(name, error)
        count = self._books.count_open(name)
        return Looked(source=name, seen=len(rows), news=news, open=count, tasks=tuple(made))

    def reread(self, name: str, source_ids: Iterable[str]) -> Looked:
        """Ask for these tickets by their ids: somebody hinted that they have changed."""
        config, wanted = self.sources.all()[name], sorted(set(source_ids))
        if len(wanted) > MOST_ASKED // 10:
            return self.look(name)
        try:
            source = self.sources.open(name)
            seen = self._asked(name, source, wanted)
            made = self._follow_all(name, config, source)
        except OrchError as error:
            return self._failed(name, error)
        return Looked(source=name, seen=seen, news=seen, tasks=tuple(made))

    def _failed(self, name: str, error: OrchError) -> Looked:
        now, state = self._now(), self.state(name)
        failed = replace(state, error=error.message)
        if self._actor.kind == "engine" or due_of(error):  # a person's shell may lack what we have
            pause = pause_after(error, state.tries, now, first_s=15.0, longest_s=LONGEST_PAUSE_S)
            failed = replace(failed, tries=state.tries + 1, due=now + pause)
        self._books.put_state(failed)
        return Looked(source=name, error=error.message, hint=error.hint)

    # --- what is there

    def _confirm(self, name: str, source: TicketSource, there: set[str]) -> None:
        """Ask for what was open and is missing from a whole listing."""
        missing = [
            row.ticket.source_id for row in self._books.open_tickets(name)
            if row.ticket.source_id not in there
        ]  # fmt: skip
        self._asked(name, source, missing[:MOST_ASKED])
        if len(missing) > MOST_ASKED:  # the rest at the next look
            self._books.put_state(replace(self.state(name), whole_at=0.0))

    def _asked(self, name: str, source: TicketSource, wanted: Sequence[str]) -> int:
        now, found = self._now(), []
        for source_id in wanted:
            try:
                found.append(Known(ticket=source.get(source_id), synced_at=now))
            except NotFound as error:
                if error.code != "unknown_issue":
                    raise
                mark_gone(self._books, f"{name}:{source_id}", now)
        return self._books.put([row for row in found if row.ticket.source == name])

    # --- what follows

    def _follow_all(self, name: str, config: SourceConfig, source: TicketSource) -> list[int]:
        """The tasks made of what has changed; then what waits for other tickets is looked at."""
        made: list[int] = []
        rows = self._books.undecided(name)
        starting, children = Starting(config, source), self._open_children(name) if rows else {}
        while rows:
            decided: list[tuple[str, str, str]] = []
            try:
                for row in rows:
                    why, task = self._follow(row, starting, children)
                    made += [task] if task else []
                    decided.append((row.ticket.id, stamp_of(row.ticket), why))
            finally:  # what was found out before a fault is not asked again
                self._books.decide_all(decided)
            rows = self._books.undecided(name)
        self._release(name, source)
        return made

    def _follow(
        self, row: Known, starting: Starting, children: Mapping[str, Sequence[str]]
    ) -> tuple[str, int]:
        """What a ticket means as it is now: a sentence, and the task that was made of it."""
        ticket = row.ticket
        task = self._store.task_of_issue(ticket.id)
        if task is not None:
            if not row.open and task.state not in CLOSED:
                self._over(task, row)
            elif row.open and any(f"{_of(ticket)} {it}" in task.reason for it in (_GONE, _CLOSED)):
                self._store.send(NoteTask(task.id, f"{_of(ticket)} is open again"), self._actor)
            return f"it is task {task.id}", 0
        if not row.open:
            return "it is closed", 0
        refused = starting.refused(ticket)
        if refused:
            return refused, 0
        held = self._waits(ticket, children)
        wanted = starting.wanted(ticket)
        events = self._store.send(
            AddTask(
                title=wanted.title, body=wanted.body, repo=ticket.repo, issue=ticket.id,
                labels=wanted.labels, priority=wanted.priority, source=f"ticket:{ticket.id}",
                once=True, held=told_waiting(held) if held else "",
            ),
            self._actor,
        )  # fmt: skip
        if not events:
            return "it has a task", 0
        log.info("ticket %s becomes task %d", ticket.id, events[0].task)
        return f"it is task {events[0].task}", events[0].task

    def _over(self, task: Task, row: Known) -> None:
        """A ticket that was closed at its tracker ends its task, unless there is a pull request:
        what becomes of that decides (H61, H62). One that is only gone from sight ends nothing."""
        ticket, where = row.ticket, _of(row.ticket)
        pulls = [one for one in self._store.pulls_of_task(task.id) if one.state != "closed"]
        if row.gone:
            told = f"{where} {_GONE}"
            self._store.send(NoteTask(task.id, told, f"orch task close {task.id}"), self._actor)
        elif pulls:
            told = f"{where} {_CLOSED} {pulls[-1].url} is {pulls[-1].state}"
            self._store.send(NoteTask(task.id, told, f"orch task get {task.id}"), self._actor)
        else:
            run = self._store.run(task.run) if task.run else None
            if run is not None and run.status not in TERMINAL:
                self._store.send(RequestStop(run.id, abort=True), self._actor)
            else:
                why = f"{where} was closed ({ticket.word or ticket.state})"
                self._store.send(CloseTask(task.id, why), self._actor)

    # --- dependencies between tickets

    def _open_children(self, name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for row in self._books.open_tickets(name):
            if row.ticket.parent:
                found[row.ticket.parent].append(row.ticket.id)
        return found

    def _waits(self, ticket: Tracked, children: Mapping[str, Sequence[str]]) -> list[str]:
        """The open tickets that it has to wait for, as people call them here."""
        waits = []
        for other in ticket.blocked_by:
            known = self._books.ticket(f"{ticket.source}:{other}")
            if known is None:
                waits.append(other)
            elif known.open:
                waits.append(known.ticket.id)
        return [*waits, *children.get(ticket.source_id, ())]

    def _release(self, name: str, source: TicketSource) -> None:
        """Let go on what waited for tickets that are over now. What they say is asked for anew: a
        ticket is not touched when another one that blocks it is closed."""
        held = [
            task for task in self._store.tasks_of_sources()
            if task.state == "blocked" and task.reason.startswith(HELD)
            and apart(task.issue)[0] == name
        ][:MOST_ASKED]  # fmt: skip
        if not held:
            return
        self._asked(name, source, [apart(task.issue)[1] for task in held])
        children = self._open_children(name)
        for task in held:
            row = self._books.ticket(task.issue)
            if row is None or not row.open:
                continue
            waits = self._waits(row.ticket, children)
            if not waits:
                why = "the tickets it waited for are closed"
                self._store.send(QueueTask(task.id, why), self._actor)
            elif task.reason != told_waiting(waits):
                hint = f"orch task retry {task.id}"
                self._store.send(NoteTask(task.id, told_waiting(waits), hint), self._actor)


def mark_gone(books: TicketBooks, id: str, now: float) -> None:
    """The tracker does not know the ticket any more; what follows from it is the next look's."""
    known = books.ticket(id)
    if known is not None and not known.gone:
        books.change(replace(known, gone=True, decided="", synced_at=now))


def _of(ticket: Tracked) -> str:
    return f"its ticket {ticket.id}"


def told(config: SourceConfig) -> str:
    """What a source's cursor is about: with another one everything is read anew."""
    of = (config.kind, config.repo, config.project, config.base_url, config.query)
    return " ".join(part or "-" for part in of)


def told_waiting(waits: Sequence[str]) -> str:
    listed = ", ".join(waits[:5]) + (", ..." if len(waits) > 5 else "")
    return f"{HELD} {listed}" if len(waits) == 1 else f"{HELD}s {listed}"
