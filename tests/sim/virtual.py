"""Virtual time: an event loop whose clock jumps to the next timer when nothing is ready.

Invariant: deterministic. Given the same seed the same things happen in the same order, whatever the
machine is doing; waiting costs nothing. A loop with nothing to wait for is a deadlock, and says so.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from typing import Any

END_OF_TIME = 20_000.0


class Deadlock(Exception):
    """Everybody waits, nobody will ever move."""


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Never waits: tells the loop how far it may jump."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float], None] = lambda seconds: None

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Deadlock("every task waits for something that will not happen")
            self.jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual seconds since the loop was made."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        self._virtual = 0.0
        super().__init__(selector)
        selector.jump = self._jump

    def _jump(self, seconds: float) -> None:
        self._virtual += max(0.0, seconds)
        if self._virtual > END_OF_TIME:
            raise Deadlock(f"nothing has come to an end in {END_OF_TIME:.0f} virtual seconds")

    def time(self) -> float:
        return self._virtual


class VirtualClock:
    """`orch.ports.Clock` on a virtual loop. `put`: by how much the wall clock was put forward or
    (less than 0) back."""

    EPOCH = 1_800_000_000.0

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.put = 0.0

    def now(self) -> float:
        return self.EPOCH + self._loop.time() + self.put

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SeededIds:
    """`orch.ports.Ids` from a seed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def run_id(self) -> str:
        return f"{self._rng.getrandbits(48):012x}"

    def random(self) -> float:
        return self._rng.random()
