"""The loop that reads sources: at the start, on each one's interval, and when somebody hints.

Invariant: what a hint says is never believed, only looked up; a source that cannot be read holds up
no other. Nothing is asked of anybody before its time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from orch.engine.sourcing import Looked, Sourcing
from orch.engine.waiting import rest
from orch.model.errors import OrchError, Unreachable
from orch.ports import Clock

LONGEST_S = 60.0
"""Seconds between looks at what is due: the configuration or the clock may have been changed."""
log = logging.getLogger(__name__)


class Syncer:
    """`orch.engine.dispatcher.Loop`. `offload` runs a blocking call off the loop; `looked` hears what
    came of each look."""

    def __init__(
        self, sourcing: Sourcing, clock: Clock,
        offload: Callable[[Callable[[], Any]], Awaitable[Any]],
        looked: Callable[[Looked], None] = lambda told: None,
    ) -> None:  # fmt: skip
        self.sourcing = sourcing
        self._clock = clock
        self._offload = offload
        self._looked = looked
        self._woken = asyncio.Event()
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._greeted: set[str] = set()

    def wake(self) -> None:
        """What others write is of no interest: sources have their times; see also `look_again`."""

    async def look_again(self, name: str, source_ids: Iterable[str]) -> None:
        """These tickets of a source may have changed (without any: something has). When this returns,
        they were looked at; a fault is raised (`Unreachable`)."""
        wanted = sorted(set(source_ids))
        told: Looked = await self._offload(
            lambda: self.sourcing.reread(name, wanted) if wanted else self.sourcing.look(name)
        )
        self._tell(told)
        if told.error:
            raise Unreachable(told.error, code="source_unread", hint=told.hint)

    async def run(self) -> None:
        try:
            while True:
                self._woken.clear()
                await rest(self._woken, self._clock, self._begin_due())
        finally:
            for task in self._flying.values():
                task.cancel()

    def _begin_due(self) -> float:
        """Begin every look that is due; seconds until the next one is."""
        now, pause = self._clock.now(), LONGEST_S
        try:
            names = list(self.sourcing.sources.all())
        except OrchError as error:  # a configuration that is broken now: what held goes on to
            log.error("sources were not read: %s", error.message)
            return LONGEST_S
        for name in names:
            if name in self._flying:
                continue
            due = self.sourcing.state(name).due if name in self._greeted else now
            if due <= now:
                self._greeted.add(name)
                self._begin(name)
            else:
                pause = min(pause, due - now)
        return pause

    def _begin(self, name: str) -> None:
        task = asyncio.get_running_loop().create_task(self._look(name), name=f"sync {name}")
        self._flying[name] = task
        task.add_done_callback(lambda done: self._landed(name, done))

    async def _look(self, name: str) -> None:
        self._tell(await self._offload(lambda: self.sourcing.look(name)))

    def _tell(self, told: Looked) -> None:
        if told.error:
            pause = max(0.0, self.sourcing.state(told.source).due - self._clock.now())
            log.warning("source %s was not read: %s (again in %.0f s)", told.source, told.error,
                        pause)  # fmt: skip
        if told.news or told.tasks:
            tasks = list(told.tasks) or "none"
            log.info("source %s: %d news, tasks %s", told.source, told.news, tasks)
        self._looked(told)

    def _landed(self, name: str, done: asyncio.Task[None]) -> None:
        self._flying.pop(name, None)
        self._woken.set()
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("source %s: a fault in orch", name, exc_info=error)
