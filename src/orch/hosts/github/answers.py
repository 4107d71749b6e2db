"""What GitHub's answers mean when they are not what was asked for: limits, rights, refusals.

Invariant: pure. A 403 is a limit only where its headers or its words say so (H96).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.hosts.asking import plain, retry_after
from orch.hosts.budget import Allowance
from orch.hosts.failures import (
    Forbidden,
    Invalid,
    Limited,
    Missing,
    NoCredential,
    Refused,
    Unanswered,
    Unreadable,
)
from orch.hosts.wire import Reply
from orch.model import typed
from orch.model.errors import OrchError

if TYPE_CHECKING:
    from orch.hosts.github.credentials import Credential

HEADERS = {
    "accept": "application/vnd.github+json",
    "accept-encoding": "gzip",
    "content-type": "application/json",
    "user-agent": "orch-conductor",
    "x-github-api-version": "2022-11-28",
}
_LIMIT_WORDS = ("rate limit", "rate-limit", "abuse detection", "secondary limit")


class Reason(msgspec.Struct, frozen=True):
    """One of a refusal's `errors`, which are texts in some places."""

    message: str | None = None
    resource: str | None = None
    field: str | None = None
    code: str | None = None


class Complaint(msgspec.Struct, frozen=True):
    """The body of an answer that is no success."""

    message: str | None = None
    documentation_url: str | None = None
    errors: list[Reason | str] | Reason | str | None = None

    def reasons(self) -> list[Reason]:
        many = self.errors if isinstance(self.errors, list) else [self.errors]
        return [Reason(message=one) if isinstance(one, str) else one for one in many if one]


def complaint(reply: Reply) -> Complaint:
    """What it says; nothing where it is no JSON (a proxy's page)."""
    try:
        return typed.decode(reply.body, Complaint)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Complaint()


def is_limit(reply: Reply) -> bool:
    """Whether the answer says "not now" and not "not you"."""
    if reply.status == 429:
        return True
    if reply.status != 403:
        return False
    said = complaint(reply)
    words = f"{said.message or ''} {said.documentation_url or ''}".lower()
    spent = reply.headers.get("x-ratelimit-remaining") == "0" and not said.message
    return "retry-after" in reply.headers or spent or any(one in words for one in _LIMIT_WORDS)


def retry_at(reply: Reply, now: float) -> tuple[bool, float | None]:
    """Whether it is the hour's points that are spent, and when to come again if it says so."""
    if (after := retry_after(reply.headers, now)) is not None:
        return False, after
    allowance = allowance_of(reply)
    if allowance is not None and allowance.left == 0:
        return True, max(now, allowance.reset_at) + 1.0
    return False, None


def allowance_of(reply: Reply) -> Allowance | None:
    """What it says is left, None where it does not."""
    try:
        return Allowance(
            limit=int(reply.headers["x-ratelimit-limit"]),
            left=int(reply.headers["x-ratelimit-remaining"]),
            reset_at=float(int(reply.headers["x-ratelimit-reset"])),
        )
    except (KeyError, ValueError):
        return None


def limited(host: str, primary: bool, until: float, words: str) -> Limited:
    why = "the hour's points are spent" if primary else "it was asked too fast"
    return Limited(
        f"{host} answers no more for now: {why}" + (f" ({words})." if words else "."),
        kind="primary" if primary else "secondary",
        retry_at=until,
        host=host,
    )


def refusal(reply: Reply, request: str, host: str, credential: Credential, now: float) -> OrchError:
    """The error that an answer of 3xx, 4xx or 5xx is."""
    if is_limit(reply):
        primary, until = retry_at(reply, now)
        return limited(host, primary, until or now + 60, _message(reply))
    data: dict[str, Any] = {"host": host, "request": request, "status": reply.status}
    if number := reply.headers.get("x-github-request-id"):
        data["request_id"] = number
    said = _message(reply)
    told = f": {said}" if said else ""
    if reply.status == 401:
        words = f"{host} does not take {credential.name}{told}."
        return NoCredential(words, hint=credential.remedy, **data)
    if reply.status in (403, 451):
        words = f"{credential.name} may not do {request}{told}."
        return Forbidden(words, hint=_rights(reply, credential), **data)
    if reply.status in (404, 410):
        code = "host_gone" if reply.status == 410 else ""
        words = f"{host} shows nothing at {request.partition(' ')[2]}{told}."
        return Missing(
            words, code=code, hint=f"See that it is there, and that {credential.name} may see it.",
            **data,
        )  # fmt: skip
    if reply.status in (405, 409):
        return Refused(f"{host} refuses {request}{told}.", hint=_LOOK, **data)
    if 400 <= reply.status < 500:
        return _invalid(reply, request, host, data)
    if reply.status >= 500:
        words = f"{host} failed at {request} (HTTP {reply.status}){told}."
        return Unanswered(words, hint="Run the command again in a minute.", **data)
    return Unreadable(f"{host} answered {request} with HTTP {reply.status}.", hint=_LOOK, **data)


_LOOK = "Look at the service what it is now, then run the command again."


def _invalid(reply: Reply, request: str, host: str, data: dict[str, Any]) -> Invalid:
    reasons = complaint(reply).reasons()
    told = [_reason(one) for one in reasons]
    words = "; ".join(one for one in [_message(reply), *told] if one) or f"HTTP {reply.status}"
    return Invalid(
        f"{host} does not take {request}: {words}.".replace("..", "."),
        hint="Change what the message names, then run the command again.",
        messages=told,
        fields=[one.field or "" for one in reasons],
        reasons=[one.code or "" for one in reasons],
        **data,
    )


def _reason(reason: Reason) -> str:
    if reason.message:
        return plain(reason.message)
    parts = (reason.resource, reason.field, reason.code)
    return plain(" ".join(part.replace("_", " ") for part in parts if part))


def _message(reply: Reply) -> str:
    return plain(complaint(reply).message or "").rstrip(".")


def _rights(reply: Reply, credential: Credential) -> str:
    """What would mend missing rights, as far as GitHub says it."""
    sso = reply.headers.get("x-github-sso", "").partition("url=")[2].partition(";")[0]
    if sso.startswith("https://"):
        return f"Allow the token for the organisation: {plain(sso)}"
    if wanted := reply.headers.get("x-accepted-github-permissions", ""):
        return f"Give {credential.name} the permission {plain(wanted)}."
    wanted = reply.headers.get("x-accepted-oauth-scopes", "")
    had = reply.headers.get("x-oauth-scopes")
    if wanted and had is not None and wanted not in had:
        return f"Give {credential.name} the scope {plain(wanted)} (it has: {plain(had) or 'none'})."
    return credential.remedy
