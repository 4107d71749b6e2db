"""What programs write, for subscribers: each piece read once, encoded once, told to all.

Invariant: memory is bounded whatever subscribers do; the files are the buffer. Each reader has a
byte of its own to go on from, so that a slow one costs the others nothing; no byte is told twice, and
what was dropped from the middle of a file is told as `resync`. Text is cut between characters.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any, NamedTuple

import msgspec

from orch.model.attempt import FINAL, Attempt
from orch.model.errors import NotFound
from orch.ports import Store, Terminals
from orch.service.ear import ServiceEar

PIECE = 64 * 1024
KEPT = 64
"""Pieces that are kept for those who come to the same place a moment later."""
SAFETY_S = 1.0
DEAF_S = 0.1
_encode = msgspec.json.Encoder().encode


class Piece(NamedTuple):
    """`next` is the byte after it; `body` is {"stream", "at", "next", "text"} as JSON."""

    next: int
    body: bytes


class Skipped(NamedTuple):
    """The file does not have what comes after byte `since` any more: go on from `next`."""

    since: int
    next: int


class _Reading(NamedTuple):
    """A read that several may wait for. `began` is its place among reads and waits."""

    began: int
    piece: asyncio.Future[Piece | Skipped | None]


class Writings:
    """The output of attempts."""

    def __init__(
        self, store: Store, terminals: Terminals, ear: ServiceEar,
        offload: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._store = store
        self._terminals = terminals
        self._ear = ear
        self._offload = offload
        self._readings: OrderedDict[tuple[str, str, int, bool], _Reading] = OrderedDict()
        self._order = count()

    async def attempt(self, identifier: str) -> Attempt:
        found: Attempt | None = await self._offload(lambda: self._store.attempt(identifier))
        if found is None:
            raise NotFound(
                f"there is no attempt {identifier[:80]!r}", code="unknown_attempt", hint="orch ps"
            )
        return found

    async def follow(
        self, attempt: Attempt, stream: str, since: int
    ) -> AsyncIterator[Piece | Skipped]:
        """What the attempt wrote to `stream` from byte `since` on; ends when it writes no more."""
        at, directory = since, attempt.directory
        told = asyncio.Event()
        with self._ear.written(directory, told), self._ear.growth(told):
            heard, over, seen = self._ear.again(directory), False, None
            while True:
                told.clear()
                asked = next(self._order)
                if seen != self._ear.seq:
                    seen = self._ear.seq
                    over = (await self.attempt(attempt.id)).status in FINAL
                while True:
                    piece = await self._piece((directory, stream, at, over), asked)
                    if piece is None:
                        break
                    at = piece.next
                    yield piece
                if over:
                    return
                heard = heard or self._ear.again(directory)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SAFETY_S if heard else DEAF_S):  # see `ear`
                        await told.wait()

    async def _piece(self, key: tuple[str, str, int, bool], asked: int) -> Piece | Skipped | None:
        """What comes at a byte; None when there was nothing at `asked` or later."""
        while True:
            reading = self._readings.get(key)
            if reading is None:
                begun = asyncio.ensure_future(self._read(*key))
                reading = _Reading(next(self._order), begun)
                self._readings[key] = reading
                while len(self._readings) > KEPT:
                    self._readings.popitem(last=False)
            piece: Piece | Skipped | None = None
            try:
                piece = await asyncio.shield(reading.piece)
            finally:
                if piece is None and self._readings.get(key) is reading:
                    del self._readings[key]
            if piece is not None or reading.began > asked:
                return piece

    async def _read(
        self, directory: str, stream: str, at: int, last: bool
    ) -> Piece | Skipped | None:
        def read() -> Piece | Skipped | None:
            data, size = self._terminals.read(directory, stream, at, PIECE)
            if size < at:
                return Skipped(at, size)
            text, used = _whole(data, last=last)
            if not used:
                return None
            body = {"stream": stream, "at": at, "next": at + used, "text": text}
            return Piece(at + used, _encode(body))

        found: Piece | Skipped | None = await self._offload(read)
        return found


def _whole(data: bytes, *, last: bool) -> tuple[str, int]:
    """The text of `data` and how many bytes it takes: a character at its end that is not whole is
    left, unless nothing follows."""
    end = len(data)
    if not last or end == PIECE:
        for back in range(1, min(4, end) + 1):
            byte = data[-back]
            if byte & 0xC0 != 0x80:  # the beginning of the last character
                wants = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                end -= back if wants > back else 0
                break
    return data[:end].decode("utf-8", "replace"), end
