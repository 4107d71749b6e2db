"""What programs write, read on from where the last look ended; told by the kernel where it can be.

Invariant: no byte is told twice, a character that is cut is told whole, and of each stream at most
one unfinished line is kept. Whoever writes may drop the middle of a stream that has grown too long
(`orch.terminals.inside.streams`): the kept end is told to its last byte, behind what was told before.
"""

from __future__ import annotations

import codecs
import select
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orch.model.attempt import Attempt
from orch.terminals.inside import streams

if TYPE_CHECKING:
    from orch.ports import Ear, Terminals

SAFETY_S = 1.0
"""Between two looks at output of which the kernel tells."""
HALF_S = 0.3
"""A line that is not ended for so long is told as far as it goes (a question, a progress bar)."""
STREAMS = ("stdout", "stderr", "pane")
_BLOCK = 256 * 1024
_BLOCKS = 16
_BEFORE = 1024 * 1024
_LONGEST = 64 * 1024
_KNOWN = 4096
"""Bytes by which the place where a look ended is found again."""
_DROPPED = "… (the middle of the output was dropped)\n"


class Wrote(NamedTuple):
    """One line with its line break; without it the line goes on in the next one."""

    attempt: Attempt
    stream: str
    text: str


class Tails:
    """The streams of several attempts. `now` gives seconds that never go back."""

    def __init__(self, terminals: Terminals, now: Callable[[], float]) -> None:
        self._terminals = terminals
        self._now = now
        self._ear: Ear | None = terminals.ear()
        self._ears: dict[str, str] = {}  # directories that are heard, and whose they are
        self._safety = now() + SAFETY_S
        self._tails: dict[str, list[Tail]] = {}

    def close(self) -> None:
        if self._ear is not None:
            self._ear.close()

    def known(self) -> list[str]:
        """The attempts that are followed."""
        return list(self._tails)

    def follow(self, attempt: Attempt) -> list[Tail]:
        """From its beginning, unless its tails are told to skip."""
        tails = [Tail(self._terminals.read, attempt, stream) for stream in STREAMS]
        self._tails[attempt.id] = tails
        return tails

    def heard(self) -> list[str]:
        """The attempts that may have written."""
        ear, now = self._ear, self._now()
        if ear is None:
            return list(self._tails)
        heard = {self._ears[directory] for directory in ear.heard() if directory in self._ears}
        for identifier, tails in self._tails.items():
            directory = tails[0].directory
            if directory not in self._ears and ear.listen(directory):
                self._ears[directory] = identifier
                heard.add(identifier)
        if now >= self._safety:
            self._safety = now + SAFETY_S
            heard.update(self._tails)
        return [identifier for identifier in self._tails if identifier in heard]

    def written(self, attempts: Sequence[str], blocks: int = _BLOCKS) -> Iterator[Wrote]:
        """What these have written since; of each stream at most so many blocks (256 KiB)."""
        now = self._now()
        for identifier in attempts:
            for tail in self._tails[identifier]:
                yield from tail.take(now, blocks)

    def halves(self) -> Iterator[Wrote]:
        """Lines that nobody has gone on with for a while."""
        before = self._now() - HALF_S
        for tails in self._tails.values():
            for tail in tails:
                yield from tail.half(before)

    def finish(self, attempt: str) -> Iterator[Wrote]:
        """The rest of what it wrote; it writes no more."""
        for tail in self._tails.pop(attempt, ()):
            self._ears.pop(tail.directory, None)
            yield from tail.end(self._now())

    def wait(self, limit_s: float, wake: Sequence[int]) -> bool:
        """Wait until there may be something; whether it was `wake`."""
        poll = select.poll()
        for descriptor in wake:
            poll.register(descriptor, select.POLLIN)
        if self._ear is not None:
            poll.register(self._ear.fileno(), select.POLLIN)
        return any(ready in wake for ready, _ in poll.poll(limit_s * 1000))


