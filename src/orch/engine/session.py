"""A person watches some runs: this process drives them, or follows until the lock is free.

Invariant: whoever holds the lock drives everybody's runs; the others follow the books by
`PRAGMA data_version` and take over the moment the kernel gives them the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from orch.engine.engine import Engine
from orch.engine.lock import EngineLock
from orch.model.event import Event
from orch.model.run import TERMINAL
from orch.ports import Store

FOLLOW_S = 0.05
HEARTBEAT_S = 1.0
Show = Callable[[Sequence[Event]], None]


class Session:
    """`make_engine` is called when the lock is ours. `show` gets new events in order, and an empty
    list at least every second."""

    def __init__(
        self, store: Store, lock: EngineLock, make_engine: Callable[[], Engine], show: Show
    ) -> None:
        self._store = store
        self._lock = lock
        self._make_engine = make_engine
        self._show = show
        self._since = 0
        self.drove = False

    async def settle(self, runs: Sequence[str], since: int) -> None:
        """Return when each of `runs` has ended or is blocked; show events after number `since`."""
        self._since = since
        watcher = asyncio.ensure_future(self._watch())
        try:
            if not self._lock.take():
                await self._follow(runs)
            if self._lock.held and not self._settled(runs):
                self.drove = True
                await self._beside(watcher, self._make_engine().run(runs))
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
            self._lock.release()
            self._show_new()

    async def _beside(self, watcher: asyncio.Future[None], work: Awaitable[None]) -> None:
        """Do `work`; a fault of the watcher (a broken pipe, say) ends it too."""
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if task not in done:
            task.cancel()
            await asyncio.wait({task})
            watcher.result()
        task.result()

    async def _follow(self, runs: Sequence[str]) -> None:
        """Until the runs are settled or the lock is ours."""
        waiting = asyncio.ensure_future(self._lock.wait())
        try:
            while not waiting.done() and not self._settled(runs):
                await asyncio.wait({waiting}, timeout=FOLLOW_S)
            if waiting.done():
                waiting.result()
        finally:
            if not waiting.done():
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting

    def _settled(self, runs: Sequence[str]) -> bool:
        for identifier in runs:
            run = self._store.run(identifier)
            if run is None or run.status in TERMINAL:
                continue
            if run.status != "blocked" or run.stop:
                return False
        return True

    async def _watch(self) -> None:
        quiet = 0.0
        while True:
            if self._show_new():
                quiet = 0.0
            elif quiet >= HEARTBEAT_S:
                self._show([])
                quiet = 0.0
            await asyncio.sleep(FOLLOW_S)
            quiet += FOLLOW_S

    def _show_new(self) -> bool:
        if self._store.last_event() <= self._since:
            return False
        events = self._store.events(self._since)
        if events:
            self._since = events[-1].seq
            self._show(events)
        return bool(events)
