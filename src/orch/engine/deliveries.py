"""The reader of webhook deliveries: hands on what there is to look at, source by source.

Invariant: a delivery is settled only after whoever looks has looked: a crash repeats, and never
loses. Whatever came many times, in whatever order, is one hint: it says where to look, and what is
found there is the truth of that moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from orch.engine.waiting import rest
from orch.model.deliveries import Delivery, DeliveryBooks, Hint, gathered
from orch.model.errors import OrchError
from orch.ports import Clock

BATCH = 1000
"""Deliveries of a source that are gathered at once."""
TRIES = 5
"""How often a source is looked at in vain before its deliveries are left to polling."""
FIRST_PAUSE_S = 2.0
log = logging.getLogger(__name__)
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]
Deal = Callable[[str, tuple[Hint, ...]], Awaitable[None]]


class DeliveryFeed:
    """`orch.engine.dispatcher.Loop`. `deal` is given a source's name and where to look, each place
    once, and has looked (or has durably noted to) when it returns. Its refusal (`OrchError`) is
    tried again with growing pauses, for this source alone. `offload` runs the books' calls."""

    def __init__(self, books: DeliveryBooks, clock: Clock, offload: Offload, deal: Deal) -> None:
        self._books = books
        self._clock = clock
        self._offload = offload
        self._deal = deal
        self._woken = asyncio.Event()
        self._rests: dict[str, float] = {}

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            await self.catch_up()
            await self._rest()

    async def catch_up(self) -> None:
        """Deal with everything that waits now and does not rest after a failure."""
        while True:
            known = await self._offload(self._books.waiting_sources)
            now = self._clock.now()
            self._rests = {name: at for name, at in self._rests.items() if name in known}
            due = [name for name in known if self._rests.get(name, 0.0) <= now]
            if not due:
                return
            await asyncio.gather(*(self._look(source) for source in due))

    async def _look(self, source: str) -> None:
        rows = await self._offload(lambda: self._books.waiting(source, BATCH))
        keys = [row.key for row in rows]
        hints = gathered(rows).get(source, ())
        try:
            if hints:
                await self._offload(lambda: self._books.settle(keys, "taken"))
                await self._deal(source, hints)
        except OrchError as error:
            await self._failed(source, rows, error)
            return
        self._rests.pop(source, None)
        await self._offload(lambda: self._books.settle(keys, "done"))

    async def _failed(self, source: str, rows: Sequence[Delivery], error: OrchError) -> None:
        """Later again; what was tried too often is left to polling, with the reason."""
        tries = 1 + min(row.tries for row in rows)
        over = [row.key for row in rows if row.tries + 1 >= TRIES]
        rest = [row.key for row in rows if row.tries + 1 < TRIES]
        pause = FIRST_PAUSE_S * 4.0 ** (tries - 1)
        self._rests[source] = self._clock.now() + pause
        log.warning("%s: what its webhooks hint at was not looked at: %s", source, error.message)
        await self._offload(lambda: self._books.settle(over, "done", error.message))
        await self._offload(lambda: self._books.settle(rest, "new", error.message))

    async def _rest(self) -> None:
        """Until something is delivered, or a source has rested long enough."""
        ends = self._rests.values()
        pause = max(0.0, min(ends) - self._clock.now()) if ends else None
        await rest(self._woken, self._clock, pause)
