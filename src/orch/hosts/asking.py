"""How often a request may be sent, and how long one waits between: the same for every service.

Invariants:

- A question is asked again after 5xx or silence, with back-off. A write is sent again only where no
  connection was made at all, or where a short limit was sat out.
- A limit is waited for no longer than `patience_s`; a longer one is the caller's to plan for.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from orch.hosts.failures import Limited, Unanswered, Unknown, Unreadable
from orch.hosts.wire import NoAnswer, NotSent, Reply
from orch.model.errors import OrchError

T = TypeVar("T")

TRIES = 4
SLOW = 408
_FIRST_S, _LONGEST_S = 0.5, 8.0
_LONGEST_WORDS = 300


class Asking:
    """The patience of one client with the host `name`. `sleep` is for back-off only."""

    def __init__(
        self, name: str, *, now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random,
        patience_s: float = 2.0,
    ) -> None:  # fmt: skip
        self.name, self.now = name, now
        self._sleep, self._chance, self._patience_s = sleep, chance, patience_s

    def question(self, send: Callable[[], Reply], refusal: Callable[[Reply], OrchError]) -> Reply:
        """The answer to what `send` asks, asked again while it may help; never one of 5xx."""
        wait = _FIRST_S
        for left in reversed(range(TRIES)):
            try:
                reply = send()
                if not unclear(reply):
                    return reply
                error = refusal(reply)
            except (NotSent, NoAnswer) as cause:
                error = self.silent(cause)
            except Limited as limit:
                self._wait_for(limit, left)
                continue
            if not left:
                raise error
            wait = self._back_off(wait)
        raise AssertionError("the last try returns or raises")

    def write(self, send: Callable[[], Reply]) -> Reply:
        """What `send` does, once. `NoAnswer` where it may have happened."""
        wait = _FIRST_S
        for left in reversed(range(TRIES)):
            try:
                return send()
            except NotSent as error:
                if not left:
                    raise self.silent(error) from error
            except Limited as limit:
                self._wait_for(limit, left)
                continue
            wait = self._back_off(wait)
        raise AssertionError("the last try returns or raises")

    def outcome(
        self, request: str, send: Callable[[], Reply], refusal: Callable[[Reply], OrchError],
        read: Callable[[Reply], T],
    ) -> T | Unknown:  # fmt: skip
        """What `read` makes of the answer to a write. Raises what surely did not happen."""
        try:
            reply = send()
        except NoAnswer as error:
            return self._unknown(request, str(error))
        if unclear(reply):
            return self._unknown(request, f"it failed with HTTP {reply.status}")
        if reply.status >= 300:
            raise refusal(reply)
        try:
            return read(reply)
        except (Unreadable, Unanswered) as error:
            return self._unknown(request, error.message.rstrip("."))

    def silent(self, cause: Exception) -> Unanswered:
        silent = Unanswered(
            f"{self.name} does not answer: {cause}.",
            hint="Look at the network, then run the command again.",
            host=self.name,
        )
        silent.__cause__ = cause
        return silent

    def _unknown(self, request: str, reason: str) -> Unknown:
        return Unknown(host=self.name, request=request, reason=reason, at=self.now())

    def _wait_for(self, limit: Limited, left: int) -> None:
        if not left or limit.retry_at - self.now() > self._patience_s:
            raise limit
        self._sleep(max(0.0, limit.retry_at - self.now()))

    def _back_off(self, wait: float) -> float:
        self._sleep(wait * (0.5 + self._chance() / 2))
        return min(wait * 2, _LONGEST_S)


def unclear(reply: Reply) -> bool:
    """Whether an answer leaves open what has happened."""
    return reply.status >= 500 or reply.status == SLOW


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """When to come again by `Retry-After` (RFC 9110: seconds or a date); None where it is silent."""
    after = headers.get("retry-after", "").strip()
    if after.isascii() and after.isdigit():
        return now + int(after)
    moment = moment_of(after)
    return None if moment is None else max(now, moment)


def moment_of(date: str) -> float | None:
    """A date of a header as seconds since the epoch."""
    if not date:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def plain(text: str) -> str:
    """Foreign words for a sentence of ours: one line, without what a terminal would obey."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[: _LONGEST_WORDS - 1]}…"
