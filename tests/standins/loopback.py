"""What every stand-in is: a server on loopback, and the faults by which an answer gets lost.

Invariant: nothing listens on anything but loopback; a stand-in that is itself at fault fails the test
at its end.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from tests.standins.github.faults import Fault, Faults


class Raw(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: 40 ms each time without

    @property
    def standin(self) -> Any:
        return self.server.standin  # type: ignore[attr-defined]

    def log_message(self, *words: object) -> None:
        """The log is the stand-in's own."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.standin.now(), usegmt=True)

    def asked(self, target: str, headers: Mapping[str, str], data: bytes) -> None:
        try:
            raw, fault = self.standin.answer(self.command, target, headers, data)
        except Exception:  # noqa: BLE001 - the test asks for it at its end
            self.standin.crashes.append(traceback.format_exc())
            raw, fault = Raw(500, {}, b"{}"), None
        kind = fault.kind if fault else ""
        if kind in ("lost", "dropped"):
            self.close_connection = True
            return
        if kind == "late":
            raw = Raw(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")
        self.send_response_only(raw.status)
        for name, value in {"date": self.date_time_string(), **raw.headers}.items():
            self.send_header(name, value)
        if raw.status != 304:
            self.send_header("content-length", str(len(raw.body)))
        self.end_headers()
        if kind == "cut":
            self.wfile.write(raw.body[: len(raw.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(raw.body)

    def _any(self) -> None:
        data = self._body()
        self.asked(self.path, {name.lower(): value for name, value in self.headers.items()}, data)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _any  # noqa: N815


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone, by `kill -9` perhaps: that is no fault of anybody's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Loopback:
    """A stand-in at `url` while it is entered. `now` is its clock."""

    handler: type[Handler] = Handler
    log: list[Any]

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.faults = Faults()
        self.crashes: list[str] = []
        self._server = _Server(("127.0.0.1", 0), self.handler)
        self._server.standin = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert not self.crashes, "\n".join(self.crashes)

    def requests(self, word: str = "") -> list[str]:
        return [one.request for one in self.log if word in one.request]

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[Raw, Fault | None]:
        """The answer to a request, and the fault by which it may get lost on its way."""
        raise NotImplementedError
