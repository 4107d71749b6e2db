"""The configuration as it changes: read again while the service works.

Invariant: a file is believed once it stands still, and only as a whole; while it is broken, what held
before goes on to hold. A problem is told once. Work that was begun is not touched: new values count
for what is decided next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from orch.service.ear import ServiceEar

LOOK_S = 5.0
"""Between two looks at the files when nothing is heard: a link's target, a deletion."""
STILL_S = 0.1
"""A file that has not changed for so long is not just being written."""
log = logging.getLogger(__name__)
_Marks = tuple[tuple[int, ...], ...]


class Reload:
    """`files` names what is watched, whether it is there or not (it may block). `reread` reads it
    all again and gives what is wrong, one sentence each. `applied` is told when new values hold."""

    def __init__(
        self, files: Callable[[], Sequence[str]], reread: Callable[[], Sequence[str]],
        ear: ServiceEar, offload: Callable[[Callable[[], Any]], Awaitable[Any]],
        applied: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._files = files
        self._reread = reread
        self._ear = ear
        self._offload = offload
        self._applied = applied
        self._told: tuple[str, ...] = ()

    def wake(self) -> None:
        """See `orch.engine.dispatcher.Loop`: what is written to the books says nothing of files."""

    async def run(self) -> None:
        """Until cancelled."""
        heard = asyncio.Event()
        known = await self._marks(await self._watched())
        await self._read_again()
        with contextlib.ExitStack() as listening:
            directories: set[str] = set()
            while True:
                files = await self._watched()
                for directory in {os.path.dirname(file) for file in files} - directories:
                    listening.enter_context(self._ear.written(directory, heard))
                    directories.add(directory)
                found = await self._marks(files)
                if found != known:
                    known = await self._still(files, found)
                    await self._read_again()
                heard.clear()
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`: that of Python 3.11 swallows a cancel that comes with a word,
                    # and the service, which writes at its end, would never end.
                    async with asyncio.timeout(LOOK_S):
                        await heard.wait()
                    await asyncio.sleep(STILL_S)  # the books lie there too, and are written often

    async def _watched(self) -> Sequence[str]:
        files: Sequence[str] = await self._offload(self._files)
        return files

    async def _marks(self, files: Sequence[str]) -> _Marks:
        found: _Marks = await self._offload(lambda: tuple(_mark(file) for file in files))
        return found

    async def _still(self, files: Sequence[str], found: _Marks) -> _Marks:
        """What the files look like when nobody is just writing them."""
        while True:
            await asyncio.sleep(STILL_S)
            again = await self._marks(files)
            if again == found:
                return found
            found = again

    async def _read_again(self) -> None:
        problems = tuple(await self._offload(self._reread))
        if problems != self._told:
            for problem in problems:
                log.error("the configuration is broken, what held before goes on: %s", problem)
            if self._told and not problems:
                log.info("the configuration is sound again")
        self._told = problems
        self._applied()


def _mark(file: str) -> tuple[int, ...]:
    """By this a file is known to be another one, or to have another content."""
    try:
        found = os.stat(file)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
