"""Events for subscribers: read once, encoded once, told to all at each one's own pace.

Invariant: memory is bounded whatever subscribers do. The newest events are kept in a ring; whoever
falls out of it is told `resync` and reads on from the books in pages, as does whoever begins in the
past. Nobody waits for anybody else, and no event is left out or told twice.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal, NamedTuple

import msgspec

from orch.api.happened import event_record, given_up
from orch.model.event import Event
from orch.ports import Store
from orch.service.ear import ServiceEar

RING_EVENTS = 4096
RING_BYTES = 8 * 1024 * 1024
PAGE = 200
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Encoded(NamedTuple):
    seq: int
    run: str
    task: int
    body: bytes


class Resync(NamedTuple):
    """`gone`: events above `since` are no longer kept; what follows begins later, so read the state
    again. `slow`: nothing is missing, but the reader is so far behind that the state may be read
    faster. `last` is the highest number there is."""

    reason: Literal["gone", "slow"]
    since: int
    last: int


class Wish(NamedTuple):
    """From which number on, and of whom; empty and 0 mean all."""

    since: int
    run: str
    task: int

    def wants(self, event: Encoded) -> bool:
        return self.run in ("", event.run) and self.task in (0, event.task)


class Feed:
    """`run` fills the ring while somebody reads."""

    def __init__(
        self, store: Store, ear: ServiceEar,
        offload: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._store = store
        self._ear = ear
        self._offload = offload
        self._ring: deque[Encoded] = deque()
        self._size = 0
        self._end = -1  # the number up to which the ring has everything; -1: it is not filled
        self._readers: set[asyncio.Event] = set()
        self._first = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        with self._ear.growth() as grown:
            while True:
                await self._first.wait()
                if not self._readers:
                    self._empty()
                    continue
                grown.clear()
                if not await self._fill():
                    await grown.wait()

    async def follow(self, wish: Wish) -> AsyncIterator[list[Encoded] | Resync]:
        """What `wish` asks for, from the past on, in lists as they come; never ends. The next list
        is made when the last one has been taken."""
        mine = asyncio.Event()
        self._readers.add(mine)
        self._first.set()
        try:
            at = wish.since
            gap = await self._gap(wish)
            if gap is not None:
                at = gap.since
                yield gap
            live = False
            while True:
                mine.clear()
                if not self._holds(at):
                    if live:
                        live = False
                        yield Resync("slow", at, self._end)
                    page, at, more = await self._page(wish, at)
                else:
                    live, more = True, at < self._end
                    page, at = self._newer(at, wish) if more else ([], at)
                if page:
                    yield page
                elif not more and (live or not self._holds(at)):
                    await mine.wait()
        finally:
            self._readers.discard(mine)

    # --- the ring

    async def _fill(self) -> bool:
        """Read on; False when there was nothing new."""
        if self._end < 0:
            self._end = await self._offload(self._store.last_event)
            found: list[Encoded] = []
        else:
            found = await self._read(self._end)
            for event in found:
                self._ring.append(event)
                self._size += len(event.body)
                self._end = event.seq
        while len(self._ring) > RING_EVENTS or self._size > RING_BYTES:
            self._size -= len(self._ring.popleft().body)
        for reader in self._readers:
            reader.set()
        return bool(found)

    def _empty(self) -> None:
        self._first.clear()
        self._ring.clear()
        self._size, self._end = 0, -1

    def _holds(self, at: int) -> bool:
        """Whether the ring has all that comes after number `at`."""
        if self._end < 0:
            return False
        return at >= (self._ring[0].seq - 1 if self._ring else self._end)

    def _newer(self, at: int, wish: Wish) -> tuple[list[Encoded], int]:
        """At most a page of the ring above `at`."""
        begin = bisect_right(self._ring, at, key=lambda event: event.seq)
        found = [self._ring[i] for i in range(begin, min(begin + PAGE, len(self._ring)))]
        return [event for event in found if wish.wants(event)], found[-1].seq

    # --- the books

    async def _page(self, wish: Wish, at: int) -> tuple[list[Encoded], int, bool]:
        """A page of the past, the number after it, and whether there may be more."""
        end = self._end if self._end >= 0 else await self._offload(self._store.last_event)
        found = await self._read(at, wish.run, wish.task)
        page = [event for event in found if wish.wants(event)]
        if len(found) == PAGE:
            return page, found[-1].seq, True
        return page, max([at, end, *(event.seq for event in found[-1:])]), False

    async def _read(self, since: int, run: str = "", task: int = 0) -> list[Encoded]:
        def read() -> list[Encoded]:
            found = self._store.events(since, run=run, task=task, limit=PAGE)
            return [encoded(event) for event in found]

        found: list[Encoded] = await self._offload(read)
        return found

    async def _gap(self, wish: Wish) -> Resync | None:
        """Numbers have no gaps but where old events were given up; a number from the future is of
        other books (restored from a copy, say)."""
        since = wish.since

        def look() -> Resync | None:
            last = self._store.last_event()
            if since > last:
                return Resync("gone", last, last)
            gone = given_up(self._store, since, run=wish.run, task=wish.task)
            if gone:
                return Resync("gone", gone, last)
            first = self._store.events(since, limit=1)
            if first and first[0].seq > since + 1:
                return Resync("gone", first[0].seq - 1, last)
            return None

        found: Resync | None = await self._offload(look)
        return found


def encoded(event: Event) -> Encoded:
    return Encoded(event.seq, event.run, event.task, _encode(event_record(event)))
