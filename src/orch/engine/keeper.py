"""The keeper: gives up what is over and old, a little at a time.

Invariant: it decides nothing (the rules are `orch.model.retention`), holds up nobody (each bit of
work is done off the loop, with a pause behind it), and what one chore cannot do keeps none of the
others from being done.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from orch.model.errors import OrchError
from orch.ports import Clock

DAY_S = 86_400.0
OFTEN_S = 300.0
PAUSE_S = 0.02
"""Between two bits of a chore: whoever waits for the books comes first."""
log = logging.getLogger(__name__)


Chore = tuple[str, Callable[[], Iterator[int]]]
"""A name, and work that does a bit at each step and gives how much went; it may block."""


class Keeper:
    """`daily` chores are done at the start and once a day, `often` every five minutes. `offload`
    runs a blocking call off the loop."""

    def __init__(
        self, clock: Clock, offload: Callable[[Callable[[], Any]], Awaitable[Any]],
        daily: Sequence[Chore], often: Sequence[Chore] = (),
    ) -> None:  # fmt: skip
        self._clock = clock
        self._offload = offload
        self._daily = daily
        self._often = often

    def wake(self) -> None:
        """See `orch.engine.dispatcher.Loop`: nothing gets old by being written."""

    async def run(self) -> None:
        """Until cancelled."""
        done_at = float("-inf")
        while True:
            chores = list(self._often)
            if self._clock.monotonic() - done_at >= DAY_S:
                done_at = self._clock.monotonic()
                chores += self._daily
            for chore in chores:
                await self._do(chore)
            await self._clock.sleep(OFTEN_S)

    async def _do(self, chore: Chore) -> None:
        name, begin = chore
        work, gone = begin(), 0
        try:
            while (bit := await self._offload(lambda: next(work, None))) is not None:
                gone += bit
                await self._clock.sleep(PAUSE_S)
        except (OrchError, OSError) as error:  # the next day is another day
            log.error("%s: %s", name, error)
        if gone:
            log.info("%s: %d given up", name, gone)
