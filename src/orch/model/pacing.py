"""How often the same thing may be said, and how often a thing may be tried again.

Invariant: what waits is told once and then seldom, however often it is looked at (H32); a failed try
counts as a try, so that what fails is not tried on every call (H52).
"""

from __future__ import annotations

import msgspec

EVERY_S = 3600.0


class Said(msgspec.Struct, frozen=True):
    """What was last said about a subject, and when."""

    text: str
    at: float


def worth_saying(before: Said | None, text: str, now: float, every_s: float = EVERY_S) -> bool:
    """Whether `text` goes into the log: it is new, or the last time is long ago. A clock that was
    set back does not silence anything."""
    if before is None or before.text != text:
        return True
    return not 0 <= now - before.at < every_s


def due_again(tried_at: float, now: float, every_s: float) -> bool:
    """Whether to try a refresh again. `tried_at`: the last try, whether it succeeded or failed."""
    return not 0 <= now - tried_at < every_s
