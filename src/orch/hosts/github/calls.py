"""Requests to GitHub: who may go, what it costs, what an answer means, what is asked again.

Invariants:

- A question (`read`, `pages`, `ask`) is asked again after 5xx or silence, with back-off; its answer
  is whole or an error, never the pages that happened to come (H93).
- A write is sent once. Only what surely had no effect (no connection, 401, 307, a limit) is sent
  again or raised; everything else that is no clear answer is an `Unknown`.
- Nothing is sent before the budget lets it go, and every answer is entered there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from orch.hosts.asking import Asking
from orch.hosts.budget import Allowance, Budget, Pace
from orch.hosts.failures import Limited, Unknown, Unreadable
from orch.hosts.github.address import Address
from orch.hosts.github.answers import HEADERS, allowance_of, is_limit, limited, refusal, retry_at
from orch.hosts.github.credentials import Credential
from orch.hosts.github.graph import Asked, faults
from orch.hosts.kept import Keeper, Kept
from orch.hosts.service import decoded, next_page
from orch.hosts.wire import NoAnswer, NotSent, Reply, Wire
from orch.model.errors import OrchError

T = TypeVar("T")
Query = Mapping[str, str | int | None]

PER_PAGE = 100
_HOPS = 3
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api (secondary limits)
PACES = (Pace("any", 900, 60.0), Pace("content", 80, 60.0), Pace("content", 500, 3600.0))
_READ = {"any": 1}
_CHANGE = {"any": 5}
_CONTENT = {"any": 5, "content": 1}


class _Window(msgspec.Struct, frozen=True):
    limit: int
    remaining: int
    reset: float


class _Windows(msgspec.Struct, frozen=True):
    resources: dict[str, _Window]


class Caller:
    """One credential at one host. Safe for several threads; `sleep` is for back-off only, and a limit
    is waited for no longer than `patience_s`."""

    def __init__(
        self, address: Address, credential: Credential, *, wire: Wire, budget: Budget,
        kept: Keeper, now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random,
        patience_s: float = 2.0,
    ) -> None:  # fmt: skip
        self.address, self.credential, self.budget = address, credential, budget
        self.now = now
        self._wire, self._kept = wire, kept
        self._asking = Asking(
            address.name, now=now, sleep=sleep, chance=chance, patience_s=patience_s
        )

    # --- questions ------------------------------------------------------------------------

    def read(self, path: str, shape: type[T], query: Query | None = None) -> T:
        """What is at `path`. `Missing`, `Forbidden`, `Limited`, `Unanswered` and their kin."""
        reply = self._question(self._target(path, query))
        return self._decoded(reply, shape, f"GET {path}")

    def read_with(self, path: str, shape: type[T], header: str) -> tuple[T, str]:
        """The same with a header of the answer, which is not one that was kept."""
        request = f"GET {path}"
        reply = self._asked(lambda: self._followed(self._target(path, None), {}), request)
        if reply.status != 200:
            raise self._refusal(reply, request)
        return self._decoded(reply, shape, request), reply.headers.get(header, "")

    def pages(
        self, path: str, shape: type[T], query: Query | None = None, *, inside: str = ""
    ) -> list[T]:
        """Every item of every page, by the Link headers. `inside` names the list where pages are
        objects. An item that moves between pages may come twice: who has an id looks at it."""
        target = self._target(path, {"per_page": PER_PAGE, **(query or {})})
        found: list[T] = []
        been: set[str] = set()
        while target not in been:
            been.add(target)
            reply = self._question(target)
            if inside:
                whole = self._decoded(reply, dict[str, msgspec.Raw], f"GET {path}")
                part = Reply(reply.status, reply.headers, bytes(whole.get(inside, b"[]")))
                found += self._decoded(part, list[shape], f"GET {path}")  # type: ignore[valid-type]
            else:
                found += self._decoded(reply, list[shape], f"GET {path}")  # type: ignore[valid-type]
            following = next_page(reply.headers.get("link", ""))
            if not following:
                return found
            target = self._within(following, target)
        raise Unreadable(f"The pages of GET {path} lead in a circle.")

    def ask(self, asked: Asked, shape: type[T], variables: Mapping[str, Any]) -> T:
        """What a GraphQL query says. Faults of the kinds in `asked.tolerates` leave holes."""
        reply = self._asked(
            lambda: self._graphql(asked, variables, "graphql"), f"GraphQL {asked.name}"
        )
        return self._answer_of(reply, asked, shape)

    # --- writes ---------------------------------------------------------------------------

    def write(
        self, method: str, path: str, shape: type[T], body: Mapping[str, Any] | None = None, *,
        content: bool = False,
    ) -> T | Unknown:  # fmt: skip
        """One write. `content`: it makes something that people are told of (issues, comments, PRs),
        of which GitHub takes fewer. Raises what surely did not happen."""
        request = f"{method} {path}"
        data = None if body is None else msgspec.json.encode(body)
        weights = _CONTENT if content else _CHANGE

        def send() -> Reply:
            target = self._target(path, None)
            reply = once(target)
            for _ in range(_HOPS):
                if reply.status not in (307, 308):
                    break
                target = self._within(reply.headers.get("location", ""), target)
                reply = once(target)
            return reply

        def once(target: str) -> Reply:
            return self._asking.write(lambda: self._sent(method, target, data, "write", weights))

        return self._asking.outcome(
            request, send, lambda reply: self._refusal(reply, request),
            lambda reply: self._decoded(reply, shape, request),
        )  # fmt: skip

    def tell(
        self, asked: Asked, shape: type[T], variables: Mapping[str, Any], *, content: bool = False
    ) -> T | Unknown:
        """One GraphQL mutation."""
        request = f"GraphQL {asked.name}"

        def send() -> Reply:
            return self._asking.write(
                lambda: self._graphql(asked, variables, "write", content=content)
            )

        return self._asking.outcome(
            request, send, lambda reply: self._refusal(reply, request),
            lambda reply: self._answer_of(reply, asked, shape),
        )  # fmt: skip

    # --- how ------------------------------------------------------------------------------

    def _question(self, target: str) -> Reply:
        """The answer to a GET, from what is kept where GitHub says that it still holds."""
        key, request = f"{self.credential.name} {target}", f"GET {target.partition('?')[0]}"
        kept = self._kept.get(key)
        more = {"if-none-match": kept.etag} if kept else {}
        reply = self._asked(lambda: self._followed(target, more), request)
        if reply.status == 304 and kept is not None:
            return Reply(200, {"link": kept.link}, kept.body)
        if reply.status != 200:
            raise self._refusal(reply, request)
        if etag := reply.headers.get("etag"):
            link = reply.headers.get("link", "")
            self._kept.put(key, Kept(etag=etag, link=link, body=reply.body))
        return reply

    def _asked(self, send: Callable[[], Reply], request: str) -> Reply:
        return self._asking.question(send, lambda reply: self._refusal(reply, request))

    def _followed(self, target: str, more: Mapping[str, str]) -> Reply:
        reply = self._sent("GET", target, None, "read", _READ, more)
        for _ in range(_HOPS):
            if reply.status not in (301, 302, 307, 308):
                break
            target = self._within(reply.headers.get("location", ""), target)
            reply = self._sent("GET", target, None, "read", _READ, more)
        return reply

    def _graphql(
        self, asked: Asked, variables: Mapping[str, Any], kind: str, *, content: bool = False
    ) -> Reply:
        body = msgspec.json.encode({"query": asked.text, "variables": variables})
        weights = _READ if kind == "graphql" else _CONTENT if content else _CHANGE
        return self._sent(
            "POST", self.address.graphql, body, kind, weights, resource="graphql", cost=asked.cost
        )

    def _sent(
        self, method: str, target: str, body: bytes | None, kind: str, weights: Mapping[str, int],
        more: Mapping[str, str] | None = None, *, resource: str = "core", cost: int = 1,
    ) -> Reply:  # fmt: skip
        """One request, and a second one where the token was not taken and another can be had.
        `Limited` where the answer is one. `NotSent`, `NoAnswer`."""
        self._look_first(resource)

        def send() -> Reply:
            self.budget.admit(resource, cost, self.now(), weights=weights)
            try:
                reply = self._once(method, target, body, more or {})
                self._enter(reply, resource, cost, kind)
            except NoAnswer:
                self.budget.lost(resource, cost)
                self.budget.count(kind, cost)
                raise
            finally:
                self.budget.landed(resource, cost)
            return reply

        reply = send()
        if reply.status == 401 and self.credential.renew():
            reply = send()
        if is_limit(reply):
            primary, until = retry_at(reply, self.now())
            until = self.budget.hold(self.now(), until) if not primary else until or self.now() + 60
            raise limited(self.address.name, primary, until, "")
        self.budget.eased()
        return reply

    def _once(self, method: str, target: str, body: bytes | None, more: Mapping[str, str]) -> Reply:
        token = self.credential.token().reveal()
        headers = {**HEADERS, "authorization": f"Bearer {token}", **more}
        return self._wire.send(method, target, headers, body)

    def _enter(self, reply: Reply, resource: str, cost: int, kind: str) -> None:
        """Enter an answer into the book."""
        allowance = allowance_of(reply)
        if allowance is not None:
            self.budget.told(reply.headers.get("x-ratelimit-resource", resource), allowance)
        same = reply.status == 304
        self.budget.count("unchanged" if same else kind, 0 if same else cost)

    def _look_first(self, resource: str) -> None:
        """Know what is left before any of it is taken; this question is free."""
        if self.budget.knows(resource, self.now()):
            return
        target = f"{self.address.rest}/rate_limit"
        try:
            reply = self._once("GET", target, None, {})
        except (NotSent, NoAnswer) as error:
            raise self._asking.silent(error) from error
        self.budget.count("look", 0)
        if reply.status == 404:
            self.budget.unlimited()
            return
        if reply.status != 200:
            return  # what is wrong (the token, the server) is told by the request itself
        for name, window in self._decoded(reply, _Windows, "GET /rate_limit").resources.items():
            left = Allowance(limit=window.limit, left=window.remaining, reset_at=window.reset)
            self.budget.told(name, left)

    def _answer_of(self, reply: Reply, asked: Asked, shape: type[T]) -> T:
        if reply.status >= 300:
            raise self._refusal(reply, f"GraphQL {asked.name}")
        whole = self._decoded(reply, dict[str, msgspec.Raw], f"GraphQL {asked.name}")
        fault = faults(bytes(whole.get("errors", b"[]")), asked, self.address.name, self.credential)
        if isinstance(fault, Limited):
            self.budget.hold(self.now(), self.now() + 60)
            fault = limited(self.address.name, True, self.now() + 60, "")
        if fault is not None and asked.text.startswith("mutation") and _has_effect(whole):
            raise Unreadable(f"it was done, and then: {fault.message}")
        if fault is not None:
            raise fault
        part = Reply(200, reply.headers, bytes(whole.get("data", b"null")))
        return self._decoded(part, shape, f"GraphQL {asked.name}")

    def _decoded(self, reply: Reply, shape: type[T], request: str) -> T:
        return decoded(reply, shape, request, self.address.name)

    def _refusal(self, reply: Reply, request: str) -> OrchError:
        return refusal(reply, request, self.address.name, self.credential, self.now())

    def _target(self, path: str, query: Query | None) -> str:
        kept = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return self.address.rest + path + (f"?{urlencode(kept)}" if kept else "")

    def _within(self, url: str, base: str) -> str:
        """Path and query of a URL that GitHub gave; at another origin our token has no business."""
        whole = urlsplit(urljoin(self.address.origin + base, url))
        if not url or f"{whole.scheme}://{whole.netloc}" != self.address.origin:
            raise Unreadable(f"{self.address.name} leads to another place: {url[:200]!r}.")
        return whole.path + (f"?{whole.query}" if whole.query else "")


def _has_effect(answer: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a mutation has a result beside its errors: what failed is then the telling of it."""
    data = msgspec.json.decode(answer.get("data", msgspec.Raw(b"null")))
    return isinstance(data, dict) and any(value is not None for value in data.values())
