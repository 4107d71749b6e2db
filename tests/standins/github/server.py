"""The stand-in for GitHub: REST, GraphQL and git over HTTP on loopback, with its state in memory.

    with GitHubStandIn(tmp_path) as github:
        github.world.add_repo("octo/hello")
        environ = github.environ("octo")       # for our client
        environ = github.gh_environ("octo")    # for the real gh

Invariant: as in `tests.standins.loopback`; every request is in `log` with what became of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.standins.github import graph, hook_routes as hook_routes, pulls
from tests.standins.github.apps import Apps
from tests.standins.github.audit import Audit
from tests.standins.github.faults import Fault
from tests.standins.github.gitweb import serve_git
from tests.standins.github.hooks import Hooks
from tests.standins.github.limits import Limits
from tests.standins.github.rest import Answer, Call, Page, Rest
from tests.standins.github.views import Views
from tests.standins.github.world import Refusal, User, World
from tests.standins.loopback import Handler, Loopback, Raw

API_HOST = "api.github.localhost"


class Asked(NamedTuple):
    """One request of the log. `request` is `GET /repos/o/r/issues?page=2`, for GraphQL `POST /graphql
    NAME`. `fault` is the kind of what went wrong on purpose."""

    request: str
    who: str
    status: int
    fault: str = ""


class _Handler(Handler):
    def asked(self, target: str, headers: Mapping[str, str], data: bytes) -> None:
        if "://" in target:  # the form that a proxy gets
            parts = urlsplit(target)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
        if ".git/" in target.partition("?")[0]:
            serve_git(self, self.standin, target, headers, data)
        else:
            super().asked(target, headers, data)


class GitHubStandIn(Loopback):
    handler = _Handler

    def __init__(self, root: Path) -> None:
        self.world = World(root)
        super().__init__(self.world.clock)
        self.limits = Limits(self.world.clock)
        self.log: list[Asked] = []
        self.tokens: dict[str, tuple[str, str | None]] = {}
        self.rest = Rest(self.world, Views(self.world, self.url))
        self.graph = graph.Graph(self.world, self.limits, self.url)
        self.apps = Apps(self.world)
        self.audit = Audit(self)
        self.hooks = Hooks(self.world, self.rest.views)

    # --- for those who come -----------------------------------------------------------------

    def token(self, login: str, scopes: str | None = "repo, read:org, project") -> str:
        """A token of that person. `scopes` None: a fine-grained one, which has none."""
        self.world.add_user(login)
        text = f"gho_{hashlib.sha256(login.encode()).hexdigest()[:32]}"
        self.tokens[text] = (login, scopes)
        return text

    def environ(self, login: str) -> dict[str, str]:
        """For our client."""
        return {"GITHUB_API_URL": self.url, "GITHUB_TOKEN": self.token(login)}

    def gh_environ(self, login: str, home: Path) -> dict[str, str]:
        """For the real `gh`: plain http through a proxy, which is us."""
        return {
            "HOME": str(home), "GH_CONFIG_DIR": str(home / "gh"), "GH_TOKEN": self.token(login),
            "GH_HOST": "github.localhost", "HTTP_PROXY": self.url, "GH_NO_UPDATE_NOTIFIER": "1",
            "GH_PROMPT_DISABLED": "1", "NO_COLOR": "1", "GH_TELEMETRY": "false",
        }  # fmt: skip

    def remote(self, full_name: str, login: str) -> str:
        """The URL for git, with that person's token."""
        return f"{self.url.replace('://', f'://x:{self.token(login)}@')}/{full_name}.git"

    # --- an answer --------------------------------------------------------------------------

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[Raw, Fault | None]:
        parts = urlsplit(target)
        path = parts.path.removeprefix("/api/v3").rstrip("/") or "/"
        if path == "/api/graphql":
            path = "/graphql"
        query = dict(parse_qsl(parts.query))
        body = _object(data)
        name, write, content = (
            graph.operation(body) if path == "/graphql" else ("", method != "GET", False)
        )
        line = (
            f"{method} {path}"
            + (f"?{parts.query}" if parts.query else "")
            + (f" {name}" if name else "")
        )
        who = ""
        fault = self.faults.take(line)
        try:
            viewer, scopes = self._viewer(headers, path)
            who = viewer.login
            raw = self._before(fault) or self._done(
                viewer, method, path, query, body, write=write, content=content, headers=headers
            )
            if scopes is not None:
                raw.headers["x-oauth-scopes"] = scopes
        except Refusal as refusal:
            raw = _refused(refusal, path)
            if who:
                raw.headers.update(
                    self.limits.headers(who, "graphql" if path == "/graphql" else "core")
                )
        raw.headers["x-github-request-id"] = f"STAND:{len(self.log):04X}"
        self.log.append(Asked(line, who, raw.status, fault.kind if fault else ""))
        if fault and fault.then:
            fault.then()
        return raw, fault

    def _viewer(self, headers: Mapping[str, str], path: str) -> tuple[User, str | None]:
        words = headers.get("authorization", "").split()
        token = words[-1] if words else ""
        if path.startswith("/app"):
            return self.apps.signed(token), None
        login = self.apps.login(token)
        if login:
            return self.world.users[login], None
        if token not in self.tokens:
            raise Refusal(401, "Bad credentials" if token else "Requires authentication")
        login, scopes = self.tokens[token]
        return self.world.users[login], scopes

    def _before(self, fault: Fault | None) -> Raw | None:
        """What is refused before anything is done."""
        kind = fault.kind if fault else ""
        if fault is None or kind in ("lost", "late", "cut", "then"):
            return None
        if kind == "forbidden":
            raise Refusal(403, "Resource not accessible by personal access token",
                          **{"x-accepted-github-permissions": "issues=write"})  # fmt: skip
        if kind == "secondary":
            self.limits.silence(fault.seconds)
            raise self.limits.secondary(fault.seconds)
        if kind == "too_many":
            raise Refusal(429, "Too many requests", **{"retry-after": str(fault.seconds)})
        if kind == "page":
            return Raw(200, {"content-type": "text/html"}, b"<html>Unicorn!</html>")
        if kind == "status":
            raise Refusal(fault.status, "Server Error")
        return Raw(0, {}, b"")

    def _done(
        self, viewer: User, method: str, path: str, query: dict[str, str], body: dict[str, Any], *,
        write: bool, content: bool, headers: Mapping[str, str],
    ) -> Raw:  # fmt: skip
        with self.world.lock:
            if path == "/rate_limit":
                if not self.limits.enabled:
                    raise Refusal(404, "Rate limiting is not enabled.")
                return _json(200, self.limits.told(viewer.login))
            if path.startswith("/app"):
                return _json(*self.apps.answer(method, path))
            if path == "/graphql":
                return self._graphql(viewer, body, write=write, content=content)
            if moved := self._moved(method, path, query):
                return self._charged(moved, viewer, "core", 1)
            found = self.rest.find(method, path)
            content = bool(found and found[2])
            self._demand(viewer, "core", write=write, content=content)
            try:
                if found is None:
                    raise Refusal(404, "Not Found")
                raw = self._rest(found, viewer, path, query, body)
            except Refusal as refusal:
                raw = _refused(refusal, path)
            same = method == "GET" and raw.headers.get("etag") == headers.get("if-none-match", "-")
            if same:
                raw = Raw(304, {"etag": raw.headers["etag"]}, b"")
            return self._charged(raw, viewer, "core", 0 if same else 1)

    def _moved(self, method: str, path: str, query: dict[str, str]) -> Raw | None:
        """Where it is now, by 301, or 307 for what is no question; 410 for what is gone."""
        rest = path.removeprefix("/repos/")
        if rest in self.world.gone:
            return _json(410, {"message": "This issue was deleted"})
        for old, new in self.world.moved.items():
            if rest == old or rest.startswith(f"{old}/"):
                status = 301 if method == "GET" else 307
                tail = f"?{urlencode(query)}" if query else ""
                raw = _json(status, {"message": "Moved Permanently"})
                raw.headers["location"] = f"{self.url}/repos/{new}{rest[len(old) :]}{tail}"
                return raw
        return None

    def _demand(self, viewer: User, resource: str, *, write: bool, content: bool) -> None:
        if self.limits.enabled:
            self.limits.demand(viewer.login, resource, write=write, content=content)

    def _charged(self, raw: Raw, viewer: User, resource: str, cost: int) -> Raw:
        if self.limits.enabled:
            self.limits.spend(viewer.login, resource, cost)
            raw.headers.update(self.limits.headers(viewer.login, resource))
        return raw

    def _graphql(self, viewer: User, body: dict[str, Any], *, write: bool, content: bool) -> Raw:
        try:
            self._demand(viewer, "graphql", write=write, content=content)
        except Refusal as refusal:
            if refusal.kind != "RATE_LIMITED":
                raise
            told = {"errors": [{"type": "RATE_LIMITED", "message": refusal.message}]}
            return self._charged(_json(200, told), viewer, "graphql", 0)
        told = self.graph.run(viewer, body)
        return self._charged(_json(200, told), viewer, "graphql", graph.cost(body))

    def _rest(
        self, found: Any, viewer: User, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> Raw:
        function, words, _ = found
        result = function(self.rest, Call(viewer, words, query, body))
        if isinstance(result, Answer):
            return _json(result.status, result.payload)
        link = ""
        if isinstance(result, Page):
            result, link = self._page(result, path, query)
        raw = _json(200, result)
        raw.headers["etag"] = f'W/"{hashlib.sha256(raw.body + link.encode()).hexdigest()[:32]}"'
        if link:
            raw.headers["link"] = link
        return raw

    def _page(self, page: Page, path: str, query: dict[str, str]) -> tuple[Any, str]:
        size = min(100, max(1, int(query.get("per_page", "30"))))
        number = max(1, int(query.get("page", "1")))
        last = max(1, -(-len(page.items) // size))
        items = [page.show(one) for one in page.items[(number - 1) * size : number * size]]
        turns = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        if number >= last:
            turns = {name: to for name, to in turns.items() if name in ("prev", "first")}
        if number == 1:
            turns = {name: to for name, to in turns.items() if name in ("next", "last")}
        links = [
            f'<{self.url}{path}?{urlencode({**query, "page": to})}>; rel="{name}"'
            for name, to in turns.items()
        ]
        whole = {**page.around, page.key: items} if page.key else items
        return whole, ", ".join(links)

    def pushed(self, full_name: str) -> None:
        repo = self.world.repos.get(full_name.lower())
        with self.world.lock:
            for other in list(self.world.repos.values()):
                if repo and (other is repo or repo.parent is other):
                    pulls.follow(self.world, other)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    return found if isinstance(found, dict) else {}


def _json(status: int, payload: Any) -> Raw:
    body = b"" if status == 204 else json.dumps(payload).encode()
    return Raw(status, {"content-type": "application/json; charset=utf-8"}, body)


def _refused(refusal: Refusal, path: str) -> Raw:
    told: dict[str, Any] = {"message": refusal.message, "status": str(refusal.status)}
    told["documentation_url"] = "https://docs.github.com/rest"
    if refusal.errors:
        told["errors"] = refusal.errors
    raw = _json(refusal.status, told)
    raw.headers.update(refusal.headers)
    return raw
