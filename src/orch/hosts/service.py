"""Requests to a service that speaks JSON over HTTP: what is asked again, what is sent once, what an
answer means. GitLab, Gitea and Linear are reached through it.

Invariants:

- A question (`read`, `pages`, `ask`) is asked again after 5xx or silence, with back-off; its answer
  is whole or an error, never the pages that happened to come (H93).
- A write is sent once. Only what surely had no effect (no connection, a refusal, a limit) is sent
  again or raised; everything else that is no clear answer is an `Unknown`.
- Nothing is sent before the budget lets it go, and nothing ever to another origin: of the address of
  a next page only its number is taken.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

import msgspec

from orch.config.secret import Secret
from orch.hosts.asking import Asking, moment_of
from orch.hosts.budget import RESERVE, Budget
from orch.hosts.dialect import Dialect, Place
from orch.hosts.failures import NoCredential, Unknown, Unreadable
from orch.hosts.wire import NoAnswer, Reply, Wire
from orch.model import typed
from orch.model.errors import OrchError

T = TypeVar("T")
Value = str | int | bool | None
Query = Mapping[str, Value]

_HOPS = 3
_MOVED = (301, 302, 307, 308)
_WEIGHT = {"any": 1}


class Found(NamedTuple, Generic[T]):
    """An issue and the service's own words of it."""

    issue: T
    raw: str


