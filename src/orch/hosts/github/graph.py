"""GraphQL documents and what the errors in an answer mean.

Invariant: pure. A document is text of ours; everything foreign travels as a variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.hosts.asking import plain
from orch.hosts.failures import Forbidden, Invalid, Limited, Missing, Unanswered, Unreadable
from orch.model import typed
from orch.model.errors import OrchError

if TYPE_CHECKING:
    from orch.hosts.github.credentials import Credential


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A document. `cost` is what it takes of the points at most (one for each hundred of the lists it
    opens); `tolerates` are kinds of errors that leave a null where something was asked for."""

    name: str
    text: str
    cost: int = 1
    tolerates: frozenset[str] = frozenset()


class _Fault(msgspec.Struct, frozen=True):
    message: str = ""
    type: str | None = None
    path: list[str | int] | None = None
    extensions: dict[str, Any] | None = None

    def kind(self) -> str:
        """GitHub's `type`, or the code of an error that its validation found (`undefinedField`)."""
        code = (self.extensions or {}).get("code")
        return self.type or (code if isinstance(code, str) else "")


_MISSING = {"NOT_FOUND"}
_FORBIDDEN = {"FORBIDDEN", "INSUFFICIENT_SCOPES", "SAML_FAILURE"}
_LIMIT = {"RATE_LIMITED", "RATE_LIMIT"}
_INVALID = {"UNPROCESSABLE", "BAD_USER_INPUT", "ARGUMENT_LIMIT", "VALIDATION", "STALE_DATA"} | {
    "INVALID_CURSOR_ARGUMENTS"
}
UNDEFINED = "undefinedField"


def faults(raw: bytes, asked: Asked, host: str, credential: Credential) -> OrchError | None:
    """The error that an answer's `errors` are, None where nothing is wrong with it."""
    try:
        found = typed.decode(raw, list[_Fault] | None) or []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Unreadable(f"{host} answered {asked.name} with unreadable errors: {error}.")
    left = [fault for fault in found if fault.kind() not in asked.tolerates]
    if not left:
        return None
    words = "; ".join(dict.fromkeys(plain(fault.message).rstrip(".") for fault in left))
    kinds = {fault.kind() for fault in left}
    data: dict[str, Any] = {"host": host, "request": f"GraphQL {asked.name}"}
    data["kinds"] = sorted(kinds)
    if kinds & _LIMIT or "rate limit" in words.lower():
        return Limited(f"{host}: {words}.", kind="primary", retry_at=0.0, **data)
    if kinds & _FORBIDDEN:
        text = f"{credential.name} may not do this at {host}: {words}."
        return Forbidden(text, hint=credential.remedy, **data)
    if kinds & _MISSING:
        hint = f"See that it is there, and that {credential.name} may see it."
        return Missing(f"{host}: {words}.", hint=hint, **data)
    if kinds & _INVALID or any(_is_of_validation(fault) for fault in left):
        messages = [plain(fault.message) for fault in left]
        hint = "Change what the message names, then run the command again."
        return Invalid(f"{host} does not take {asked.name}: {words}.", hint=hint,
                       messages=messages, **data)  # fmt: skip
    # "Something went wrong while executing your query" has neither type nor code.
    return Unanswered(f"{host} failed at {asked.name}: {words}.", hint="Run it again.", **data)


def _is_of_validation(fault: _Fault) -> bool:
    """Found before anything was done."""
    return fault.kind() == UNDEFINED or "code" in (fault.extensions or {})


def lacks(error: Invalid, field: str) -> bool:
    """Whether the server's schema has no such field (an older server of one's own)."""
    return UNDEFINED in error.data.get("kinds", []) and f"'{field}'" in error.message
