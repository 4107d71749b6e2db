"""The journal: commands of one moment share a commit.

Invariant: `send` returns only after its command is durable; commands are carried out in the order
in which they were sent; a fault of the disk reaches everyone who shared the commit.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

from orch.engine.world import ENGINE
from orch.model.command import Command
from orch.model.errors import OrchError
from orch.model.event import Actor, Event
from orch.ports import Failpoints, Store

BATCH = 64


class GroupJournal:
    """Writes on a thread of its own. `told` is called on the loop after each commit."""

    def __init__(self, store: Store, failpoints: Failpoints) -> None:
        self._store = store
        self._failpoints = failpoints
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.told: Callable[[], None] = lambda: None

    async def send(self, command: Command, actor: Actor = ENGINE) -> list[Event]:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Event]] = loop.create_future()
        self._queue.put((command, actor, loop, answer))
        return await answer

    def close(self) -> None:
        """Finish what was sent, then end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _write(self) -> None:
        while True:
            batch, last = self._gather()
            if batch:
                self._commit(batch)
            if last:
                return

    def _gather(self) -> tuple[list[Any], bool]:
        batch: list[Any] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[Any]) -> None:
        names = "+".join(sorted({type(item[0]).__name__ for item in batch}))
        answers: list[Any]
        try:
            self._failpoints.hit(f"journal.{names}.before")
            answers = list(self._store.send_all([(item[0], item[1]) for item in batch]))
            self._failpoints.hit(f"journal.{names}.after")
        except Exception as fault:  # noqa: BLE001 - everyone who shared the commit hears of it
            answers = [fault] * len(batch)
        by_loop: dict[Any, list[tuple[Any, Any]]] = {}
        for (_, _, loop, future), answer in zip(batch, answers, strict=True):
            by_loop.setdefault(loop, []).append((future, answer))
        for loop, pairs in by_loop.items():
            loop.call_soon_threadsafe(self._deliver, pairs)

    def _deliver(self, pairs: list[tuple[Any, Any]]) -> None:
        for future, answer in pairs:
            _fulfil(future, answer)
        self.told()


class DirectJournal:
    """Writes at once, on the caller's thread: for the simulation and for one-off commands."""

    def __init__(self, store: Store, failpoints: Failpoints) -> None:
        self._store = store
        self._failpoints = failpoints
        self.told: Callable[[], None] = lambda: None

    async def send(self, command: Command, actor: Actor = ENGINE) -> list[Event]:
        name = type(command).__name__
        self._failpoints.hit(f"journal.{name}.before")
        events = self._store.send(command, actor)
        self._failpoints.hit(f"journal.{name}.after")
        self.told()
        return events


def _fulfil(future: asyncio.Future[Any], answer: Any) -> None:
    if future.cancelled():
        return
    if isinstance(answer, (OrchError, Exception)):
        future.set_exception(answer)
    else:
        future.set_result(answer)
