"""A reader of events with a memory: hands each one on, once, in order, whenever the service lives.

Invariant: the cursor moves past an event only after it was dealt with, so a crash repeats the last
one and loses none; what is acknowledged is never handed on again. Events older than a day when the
service comes up are skipped, with their number in the log: nobody wants last week's bell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from orch.engine.world import World
from orch.model.errors import OrchError
from orch.model.occasion import Occasion
from orch.model.telling import occasion

LONGEST_S = 24 * 3600.0
"""Seconds that the service may be away without an event being skipped."""
BATCH = 200
_log = logging.getLogger(__name__)
Deal = Callable[[Occasion], Awaitable[bool]]


class Feed:
    """`orch.engine.dispatcher.Loop`. `deal` deals with an occasion; whether anything was done (then
    the cursor is written down at once). A refusal (`OrchError`) of it is logged and passed over."""

    def __init__(self, world: World, name: str, deal: Deal) -> None:
        self._world = world
        self._name = name
        self._deal = deal
        self._woken = asyncio.Event()
        self._work: asyncio.Future[None] | None = None
        self._at = -1
        self._written = -1

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            await self.catch_up()
            await self._woken.wait()

    async def catch_up(self) -> None:
        """Deal with everything there is now. Whoever stops waiting leaves the work going on: a
        program that was told of an event is never told of it a second time beside itself."""
        if self._work is not None and not self._work.done():
            await asyncio.shield(self._work)
        self._work = asyncio.ensure_future(self._deal_with_all())
        await asyncio.shield(self._work)

    async def _deal_with_all(self) -> None:
        self._begin()
        while events := self._world.store.events(self._at, limit=BATCH):
            for event in events:
                found = occasion(event, self._world.store)
                done = found is not None and await self._dealt(found)
                self._at = event.seq
                if done:
                    self.acknowledge()
        if self._at - self._written >= BATCH:
            self.acknowledge()

    async def _dealt(self, found: Occasion) -> bool:
        try:
            return await self._deal(found)
        except OrchError as error:
            _log.warning(
                "%s: event %d (%s) was passed over: %s", self._name, found.seq, found.name,
                error.message,
            )  # fmt: skip
            return True

    def _begin(self) -> None:
        if self._at >= 0:
            return
        self._at = self._written = self._world.store.outreach.cursor(self._name)
        oldest, skipped = self._world.clock.now() - LONGEST_S, 0
        while events := self._world.store.events(self._at, limit=BATCH):
            for event in events:
                if event.at >= oldest:
                    break
                self._at, skipped = event.seq, skipped + 1
            else:
                continue
            break
        if skipped:
            _log.warning("%s: %d events are older than a day and were skipped", self._name, skipped)

    def acknowledge(self) -> None:
        """Write down how far it came."""
        if self._at > self._written:
            self._world.store.outreach.put_cursor(self._name, self._at)
            self._written = self._at
