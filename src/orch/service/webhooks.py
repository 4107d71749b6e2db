"""`orch serve --webhooks`: where deliveries come in, as one of the service's loops.

Invariant: it listens where it was told to, on loopback unless somebody spelled out another address;
the port is ours before the service says that it is ready. What was answered with 202 is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orch.config import Config
from orch.config.source_tree import SourceConfig
from orch.model.deliveries import DeliveryBooks
from orch.model.errors import Conflict, OrchError, ToolFailed, UsageError
from orch.model.loopback import is_loopback
from orch.ports import Clock
from orch.service.group import Group
from orch.service.intake import Intake
from orch.service.keys import Keys

DEFAULT = "127.0.0.1:8080"
FILE = "webhooks.address"
"""In the home's `run`: where this machine's own commands find the intake."""
COUNT_S = 2.0
"""Between two times that refusals are written down."""
BACKLOG = 512
log = logging.getLogger(__name__)


def place(address: str) -> tuple[str, int]:
    """`HOST:PORT`, `[V6]:PORT`, `PORT` or `HOST` as (host, port). `UsageError(bad_address)`."""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = ("127.0.0.1", address) if address.isdigit() else (address, "8080")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and int(port) < 65536) or not host.isprintable():
        raise UsageError(
            f"{address[:80]!r} is no address to listen at", code="bad_address",
            hint=f"orch serve --webhooks {DEFAULT}",
        )  # fmt: skip
    return host, int(port)


def listen(address: str) -> socket.socket:
    """A socket that nobody else has. Refused where uvicorn is not installed."""
    host, port = place(address)
    try:
        import httptools  # noqa: F401 - to find out now, not when somebody connects
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ToolFailed(
            "webhooks need the extra web, which is not installed", code="web_missing",
            hint='pip install "orch-conductor[web]"',
        ) from error  # fmt: skip
    try:
        [(family, kind, protocol, _, where), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # With the protocol named, asyncio turns Nagle's delay off, which is 40 ms an answer.
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(where)
            found.listen(BACKLOG)
            found.setblocking(False)
        except BaseException:
            found.close()
            raise
    except OSError as error:
        told = f"webhooks cannot be taken in at {host}:{port}: {error.strerror}"
        if error.errno == errno.EADDRINUSE:
            hint = f"orch serve --webhooks 127.0.0.1:{port - 1 if port > 65_000 else port + 1}"
            raise Conflict(told, code="address_taken", hint=hint) from error
        hint = f"orch serve --webhooks {DEFAULT}"
        raise UsageError(told, code="bad_address", hint=hint) from error
    return found


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket | None]:
    """`listen` for as long as the block lasts; None for no address."""
    if not address:
        yield None
        return
    with listen(address) as found:
        yield found


def address_of(listening: socket.socket) -> str:
    """`http://127.0.0.1:8080`."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Webhooks:
    """`orch.engine.dispatcher.Loop`. `config` gives what is configured now, `run` is the home's
    folder for what lives as long as the service, `arrived` is told when there is something to look
    at."""

    def __init__(
        self, listening: socket.socket, books: DeliveryBooks, config: Callable[[], Config],
        environ: Mapping[str, str], clock: Clock, run: Path, arrived: Callable[[], object],
    ) -> None:  # fmt: skip
        self._listening = listening
        self._books = books
        self._clock = clock
        self._file = run / FILE
        self._group = Group(books, arrived)

        def source(name: str) -> SourceConfig | None:
            return config().sources.get(name)

        self._intake = Intake(source, Keys(environ, clock.monotonic), self._group, clock.now)

    def wake(self) -> None:
        """Nothing that others write is of interest here."""

    async def run(self) -> None:
        """Until cancelled; who is being answered then gets the answer."""
        from orch.service.http import serve

        address = address_of(self._listening)
        host = self._listening.getsockname()[0]
        if not is_loopback(host):
            log.warning("webhooks come in at %s, without TLS: put a proxy before it", address)
        log.info("webhooks come in at %s", address)
        _write(self._file, address)
        counting = asyncio.ensure_future(self._count())
        try:
            await serve(self._listening, self._intake)
        finally:
            counting.cancel()
            self._file.unlink(missing_ok=True)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(counting, return_exceptions=True)
                await self._note()
                await self._group.close()

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(COUNT_S)
            await self._note()

    async def _note(self) -> None:
        """Write down, and tell the log, what was refused since the last time."""
        told, self._intake.refused = self._intake.refused, Counter()
        for (source, reason), number in told.items():
            log.warning(
                "%d deliveries for %s were refused: %s", number, source or "no source", reason
            )
        try:
            if told:
                now = self._clock.now()
                await self._group.call(lambda: self._books.count(told, now))
        except OrchError as error:
            log.error("what was refused was not counted: %s", error.message)


def _write(file: Path, text: str) -> None:
    made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as opened:
        opened.write(text + "\n")
