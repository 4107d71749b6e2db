"""How one service differs from the next: where it is, how one signs in, how it says no.

Invariants:

- A token goes over plain http to this machine only.
- Missing rights are no limit, and a limit is no missing right (H96): only 429, a `Retry-After`, or
  the service's own code for it say "not now".
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

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
from orch.model.errors import ConfigError, OrchError
from orch.model.loopback import is_loopback

_LIMIT_CODES = frozenset({"RATELIMITED"})
_STATUS_OF = {
    "AUTHENTICATION_ERROR": 401, "UNAUTHENTICATED": 401, "FORBIDDEN": 403,
    "INTERNAL_SERVER_ERROR": 500, "INTERNAL_ERROR": 500,
}  # fmt: skip
_MOST_WORDS = 10_000


class Place(NamedTuple):
    """`origin` has scheme, host and port; `path` is where its API begins there. `name` is what people
    call the host; `web` is where people look at it."""

    origin: str
    path: str
    name: str
    web: str

    @property
    def host(self) -> str:
        return (urlsplit(self.origin).hostname or "").lower()


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One service. `public` is its address for everybody, `api` the path of its API, `variable`
    where a token is looked for. `scheme` is the word before a token (empty: none; a token that has a
    word of its own keeps it, one that begins with `bearer_prefix` has `Bearer`). `limits` are the
    names of the headers with the limit, what is left of it and when it begins anew (seconds since
    the epoch, or thousandths). `rights` is what to do where a right is missing."""

    service: str
    public: str
    api: str
    variable: str
    scheme: str = "Bearer"
    bearer_prefix: str = ""
    page_word: str = "per_page"
    page_size: int = 100
    limits: tuple[str, str, str] = ("", "", "")
    rights: str = ""

    def place(self, url: str = "") -> Place:
        """Where `url` leads, with the API's own path or without. `ConfigError(bad_url)`."""
        where = url or self.public
        try:
            parts = urlsplit(where)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise self._bad(where, str(error)) from error
        if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment:
            raise self._bad(where, f"it has to be like {self.public}")
        if parts.username is not None or parts.password is not None:
            raise self._bad(f"{parts.scheme}://…@{host}", "credentials do not belong into it")
        if parts.scheme == "http" and not is_loopback(host):
            raise self._bad(where, "a token goes over plain http to loopback only; use https")
        shown = f"[{host}]" if ":" in host else host
        origin = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
        root = parts.path.rstrip("/").removesuffix(self.api)
        name = shown.removeprefix("api.")
        return Place(origin, root + self.api, f"{name}:{port}" if port else name, origin + root)

    def authorization(self, token: str) -> str:
        if self.bearer_prefix and token.startswith(self.bearer_prefix):
            return f"Bearer {token}"
        bare = not self.scheme or token.lower().startswith(("bearer ", "token "))
        return token if bare else f"{self.scheme} {token}"

    # --- limits

    def allowance(self, reply: Reply) -> Allowance | None:
        """What an answer says is left, None where it does not."""
        try:
            limit, left, reset = (int(reply.headers[name]) for name in self.limits)
        except (KeyError, ValueError):
            return None
        return Allowance(limit=limit, left=left, reset_at=_seconds(reset))

    def is_limit(self, reply: Reply) -> bool:
        if reply.status == 429:
            return True
        if reply.status == 403:
            return "retry-after" in reply.headers
        if reply.status not in (200, 400):
            return False
        return bool(_LIMIT_CODES.intersection(_codes(reply)))

    def retry_at(self, reply: Reply, now: float) -> float | None:
        """When to come again, if it says so."""
        if (after := retry_after(reply.headers, now)) is not None:
            return after
        known = self.allowance(reply)
        return max(now, known.reset_at) + 1.0 if known and not known.left else None

    def limited(self, host: str, until: float) -> Limited:
        return Limited(
            f"{host} answers no more for now: it was asked too fast.",
            kind="secondary",
            retry_at=until,
            host=host,
        )

    # --- refusals

    def refusal(self, reply: Reply, request: str, host: str) -> OrchError:
        """The error that an answer of 3xx, 4xx or 5xx is."""
        if reply.status == 400 and _codes(reply):
            return self.fault(reply, request, host)
        data: dict[str, Any] = {"host": host, "request": request, "status": reply.status}
        said = complaint(reply)
        told = f": {said}" if said else ""
        status = reply.status
        if status == 401:
            words = f"{host} does not take the credential{told}."
            return NoCredential(words, hint=f"export {self.variable}=…", **data)
        if status == 403:
            hint = self.rights or f"Give the token of {self.variable} the right to it."
            return Forbidden(f"The credential may not do {request}{told}.", hint=hint, **data)
        if status in (404, 410):
            words = f"{host} shows nothing at {request.partition(' ')[2]}{told}."
            hint = "See that it is there, and that the credential may see it."
            return Missing(words, code="host_gone" if status == 410 else "", hint=hint, **data)
        if status in (405, 406, 409):
            return Refused(f"{host} refuses {request}{told}.", hint=_LOOK, **data)
        if 400 <= status < 500:
            hint = "Change what the message names, then run the command again."
            words = f"{host} does not take {request}{told or f': HTTP {status}'}."
            return Invalid(words, hint=hint, messages=[said], fields=[], reasons=[], **data)
        if status >= 500:
            words = f"{host} failed at {request} (HTTP {status}){told}."
            return Unanswered(words, hint="Run the command again in a minute.", **data)
        return Unreadable(f"{host} answered {request} with HTTP {status}.", hint=_LOOK, **data)

    def fault(self, reply: Reply, request: str, host: str) -> OrchError:
        """The error that a GraphQL answer with `errors` is, by the codes or the words in it."""
        codes, words = _codes(reply), bytes(reply.body[:_MOST_WORDS]).lower()
        status = next((_STATUS_OF[code] for code in codes if code in _STATUS_OF), 422)
        if status == 422 and (b"not found" in words or b"could not find" in words):
            status = 404
        return self.refusal(Reply(status, reply.headers, reply.body), request, host)

    def _bad(self, where: str, why: str) -> ConfigError:
        return ConfigError(
            f"The address {where[:200]!r} of {self.service} cannot be used: {why}.",
            code="bad_url",
            hint=f'base_url = "{self.public}"',
        )


