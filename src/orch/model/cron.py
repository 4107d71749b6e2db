"""Cron expressions: when the slots of a schedule are. Pure; times are seconds since the epoch.

Invariant: a slot is a UTC instant on a whole minute, and each is given once, in order. A bad
expression or zone is a `UsageError` that names field and reason: it concerns its own job (H35).

Standard cron (H33): minute, hour, day-of-month, month, day-of-week; `*`, numbers, names (`jan`,
`mon`), lists, ranges, steps (`5/15` is from 5 on); Sunday is 0 and 7. When both days are restricted
(neither begins with `*`, as crontab(5) has it) either will do. Aliases: `ALIASES`.

Clock changes (RELIABILITY §3): a schedule that names hours is about the clock on the wall: times
that the clock skips run once, when the gap is over; times that it repeats run once, the first time.
One that runs every hour is about time that passes: it runs in each hour that there really is.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from orch.model.errors import UsageError

ALIASES = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}  # fmt: skip
CATCH_UP_S = 24 * 3600
"""How far back a missed slot is still made up for."""
UTC = datetime.UTC
MOST = 1000
"""Slots that are given at once at most."""
_LONGEST = 500
_REACHES = (3600.0, 86_400.0, 32 * 86_400.0, 366 * 86_400.0, 9 * 366 * 86_400.0, float("inf"))
_LAST = datetime.datetime(9900, 1, 1, tzinfo=UTC).timestamp()
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class Field(msgspec.Struct, frozen=True):
    """One of the five: its numbers, and the words for them. `end` is where `N/step` ends."""

    name: str
    first: int
    last: int
    end: int
    words: dict[str, int] = {}


FIELDS = (
    Field("minute", 0, 59, 59),
    Field("hour", 0, 23, 23),
    Field("day-of-month", 1, 31, 31),
    Field("month", 1, 12, 12, {name: n for n, name in enumerate(_MONTHS, 1)}),
    Field("day-of-week", 0, 7, 6, {name: n for n, name in enumerate(_DAYS)}),
)


class Cron(msgspec.Struct, frozen=True):
    """An expression that was understood; `exact` says the same in numbers, in a form whose clock
    changes are handled as the module promises."""

    text: str
    exact: str


def parse(expression: str) -> Cron:
    """`UsageError(bad_schedule)` with field and reason."""
    return _parsed(expression)


@functools.lru_cache(maxsize=512)
def _parsed(expression: str) -> Cron:
    words = expression.lower().split()
    if len(expression) > _LONGEST:
        raise _bad("", f"it has {len(expression)} characters; {_LONGEST} are the most")
    if len(words) == 1 and words[0].startswith("@"):
        if words[0] not in ALIASES:
            raise _bad("", f"there is no alias {words[0]}; there are {', '.join(ALIASES)}")
        words = ALIASES[words[0]].split()
    if len(words) != len(FIELDS):
        names = ", ".join(field.name for field in FIELDS)
        raise _bad("", f"it has {len(words)} fields, and there are five: {names}")
    minute, hour, *days = [_checked(f, w) for f, w in zip(FIELDS, words, strict=True)]
    exact = " ".join([_spelled(minute, 60), _every_hour(hour), *days])
    try:
        CronSim(exact, datetime.datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise _bad(words[2], "none of these months has such a day", FIELDS[2]) from error
    return Cron(" ".join(expression.split()), exact)


def _bad(said: str, reason: str, field: Field | None = None) -> UsageError:
    where = f"its {field.name} {said!r}: " if field else ""
    return UsageError(
        f"the schedule is no cron expression: {where}{reason}", code="bad_schedule",
        hint='orch cron "30 9 * * mon-fri"', field=field.name if field else "",
    )  # fmt: skip


def _checked(field: Field, said: str) -> str:
    """The same in numbers, term for term."""
    return ",".join(_term(field, said, term) for term in said.split(","))


def _term(field: Field, said: str, term: str) -> str:
    base, slash, step = term.partition("/")
    if slash and not (_is_number(step) and int(step)):
        raise _bad(said, f"the step {step!r} is no number above 0", field)
    if base == "*":
        return f"*/{int(step)}" if slash else "*"
    low, dash, high = base.partition("-")
    first = _number(field, said, low)
    if not dash:
        # A step from a number on (`5/15`) goes to the field's end.
        # A range of one with a step is that one (cronsim goes on to the end).
        return f"{first}-{field.end}/{int(step)}" if slash and first < field.end else str(first)
    last = _number(field, said, high)
    if field.end < field.last and last == 0 < first:
        last = field.last  # fri-sun: a Sunday that ends a range is the seventh day
    if last < first:
        raise _bad(said, f"the range {base} ends before it begins", field)
    if first == last:
        return str(first)
    return f"{first}-{last}/{int(step)}" if slash else f"{first}-{last}"


def _number(field: Field, said: str, word: str) -> int:
    if word in field.words:
        return field.words[word]
    if not _is_number(word):
        what = f"{word!r} is no number" if word else "a number is missing"
        raise _bad(said, f"{what}{' or name' if field.words else ''}", field)
    if not field.first <= int(word) <= field.last:
        raise _bad(said, f"{int(word)} is not within {field.first}-{field.last}", field)
    return int(word)


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,4}", word))


def _numbers(exact: str, size: int) -> list[int]:
    """What a field of minutes or hours, in numbers, holds."""
    found: set[int] = set()
    for term in exact.split(","):
        base, _, step = term.partition("/")
        low, _, high = ("0", "", str(size - 1)) if base == "*" else base.partition("-")
        found.update(range(int(low), int(high or low) + 1, int(step or 1)))
    return sorted(found)


def _spelled(exact: str, size: int) -> str:
    return ",".join(map(str, _numbers(exact, size)))


def _every_hour(exact: str) -> str:
    """cronsim takes a star for "each hour that there is", and numbers for the clock on the wall;
    how the same hours are written must make no difference."""
    hours = _numbers(exact, 24)
    return "*" if len(hours) == 24 else ",".join(map(str, hours))


def zone_of(name: str) -> datetime.tzinfo:
    """The zone of that name; `UsageError(unknown_zone)`."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:  # a folder, a path, no such zone
        raise UsageError(
            f"there is no time zone {name!r}", code="unknown_zone",
            hint="write it as Europe/Berlin or UTC (a system without zones: pip install tzdata)",
        ) from error  # fmt: skip


