"""Points in time as services write them, in the one form that we keep: RFC 3339 in UTC.

Invariant: pure; what is no time is empty, never now.
"""

from __future__ import annotations

from datetime import UTC, datetime


def utc(told: str | None) -> str:
    """`2025-11-21T05:00:00.120+01:00` as `2025-11-21T04:00:00.120Z`; without a fraction where it is
    none. Empty for nothing, for what is no time, and for the year 1 that Go's programs write."""
    moment = _moment(told or "")
    if moment is None or moment.year <= 1:
        return ""
    kept = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=kept).replace("+00:00", "Z")


def stamp(seconds: float) -> str:
    """Seconds since the epoch, rounded down to one."""
    return utc(datetime.fromtimestamp(int(max(0.0, seconds)), UTC).isoformat())


def seconds(told: str) -> float:
    """Seconds since the epoch; 0 where it is no time."""
    moment = _moment(told)
    return moment.timestamp() if moment is not None and moment.year > 1 else 0.0


def before(told: str, by_s: float) -> str:
    """The time `by_s` seconds before `told`."""
    return stamp(seconds(told) - by_s)


def _moment(told: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(told)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