class Service:
    """One credential at one host. Safe for several threads; `sleep` is for back-off only, and a limit
    is waited for no longer than `patience_s`. Making one asks nothing and opens nothing."""

    def __init__(
        self, dialect: Dialect, place: Place, token: Secret | None, *, wire: Wire, budget: Budget,
        now: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random, patience_s: float = 2.0,
    ) -> None:  # fmt: skip
        self.dialect, self.place, self.budget = dialect, place, budget
        self.now = now
        self._token, self._wire = token, wire
        self._asking = Asking(
            place.name, now=now, sleep=sleep, chance=chance, patience_s=patience_s
        )
        self._behind = 0.0

    @property
    def signed_in(self) -> bool:
        return self._token is not None

    def server_time(self) -> float:
        """What the service's clock shows, at most a second late, as its last answer said; ours before
        the first one. Where a look begins is told in its time, not in ours."""
        return self.now() + self._behind

    def close(self) -> None:
        """Give the connections back; the next request opens new ones."""
        self._wire.close()

    # --- questions ------------------------------------------------------------------------

    def read(self, path: str, shape: type[T], query: Query | None = None) -> T:
        """What is at `path`. `Missing`, `Forbidden`, `Limited`, `Unanswered` and their kin."""
        return self._decoded(self._question(path, query), shape, f"GET {path}")

    def pages(
        self, path: str, shape: type[T], query: Query | None = None, *, counted: bool = True
    ) -> list[T]:
        """Every item of every page; see `each`."""
        return list(self.each(path, shape, query, counted=counted))

    def each(
        self, path: str, shape: type[T], query: Query | None = None, *, counted: bool = True
    ) -> Iterator[T]:
        """The items of page after page, each page asked for when it is needed.

        An item that moves between pages may come twice; one that moves to a page that was read
        already does not come: who lists what can shrink looks at that. Where the service's word on
        how many there are is no good (`counted` False), only an empty page is the last one.
        """
        sized = {self.dialect.page_word: self.dialect.page_size, **(query or {})}
        request = f"GET {path}"
        number, seen, last = 1, 0, b""
        while True:
            reply = self._question(path, {**sized, "page": number})
            if reply.body == last:
                return  # it does not page at all, and all of it was there already
            # Programs in Go write `null` for a list that has nothing in it.
            whole = Reply(200, reply.headers, b"[]") if reply.body.strip() == b"null" else reply
            items = self._decoded(whole, list[shape], request)  # type: ignore[valid-type]
            yield from items
            seen += len(items)
            if not counted:
                following = number + 1 if items else 0
            else:
                full = len(items) >= int(sized[self.dialect.page_word] or 0)
                following = _next_number(reply, number, seen, full=full)
            if not following:
                return
            if following <= number:
                raise Unreadable(f"The pages of {request} lead in a circle.")
            number, last = following, reply.body

    def ask(self, name: str, text: str, shape: type[T], variables: Mapping[str, Any]) -> T:
        """What the GraphQL query `name` says: its `data` as `shape`."""
        body = msgspec.json.encode({"query": text, "variables": variables})
        target = self.place.path
        reply = self._asked(lambda: self._sent("POST", target, body, "read"), f"query {name}")
        return self._data(reply, shape, f"query {name}")

    # --- writes ---------------------------------------------------------------------------

    def write(
        self, method: str, path: str, shape: type[T], body: Mapping[str, Any] | None = None
    ) -> T | Unknown:
        """One write. Raises what surely did not happen."""
        data = None if body is None else msgspec.json.encode(body)
        request, target = f"{method} {path}", self._target(path, None)
        return self._written(method, target, data, request, lambda reply: self._decoded(
            reply, shape, request))  # fmt: skip

    def tell(
        self, name: str, text: str, shape: type[T], variables: Mapping[str, Any]
    ) -> T | Unknown:
        """One GraphQL mutation."""
        body = msgspec.json.encode({"query": text, "variables": variables})
        request = f"mutation {name}"
        return self._written("POST", self.place.path, body, request, lambda reply: self._data(
            reply, shape, request))  # fmt: skip

    def _written(
        self, method: str, target: str, data: bytes | None, request: str,
        read: Callable[[Reply], T],
    ) -> T | Unknown:  # fmt: skip
        def send() -> Reply:
            return self._asking.write(lambda: self._sent(method, target, data, "write"))

        return self._asking.outcome(
            request, send, lambda reply: self._refusal(reply, request), read
        )

    # --- how ------------------------------------------------------------------------------

    def _question(self, path: str, query: Query | None) -> Reply:
        request = f"GET {path}"
        reply = self._asked(lambda: self._followed(self._target(path, query)), request)
        if reply.status != 200:
            raise self._refusal(reply, request)
        return reply

    def _asked(self, send: Callable[[], Reply], request: str) -> Reply:
        return self._asking.question(send, lambda reply: self._refusal(reply, request))

    def _followed(self, target: str) -> Reply:
        """What was renamed is found where it is now, at the same origin."""
        reply = self._sent("GET", target, None, "read")
        for _ in range(_HOPS):
            if reply.status not in _MOVED:
                break
            whole = urlsplit(urljoin(self.place.origin + target, reply.headers.get("location", "")))
            if f"{whole.scheme}://{whole.netloc}" != self.place.origin:
                raise Unreadable(
                    f"{self.place.name} leads to another place: {whole.netloc[:200]!r}."
                )
            target = whole.path + (f"?{whole.query}" if whole.query else "")
            reply = self._sent("GET", target, None, "read")
        return reply

    def _sent(self, method: str, target: str, body: bytes | None, kind: str) -> Reply:
        """One request. `Limited` where the answer is one. `NotSent`, `NoAnswer`."""
        headers = {
            "accept": "application/json", "accept-encoding": "gzip", "user-agent": "orch-conductor",
            "authorization": self.dialect.authorization(self._secret()),
        }  # fmt: skip
        if body is not None:
            headers["content-type"] = "application/json"
        self.budget.admit("core", 1, self.now(), weights=_WEIGHT)
        try:
            reply = self._wire.send(method, target, headers, body)
        except NoAnswer:
            self.budget.lost("core", 1)
            self.budget.count(kind, 1)
            raise
        finally:
            self.budget.landed("core", 1)
        self.budget.count(kind, 1)
        self._note(reply)
        if self.dialect.is_limit(reply):
            until = self.budget.hold(self.now(), self.dialect.retry_at(reply, self.now()))
            raise self.dialect.limited(self.place.name, until)
        self.budget.eased()
        return reply

    def _note(self, reply: Reply) -> None:
        """What an answer says beside what was asked: what is left, and what time it is there."""
        if (allowance := self.dialect.allowance(reply)) is not None:
            self.budget.told("core", allowance)
        told = moment_of(reply.headers.get("date", ""))
        # Without a date its clock is taken to be ours.
        self._behind = 0.0 if told is None else told - self.now()

    def _secret(self) -> str:
        if self._token is None:
            raise NoCredential(
                f"There is no credential for {self.place.name}: {self.dialect.variable} is not set"
                " and no token is configured.",
                hint=f"export {self.dialect.variable}=…",
                host=self.place.name,
            )
        return self._token.reveal()

    def _data(self, reply: Reply, shape: type[T], request: str) -> T:
        """The `data` of a GraphQL answer that has no errors."""
        if reply.status >= 300:
            raise self._refusal(reply, request)
        whole = self._decoded(reply, dict[str, msgspec.Raw], request)
        if bytes(whole.get("errors", msgspec.Raw(b"null"))) not in (b"null", b"[]"):
            raise self.dialect.fault(reply, request, self.place.name)
        part = Reply(200, reply.headers, bytes(whole.get("data", msgspec.Raw(b"null"))))
        return self._decoded(part, shape, request)

    def shaped(self, raw: msgspec.Raw | bytes, shape: type[T], request: str) -> T:
        """A part of an answer that was read as it is. `Unreadable`."""
        return self._decoded(Reply(200, {}, bytes(raw)), shape, request)

    def found(self, raw: msgspec.Raw | bytes, shape: type[T]) -> Found[T]:
        """An issue that was read as it is. `Unreadable`."""
        text = bytes(raw)
        return Found(self.shaped(text, shape, "an issue"), text.decode("utf-8", "replace"))

    def _decoded(self, reply: Reply, shape: type[T], request: str) -> T:
        return decoded(reply, shape, request, self.place.name)

    def _refusal(self, reply: Reply, request: str) -> OrchError:
        return self.dialect.refusal(reply, request, self.place.name)

    def _target(self, path: str, query: Query | None) -> str:
        kept = {name: _spelled(value) for name, value in (query or {}).items() if value is not None}
        return self.place.path + path + (f"?{urlencode(kept)}" if kept else "")


