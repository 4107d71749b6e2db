"""The stand-in for Jira, Cloud (v3) or Data Center (v2): HTTP on loopback, its state in memory.

    with JiraStandIn(cloud=True) as jira:
        jira.world.add_project("ABC", rights={"bot": RIGHTS})
        token = jira.token("bot")

Invariant: as in `tests.standins.loopback`; every request is in `log` with what became of it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.standins.github.faults import Fault
from tests.standins.jira.rest import Rest
from tests.standins.jira.views import Views
from tests.standins.jira.world import Clock, Refusal, User, World
from tests.standins.loopback import Loopback, Raw


class Asked(NamedTuple):
    """One request of the log. `request` is `POST /rest/api/3/search/jql`, `body` what it brought."""

    request: str
    who: str
    status: int
    body: Any = None
    told: Any = None


class JiraStandIn(Loopback):
    def __init__(self, *, cloud: bool = True, clock: Clock | None = None) -> None:
        self.world = World(cloud=cloud, clock=clock)
        super().__init__(self.world.clock)
        self.log: list[Asked] = []
        self.silenced_until = 0.0
        self.anonymous = False
        """Whether a wrong token is taken for nobody's request, as some of Jira's answers do."""
        self.rest = Rest(self.world, Views(self.world, self.url))

    # --- for those who come -----------------------------------------------------------------

    def token(self, name: str) -> str:
        """A token of that person: with their address it is Basic, alone it is Bearer."""
        self.world.add_user(name)
        return f"token-of-{name}"

    def written(self) -> list[str]:
        """The requests that may have changed something."""
        asking = ("/search", "/permissions/check", "/comment/list")
        return [one.request for one in self.log if not one.request.startswith("GET ")
                and not any(word in one.request for word in asking)]  # fmt: skip

    # --- an answer --------------------------------------------------------------------------

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[Raw, Fault | None]:
        parts = urlsplit(target)
        line = f"{method} {parts.path}" + (f"?{parts.query}" if parts.query else "")
        fault = self.faults.take(line)
        body = json.loads(data) if data else None
        who, told = "", None
        try:
            viewer = self._viewer(headers, parts.path)
            who = viewer.name
            self._pace()
            raw = self._before(fault)
            if raw is None:
                with self.world.lock:
                    query = dict(parse_qsl(parts.query))
                    status, told = self.rest.answer(viewer, method, parts.path, query, body)
                raw = _json(status, told)
        except Refusal as refusal:
            complaint = {"errorMessages": refusal.messages, "errors": refusal.errors}
            raw = _json(refusal.status, complaint)
            raw.headers.update(refusal.headers)
        self.log.append(Asked(line, who, raw.status, body, told))
        if fault and fault.then:
            fault.then()
        return raw, fault

    def _viewer(self, headers: Mapping[str, str], path: str) -> User:
        kind, _, text = headers.get("authorization", "").partition(" ")
        name = ""
        if kind == "Basic":
            address, _, token = base64.b64decode(text).decode().partition(":")
            name = token.removeprefix("token-of-") if token.startswith("token-of-") else ""
            name = name if address == f"{name}@example.org" else ""
        elif kind == "Bearer" and text.startswith("token-of-"):
            name = text.removeprefix("token-of-")
        if name in self.world.users:
            return self.world.users[name]
        if path.endswith("/serverInfo") and not kind:
            return User("", "Anonymous")
        refusal = Refusal(401, "Client must be authenticated to access this resource.")
        if self.anonymous:
            refusal = Refusal(200)
        refusal.headers["x-seraph-loginreason"] = "AUTHENTICATED_FAILED"
        raise refusal

    def _pace(self) -> None:
        if self.world.clock() < self.silenced_until:
            refusal = Refusal(429, "Rate limit exceeded.")
            left = self.silenced_until - self.world.clock()
            refusal.headers["retry-after"] = str(max(1, round(left)))
            raise refusal

    def _before(self, fault: Fault | None) -> Raw | None:
        """What is refused before anything is done."""
        kind = fault.kind if fault else ""
        if fault is None or kind in ("lost", "late", "cut", "then"):
            return None
        if kind == "forbidden":
            raise Refusal(403, "You do not have the permission.")
        if kind in ("too_many", "secondary"):
            self.silenced_until = self.world.clock() + fault.seconds
            self._pace()
        if kind == "page":
            return Raw(200, {"content-type": "text/html"}, b"<html>Log in</html>")
        if kind == "status" and 300 <= fault.status < 400:
            return Raw(fault.status, {"location": "https://login.example.org/"}, b"")
        if kind == "status":
            raise Refusal(fault.status, "Server Error")
        return Raw(0, {}, b"")


def _json(status: int, payload: Any) -> Raw:
    body = b"" if status == 204 else json.dumps(payload).encode()
    return Raw(status, {"content-type": "application/json;charset=UTF-8"}, body)
