"""The socket server: JSON-RPC 2.0 for every process of this user.

Invariant: nothing that a connection does holds up another one, or the loop. Operations run in threads
of their own, a fixed number at once; what a connection may have in flight is bounded, and then it is
not read from. Only whoever holds the home's lock makes this server, so that a socket found in its
place belongs to a dead service and is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from orch.model.errors import OrchError, ToolFailed
from orch.service.connection import Connection
from orch.service.peers import may_enter, peer_uid
from orch.service.subscriptions import Subscriptions
from orch.wire.frames import REQUEST_LIMIT
from orch.wire.hello import Hello
from orch.wire.places import has_place

MOST_CONNECTIONS = 512
MOST_AT_WORK = 64
BACKLOG = 256
LOOK_S = 5.0
"""Between two looks at whether the socket still has its name."""
_log = logging.getLogger(__name__)
Call = Callable[[str, Mapping[str, Any]], Any]


class Server:
    """`call` carries out an operation (it blocks); `offload` runs it off the loop; `own` are calls
    that are answered on the loop (`service.status`, `service.stop`)."""

    def __init__(
        self, *, call: Call, offload: Callable[[Callable[[], Any]], Awaitable[Any]], hello: Hello,
        about: Mapping[str, Any], subscriptions: Subscriptions,
        own: Mapping[str, Callable[[], Awaitable[Any]]], uid: int, asked: Callable[[], object],
    ) -> None:  # fmt: skip
        self.hello = hello
        self.about = about
        self.subscriptions = subscriptions
        self._call = call
        self._offload = offload
        self._own = own
        self._uid = uid
        self._asked = asked
        self._at_work = asyncio.Semaphore(MOST_AT_WORK)
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._server: asyncio.Server | None = None
        self._place: tuple[Path, int] | None = None

    async def start(self, path: Path) -> None:
        """Listen at `path`. It is there whole or not at all: bound beside it, then renamed."""
        listening, inode = bound(path)
        self._place = path, inode
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listening, limit=REQUEST_LIMIT
        )

    async def keep(self) -> None:
        """Until cancelled: a name that somebody took away is given to a new socket."""
        while self._place is not None:
            await asyncio.sleep(LOOK_S)
            path, inode = self._place
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:
                    continue
            try:
                lost = self._server
                await self.start(path)
            except ToolFailed as error:
                _log.error("the socket is gone: %s", error.message)
                continue
            if lost is not None:
                lost.close()
            _log.warning("the socket was taken away, and made again")

    async def close(self, grace_s: float) -> None:
        """Nobody new is let in, what is in flight is answered within `grace_s`, then all are cut
        off. The socket's name goes first: who comes now finds no service."""
        if self._place is not None:
            unbind(*self._place)
        if self._server is not None:
            self._server.close()
        for connection in self._connections.values():
            connection.leave()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=grace_s)
            for task in late:
                self._connections[task].abort()
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def call(self, name: str, params: Mapping[str, Any]) -> Any:
        """Carry out an operation off the loop, when a place is free."""
        own = self._own.get(name)
        if own is not None:
            return await own()
        async with self._at_work:
            try:
                return await self._offload(lambda: self._call(name, params))
            finally:
                self._asked()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connected: socket.socket = writer.get_extra_info("socket")
        uid = peer_uid(connected)
        if not may_enter(uid, self._uid):
            _log.warning("a connection of another user was refused", extra={"uid": uid})
            writer.transport.abort()
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            _log.warning("too many connections: one was refused")
            writer.transport.abort()
            return
        connection = Connection(self, reader, writer)
        self._connections[task] = connection
        try:
            await connection.serve()
        except asyncio.CancelledError:
            connection.abort()
        except (OSError, OrchError) as error:
            _log.debug("a connection ended", extra={"reason": str(error)})
        finally:
            del self._connections[task]


def bound(path: Path) -> tuple[socket.socket, int]:
    """A socket that listens at `path`, and its inode."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    beside = path.with_suffix(".new")
    try:
        if not has_place(path):
            path.parent.mkdir(mode=0o700)
        beside.unlink(missing_ok=True)
        listening.bind(str(beside))
        beside.chmod(0o600)
        listening.listen(BACKLOG)
        beside.rename(path)
        return listening, path.stat().st_ino
    except OSError as error:
        listening.close()
        raise ToolFailed(
            f"the service's socket {path} cannot be made: {error.strerror}",
            code="socket_unusable", hint="orch doctor",
        ) from error  # fmt: skip


def unbind(path: Path, inode: int) -> None:
    """Take the name away, if it is still that socket's."""
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()
