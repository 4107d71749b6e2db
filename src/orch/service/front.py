"""The front of the service: the ear, the feeds and the socket, as one of its loops.

Invariant: made only by whoever holds the home's lock. It moves nothing by itself: what is asked for
goes through the operations, what is told comes out of the books and the attempts' files.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orch._version import __version__
from orch.api import Orch
from orch.api.operations import Operations
from orch.model.run import Owner
from orch.service.ear import ServiceEar
from orch.service.feed import Feed
from orch.service.server import Server
from orch.service.subscriptions import Subscriptions
from orch.service.writings import Writings
from orch.wire.hello import PROTOCOL, Hello
from orch.wire.places import service_socket

GRACE_S = 5.0
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass
class Front:
    """`orch` is this process's facade; `stop` asks the service to end (it returns at once);
    `asked` is told (in any thread's stead, on the loop) that an operation was carried out, which may
    have written. `offload` runs what is short off the loop, `thread` what may take long, each in a
    thread of its own. `ready` is set when clients are let in."""

    orch: Orch
    offload: Offload
    thread: Offload
    stop: Callable[[], object]
    uid: int
    asked: Callable[[], object] = lambda: None
    protocol: int = PROTOCOL
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        rooms = self.orch.rooms
        self._began = rooms.clock.monotonic()
        self._operations = Operations(self.orch)
        self.ear = ServiceEar(
            rooms.terminals.ear(), str(rooms.path), rooms.store.last_event, self.offload
        )
        self._feed = Feed(rooms.store, self.ear, self.offload)
        writings = Writings(rooms.store, rooms.terminals, self.ear, self.offload)
        owner: Owner = rooms.me
        self._server = Server(
            call=self._operations.call, offload=self.thread,
            hello=Hello(self.protocol, __version__),
            about={
                "pid": owner.pid, "started": owner.started, "boot": owner.boot,
                "home": str(rooms.path),
            },
            subscriptions=Subscriptions(self._feed, writings),
            own={"service.status": self._status, "service.stop": self._stop},
            uid=self.uid, asked=self.asked,
        )  # fmt: skip

    async def run(self) -> None:
        """Until cancelled; then what is in flight is answered, within a few seconds."""
        path = service_socket(Path(self.orch.rooms.path))
        tasks = [asyncio.ensure_future(work) for work in (self.ear.run(), self._feed.run())]
        try:
            await self._server.start(path)
            tasks.append(asyncio.ensure_future(self._server.keep()))
            self.ready.set()
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self._server.close(GRACE_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """See `orch.engine.dispatcher.Loop`: nothing to do, it hears for itself."""

    async def _status(self) -> dict[str, Any]:
        call = functools.partial(self._operations.call, "status")
        known: dict[str, Any] = await self.thread(call)
        about = self._server.about
        uptime = self.orch.rooms.clock.monotonic() - self._began
        return {
            "running": True, "pid": about["pid"], "version": __version__,
            "uptime_s": round(uptime, 1), **known,
        }  # fmt: skip

    async def _stop(self) -> dict[str, Any]:
        """Answered before it happens; who asked then waits for this process to end."""
        known = await self._status()
        asyncio.get_running_loop().call_later(0.01, self.stop)
        return {"stopping": True, **known}
