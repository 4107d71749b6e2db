"""Tickets out: how a task stands is shown at its ticket, by a label or state and one comment.

Invariants:

- Only what is told now counts: states that passed while a tracker was away are not told any more.
- A first comment is noted as begun before it is sent; after an outcome that is not known (or a crash)
  the tracker is looked at no sooner than its lists can be trusted again, so there is one comment.
- At the end what is there is counted once more, and what is there twice is taken away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec.structs import replace

from orch.config.source_tree import SourceConfig
from orch.engine.dispatcher import FAULTS
from orch.engine.seams import FOR_PEOPLE, ReportWaits
from orch.engine.sourcing import Sources, mark_gone
from orch.engine.waiting import pause_after, rest
from orch.engine.world import World
from orch.model import leaks, marks, reporting
from orch.model.errors import NotFound, OrchError
from orch.model.event import PullRecorded
from orch.model.task import CLOSED, Task, place_of
from orch.model.ticket_books import Report
from orch.model.tracked import apart

LONGEST_PAUSE_S = 1800.0
AT_ONCE = 4
log = logging.getLogger(__name__)


class Reporter:
    """`orch.engine.dispatcher.Loop`. `secret` makes the codes of our marks."""

    def __init__(
        self, world: World, sources: Sources, secret: Callable[[], bytes],
        waits: ReportWaits = FOR_PEOPLE,
    ) -> None:  # fmt: skip
        self._world = world
        self._sources = sources
        self._secret = secret
        self._waits = waits
        self._woken = asyncio.Event()
        self._pending: dict[int, float] = {}
        self._known: frozenset[str] = frozenset()
        self._seen = 0

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            await rest(self._woken, self._world.clock, await self.write_due())

    async def write_due(self) -> float | None:
        """Write what is due now; seconds until something is due by itself, None for nothing."""
        now, due = self._world.clock.now(), []
        self._take_news()
        for number, at in list(self._pending.items()):
            if at > now:
                continue
            task = self._world.store.task(number)
            when = self._due(task, now) if task is not None and place_of(task) else None
            if task is None or when is None:
                del self._pending[number]
            elif when <= now:
                due.append(task)
            else:
                self._pending[number] = when
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(task: Task) -> None:
            async with limit:
                await self._world.call("report.write", self._write, task)

        await asyncio.gather(*(one(task) for task in due))
        if due:
            return 0.0
        return min((at - now for at in self._pending.values()), default=None)

    def _take_news(self) -> None:
        """Which tasks something was heard of; all of them at the start, and when sources come."""
        store, known = self._world.store, frozenset(self._sources.all())
        if known != self._known:
            self._known, self._seen = known, store.last_event()
            self._pending |= dict.fromkeys((task.id for task in store.tasks_of_sources()), 0.0)
            return
        while events := store.events(self._seen):
            self._seen = events[-1].seq
            for event in events:
                if event.task:
                    self._pending[event.task] = 0.0
                elif isinstance(event.data, PullRecorded):
                    reviewed = store.tasks("in_review")
                    self._pending |= dict.fromkeys((task.id for task in reviewed), 0.0)

    def _config(self, task: Task) -> SourceConfig | None:
        config = self._sources.all().get(apart(place_of(task))[0])
        return config if config is not None and config.write != "none" else None

    def _due(self, task: Task, now: float) -> float | None:
        """When this task's ticket has to be written to; None where it says what it should."""
        config = self._config(task)
        if config is None:
            return None
        report = self._world.store.tickets.report(task.id)
        if report is None:
            return task.updated_at + self._waits.settle_s
        words = reporting.comment_of(task, self._world.store.pulls_of_task(task.id))
        begun = report.begun_at + self._waits.grace_s if report.begun_at else 0.0
        if report.done != reporting.fingerprint(task, words):
            return max(report.due, begun, task.updated_at + self._waits.settle_s)
        if task.state in CLOSED and not report.swept:
            return max(report.due, begun, report.written_at + self._waits.sweep_s)
        return None

    def _write(self, task: Task) -> None:
        """Blocks. Whatever goes wrong is kept with the report, and tried again later."""
        books, now = self._world.store.tickets, self._world.clock.now()
        task = self._world.store.task(task.id) or task  # it may have moved on
        config = self._config(task)
        report = books.report(task.id) or Report(task=task.id, ticket=place_of(task))
        if config is None:
            return
        pulls = self._world.store.pulls_of_task(task.id)
        words = reporting.comment_of(task, pulls)
        done = reporting.fingerprint(task, words)
        sweep = report.done == done
        first = now if sweep or not report.comment else 0.0
        whole = config.write == "all" and bool(task.issue)  # else the ticket is another task's
        labels = reporting.labels_of(task, self._theirs(report)) if whole else ()
        may_be = tuple(dict.fromkeys((*report.labels, *labels)))
        begun = replace(
            report, done=done if sweep else "", begun_at=first, written_at=now, labels=may_be
        )
        books.put_report(begun)  # from now on what is there is not known until it is confirmed
        try:
            source = self._sources.open(apart(place_of(task))[0])
            fit = reporting.comment_of(self._fit_to_leave(task), pulls)
            source_id = apart(place_of(task))[1]
            key = marks.key_of(self._secret(), place_of(task), reporting.NAME.format(task.id))
            # Each part looks first: all of it may be repeated.
            if whole:
                source.put_state(source_id, task.state)
            known = "" if sweep else report.comment
            comment = source.put_comment(source_id, fit, key=key, known=known)
            begun = replace(begun, comment=comment, begun_at=0.0)  # it is there, whatever follows
            if may_be and getattr(source, "tells_by_labels", False):
                gone = [label for label in may_be if label not in labels]
                source.put_labels(source_id, labels, gone)
            if whole and config.close and task.state == "done":
                source.close(source_id, done=True)
        except OrchError as error:
            if error.code in FAULTS:
                raise
            books.put_report(self._failed(begun, error, now, done))
            return
        books.put_report(
            replace(begun, done=done, due=0.0, tries=0, error="", swept=sweep, labels=labels)
        )

    def _theirs(self, report: Report) -> list[str]:
        """The labels of the ticket, as it was last seen, that are not ours."""
        known = self._world.store.tickets.ticket(report.ticket)
        there = known.ticket.labels if known is not None else ()
        return [label for label in there if label not in report.labels]

    def _fit_to_leave(self, task: Task) -> Task:
        """The same without secrets (a reason may have an agent's own words) and without the places
        of this machine."""
        world, said = self._world, []
        places = {str(world.home): "ORCH_HOME", world.environ.get("HOME", ""): "~"}
        for text in (task.reason, task.hint):
            clean, _ = leaks.redacted(text, world.secrets(task.repo))
            for place, name in places.items():
                clean = clean.replace(place, name) if len(place) > 1 else clean
            said.append(clean)
        return replace(task, reason=said[0], hint=said[1])

    def _failed(self, report: Report, error: OrchError, now: float, done: str) -> Report:
        """A ticket that is gone is not written to any more; all else is tried again."""
        log.warning("ticket %s was not written to: %s", report.ticket, error.message)
        if isinstance(error, NotFound):
            if error.code == "unknown_issue":
                mark_gone(self._world.store.tickets, report.ticket, now)
            return replace(report, done=done, begun_at=0.0, swept=True, error=error.message)
        pause = pause_after(error, report.tries, now, first_s=5.0, longest_s=LONGEST_PAUSE_S)
        begun = report.begun_at if error.code in ("outcome_unknown", "host_unreachable") else 0.0
        return replace(
            report, tries=report.tries + 1, due=now + pause, error=error.message, begun_at=begun
        )
