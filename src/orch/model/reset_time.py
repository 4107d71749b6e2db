"""When a limit is over, as the vendor's own message says it.

Invariant: only what a message says in so many words; anything else is None and the curve decides. A
time of day is the next one after `now` in the reader's zone; what lies in the past is no reset. Ask
only about the message of a failure of class `limit`: the agent's other words say nothing (H7).
"""

from __future__ import annotations

import datetime
import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_ONE = r"\d{1,6}(?:\.\d{1,6})?\s?(?:days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[dhms])\b"
# Texts, not patterns: this is loaded with every run, and few ever meet a limit.
_IN = (
    r"(?i)\b(?:again|retry|resets?|available)\b[^.\n]{0,20}?\bin\s+"
    rf"({_ONE}(?:,?\s?(?:and\s)?{_ONE}){{0,3}})"
)
_PART = r"(?i)(\d+(?:\.\d+)?)\s?([dhms])"
_AFTER = r"(?i)\bretry[- _]after\b\W{0,4}(\d{1,7}(?:\.\d{1,6})?)\s?([dhms]\b)?"
_EPOCH = r"\blimit reached\|(\d{10})\b"
_LEAD = r"(?i)\b(?:again|resets?|available|until)\b\s*(?:at|on)?\s*:?\s*"
_MOMENT = _LEAD + r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?\s?(Z|UTC|[+-]\d\d:?\d\d)?"
_CLOCK = _LEAD + r"(\d{1,2})(?::(\d\d))?\s?(am|pm|a\.m\.|p\.m\.)?(?:\s?\(?(UTC|GMT)\b)?"
_FIVE_HOURS = r"(?i)\b(?:5|five)[- ]hour limit\b"


def reset_time(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    """Seconds since the epoch, after `now`; None when the message names no time."""
    for read in (_after, _within, _epoch, _moment, _clock, _window):
        found = read(message, now, zone)
        if found is not None and found > now:
            return found
    return None


def _after(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    found = re.search(_AFTER, message)
    return now + float(found[1]) * _UNITS[(found[2] or "s").lower()] if found else None


def _within(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    found = re.search(_IN, message)
    if found is None:
        return None
    return now + sum(float(n) * _UNITS[unit.lower()] for n, unit in re.findall(_PART, found[1]))


def _epoch(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    found = re.search(_EPOCH, message)
    return float(found[1]) if found else None


def _moment(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    found = re.search(_MOMENT, message)
    if found is None:
        return None
    offset = (found[3] or "").upper()
    text = f"{found[1]}T{found[2]}" + ("+00:00" if offset in ("Z", "UTC") else offset)
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()


def _clock(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    found = re.search(_CLOCK, message)
    if found is None or (found[2] is None and found[3] is None):
        return None  # a bare number is no time of day
    hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower()[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 99
    if hour > 23 or minute > 59:
        return None
    here = datetime.UTC if found[4] else zone
    today = datetime.datetime.fromtimestamp(now, here)
    when = today.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if when.timestamp() <= now:
        when += datetime.timedelta(days=1)  # the same time on the clock, also where DST changes
    return when.timestamp()


def _window(message: str, now: float, zone: datetime.tzinfo) -> float | None:
    """The window is named and its end is not: at the latest then."""
    return now + 5 * 3600.0 if re.search(_FIVE_HOURS, message) else None
