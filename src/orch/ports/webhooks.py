"""How a ticket source sees to its own webhooks: `TicketSource.hooks`, where it can.

Invariant: a hook is known by its URL; each call looks before it acts and may be repeated.
"""

from __future__ import annotations

from typing import Protocol


class HookKeeper(Protocol):
    """The webhooks of one source's project. Calls block; errors are those of `TicketSource`, and
    `SignInNeeded(host_forbidden)` where this credential may not."""

    def place(self) -> str:
        """Where they are, in words (`octo/hello at github.com`)."""

    def ensure(self, url: str, secret: str) -> None:
        """One hook delivers to `url` what a source needs, signed with `secret` (the text
        itself, which is never shown)."""

    def found(self, tail: str) -> str:
        """The URL of the one whose URL ends with `tail`, empty for none."""

    def ping(self, url: str) -> None:
        """Have something sent there now. `NotFound(no_hook)`."""

    def resend(self, url: str, since: float) -> int:
        """Have sent again what never arrived, of what was sent there since (seconds since the
        epoch); how many."""
