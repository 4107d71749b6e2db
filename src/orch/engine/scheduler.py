"""The scheduler: sleeps until a slot is due, fires it, and sleeps again.

Invariant: what is due is read from the books and the wall clock at each look, so that a suspended
machine, a clock that was put right and another process that fires too change nothing but the time of
the look. An error of one job is logged, and the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from orch.engine.firing import Firings
from orch.engine.waiting import rest
from orch.model.errors import OrchError
from orch.model.job import Job, Told
from orch.ports import Clock

LOOK_S = 60.0
"""The wall clock is looked at this often at least while there is a job: timers stand still while the
machine is suspended, and do not follow a clock that is put right."""
log = logging.getLogger(__name__)


class Scheduler:
    """`offload` runs a blocking call off the loop, on a thread of its own: a command may take long
    and must not hold up other jobs. `on_fired` is told what came of each slot."""

    def __init__(
        self, firings: Firings, clock: Clock,
        offload: Callable[[Callable[[], Any]], Awaitable[Any]],
        on_fired: Callable[[Told], None] = lambda told: None,
    ) -> None:  # fmt: skip
        self._firings = firings
        self._clock = clock
        self._changed = asyncio.Event()
        self._offload = offload
        self._on_fired = on_fired
        self._flying: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._recovered = float("-inf")

    def wake(self) -> None:
        """Jobs may have changed."""
        self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled. Programs that are at work then are given up: how they ended is
        `lost`, and whoever comes next says so."""
        try:
            while True:
                self._changed.clear()
                await rest(self._changed, self._clock, await self._look())
        finally:
            for task in self._flying.values():
                task.cancel()

    async def _look(self) -> float | None:
        """Begin what is due; seconds until the next look, None for when something changes."""
        now = self._clock.now()
        try:
            if self._clock.monotonic() - self._recovered >= LOOK_S:
                self._firings.recover()
                self._recovered = self._clock.monotonic()
            found = self._firings.look(now)
        except OrchError as error:  # the books cannot be read or written: that may pass
            log.error("jobs were not looked at: %s", error.message)
            return LOOK_S
        coming = [due.coming for due in found if due.coming is not None]
        for due in found:
            if due.slot is not None and (due.job.id, due.slot) not in self._flying:
                self._begin(due.job, due.slot)
        return min([LOOK_S, *(max(0.0, slot - now) for slot in coming)]) if found else None

    def _begin(self, job: Job, slot: int) -> None:
        task = asyncio.get_running_loop().create_task(self._fire(job, slot), name=f"job {job.id}")
        self._flying[job.id, slot] = task
        task.add_done_callback(lambda done: self._landed(job.id, slot, done))

    async def _fire(self, job: Job, slot: int) -> None:
        told: Told = await self._offload(lambda: self._firings.fire(job, slot))
        log.info("job %s: %s %s", told.job, told.outcome, told.reason)
        self._on_fired(told)

    def _landed(self, job: str, slot: int, done: asyncio.Task[None]) -> None:
        self._flying.pop((job, slot), None)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("job %s: a fault in orch", job, exc_info=error)
