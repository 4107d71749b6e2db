"""What a remote service can answer instead of what was asked, translated once.

Invariants:

- What surely did not happen is an error. What may have happened is an `Unknown`, a value: nobody
  can forget to answer it by looking.
- A limit says when to come again (`retry_at`); missing rights are no limit (H96).
- A message holds the service's own words, never a token.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from orch.model.errors import (
    Conflict,
    LimitReached,
    NotFound,
    SignInNeeded,
    ToolFailed,
    UsageError,
)
from orch.model.naming import moment

LimitKind = Literal["primary", "secondary", "reserve", "pace"]


class NoCredential(SignInNeeded):
    """Nobody is signed in, or the service does not take the credential (401)."""

    default_code = "host_sign_in"


class Forbidden(SignInNeeded):
    """The credential is good and has no right to this (403, and not for a limit)."""

    default_code = "host_forbidden"


class Missing(NotFound):
    """It is not there, or not for this credential. `host_gone` where the service says that it was."""

    default_code = "host_not_found"


class Invalid(UsageError):
    """The service refuses the words; `data["messages"]` has its reasons, `data["fields"]` what they
    are about and `data["reasons"]` its codes (`already_exists`)."""

    default_code = "host_invalid"


class Refused(Conflict):
    """The present state does not allow it (405, 409): a merge that cannot be, a head that moved."""

    default_code = "host_refused"


class Limited(LimitReached):
    """Not now. `retry_at` is seconds since the epoch. `kind`: `primary` (the points of the hour are
    spent), `secondary` (too fast), `reserve` (what is left is the person's), `pace` (we would be)."""

    default_code = "host_limit"

    def __init__(
        self, message: str, *, kind: LimitKind, retry_at: float, code: str = "", **data: Any
    ) -> None:
        when = f"at {moment(math.ceil(retry_at)).replace('.000', '')}" if retry_at else "in a while"
        hint = f"It goes on by itself {when}; `orch api` shows what was spent."
        super().__init__(message, code=code, hint=hint, kind=kind, retry_at=retry_at, **data)
        self.kind: LimitKind = kind
        self.retry_at = retry_at


class Unanswered(ToolFailed):
    """No connection, or a question that was asked again and again and got no answer (5xx)."""

    default_code = "host_unreachable"


class Unreadable(ToolFailed):
    """An answer that is not what the service's description says."""

    default_code = "host_answer"


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A write whose outcome nobody knows: it left, and no answer that can be read came back.

    Never ask for the same again before you have looked whether it is there. Lists lag behind writes,
    so a look that finds nothing is only an answer some seconds after `at`.
    """

    host: str
    request: str
    """`POST /repos/o/r/issues`."""
    reason: str
    at: float

    def error(self) -> ToolFailed:
        """The same for those who cannot look."""
        return ToolFailed(
            f"{self.host} did not say what became of {self.request}: {self.reason}.",
            code="outcome_unknown",
            hint="Look at the service whether it is there before it is asked for again.",
            request=self.request,
        )
