"""Told by the kernel when a process that is not our child has ended.

Invariant: never polls where the kernel can tell: pidfd on Linux, kqueue on macOS; a slow look only
where there is neither.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import Any

from orch.terminals.process import start_time

LOOK_S = 0.2


async def gone(pid: int, started: int) -> None:
    """Return when the process `pid` that began at `started` has ended (at once if it has)."""
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        await _readable(descriptor, pid, started)
    elif hasattr(select, "kqueue"):
        await _queued(pid, started)
    else:
        while start_time(pid) == started:
            await asyncio.sleep(LOOK_S)


async def _readable(descriptor: int, pid: int, started: int) -> None:
    """A pidfd becomes readable when its process has ended."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()
    try:
        if start_time(pid) != started:
            return  # another process has the number by now
        loop.add_reader(descriptor, _fulfil, answer)
        try:
            await answer
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)


def _fulfil(answer: asyncio.Future[None]) -> None:
    if not answer.done():
        answer.set_result(None)


async def _queued(pid: int, started: int) -> None:
    """A kqueue tells of its process's end (macOS and the BSDs)."""
    kernel: Any = select
    queue = kernel.kqueue()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()
    event = kernel.kevent(
        pid,
        filter=kernel.KQ_FILTER_PROC,
        flags=kernel.KQ_EV_ADD | kernel.KQ_EV_ONESHOT,
        fflags=kernel.KQ_NOTE_EXIT,
    )
    try:
        try:
            queue.control([event], 0, 0)
        except ProcessLookupError:
            return
        if start_time(pid) != started:
            return
        loop.add_reader(queue.fileno(), _fulfil, answer)
        try:
            await answer
        finally:
            loop.remove_reader(queue.fileno())
    finally:
        queue.close()
