"""What small stand-ins share: HTTP on loopback, routes, faults, a log, people with tokens.

Invariant: nothing listens on anything but loopback; every request is in `log` with what became of it;
a stand-in that is itself at fault fails the test at its end.
"""

from __future__ import annotations

import json
import re
import threading
import traceback
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.standins.github.faults import Fault, Faults


class Refusal(Exception):
    def __init__(self, status: int, message: Any, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class Ask(NamedTuple):
    """A request. `words` are the parts of its path that the route names."""

    method: str
    words: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    who: Any


class Answer(NamedTuple):
    payload: Any
    status: int = 200
    headers: Mapping[str, str] = {}


class Asked(NamedTuple):
    """One request of the log: `GET /projects/1/issues?page=2`."""

    request: str
    status: int
    fault: str = ""


class Raw(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


Route = Callable[[Any, Ask], Any]


def route(method: str, path: str) -> Callable[[Route], Route]:
    """`path` has `{names}`, each one segment; `{number}` and `{id}` are digits."""

    def marked(function: Route) -> Route:
        pattern = re.sub(r"\{(number|id)\}", r"(?P<\1>\\d+)", path)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        function.routes = [  # type: ignore[attr-defined]
            *getattr(function, "routes", []), (method, re.compile(f"{pattern}/?"))
        ]  # fmt: skip
        return function

    return marked


class Served:
    """A stand-in below `api` of its URL. `now` is its clock; lists lag `lag_s` behind."""

    api = ""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.faults = Faults()
        self.log: list[Asked] = []
        self.crashes: list[str] = []
        self.unknown: list[str] = []
        self.lag_s = 0.0
        self.lock = threading.RLock()
        self._routes = [
            (method, pattern, function)
            for function in vars(type(self)).values()
            for method, pattern in getattr(function, "routes", [])
        ]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.standin = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert not self.crashes, "\n".join(self.crashes)
        assert not self.unknown, self.unknown

    def requests(self, word: str = "") -> list[str]:
        return [one.request for one in self.log if word in one.request]

    def viewer(self, headers: Mapping[str, str]) -> Any:
        raise NotImplementedError

    def page(self, items: list[Any], ask: Ask) -> Answer:
        """One page of a list, as the service pages."""
        raise NotImplementedError

    def refused(self, refusal: Refusal) -> Any:
        return {"message": refusal.message}

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[Raw, Fault | None]:
        parts = urlsplit(target)
        path = parts.path.removeprefix(self.api)
        line = f"{method} {path}" + (f"?{parts.query}" if parts.query else "")
        line += self.named(data)
        fault = self.faults.take(line)
        try:
            raw = self._before(fault)
            if raw is None:
                raw = self._done(method, path, dict(parse_qsl(parts.query)), headers, data)
        except Refusal as refusal:
            raw = _json(Answer(self.refused(refusal), refusal.status, refusal.headers))
        raw.headers["date"] = formatdate(self.now(), usegmt=True)
        self.log.append(Asked(line, raw.status, fault.kind if fault else ""))
        if fault and fault.then:
            fault.then()
        return raw, fault

    def named(self, data: bytes) -> str:
        """What the log says beside the path (the name of a GraphQL operation)."""
        return ""

    def _before(self, fault: Fault | None) -> Raw | None:
        """What is refused before anything is done."""
        kind = fault.kind if fault else ""
        if fault is None or kind in ("lost", "late", "cut", "then"):
            return None
        if kind == "forbidden":
            raise Refusal(403, "403 Forbidden")
        if kind in ("secondary", "too_many"):
            raise Refusal(429, "Too many requests", **{"retry-after": str(fault.seconds)})
        if kind == "page":
            return Raw(200, {"content-type": "text/html"}, b"<html>Maintenance</html>")
        if kind == "status":
            raise Refusal(fault.status, "Server Error")
        return Raw(0, {}, b"")

    def _done(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], data: bytes
    ) -> Raw:
        with self.lock:
            who = self.viewer(headers)
            for verb, pattern, function in self._routes:
                if verb == method and (match := pattern.fullmatch(path)):
                    words = {name: unquote(word) for name, word in match.groupdict().items()}
                    ask = Ask(method, words, query, json.loads(data or b"{}"), who)
                    made = function(self, ask)
                    if isinstance(made, list):
                        made = self.page(made, ask)
                    return _json(made if isinstance(made, Answer) else Answer(made))
        self.unknown.append(f"{method} {path}")
        raise Refusal(404, "404 Not Found")


def _json(answer: Answer) -> Raw:
    body = b"" if answer.status == 204 else json.dumps(answer.payload).encode()
    return Raw(answer.status, {"content-type": "application/json", **answer.headers}, body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *words: object) -> None:
        """The log is the stand-in's own."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.standin.now(), usegmt=True)  # type: ignore[attr-defined]

    def _any(self) -> None:
        standin: Served = self.server.standin  # type: ignore[attr-defined]
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            raw, fault = standin.answer(self.command, self.path, headers, data)
        except Exception:  # noqa: BLE001 - the test asks for it at its end
            standin.crashes.append(traceback.format_exc())
            raw, fault = Raw(500, {}, b"{}"), None
        kind = fault.kind if fault else ""
        if kind in ("lost", "dropped"):
            self.close_connection = True
            return
        if kind == "late":
            raw = Raw(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")
        self.send_response_only(raw.status)
        for name, value in raw.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw.body)))
        self.end_headers()
        if kind == "cut":
            self.wfile.write(raw.body[: len(raw.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(raw.body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815
