"""HTTP connections by uvicorn, without its server: ours is one loop among others of the service.

Invariant: nobody who dawdles, sends no end of a head, or opens connection after connection costs more
than a bound; malformed requests end their own connection and nothing else. No `Server` header, no
upgrade to anything, no word of proxies believed. To be imported late: uvicorn is an extra.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_S = 10.0
HEAD_LIMIT = 64 * 2**10
KEPT_S = 60
"""A connection is kept open so long between requests."""
MOST = 256
"""Connections at once; further ones are closed."""
BACKLOG = 512
LEAVE_S = 5.0
log = logging.getLogger("orch.service.http.requests")
log.setLevel(logging.ERROR)  # what strangers send fills no log; a fault of ours is told


class Patience(HttpToolsProtocol):
    """One connection. Over uvicorn's protocol: how long, and how much, until a head is whole."""

    head_s = HEAD_S
    most = MOST
    _timer: asyncio.TimerHandle | None = None
    _size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.logger = log
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._wait()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.head_s, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not getattr(self.cycle, "response_complete", True):
            self._stop()
            self._size = 0
            return
        self._size += len(data)
        if self._size > HEAD_LIMIT:
            self.transport.abort()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)


async def serve(
    listening: socket.socket, app: Callable[..., Any], *, head_s: float = HEAD_S, most: int = MOST
) -> None:
    """Answer who connects to `listening` until cancelled; then what is in flight is finished, within
    a few seconds. `app` is an ASGI application."""
    config = Config(
        app, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, date_header=False, timeout_keep_alive=KEPT_S,
    )  # fmt: skip
    config.load()
    state = ServerState()
    protocol = type("Protocol", (Patience,), {"head_s": head_s, "most": most})
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config, state, {}), sock=listening, backlog=BACKLOG
    )
    try:
        await loop.create_future()
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(*state.tasks, return_exceptions=True)
        for connection in list(state.connections):
            connection.transport.abort()
