"""Hears that the books have grown, whoever wrote them, and that programs have written.

Invariant: nobody is woken for nothing more than once, and no growth goes unseen longer than the slow
look takes. The kernel tells (inotify) where it can; a service with nothing to do makes one look
every two seconds.

SQLite writes a commit to its write-ahead log (which is heard), syncs it, and only then shows it to
readers (in shared memory, which is not heard). So one look upon hearing could come too early: looks
follow at growing distances until the number of the last event has moved.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from orch.ports import Ear

SAFETY_S = 2.0
"""Between two looks when nothing is heard."""
DEAF_S = 0.5
"""The same where the system cannot tell."""
LOOKS_S = (0.0, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.24)
"""Pauses before the looks that follow what is heard."""


class ServiceEar:
    """One for the whole service. `last` gives the number of the last event (it may block, and is
    called by `offload`); `home` is the directory in which the books lie."""

    def __init__(
        self, ear: Ear | None, home: str, last: Callable[[], int],
        offload: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._ear = ear
        self._home = home
        self._last = last
        self._offload = offload
        self._told = asyncio.Event()
        self._grown: set[asyncio.Event] = set()
        self._written: dict[str, set[asyncio.Event]] = {}
        self.seq = -1

    @property
    def deaf(self) -> bool:
        """Nobody tells: whoever wants to know looks by itself."""
        return self._ear is None

    async def run(self) -> None:
        """Until cancelled."""
        if self._ear is not None:
            asyncio.get_running_loop().add_reader(self._ear.fileno(), self._hear)
            self._ear.listen(self._home)
        try:
            while True:
                await self._look()
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`: that of Python 3.11 swallows a cancel that comes with a word.
                    async with asyncio.timeout(DEAF_S if self.deaf else SAFETY_S):
                        await self._told.wait()
        finally:
            if self._ear is not None:
                asyncio.get_running_loop().remove_reader(self._ear.fileno())
                self._ear.close()

    @contextlib.contextmanager
    def growth(self, told: asyncio.Event | None = None) -> Iterator[asyncio.Event]:
        """An event (`told`, or a new one) that is set each time the books have grown; whoever waits
        clears it."""
        mine = told or asyncio.Event()
        self._grown.add(mine)
        try:
            yield mine
        finally:
            self._grown.discard(mine)

    @contextlib.contextmanager
    def written(self, directory: str, told: asyncio.Event | None = None) -> Iterator[asyncio.Event]:
        """The same for what is written into a directory. One that is not there yet is not heard:
        `again` asks once more."""
        mine = told or asyncio.Event()
        self._written.setdefault(directory, set()).add(mine)
        self.again(directory)
        try:
            yield mine
        finally:
            others = self._written[directory]
            others.discard(mine)
            if not others:
                del self._written[directory]
                if self._ear is not None:
                    self._ear.forget(directory)

    def others(self, changes: Callable[[], int]) -> Callable[[], Awaitable[None]]:
        """What returns when another process has written since it last returned (see
        `orch.engine.engine.Ear`); `changes` is the store's."""
        told = asyncio.Event()
        self._grown.add(told)
        seen = -1

        async def heard() -> None:
            nonlocal seen
            while (now := changes()) == seen:
                await told.wait()
                told.clear()
            seen = now

        return heard

    def again(self, directory: str) -> bool:
        """Hear this directory from now on; False where that is not possible (yet)."""
        return self._ear is not None and self._ear.listen(directory)

    def _hear(self) -> None:
        assert self._ear is not None
        for directory in self._ear.heard():
            if directory == self._home:
                self._told.set()
            for waiting in self._written.get(directory, ()):
                waiting.set()

    async def _look(self) -> None:
        """Until the books have grown, or it was nothing."""
        heard = self._told.is_set()
        self._told.clear()
        for pause in LOOKS_S if heard else LOOKS_S[:1]:
            await asyncio.sleep(pause)
            seq = await self._offload(self._last)
            if seq != self.seq:
                self.seq = seq
                for waiting in self._grown:
                    waiting.set()
                return
