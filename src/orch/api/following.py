"""A run as it changes: its events and what its programs write, in order, for whoever watches.

Invariant: reads only. What an attempt wrote is told before its end is, and no byte is told twice.
Changes of the books are seen by a look that costs 3 µs; what is written is told by the kernel, with a
slow look beside it, and is polled only where the system cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from orch.api.attempts import means, named
from orch.api.tails import Tails, Wrote
from orch.model.attempt import FINAL, Attempt
from orch.model.errors import NotFound
from orch.model.event import AttemptEnded, AttemptStarting, Event
from orch.model.run import TERMINAL, Run

if TYPE_CHECKING:
    from orch.api.rooms import Rooms

LOOK_S = 0.05
"""Between two looks into the books, and at output of which nobody tells."""
_PAGE = 1000


class Turn(NamedTuple):
    """What has changed, in order; `over`: the run has ended or waits for somebody."""

    changes: list[Event | Wrote]
    over: bool


class Following:
    """Follows one run from now on, or of its programs only those that `agent` means (they may be
    still to come). `lines` of each stream that were written before are told first (None: what is
    left of its last MiB)."""

    def __init__(self, rooms: Rooms, run: str, *, agent: str = "", lines: int | None = 0) -> None:
        self._store = rooms.store
        self._now = rooms.clock.monotonic
        self._agent = agent
        self._changes = self._store.changes()
        self.seq = self._store.last_event()
        self.run = self._read_run(run)
        self.attempts = {attempt.id: attempt for attempt in self._store.attempts(run)}
        if self.over:
            named(self.run, self.attempts.values(), agent)
        self._tails = Tails(rooms.terminals, self._now)
        self._before = self._begin(lines)

    def close(self) -> None:
        self._tails.close()

    @property
    def over(self) -> bool:
        """The run has ended, or waits for somebody (and nobody asked for more)."""
        return self.run.status in TERMINAL or (self.run.status == "blocked" and not self.run.stop)

    def wants(self, attempt: Attempt) -> bool:
        """Whether it is one of those that are followed."""
        return means(self._agent, attempt)

    @property
    def waits_for_agent(self) -> bool:
        """Nothing that was asked for has started yet."""
        return not any(self.wants(attempt) for attempt in self.attempts.values())

    def turn(self, limit_s: float, wake: Sequence[int] = ()) -> Turn:
        """The next changes; none when `limit_s` is over or a descriptor of `wake` is readable."""
        deadline = self._now() + limit_s
        while True:
            changes = self._look()
            left = deadline - self._now()
            if changes or self.over or left <= 0 or self._woken(min(left, LOOK_S), wake):
                return Turn(changes, self.over)

    # --- looking

    def _begin(self, lines: int | None) -> list[Event | Wrote]:
        found: list[Event | Wrote] = []
        for attempt in self.attempts.values():
            if not self.wants(attempt) or (attempt.status in FINAL and lines == 0):
                continue
            for tail in self._tails.follow(attempt):
                found += tail.skip(lines)
            if attempt.status in FINAL:
                found += self._tails.finish(attempt.id)
        return found

    def _look(self) -> list[Event | Wrote]:
        found, self._before = self._before, []
        found += self._tails.written(self._tails.heard())
        changes = self._store.changes()
        if changes != self._changes:
            self._changes = changes
            found += self._happened()
        if self.over:
            for attempt in self._tails.known():
                found += self._tails.finish(attempt)
        found += self._tails.halves()
        return found

    def _happened(self) -> list[Event | Wrote]:
        found: list[Event | Wrote] = []
        started: list[str] = []
        events = self._new_events()
        if any(isinstance(event.data, AttemptStarting | AttemptEnded) for event in events):
            self.attempts = {a.id: a for a in self._store.attempts(self.run.id)}
        for event in events:
            data = event.data
            if isinstance(data, AttemptEnded):
                found += self._tails.finish(data.id)
            found.append(event)
            if isinstance(data, AttemptStarting) and data.attempt.id not in self._tails.known():
                attempt = self.attempts[data.attempt.id]
                if self.wants(attempt):
                    self._tails.follow(attempt)
                    started.append(attempt.id)
        found += self._tails.written([one for one in started if one in self._tails.known()])
        return found

    def _new_events(self) -> list[Event]:
        events: list[Event] = []
        while True:
            page = self._store.events(self.seq, run=self.run.id, limit=_PAGE)
            events += page
            if page:
                self.seq = page[-1].seq
            if len(page) < _PAGE:
                break
        self.run = self._read_run(self.run.id)
        return events

    def _read_run(self, run: str) -> Run:
        found = self._store.run(run)
        if found is None:
            raise NotFound(f"there is no run {run}", code="unknown_run", hint="orch ps")
        return found

    def _woken(self, limit_s: float, wake: Sequence[int]) -> bool:
        """Wait until there may be something; whether it was `wake`."""
        return self._tails.wait(limit_s, wake)
