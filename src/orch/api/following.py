"""A run as it changes: its events and what its programs write, in order, for whoever watches.

Invariant: reads only. What an attempt wrote is told before its end is, and no byte is told twice.
Changes of the books are seen by a look that costs 3 µs; what is written is told by the kernel, with a
slow look beside it, and is polled only where the system cannot tell.
"""

from __future__ import annotations

import codecs
import select
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orch.api.attempts import means, named
from orch.model.attempt import FINAL, Attempt
from orch.model.errors import NotFound
from orch.model.event import AttemptEnded, AttemptStarting, Event
from orch.model.run import TERMINAL, Run

if TYPE_CHECKING:
    from orch.api.rooms import Rooms
    from orch.ports import Ear

LOOK_S = 0.05
"""Between two looks into the books, and at output of which nobody tells."""
SAFETY_S = 1.0
"""Between two looks at output of which the kernel tells."""
HALF_S = 0.3
"""A line that is not ended for so long is told as far as it goes (a question, a progress bar)."""
STREAMS = ("stdout", "stderr", "pane")
_BLOCK = 256 * 1024
_BLOCKS = 16
_BEFORE = 1024 * 1024
_LONGEST = 64 * 1024
_DROPPED = "… (the middle of the output was dropped)\n"
_PAGE = 1000


class Wrote(NamedTuple):
    """One line with its line break; without it the line goes on in the next one."""

    attempt: Attempt
    stream: str
    text: str


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
        self._terminals = rooms.terminals
        self._now = rooms.clock.monotonic
        self._agent = agent
        self._changes = self._store.changes()
        self.seq = self._store.last_event()
        self.run = self._read_run(run)
        self.attempts = {attempt.id: attempt for attempt in self._store.attempts(run)}
        if self.over:
            named(self.run, self.attempts.values(), agent)
        self._ear: Ear | None = self._terminals.ear()
        self._ears: dict[str, str] = {}  # directories that are heard, and whose they are
        self._safety = self._now() + SAFETY_S
        self._tails: dict[str, list[_Tail]] = {}
        self._before = self._begin(lines)

    def close(self) -> None:
        if self._ear is not None:
            self._ear.close()

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
            for tail in self._follow(attempt):
                found += tail.skip(lines)
            if attempt.status in FINAL:
                found += self._finish(attempt.id)
        return found

    def _follow(self, attempt: Attempt) -> list[_Tail]:
        tails = [_Tail(self._terminals.read, attempt, stream) for stream in STREAMS]
        self._tails[attempt.id] = tails
        return tails

    def _look(self) -> list[Event | Wrote]:
        found, self._before = self._before, []
        found += self._written(self._heard())
        changes = self._store.changes()
        if changes != self._changes:
            self._changes = changes
            found += self._happened()
        if self.over:
            for attempt in list(self._tails):
                found += self._finish(attempt)
        now = self._now()
        for tails in self._tails.values():
            for tail in tails:
                found += tail.half(now - HALF_S)
        return found

    def _heard(self) -> list[str]:
        """The attempts that may have written."""
        ear, now = self._ear, self._now()
        if ear is None:
            return list(self._tails)
        heard = {self._ears[directory] for directory in ear.heard() if directory in self._ears}
        for identifier in self._tails:
            directory = self.attempts[identifier].directory
            if directory not in self._ears and ear.listen(directory):
                self._ears[directory] = identifier
                heard.add(identifier)
        if now >= self._safety:
            self._safety = now + SAFETY_S
            heard.update(self._tails)
        return [identifier for identifier in self._tails if identifier in heard]

    def _written(self, attempts: Sequence[str]) -> Iterator[Wrote]:
        now = self._now()
        for identifier in attempts:
            for tail in self._tails[identifier]:
                yield from tail.take(now)

    def _happened(self) -> list[Event | Wrote]:
        found: list[Event | Wrote] = []
        started: list[str] = []
        events = self._new_events()
        if any(isinstance(event.data, AttemptStarting | AttemptEnded) for event in events):
            self.attempts = {a.id: a for a in self._store.attempts(self.run.id)}
        for event in events:
            data = event.data
            if isinstance(data, AttemptEnded):
                found += self._finish(data.id)
            found.append(event)
            if isinstance(data, AttemptStarting) and data.attempt.id not in self._tails:
                attempt = self.attempts[data.attempt.id]
                if self.wants(attempt):
                    self._follow(attempt)
                    started.append(attempt.id)
        found += self._written([one for one in started if one in self._tails])
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

    def _finish(self, attempt: str) -> Iterator[Wrote]:
        """The rest of what it wrote; it writes no more."""
        for tail in self._tails.pop(attempt, ()):
            yield from tail.end(self._now())

    def _woken(self, limit_s: float, wake: Sequence[int]) -> bool:
        """Wait until there may be something; whether it was `wake`."""
        poll = select.poll()
        for descriptor in wake:
            poll.register(descriptor, select.POLLIN)
        if self._ear is not None:
            poll.register(self._ear.fileno(), select.POLLIN)
        return any(ready in wake for ready, _ in poll.poll(limit_s * 1000))


class _Tail:
    """One stream of an attempt, read on from where the last look ended."""

    def __init__(
        self, read: Callable[[str, str, int, int], tuple[bytes, int]], attempt: Attempt, stream: str
    ) -> None:
        self._read = read
        self._attempt = attempt
        self._stream = stream
        self._at = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._half = ""
        self._since = 0.0

    def skip(self, lines: int | None) -> list[Wrote]:
        """Leave out what there is but the last `lines` of its last MiB (None: the whole MiB)."""
        _, size = self._read(self._attempt.directory, self._stream, 0, 0)
        self._at = max(0, size - _BEFORE)
        if lines is None:
            return []
        whole = list(self.take(0.0))
        return whole[-lines:] if lines else []

    def take(self, now: float) -> Iterator[Wrote]:
        """The lines that were ended since the last look. Of a program that writes faster than this
        reads, something is left for the next look."""
        for _ in range(_BLOCKS):
            data, size = self._read(self._attempt.directory, self._stream, self._at, _BLOCK)
            if size < self._at:
                self._at, self._half = size, ""
                yield self._wrote(_DROPPED)
            elif not data:
                return
            else:
                self._at += len(data)
                yield from self._lines(self._decoder.decode(data), now)

    def _lines(self, text: str, now: float) -> Iterator[Wrote]:
        *whole, self._half = (self._half + text).split("\n")
        self._since = now
        for line in whole:
            yield self._wrote(line + "\n")
        if len(self._half) > _LONGEST:
            yield from self.half(now)

    def end(self, now: float) -> Iterator[Wrote]:
        """All that is left."""
        before = -1
        while before != self._at:
            before = self._at
            yield from self.take(now)
        yield from self._lines(self._decoder.decode(b"", final=True), now)
        yield from self.half(now)

    def half(self, before: float) -> Iterator[Wrote]:
        """The beginning of a line to which nothing was added since `before`."""
        if self._half and self._since <= before:
            text, self._half = self._half, ""
            yield self._wrote(text)

    def _wrote(self, text: str) -> Wrote:
        return Wrote(self._attempt, self._stream, text)