_LOOK = "Look at the service what it is now, then run the command again."


def complaint(reply: Reply) -> str:
    """A refusal's own words on one line; empty where it is no JSON (a proxy's page)."""
    found = _object(reply)
    errors = found.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        told = [_told(one.get("extensions", {}).get("userPresentableMessage") or one.get("message"))
                for one in errors if isinstance(one, dict)]  # fmt: skip
        return plain("; ".join(filter(None, told))).rstrip(".")
    said = _told(found.get("message")) or _told(
        found.get("error_description") or found.get("error")
    )
    return plain(said).rstrip(".")


def _told(said: Any) -> str:
    """GitLab says texts, lists of them, or tables of lists by field."""
    if isinstance(said, dict):
        return "; ".join(f"{name} {_told(value)}" for name, value in said.items())
    if isinstance(said, list):
        return ", ".join(_told(one) for one in said)
    return said if isinstance(said, str) else ""


def _codes(reply: Reply) -> list[str]:
    errors = _object(reply).get("errors") if b'"errors"' in reply.body[:100_000] else None
    found = []
    for one in errors if isinstance(errors, list) else []:
        more = one.get("extensions") if isinstance(one, dict) else None
        if isinstance(more, dict):
            found += [more[name] for name in ("code", "type") if isinstance(more.get(name), str)]
    return [word.upper().replace(" ", "_") for word in found]


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(moment: int) -> float:
    """Linear counts thousandths of seconds."""
    return moment / 1000 if moment > 100_000_000_000 else float(moment)
