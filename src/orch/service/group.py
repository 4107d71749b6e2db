"""The writer of deliveries: many share one commit, and none is told of before it is durable.

Invariant: what arrives while a commit is on its way to the disk goes with the next one, in order;
what does not fit into memory is refused, never forgotten.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from orch.hosts.deliveries import Accepted
from orch.model.deliveries import BODY_LIMIT, Delivery, DeliveryBooks
from orch.model.errors import LimitReached

AT_ONCE = 500
"""Deliveries of one commit."""
MOST = 5_000
"""Deliveries that may wait for theirs."""


class Arrival(NamedTuple):
    """What is to be written: a signed delivery, its bytes, and when it came (since the epoch)."""

    source: str
    accepted: Accepted
    body: bytes
    at: float

    def row(self) -> Delivery:
        wakes = any(hint.wakes for hint in self.accepted.hints)
        packed = zlib.compress(self.body, 1)
        return Delivery(
            source=self.source, id=self.accepted.delivery, event=self.accepted.event,
            hints=self.accepted.hints, received_at=self.at,
            digest=hashlib.sha256(self.body).hexdigest(),
            body=packed if len(packed) <= BODY_LIMIT else b"", state="new" if wakes else "done",
        )  # fmt: skip


class Group:
    """One thread of its own. `arrived` is told, on the loop, that something new is in the books that
    somebody should look at."""

    def __init__(self, books: DeliveryBooks, arrived: Callable[[], object]) -> None:
        self._books = books
        self._arrived = arrived
        self._thread = ThreadPoolExecutor(1, "webhooks")
        self._waiting: list[tuple[Arrival, asyncio.Future[bool]]] = []
        self._work: asyncio.Future[None] | None = None

    async def add(self, arrival: Arrival) -> bool:
        """Whether it is new; it is durable then. `LimitReached(webhooks_busy)` where too many wait;
        faults of the store are raised, and then it is not in the books."""
        if len(self._waiting) >= MOST:
            raise LimitReached("too many deliveries wait to be written", code="webhooks_busy")
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._write())
        return await answer

    async def call(self, work: Callable[[], Any]) -> Any:
        """Something else for that thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Write what waits, then end the thread."""
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)
        self._thread.shutdown(wait=False)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            arrivals = [arrival for arrival, _ in batch]
            try:
                news = await self.call(lambda a=arrivals: self._take_in(a))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - each of those who wait gets it
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), new in zip(batch, news, strict=True):
                if not answer.done():
                    answer.set_result(new)
            if any(news):
                self._arrived()

    def _take_in(self, arrivals: list[Arrival]) -> list[bool]:
        return self._books.take_in([arrival.row() for arrival in arrivals])
