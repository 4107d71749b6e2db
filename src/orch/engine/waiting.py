"""How a loop of the service rests: until it is woken, or until its time has come."""

from __future__ import annotations

import asyncio

from orch.model.errors import LimitReached, OrchError
from orch.ports import Clock

SHORTEST_S = 0.05
"""A pause that has just passed is no reason to spin."""


async def rest(woken: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Until `woken` is set or `seconds` are over (None: there is no time to wait for). Nothing of it
    goes on when it returns or is cancelled."""
    if seconds is None:
        await woken.wait()
        return
    loop = asyncio.get_running_loop()
    waits = [
        loop.create_task(woken.wait(), name="woken"),
        loop.create_task(_over(clock, max(SHORTEST_S, seconds)), name="timer"),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


def due_of(error: OrchError) -> float:
    """When a limit lets go on, in seconds since the epoch; 0 where it is none, or does not say."""
    return float(error.data.get("retry_at", 0.0)) if isinstance(error, LimitReached) else 0.0


def pause_after(
    error: OrchError, tries: int, now: float, *, first_s: float, longest_s: float
) -> float:
    """Seconds until it is tried again after `tries` failures in a row before this one: twice as long
    each time, from `first_s` to `longest_s`; where a limit names its end, until then."""
    if due := due_of(error):
        return max(1.0, due - now)
    return min(longest_s, first_s * 2.0 ** min(tries, 10))


async def _over(clock: Clock, seconds: float) -> bool:
    await clock.sleep(seconds)
    return True
