"""What all attempts write, as they write it: of a task, of a run, or of everything.

Invariant: reads only. New attempts are picked up as they start, each one's end is told after its last
line, and no flood of one holds more in memory than a few blocks a look, nor holds up the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from orch.api.tails import Tails, Wrote
from orch.model.attempt import FINAL, Attempt
from orch.model.event import AttemptEnded, AttemptStarting, Event
from orch.model.run import TERMINAL, Run
from orch.model.task import CLOSED, Task

if TYPE_CHECKING:
    from orch.api.rooms import Rooms

LOOK_S = 0.05
"""Between two looks into the books."""
BLOCKS = 1
"""Blocks (256 KiB) of each stream in one look."""
AT_ONCE = 16
"""Attempts that are read in one look; the others have the next ones."""
_PAGE = 1000
_RESTING = frozenset({"in_review", "needs_review"})


class Started(NamedTuple):
    """An attempt began, or was at work already."""

    attempt: Attempt
    task: int


class Ended(NamedTuple):
    """An attempt ended, and all that it wrote was told."""

    attempt: Attempt
    task: int


Change = Started | Wrote | Ended


class Streaming:
    """Follows the live attempts of `target` and those that start from now on; None: all."""

    def __init__(self, rooms: Rooms, target: Task | Run | None) -> None:
        self._store = rooms.store
        self._now = rooms.clock.monotonic
        self._target = target
        self._seq = self._store.last_event()
        self._changes = -1
        self._tails = Tails(rooms.terminals, self._now)
        self._attempts: dict[str, tuple[Attempt, int]] = {}
        self._behind: list[str] = []
        self._ended: dict[str, Attempt] = {}  # with something left to tell
        self._told: list[str] = []
        self._first = [
            started for attempt in self._store.live_attempts() if (started := self._begin(attempt))
        ]

    def close(self) -> None:
        self._tails.close()

    def task_of(self, attempt: Attempt) -> int:
        """The task that an attempt works for; 0 for none that is followed."""
        return self._attempts.get(attempt.id, (attempt, 0))[1]

    @property
    def over(self) -> bool:
        """Nothing more will come by itself of what is followed."""
        target = self._target
        if target is None or self._attempts:
            return False
        if isinstance(target, Run):
            run = self._store.run(target.id)
            return (
                run is None or run.status in TERMINAL or (run.status == "blocked" and not run.stop)
            )
        task = self._store.task(target.id)
        return task is None or task.state in CLOSED or task.state in _RESTING

    def turn(self, limit_s: float) -> list[Change]:
        """The next changes, in order; none when `limit_s` is over."""
        for identifier in self._told:
            del self._attempts[identifier]
        self._told = []
        deadline = self._now() + limit_s
        while True:
            found = self._look()
            left = deadline - self._now()
            if found or left <= 0 or self.over:
                return found
            self._tails.wait(min(left, LOOK_S), ())

    # --- looking

    def _look(self) -> list[Change]:
        found: list[Change] = [*self._first]
        self._first = []
        ready = list(dict.fromkeys([*self._behind, *self._tails.heard()]))
        now, self._behind = ready[:AT_ONCE], ready[AT_ONCE:]
        known = set(self._tails.known())
        for one in now:
            if one in known:
                wrote = list(self._tails.written([one], BLOCKS))
                found += wrote
                if wrote:  # there may be more than one look takes
                    self._behind.append(one)
        changes = self._store.changes()
        if changes != self._changes:
            self._changes = changes
            found += self._happened()
        found += self._tails.halves()
        found += self._over_with()
        return found

    def _over_with(self) -> list[Change]:
        """Of those that have ended: a few blocks more, or the last words and the end."""
        found: list[Change] = []
        for identifier, attempt in list(self._ended.items())[:AT_ONCE]:
            more = list(self._tails.written([identifier], BLOCKS))
            found += more
            if not more:
                found += self._tails.finish(identifier)
                found.append(Ended(attempt, self._attempts[identifier][1]))
                self._told.append(identifier)
                del self._ended[identifier]
        return found

    def _happened(self) -> list[Change]:
        found: list[Change] = []
        for event in self._new_events():
            data = event.data
            if isinstance(data, AttemptStarting) and data.attempt.id not in self._attempts:
                attempt = self._store.attempt(data.attempt.id) or data.attempt
                started = self._begin(attempt)
                found += [started] if started else []
        for identifier, (attempt, _) in self._attempts.items():
            current = self._store.attempt(identifier) or attempt
            if current.status in FINAL and identifier not in self._told:
                self._ended[identifier] = current
        return found

    def _begin(self, attempt: Attempt) -> Started | None:
        run = self._store.run(attempt.run)
        task = run.task if run is not None else 0
        target = self._target
        if isinstance(target, Run) and target.id != attempt.run:
            return None
        if isinstance(target, Task) and target.id != task:
            return None
        self._tails.follow(attempt)
        self._attempts[attempt.id] = (attempt, task)
        return Started(attempt, task)

    def _new_events(self) -> Sequence[Event]:
        events: list[Event] = []
        while page := self._store.events(self._seq, limit=_PAGE):
            self._seq = page[-1].seq
            events += [one for one in page if isinstance(one.data, AttemptStarting | AttemptEnded)]
        return events
