"""How Jira differs from the other services: where it is, how it says no and when to come again.

Invariants:

- A token goes over plain http to this machine only, and never to an address that no Jira has:
  link-local ones (a cloud's metadata service), multicast, or a number written so that people read
  another address than the network does.
- Only 429 is a limit: Jira says 403 for missing rights (H96).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import msgspec

from orch.hosts.asking import plain
from orch.hosts.budget import Allowance
from orch.hosts.dialect import Dialect, Place
from orch.hosts.failures import Forbidden, Invalid, NoCredential
from orch.hosts.moments import seconds
from orch.hosts.wire import Reply
from orch.model import typed
from orch.model.errors import OrchError

GATEWAY = "https://api.atlassian.com/ex/jira/"
"""Atlassian's gateway to all sites; it is no address for browsers."""
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?")


class Complaint(msgspec.Struct, frozen=True):
    """The body of an answer that is no success: Jira's own, and its gateway's `message`."""

    errorMessages: list[str] | None = None  # noqa: N815 - Jira's word
    errors: dict[str, Any] | None = None
    message: str | None = None


class JiraDialect(Dialect, frozen=True, kw_only=True):
    """`whose` tells people which token it is. `path` of a place is what comes before `/rest`."""

    whose: str

    def place(self, url: str = "") -> Place:
        if not url:
            raise self._bad(url, "a source of kind jira needs its address")
        place = super().place(url)
        if why := _unfit(place.host):
            raise self._bad(url, why)
        if ".." in place.path.split("/"):
            raise self._bad(url, "its path leads upwards")
        return place

    def allowance(self, reply: Reply) -> Allowance | None:
        reset = _reset(reply)
        try:
            limit = int(reply.headers["x-ratelimit-limit"])
            left = int(reply.headers["x-ratelimit-remaining"])
        except (KeyError, ValueError):
            return None
        return None if reset is None else Allowance(limit=limit, left=left, reset_at=reset)

    def is_limit(self, reply: Reply) -> bool:
        return reply.status == 429

    def retry_at(self, reply: Reply, now: float) -> float | None:
        after = super().retry_at(reply, now)
        return after if after is not None else _reset(reply)

    def refusal(self, reply: Reply, request: str, host: str) -> OrchError:
        said = told(reply)
        why = f": {'; '.join(said)}" if said else ""
        data: dict[str, Any] = {"host": host, "request": request, "status": reply.status}
        if reply.status == 401:
            words = f"{host} does not take {self.whose}{why}."
            return NoCredential(words, hint=_REMEDY, **data)
        if reply.status == 403:
            return Forbidden(f"{self.whose} may not do {request}{why}.", hint=self.rights, **data)
        if reply.status in (400, 413, 422):
            words = f"{host} does not take {request}{why or f': HTTP {reply.status}'}."
            hint = "Change what the message names, then run the command again."
            return Invalid(words, hint=hint, messages=said, **data)
        plainly = msgspec.json.encode({"message": "; ".join(said)})
        return super().refusal(reply._replace(body=plainly), request, host)


_REMEDY = (
    "Make a new token, and see that user and token of the source belong together"
    " (docs/connect-jira.md)."
)


def dialect(source: str) -> JiraDialect:
    """How one speaks to the Jira of the source of that name."""
    return JiraDialect(
        service="the Jira source", public="https://example.atlassian.net", api="", variable="",
        scheme="", rights="Look at docs/connect-jira.md for the rights that the account needs.",
        whose=f"the token of the source {source}" if source else "the configured token",
    )  # fmt: skip


def told(reply: Reply) -> list[str]:
    """Its reasons, one line each; nothing where it is no JSON (a proxy's page)."""
    try:
        said = typed.decode(reply.body, Complaint)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    named = [f"{field}: {why}" for field, why in (said.errors or {}).items()]
    whole = [*(said.errorMessages or []), *named, said.message or ""]
    return [plain(one).rstrip(".") for one in whole if one.strip()]


def is_stranger(reply: Reply) -> bool:
    """Whether Jira took the request for one of nobody's, whatever its status says."""
    reason = reply.headers.get("x-seraph-loginreason", "").upper()
    return any(word in reason for word in ("FAILED", "DENIED"))


def _reset(reply: Reply) -> float | None:
    """`X-RateLimit-Reset`: seconds since the epoch, or a time like 2026-01-31T12:00Z."""
    text = reply.headers.get("x-ratelimit-reset", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    return seconds(text) or None


def _unfit(host: str) -> str:
    """Why no token goes to that host, empty where it may."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.search(host.rstrip(".").rpartition(".")[2]):
            return "its number is not written as one (write it like 192.0.2.7)"
        return "" if _NAME.fullmatch(host) else "that is no host"
    inner = getattr(number, "ipv4_mapped", None) or number
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved:
        return "no Jira is at such an address"
    return ""
