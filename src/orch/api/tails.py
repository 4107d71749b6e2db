"""What programs write, read on from where the last look ended; told by the kernel where it can be.

Invariant: no byte is told twice, a character that is cut is told whole, and of each stream at most
one unfinished line is kept.
"""

from __future__ import annotations

import codecs
import select
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orch.model.attempt import Attempt

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
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._half = ""
        self._since = 0.0

    def skip(self, lines: int | None) -> list[Wrote]:
        """Leave out what there is but the last `lines` of its last MiB (None: the whole MiB)."""
        _, size = self._read(self._attempt.directory, self._stream, 0, 0)
        self._at = max(0, size - _BEFORE)
        if self._at:  # the line that this cuts in two is none
            data, _ = self._read(self._attempt.directory, self._stream, self._at, _BLOCK)
            self._at += data.find(b"\n") + 1
        if lines is None:
            return []
        whole = list(self.take(0.0))
        return whole[-lines:] if lines else []

    def take(self, now: float, blocks: int = _BLOCKS) -> Iterator[Wrote]:
        """The lines that were ended since the last look. Of a program that writes faster than this
        reads, something is left for the next look."""
        for _ in range(blocks):
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
