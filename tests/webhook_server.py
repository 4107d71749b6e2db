"""The intake of webhooks for tests: on real SQLite and a real port, on a loop in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orch.config.secret import Secret
from orch.config.source_tree import SourceConfig
from orch.model.deliveries import DeliveryBooks
from orch.service.group import Group
from orch.service.intake import Intake
from orch.service.keys import Keys
from orch.service.webhooks import listen
from orch.store.sqlite import SqliteStore
from tests import webhook_requests as requests

PATIENCE_S = 60.0


def source(kind: str = "github", *secrets: str, **more: Any) -> SourceConfig:
    held = tuple(Secret(text) for text in secrets or (requests.SECRET.decode(),))
    return SourceConfig(kind=kind, repo="thing", secrets=held, **more)


class IntakeServer:
    """`sources` may be changed at any time; `arrived` counts the calls to the one who looks."""

    def __init__(
        self, books: DeliveryBooks, sources: dict[str, SourceConfig], *, head_s: float = 10.0,
        body_s: float = 30.0, most: int = 256, environ: Mapping[str, str] | None = None,
        now: Callable[[], float] = lambda: requests.NOW,
    ) -> None:  # fmt: skip
        self.sources, self.books = sources, books
        self.arrived = 0
        self._limits = (head_s, most)
        self._body_s, self._now = body_s, now
        self._environ = dict(environ or {})
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._up.wait(PATIENCE_S)

    async def _main(self) -> None:
        from orch.service import http

        def arrived() -> None:
            self.arrived += 1

        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        self.group = Group(self.books, arrived)
        keys = Keys(self._environ, time.monotonic)
        self.intake = Intake(self.sources.get, keys, self.group, self._now, body_s=self._body_s)
        with listen("127.0.0.1:0") as listening:
            self.port = listening.getsockname()[1]
            head_s, most = self._limits
            work = asyncio.ensure_future(
                http.serve(listening, self.intake, head_s=head_s, most=most)
            )
            self._up.set()
            await self._leave.wait()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self.group.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"",
        method: str = "POST",
    ) -> tuple[int, dict[str, str], Any]:  # fmt: skip
        """One request on a connection of its own: status, headers, the answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, 20)) as asking:
            asking.request(method, path, body, dict(headers or {}))
            answer = asking.getresponse()
            told = answer.read()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(told)

    def send(self, request: requests.Sent, name: str = "hub") -> tuple[int, Any]:
        status, _, told = self.ask(f"/webhooks/{name}", dict(request.headers), request.body)
        return status, told

    def raw(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), 20)
        made.settimeout(20)
        return made

    def refused(self) -> dict[str, int]:
        """Reasons of source `hub`, so far."""
        return {reason: n for (_, reason), n in self.intake.refused.items()}


@contextlib.contextmanager
def an_intake(
    place: Path, sources: dict[str, SourceConfig] | None = None, **limits: Any
) -> Iterator[IntakeServer]:
    store = SqliteStore(place / "orch.db", now=lambda: requests.NOW, install="i")
    server = IntakeServer(store.deliveries, sources or {"hub": source()}, **limits)
    try:
        yield server
    finally:
        server.end()
        store.close()
