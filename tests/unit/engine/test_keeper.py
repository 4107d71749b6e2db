"""The keeper in virtual time: once a day, and no chore keeps another from being done."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orch.compose import own_thread
from orch.engine.keeper import OFTEN_S, Keeper
from orch.model.errors import ToolFailed


class Clock:
    """Time that passes by sleeping; it ends after a while."""

    def __init__(self, until: float) -> None:
        self.at = 0.0
        self._until = until

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        if self.at > self._until:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


async def here(work: Callable[[], Any]) -> Any:
    return work()


def test_a_chore_that_takes_long_holds_up_nobody() -> None:
    """H97: each bit of it is done off the loop."""
    begun, go, ticks = threading.Event(), threading.Event(), 0

    def slow() -> Iterator[int]:
        begun.set()
        assert go.wait(20)
        yield 1

    async def both() -> None:
        nonlocal ticks
        keeping = asyncio.ensure_future(Keeper(Clock(1.0), own_thread, [("slow", slow)]).run())
        while not begun.is_set() or ticks < 100:
            await asyncio.sleep(0)
            ticks += 1
        go.set()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping

    asyncio.run(both())
    assert ticks >= 100


def test_daily_chores_are_done_once_a_day_whatever_becomes_of_the_others() -> None:
    clock, done = Clock(2.5 * 86_400), []

    def broken() -> Iterator[int]:
        done.append("broken")
        yield 1
        raise ToolFailed("no", code="x")

    def good() -> Iterator[int]:
        yield 1
        done.append("good")
        yield 0

    def often() -> Iterator[int]:
        done.append("often")
        yield 0

    keeper = Keeper(clock, here, [("broken", broken), ("good", good)], [("often", often)])
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keeper.run())
    assert (done.count("broken"), done.count("good")) == (3, 3)
    assert done[0] == "often"
    assert abs(done.count("often") - 2.5 * 86_400 / OFTEN_S) < 5
