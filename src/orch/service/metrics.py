"""`/metrics`: the figures of the books for Prometheus, over HTTP on this machine's loopback.

Invariant: nobody without the token learns anything (it lies in a file that only its owner reads; a
web page cannot know it), a request changes nothing, and one that dawdles or is too long is cut off.
A dozen lines of HTTP are our own: there is one page, without a body to read, and a web framework in
the service would cost 30 MiB for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

REQUEST_LIMIT = 8 * 1024
PATIENCE_S = 5.0
AGAIN_S = 60.0
"""Until a port that was taken is tried again."""
MOST = 16
"""Connections at once."""
log = logging.getLogger(__name__)


class Metrics:
    """A loop of the service. `port` gives the configured one (0: none), `text` makes the page (it
    may block), `token_file` is made when it is not there."""

    def __init__(
        self, port: Callable[[], int], text: Callable[[], str], token_file: Path,
        offload: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._port = port
        self._text = text
        self._token_file = token_file
        self._offload = offload
        self._woken = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        self._token = ""

    def wake(self) -> None:
        """The configuration may have changed."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            port = self._port()
            server = await self._begin(port) if port else None
            try:
                while self._port() == port:
                    self._woken.clear()
                    retry = AGAIN_S if port and server is None else None
                    try:
                        async with asyncio.timeout(retry):  # not `wait_for`: see `reload`
                            await self._woken.wait()
                    except TimeoutError:
                        break
            finally:
                if server is not None:
                    server.close()
                for task in self._open:
                    task.cancel()

    async def _begin(self, port: int) -> asyncio.Server | None:
        try:
            self._token = token(self._token_file)
            return await asyncio.start_server(self._accept, "127.0.0.1", port, limit=REQUEST_LIMIT)
        except OSError as error:
            log.error("no metrics at port %d: %s", port, error)
            return None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= MOST:
                async with asyncio.timeout(PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answer(head.decode("latin-1")))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("a request for metrics was cut off")
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        headers = {name.strip().lower(): text.strip() for name, _, text in
                   (line.partition(":") for line in lines)}  # fmt: skip
        method, _, rest = first.partition(" ")
        shown = headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(shown, f"Bearer {self._token}".encode()):
            return _page("401 Unauthorized", "", "WWW-Authenticate: Bearer\r\n")
        if rest.split(" ")[0].partition("?")[0] != "/metrics":
            return _page("404 Not Found", "")
        if method not in ("GET", "HEAD"):
            return _page("405 Method Not Allowed", "", "Allow: GET, HEAD\r\n")
        text: str = await self._offload(self._text)
        return _page("200 OK", text, without_body=method == "HEAD")


def _page(status: str, text: str, more: str = "", *, without_body: bool = False) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode("latin-1") + (b"" if without_body else body)


def token(file: Path) -> str:
    """What is in `file`, which is made (0600) when it is not there. `OSError` where it is a link,
    somebody else's, or others can read it."""
    with contextlib.suppress(FileExistsError):
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(made, secrets.token_urlsafe(32).encode() + b"\n")
        finally:
            os.close(made)
    opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        known = os.fstat(opened)
        found = os.read(opened, 1024).decode("ascii", "replace").strip()
    finally:
        os.close(opened)
    if known.st_uid != os.geteuid() or known.st_mode & 0o077 or len(found) < 16:
        raise PermissionError(f"{file} is not a token of yours alone; remove it")
    return found