def slots(expression: str, after: float, zone: str) -> Iterator[int]:
    """All slots later than `after`, in order; none for a day that never comes."""
    cron, place = parse(expression), zone_of(zone)
    if not 0 <= after < _LAST:
        raise UsageError(
            "the time is not between 1970 and 9900",
            code="bad_time",
            hint="orch cron @daily --at 2026-03-29T09:30",
        )
    start = datetime.datetime.fromtimestamp(int(after), UTC).astimezone(place)
    for found in CronSim(cron.exact, start):
        slot = int(found.timestamp())
        if slot > after:  # the wall clock may say again what it said before
            yield slot


def next_slots(expression: str, after: float, zone: str, n: int) -> list[int]:
    """The first `n` (`MOST` at most) slots later than `after`."""
    found = slots(expression, after, zone)
    return [slot for slot, _ in zip(found, range(min(n, MOST)), strict=False)]


def missed(expression: str, since: float, now: float, zone: str) -> list[int]:
    """The slots in (since, now]."""
    found = []
    for slot in slots(expression, max(since, 0), zone):
        if slot > now:
            break
        found.append(slot)
    return found


def last_missed(expression: str, since: float, now: float, zone: str) -> int | None:
    """The last slot in (since, now]; looks at the last hour first, then ever further back, so that
    a schedule of every minute costs no years of minutes."""
    for reach in _REACHES:
        begin = max(since, now - reach)
        found = missed(expression, begin, now, zone)
        if found:
            return found[-1]
        if begin == since:
            break
    return None


def due(expression: str, at: float, zone: str) -> int | None:
    """The slot that is the minute of `at`, or None."""
    minute = int(at // 60) * 60
    found = missed(expression, minute - 1, minute, zone)
    return found[-1] if found else None
