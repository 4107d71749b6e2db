"""Told by the kernel when a process that is not our child has ended, or a file is new.

Invariant: never polls where the kernel can tell: pidfd on Linux, kqueue on macOS and the BSDs; a
slow look only where there is neither.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from typing import Any

from orch.terminals.ear import opened
from orch.terminals.inside.tree import LINUX, start_time

_LOOK_S = 0.2


async def gone(pid: int, began: int) -> None:
    """Return when the process `pid` that began at `began` has ended (at once if it has)."""
    descriptor = _descriptor(pid)
    if descriptor is None:
        while start_time(pid) == began:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        return
    try:
        # Asked after the descriptor is open: from here on the pid cannot be somebody else's.
        if start_time(pid) == began:
            await _readable(descriptor.fileno())
    finally:
        descriptor.close()


async def until(directory: str, found: Callable[[], bool]) -> None:
    """Return when `found` says so, which is asked when a file is new in `directory`."""
    ear = opened(names_only=True)
    try:
        told = ear is not None and ear.listen(directory)
        while not found():  # asked after we listen: nothing comes in between
            if not told or ear is None:
                await asyncio.sleep(_LOOK_S)
                continue
            await _readable(ear.fileno())
            ear.heard()
    finally:
        if ear is not None:
            ear.close()


class _File:
    """A bare descriptor with the two methods of a kqueue."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        os.close(self._number)


def _descriptor(pid: int) -> Any:
    """Something that becomes readable when `pid` ends; None where there is no such thing, or where
    `pid` is nobody."""
    try:
        if LINUX:
            return _File(os.pidfd_open(pid))
        if hasattr(select, "kqueue"):
            return _queue(pid)
    except OSError:
        return None  # gone already, or no descriptors left: a slow look will do
    return None


def _queue(pid: int) -> Any:
    kernel: Any = select
    queue = kernel.kqueue()
    event = kernel.kevent(
        pid,
        filter=kernel.KQ_FILTER_PROC,
        flags=kernel.KQ_EV_ADD | kernel.KQ_EV_ONESHOT,
        fflags=kernel.KQ_NOTE_EXIT,
    )
    try:
        queue.control([event], 0, 0)
    except OSError:
        queue.close()
        raise
    return queue


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()

    def fulfil() -> None:
        if not answer.done():
            answer.set_result(None)

    loop.add_reader(descriptor, fulfil)
    try:
        await answer
    finally:
        loop.remove_reader(descriptor)
