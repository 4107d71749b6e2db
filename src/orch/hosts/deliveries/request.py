"""A request as a kind of webhook reads it: its headers, its body's bytes, and its signature.

Invariant: a header that comes twice is refused where it matters, never chosen from; signatures are
compared in constant time, with every secret, over the bytes as they came.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from orch.model import typed
from orch.model.deliveries import Hint

T = TypeVar("T")
LONGEST_ID = 200


class Wrong(Exception):
    """It is refused: a word for the counter, an HTTP status, a sentence for the sender."""

    def __init__(self, reason: str, status: int, message: str) -> None:
        super().__init__(message)
        self.reason, self.status, self.message = reason, status, message


class Headers:
    """Of one request; names in any case."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def get(self, name: str) -> str:
        """Its value, empty where it is not there. `Wrong` where it is there twice."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise Wrong("duplicate_header", 400, f"the header {name} is there {len(values)} times")
        return values[0].strip() if values else ""

    def need(self, name: str, reason: str = "missing_header", status: int = 400) -> str:
        if value := self.get(name):
            return value
        raise Wrong(reason, status, f"the header {name} is missing")


@dataclass(frozen=True)
class Kind:
    """How one service's webhooks are read. `genuine` raises `Wrong` for what is not signed with any
    of the secrets, or too old (`now`, in seconds). `identity` gives (delivery id, event). `hints`
    reads the fields of the body, which is a JSON object. `sample` makes (headers, body) of a signed
    request that says nothing, from a secret, a delivery id and the time: to try the way. `events`
    and `where` tell a person what to choose, and on which page."""

    genuine: Callable[[Headers, bytes, Sequence[bytes], float], None]
    identity: Callable[[Headers, bytes, Fields], tuple[str, str]]
    hints: Callable[[str, Fields], Iterable[Hint]]
    sample: Callable[[bytes, str, float], tuple[dict[str, str], bytes]]
    events: str
    where: str


class Fields:
    """The fields of a JSON object, each read only when it is asked for."""

    def __init__(self, body: bytes) -> None:
        self._raw: dict[str, msgspec.Raw] = typed.decode(body, dict[str, msgspec.Raw])

    def get(self, name: str, shape: type[T]) -> T | None:
        """The field as `shape`, None where it is not there or something else."""
        raw = self._raw.get(name)
        if raw is None:
            return None
        try:
            return typed.decode(raw, shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def number(self, name: str, field: str = "number") -> str:
        """`name.field` as text, where it is a whole number or a text of one word; else empty."""
        found: dict[str, msgspec.Raw] | None = self.get(name, dict[str, msgspec.Raw])
        if not found or field not in found:
            return ""
        return identifier(msgspec.json.decode(found[field]))


def identifier(value: Any) -> str:
    """A number, or a short word, as an id; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < 2**63 else ""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable():
        return "" if " " in value else value
    return ""


def signed(given: str, expected: Callable[[bytes], str], secrets: Sequence[bytes]) -> bool:
    """Whether `given` is what `expected` makes with any of the secrets; all are tried, always."""
    shown = given.encode("utf-8", "surrogateescape")
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(shown, expected(secret).encode("ascii"))
    return found


def hexadecimal(body: bytes) -> Callable[[bytes], str]:
    """HMAC-SHA256 of `body`, in hex."""
    return lambda secret: hmac.digest(secret, body, "sha256").hex()


def hub_signature(given: str, body: bytes, secrets: Sequence[bytes]) -> None:
    """`sha256=` and the HMAC in hex, as WebSub writes it and most services do."""
    method, _, digest = given.partition("=")
    if method != "sha256":
        raise Wrong("unsigned", 401, "the signature is not one of SHA-256")
    must(signed(digest, hexadecimal(body), secrets))


def must(holds: bool) -> None:
    if not holds:
        raise Wrong("bad_signature", 401, "the signature is not made with this source's secret")


def fresh(sent_at: float, now: float, limit_s: float) -> None:
    if not abs(now - sent_at) <= limit_s:
        raise Wrong("stale", 400, f"it was not sent within the last {limit_s:.0f} s")