def connect(
    dialect: Dialect, environ: Mapping[str, str], *, url: str = "", token: Secret | None = None,
    reserve: int = RESERVE, answer_s: float = 30.0, patience_s: float = 2.0,
    now: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> Service:  # fmt: skip
    """The caller for `url` (or where the service is for everybody) with the configured `token`, or
    the one of the environment. `ConfigError(bad_url)`; who is not signed in hears of it at the first
    request (`NoCredential`)."""
    place = dialect.place(url)
    found = environ.get(dialect.variable, "").strip()
    return Service(
        dialect,
        place,
        token or (Secret(found) if found else None),
        wire=Wire(place.origin, environ, answer_s=answer_s),
        budget=Budget(place.name, reserve=reserve),
        now=now,
        sleep=sleep,
        chance=chance,
        patience_s=patience_s,
    )


def decoded(reply: Reply, shape: type[T], request: str, host: str) -> T:
    """An answer's body as `shape`. `Unreadable`."""
    if shape is type(None) or reply.status == 204:
        return None  # type: ignore[return-value]
    try:
        return typed.decode(reply.body, shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(
            f"{host} answered {request} with something else ({error}).",
            hint="orch doctor",
            host=host,
            request=request,
        ) from error


def sure(made: T | Unknown) -> T:
    """What a write made; where nobody knows, the error for those who look and come again."""
    if isinstance(made, Unknown):
        raise made.error()
    return made


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _next_number(reply: Reply, number: int, seen: int, *, full: bool) -> int:
    """The number of the next page, 0 where this is the last: by what the answer says of it, or of how
    many items there are; where it says neither, a full page has a next one."""
    told = reply.headers.get("x-next-page")
    if told is None and "link" in reply.headers:
        query = urlsplit(next_page(reply.headers["link"])).query
        told = parse_qs(query).get("page", [""])[0]
    if told is not None:
        return int(told) if told.isascii() and told.isdigit() else 0
    total = reply.headers.get("x-total-count", "")
    if total.isascii() and total.isdigit():
        full = seen < int(total) and reply.body.strip() not in (b"[]", b"null")
    return number + 1 if full else 0


def next_page(link: str) -> str:
    """The URL of `rel="next"` in a Link header (RFC 8288), empty where there is none."""
    for part in link.split(","):
        url, _, rest = part.strip().partition(">")
        words = {word.strip().lower() for word in rest.split(";")}
        if url.startswith("<") and words & {'rel="next"', "rel=next"}:
            return url[1:]
    return ""


def _spelled(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