class Tail:
    """One stream of an attempt, read on from where the last look ended."""

    def __init__(
        self, read: Callable[[str, str, int, int], tuple[bytes, int]], attempt: Attempt, stream: str
    ) -> None:
        self._read = read
        self._attempt = attempt
        self._stream = stream
        self.directory = attempt.directory
        self._at = 0
        self._last = b""  # what stands before `_at`
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._half = ""
        self._since = 0.0
        self._size = 0
        self._grew = 0.0

    def skip(self, lines: int | None) -> list[Wrote]:
        """Leave out what there is but the last `lines` of its last MiB (None: the whole MiB)."""
        _, size = self._part(0, 0)
        self._at = max(0, size - _BEFORE)
        if self._at:  # the line that this cuts in two is none
            data, _ = self._part(self._at, _BLOCK)
            self._at += data.find(b"\n") + 1
            self._last, _ = self._part(max(0, self._at - _KNOWN), min(_KNOWN, self._at))
        if lines is None:
            return []
        whole = list(self.take(0.0, over=True))
        return whole[-lines:] if lines else []

    def take(self, now: float, blocks: int = _BLOCKS, *, over: bool = False) -> Iterator[Wrote]:
        """The lines that were ended since the last look. Of a program that writes faster than this
        reads, something is left for the next look; so is what may just be moved, unless it is
        `over`."""
        for _ in range(blocks):
            here = self._at
            # Nothing before `HEAD` ever moves: what is read is either before it or behind it.
            data, size = self._part(here, min(_BLOCK, streams.HEAD - here) if here < streams.HEAD
                                    else _BLOCK)  # fmt: skip
            if here >= streams.HEAD or size < here:
                # What stands before it is looked at last: if that is as it was, `data` was, too.
                before, size = self._part(here - len(self._last), len(self._last))
                if not over and self._may_move(size, now):
                    return
                if before != self._last or size < here:
                    yield from self._go_on_in(size)
                    continue
            if not data:
                return
            self._at += len(data)
            self._last = (self._last + data)[-_KNOWN:]
            yield from self._lines(self._decoder.decode(data), now)

    def _part(self, start: int, limit: int) -> tuple[bytes, int]:
        return self._read(self._attempt.directory, self._stream, start, limit)

    def _may_move(self, size: int, now: float) -> bool:
        """Whether the middle may be dropped at this moment, so that the file is neither as it was nor
        as it will be. One that has not changed for a while is at rest."""
        if size != self._size:
            self._size, self._grew = size, now
        return streams.is_full(size) and now < self._grew + HALF_S

    def _go_on_in(self, size: int) -> Iterator[Wrote]:
        """Find the place in a file whose middle was dropped."""
        place = self._behind_last(size)
        if place is None:
            self._decoder.reset()
            self._half, self._last = "", b""
            self._at = min(streams.HEAD + 1, size)
            yield self._wrote(_DROPPED)
        else:
            self._at = place

    def _behind_last(self, size: int) -> int | None:
        """Behind the last occurrence of what was read last, or behind as much of it as is kept; None
        where none of it is. Of output that repeats itself, repetitions may be left out."""
        first, end = streams.HEAD + 1, size
        while end > first and self._last:
            start = max(first, end - _BLOCK)
            data, _ = self._part(start, end - start + len(self._last) - 1)
            found = data.rfind(self._last)
            if found >= 0:
                return start + found + len(self._last)
            end = start
        data, _ = self._part(first, _KNOWN)
        begins = self._last.find(b"\n") + 1  # what is kept begins with a whole line
        while 0 < begins < len(self._last):
            if data.startswith(self._last[begins:]):
                self._last = self._last[begins:]
                return first + len(self._last)
            begins = self._last.find(b"\n", begins) + 1
        return None

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
            yield from self.take(now, over=True)
        yield from self._lines(self._decoder.decode(b"", final=True), now)
        yield from self.half(now)

    def half(self, before: float) -> Iterator[Wrote]:
        """The beginning of a line to which nothing was added since `before`."""
        if self._half and self._since <= before:
            text, self._half = self._half, ""
            yield self._wrote(text)

    def _wrote(self, text: str) -> Wrote:
        return Wrote(self._attempt, self._stream, text)
