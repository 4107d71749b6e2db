"""What small stand-ins share: routes, faults, a log, people with tokens.

Invariant: every request is in `log` with what became of it, and none is unknown.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.standins.github.faults import Fault
from tests.standins.loopback import Loopback, Raw


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


class Served(Loopback):
    """A stand-in below `api` of its URL; lists lag `lag_s` behind."""

    api = ""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.log: list[Asked] = []
        self.unknown: list[str] = []
        self.lag_s = 0.0
        self.lock = threading.RLock()
        self._routes = [
            (method, pattern, function)
            for function in vars(type(self)).values()
            for method, pattern in getattr(function, "routes", [])
        ]

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        assert not self.unknown, self.unknown

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
