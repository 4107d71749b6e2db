"""What the wall clock says of the past, when somebody may have put it back. Pure.

Invariant: whatever waits for a time of day goes on within a minute of a clock that was put back: what
is said to have begun in time to come is believed no longer. Acting early costs one look, or one
failure more; waiting for a day that was already over would be silence.
"""

from __future__ import annotations

SLACK_S = 60.0
"""A clock that is put right by this much, as time servers do it, changes nothing."""


def put_back(at: float, now: float) -> bool:
    """Whether the clock was put back since `at` (seconds since the epoch, 0: not known)."""
    return at > now + SLACK_S
