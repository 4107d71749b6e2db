"""The intake of webhooks: one request after another, judged, written down, answered.

Invariant: an ASGI application with one route, `POST /webhooks/SOURCE`, that tells nobody anything
but what became of this very request. Cheap looks come first, and nothing of a body is believed
before its signature holds. It is answered with 202 when it is durable, and never before.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orch.config.secret import SecretUnavailable
from orch.config.source_tree import NAME, SourceConfig
from orch.hosts.deliveries import Accepted, Refused, read
from orch.model.errors import OrchError
from orch.service.group import Arrival, Group
from orch.service.keys import Keys

BODY_LIMIT = 25 * 2**20
"""What GitHub sends at most, and we take."""
HELD_LIMIT = 4 * BODY_LIMIT
"""Of bytes in all requests together that are not judged yet."""
BODY_S = 30.0
LARGE = 64 * 2**10
"""Bytes above which a body is judged beside the loop."""
_PATH = re.compile(rf"/webhooks/({NAME})")
log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_LATER = ("retry-after", "5")
_WHOLE = ((b"content-type", b"application/json"),)
_encode = msgspec.json.Encoder().encode


class _Gone(Exception):
    """The sender has hung up."""


class _Refusal(Exception):
    """`whole`: its body was read, so that the connection can go on."""

    def __init__(
        self, refused: Refused, *, whole: bool = False, header: tuple[str, str] | None = None
    ) -> None:
        super().__init__(refused.message)
        self.refused, self.whole, self.header = refused, whole, header


def _refuse(
    reason: str, status: int, message: str, header: tuple[str, str] | None = None
) -> _Refusal:
    return _Refusal(Refused(reason, status, message), header=header)


@dataclass
class Intake:
    """`source` gives the table of a name, None where there is none; `now` seconds since the epoch.
    `refused` counts by (source, reason) since it was emptied last; the source is empty where a
    request named none that there is."""

    source: Callable[[str], SourceConfig | None]
    keys: Keys
    group: Group
    now: Callable[[], float]
    body_s: float = BODY_S
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    _held: int = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        name = ""
        try:
            name, config = self._named(scope)
            pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
            length = _acceptable(dict(pairs))
            body = await self._body(receive, length)
            try:
                accepted = await self._judged(name, config, pairs, body)
                new = await self.group.add(Arrival(name, accepted, body, self.now()))
            finally:
                self._held -= len(body)
            status, word = (202, "taken") if new else (200, "known")
            answer = {"delivery": accepted.delivery, "state": word}
            await _answer(send, status, answer, _WHOLE)
        except _Gone:
            self.refused[name, "hung_up"] += 1
        except _Refusal as refusal:
            await self._refused(send, name, refusal)
        except OrchError as error:  # of the store: the sender may come again
            log.error("a delivery for %s was not taken in: %s", name, error.message)
            told = Refused("unavailable", 503, "it could not be written down; send it again")
            await self._refused(send, name, _Refusal(told, whole=True, header=_LATER))

    async def _refused(self, send: Send, name: str, refusal: _Refusal) -> None:
        refused = refusal.refused
        self.refused[name, refused.reason] += 1
        headers = [*_WHOLE]
        if refusal.header:
            headers.append((refusal.header[0].encode(), refusal.header[1].encode()))
        if not refusal.whole:
            headers.append((b"connection", b"close"))
        answer = {"error": {"code": refused.reason, "message": refused.message}}
        await _answer(send, refused.status, answer, headers)

    def _named(self, scope: Message) -> tuple[str, SourceConfig]:
        """The source that the path names."""
        found = _PATH.fullmatch(scope["path"])
        if found is None:
            raise _refuse("no_such_path", 404, "there is nothing here")
        config = self.source(found[1])
        if config is None:
            raise _refuse("no_such_source", 404, "there is no such source")
        if scope["method"] != "POST":
            raise _refuse("method", 405, "deliveries are sent by POST", ("allow", "POST"))
        return found[1], config

    async def _body(self, receive: Receive, length: int) -> bytes:
        """All of it; what it holds of our memory is in `_held` until it was judged."""
        if self._held + length > HELD_LIMIT:
            raise _refuse("busy", 503, "too much is being sent at once", _LATER)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.body_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    part = message.get("body", b"")
                    parts.append(part)
                    size += len(part)
                    self._held += len(part)
                    more = message.get("more_body", False)
                    if size > BODY_LIMIT:
                        raise _too_large()
                    if self._held > HELD_LIMIT:
                        raise _refuse("busy", 503, "too much is being sent at once", _LATER)
        except TimeoutError as error:
            self._held -= size
            raise _refuse("slow", 408, "the body took too long") from error
        except BaseException:
            self._held -= size
            raise
        return b"".join(parts)

    async def _judged(
        self, name: str, config: SourceConfig, pairs: list[tuple[str, str]], body: bytes
    ) -> Accepted:
        """`_Refusal` for what is not let in."""
        found = await self._read(name, config, pairs, body)
        exchanged = isinstance(found, Refused) and found.reason == "bad_signature"
        if exchanged and self.keys.outdated(name):
            found = await self._read(name, config, pairs, body)
        if isinstance(found, Refused):
            raise _Refusal(found, whole=True)
        return found

    async def _read(
        self, name: str, config: SourceConfig, pairs: list[tuple[str, str]], body: bytes
    ) -> Accepted | Refused:
        secrets, now = await self._secrets(name, config), self.now()
        if len(body) <= LARGE:
            return read(config.kind, pairs, body, secrets, now)
        return await asyncio.to_thread(read, config.kind, pairs, body, secrets, now)

    async def _secrets(self, name: str, config: SourceConfig) -> tuple[bytes, ...]:
        if not config.secrets:
            return ()
        held = self.keys.held(name, config.secrets)
        if held is not None:
            return held
        try:
            return await asyncio.to_thread(self.keys.read, name, config.secrets)
        except SecretUnavailable as error:
            log.error("deliveries for %s cannot be checked: %s", name, error.message)
            told = Refused("no_secret", 403, "this source's secret cannot be had")
            raise _Refusal(told, whole=True) from error


def _acceptable(headers: dict[str, str]) -> int:
    """The length that the head announces (0: none), of a request that may be a delivery."""
    if "origin" in headers:
        raise _refuse("browser", 403, "this is not for browsers")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or headers.get("content-encoding", "identity") != "identity":
        raise _refuse("content_type", 415, "deliveries are application/json, not packed")
    told = headers.get("content-length", "0")
    length = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else BODY_LIMIT + 1
    if length > BODY_LIMIT:
        raise _too_large()
    return length


def _too_large() -> _Refusal:
    return _refuse("too_large", 413, f"a delivery has at most {BODY_LIMIT // 2**20} MiB")


async def _answer(send: Send, status: int, told: Any, headers: Any) -> None:
    body = _encode(told)
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    )  # fmt: skip
    await send({"type": "http.response.body", "body": body})
