"""A service for tests: the front on a real home and a real socket, on a loop in a thread."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orch import client
from orch.api import Orch
from orch.compose import open_orch, own_thread
from orch.engine.world import in_thread
from orch.service.front import Front
from orch.wire import frames
from orch.wire.places import service_socket

PATIENCE_S = 60.0


class Service:
    """`orch` is the service's facade; `stopped` counts who asked it to stop."""

    def __init__(self, orch: Orch, protocol: int) -> None:
        self.orch = orch
        self.home = Path(orch.rooms.path)
        self.stopped = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.front: Front | None = None
        self._protocol = protocol
        self._up = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(PATIENCE_S)
        if self._fault is not None:
            raise self._fault

    def end(self) -> None:
        if self.loop is not None and self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the service does not end"
        if self._fault is not None:
            raise self._fault

    def client(self) -> client.Client:
        found = client.connect(self.home)
        assert found is not None
        return found

    def raw(self, *, greet: bool = True) -> Raw:
        return Raw(service_socket(self.home), greet=greet)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised again by `start` or `end`
            self._fault = error
        finally:
            self._up.set()

    async def _main(self) -> None:
        self.loop, self._leave = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            self.stopped += 1

        self.front = Front(
            self.orch, in_thread, own_thread, stop, os.geteuid(), protocol=self._protocol
        )
        front = asyncio.ensure_future(self.front.run())
        ready = asyncio.ensure_future(self.front.ready.wait())
        await asyncio.wait({front, ready}, return_when=asyncio.FIRST_COMPLETED)
        if front.done():
            ready.cancel()
            return front.result()
        self._up.set()
        leave = asyncio.ensure_future(self._leave.wait())
        await asyncio.wait({front, leave}, return_when=asyncio.FIRST_COMPLETED)
        leave.cancel()
        front.cancel()
        try:
            await front
        except asyncio.CancelledError:
            return None


class Raw:
    """A connection that says what it likes."""

    def __init__(self, path: Path, *, greet: bool) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))
        self._file = self.socket.makefile("rb")
        if greet:
            self.say(frames.call(0, "hello", {"protocol": 1, "version": "test"}))
            assert self.hear()["result"]["protocol"] == 1

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> Any:
        """The next message; None at the end."""
        import json

        line = self._file.readline()
        return json.loads(line) if line else None

    def ask(self, method: str, **params: Any) -> Any:
        self.say(frames.call(1, method, params))
        return self.hear()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def a_service(home: Path, *, protocol: int = 1) -> Iterator[Service]:
    """On a home that may hold something already."""
    environ = {"ORCH_HOME": str(home), "PATH": os.environ["PATH"], "HOME": str(home.parent)}
    orch = open_orch(environ, home.parent, person="ada")
    service = Service(orch, protocol)
    try:
        service.start()
        yield service
    finally:
        service.end()
        orch.close()
