"""Schedules: what an expression means, when its slots are, and what clock changes do to them."""

from __future__ import annotations

import datetime
import zoneinfo
from datetime import UTC

import pytest
from croniter import croniter
from hypothesis import example, given, settings, strategies as st

from orch.model import cron
from orch.model.errors import UsageError

BERLIN, LORD_HOWE, APIA = "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"
ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def coming(expression: str, after: str, zone: str = "UTC", n: int = 4) -> list[str]:
    place = cron.zone_of(zone)
    found = cron.next_slots(expression, seconds(after), zone, n)
    return [
        f"{datetime.datetime.fromtimestamp(slot, UTC).astimezone(place):%a %d.%m. %H:%M%z}"
        .replace("+0000", "") for slot in found
    ]  # fmt: skip


def test_h33_0_and_7_are_sunday_and_names_say_the_same() -> None:
    sundays = coming("0 0 * * 0", "2026-06-01T00:00Z")
    assert sundays == [
        "Sun 07.06. 00:00",
        "Sun 14.06. 00:00",
        "Sun 21.06. 00:00",
        "Sun 28.06. 00:00",
    ]
    for word in ("7", "sun", "SUN", "7-7", "0,7", "*/7"):
        assert coming(f"0 0 * * {word}", "2026-06-01T00:00Z") == sundays, word
    assert coming("0 0 * * 1", "2026-06-01T00:00Z", n=1) == ["Mon 08.06. 00:00"]
    assert coming("0 0 1 Jan,jul *", "2026-06-01T00:00Z", n=2) == [
        "Wed 01.07. 00:00", "Fri 01.01. 00:00",
    ]  # fmt: skip
    assert [day[:3] for day in coming("0 0 * * fri-sun", "2026-06-01T00:00Z")] == [
        "Fri", "Sat", "Sun", "Fri",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("alias", "means"),
    [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"), ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"), ("@Daily", "0 0 * * *"),
    ],
)  # fmt: skip
def test_h33_aliases(alias: str, means: str) -> None:
    after = seconds("2026-06-01T10:17Z")
    found = cron.next_slots(alias, after, BERLIN, 5)
    assert found == cron.next_slots(means, after, BERLIN, 5)
    assert len(found) == 5


def test_h33_either_day_will_do_when_both_are_restricted() -> None:
    both = coming("0 0 13 * fri", "2026-06-01T00:00Z", n=5)
    assert [day[:6] for day in both] == ["Fri 05", "Fri 12", "Sat 13", "Fri 19", "Fri 26"]
    assert coming("0 0 13 * *", "2026-06-01T00:00Z", n=1) == ["Sat 13.06. 00:00"]
    # crontab(5): a field that begins with a star is not restricted.
    assert coming("0 0 */2 * fri", "2026-06-01T00:00Z", n=2) == [
        "Fri 05.06. 00:00", "Fri 19.06. 00:00",
    ]  # fmt: skip


def test_lists_ranges_and_steps() -> None:
    after = "2026-06-01T00:00Z"
    assert [t[-5:] for t in coming("5/20 0 * * *", after, n=3)] == ["00:05", "00:25", "00:45"]
    assert [t[-5:] for t in coming("10-30/10,59 0 * * *", after)] == [
        "00:10", "00:20", "00:30", "00:59",
    ]  # fmt: skip
    assert [t[:3] for t in coming("0 0 * * 5/1", after, n=3)] == ["Fri", "Sat", "Fri"]


@pytest.mark.parametrize(
    ("expression", "field", "reason"),
    [
        ("", "", "it has 0 fields"),
        ("* * * *", "", "it has 4 fields"),
        ("0 * * * * *", "", "it has 6 fields"),
        ("@reboot", "", "no alias @reboot"),
        ("*/0 * * * *", "minute", "the step '0'"),
        ("*/x * * * *", "minute", "the step 'x'"),
        ("60 * * * *", "minute", "60 is not within 0-59"),
        ("0 24 * * *", "hour", "24 is not within 0-23"),
        ("0 0 0 * *", "day-of-month", "0 is not within 1-31"),
        ("0 0 * 13 *", "month", "13 is not within 1-12"),
        ("0 0 * foo *", "month", "'foo' is no number or name"),
        ("0 0 * * 8", "day-of-week", "8 is not within 0-7"),
        ("0 0 * * mon-", "day-of-week", "a number is missing"),
        ("0 5-3 * * *", "hour", "ends before it begins"),
        ("1,,2 * * * *", "minute", "a number is missing"),
        ("-1 * * * *", "minute", "a number is missing"),
        ("0 0 L * *", "day-of-month", "'l' is no number"),
        ("0 0 * * 1#2", "day-of-week", "'1#2' is no number"),
        ("٣ * * * *", "minute", "is no number"),
        ("0 0 30 2 *", "day-of-month", "none of these months"),
        ("1," * 300 + "1 * * * *", "", "500 are the most"),
    ],
)
def test_h35_a_bad_expression_is_an_error_with_field_and_reason(
    expression: str, field: str, reason: str
) -> None:
    with pytest.raises(UsageError, match="is no cron expression") as caught:
        cron.parse(expression)
    assert (caught.value.code, caught.value.data["field"]) == ("bad_schedule", field)
    assert reason in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("zone", ["Nowhere", "Europe", "../../etc/passwd", "/etc/hosts", "a\0b"])
def test_h34_an_unknown_zone_is_an_error(zone: str) -> None:
    with pytest.raises(UsageError) as caught:
        cron.next_slots("@daily", 0, zone, 1)
    assert caught.value.code == "unknown_zone"


def test_a_time_that_the_clock_skips_runs_once_when_the_gap_is_over() -> None:
    """The dates are those of RELIABILITY §3: 2 to 3 o'clock does not exist on 29 March."""
    after = "2026-03-29T00:30+01:00"
    for expression in ("30 2 * * *", "0,30 2 * * *", "* 2 * * *"):
        assert coming(expression, after, BERLIN, 1) == ["Sun 29.03. 03:00+0200"], expression
        assert "30.03." in coming(expression, after, BERLIN, 2)[1], expression
    assert coming("*/30 2 * * *", after, BERLIN, 2) == [
        "Sun 29.03. 03:00+0200", "Mon 30.03. 02:00+0200",
    ]  # fmt: skip
    assert coming("0 2,3 * * *", after, BERLIN, 2) == [
        "Sun 29.03. 03:00+0200", "Mon 30.03. 02:00+0200",
    ]  # fmt: skip
    assert coming("15 2 * * *", "2026-10-03T12:00+10:30", LORD_HOWE, 1) == ["Sun 04.10. 02:30+1100"]
    assert coming("0 12 30 12 *", "2011-12-29T00:00-10:00", APIA, 1) == ["Sat 31.12. 00:00+1400"]


def test_a_time_that_the_clock_repeats_runs_once_the_first_time() -> None:
    after = "2026-10-25T00:30+02:00"
    for expression in ("30 2 * * *", "*/30 2 * * *", "0 */2 * * *", "0 0-22/2 * * *"):
        found = coming(expression, after, BERLIN, 3)
        repeated = [slot for slot in found if slot.startswith("Sun 25.10. 02:")]
        assert repeated, expression
        assert all(slot.endswith("+0200") for slot in repeated), expression
    assert coming("30 2 * * *", after, BERLIN, 2) == [
        "Sun 25.10. 02:30+0200", "Mon 26.10. 02:30+0100",
    ]  # fmt: skip
    # Asked in the second of the two hours: what was said in the first is over.
    assert coming("30 2 * * *", "2026-10-25T02:10+01:00", BERLIN, 1) == ["Mon 26.10. 02:30+0100"]


@pytest.mark.parametrize("expression", ["0 * * * *", "0 */1 * * *", "0 0-23 * * *", "0 0/1 * * *"])
def test_every_hour_is_each_hour_that_there_is_however_it_is_written(expression: str) -> None:
    assert coming(expression, "2026-03-29T00:30+01:00", BERLIN, 3) == [
        "Sun 29.03. 01:00+0100", "Sun 29.03. 03:00+0200", "Sun 29.03. 04:00+0200",
    ]  # fmt: skip
    assert coming(expression, "2026-10-25T01:30+02:00", BERLIN, 3) == [
        "Sun 25.10. 02:00+0200", "Sun 25.10. 02:00+0100", "Sun 25.10. 03:00+0100",
    ]  # fmt: skip


def test_due_is_the_minute_and_missed_is_what_lies_between() -> None:
    at = seconds("2026-06-01T09:30Z")
    assert cron.due("30 9 * * *", at, "UTC") == at
    assert cron.due("30 9 * * *", at + 59.9, "UTC") == at
    assert cron.due("30 9 * * *", at + 60, "UTC") is None
    assert cron.due("30 9 * * *", at - 0.1, "UTC") is None
    assert cron.due("30 9 * * *", at, BERLIN) is None
    assert cron.missed("30 9 * * *", at, at + 86_400, "UTC") == [at + 86_400], "since is not in it"
    assert cron.missed("0 * * * *", at, at + 7200, "UTC") == [at + 1800, at + 5400]
    assert cron.last_missed("* * * * *", at - 86_400, at, "UTC") == at
    assert cron.last_missed("* * 1 1 *", 0, at, "UTC") == seconds("2026-01-01T23:59Z")
    assert cron.last_missed("@yearly", at, at, "UTC") is None


def test_years_that_are_far_away_are_no_endless_search() -> None:
    assert coming("0 0 29 2 *", "2026-06-01T00:00Z", n=2) == [
        "Tue 29.02. 00:00",
        "Sun 29.02. 00:00",
    ]
    with pytest.raises(UsageError, match="1970"):
        cron.next_slots("@daily", 1e30, "UTC", 1)


# --- a second opinion

_FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> str:
    def term() -> str:
        first = draw(st.integers(low, high - 1))
        last = draw(st.integers(first + 1, high))  # croniter takes 1-1 for a whole week
        step = draw(st.integers(1, max(1, (high - low) // 2)))
        end = high if high != 7 else 6
        forms = [f"{first}", f"{first}-{last}", f"{first}-{last}/{step}"]
        return draw(st.sampled_from([*forms, f"{min(first, end)}/{step}"]))

    return ",".join(term() for _ in range(draw(st.integers(1, 3))))


def _unrestricted_or(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), fields(low, high))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Any but those that begin a field of days with a star and a step: see below."""
    minute = draw(st.one_of(st.just("*"), st.just("*/7"), fields(0, 59)))
    hour = draw(st.one_of(st.just("*"), st.just("*/5"), fields(0, 23)))
    return " ".join([minute, hour, *(draw(_unrestricted_or(*limits)) for limits in _FIELDS[2:])])


def second_opinion(expression: str, after: float, zone: str, n: int) -> list[int]:
    begin = datetime.datetime.fromtimestamp(int(after), UTC).astimezone(cron.zone_of(zone))
    walk = croniter(expression, begin, max_years_between_matches=20)
    return [int(walk.get_next(datetime.datetime).timestamp()) for _ in range(n)]


@settings(max_examples=300, deadline=None)
@example("* * * * 6/1", 0)
@given(expressions(), st.integers(0, 4_000_000_000))
def test_without_clock_changes_croniter_says_the_same(expression: str, after: int) -> None:
    try:
        cron.parse(expression)
    except UsageError:
        return
    found = cron.next_slots(expression, after, "UTC", 5)
    assert found == second_opinion(expression, after, "UTC", len(found))


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(ZONES), st.integers(0, 59), st.integers(0, 23),
    st.integers(1971, 2036), st.integers(0, 365),
)  # fmt: skip
def test_in_all_zones_and_years_a_day_has_its_time_once(
    zone: str, minute: int, hour: int, year: int, day: int
) -> None:
    """Differs from croniter in one place: where the clock repeats the time, croniter runs twice."""
    expression = f"{minute} {hour} * * *"
    after = datetime.datetime(year, 1, 1, tzinfo=UTC).timestamp() + day * 86_400
    found = cron.next_slots(expression, after, zone, 20)
    other = second_opinion(expression, after, zone, 25)
    place = cron.zone_of(zone)
    again = {
        slot for slot in other
        if datetime.datetime.fromtimestamp(slot, UTC).astimezone(place).fold
    }  # fmt: skip
    expected = [slot for slot in other if slot not in again][:20]
    assert found[: len(expected)] == expected


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ZONES), expressions(), st.integers(0, 2_100_000_000))
def test_slots_are_whole_minutes_in_order_whenever_one_asks(
    zone: str, expression: str, after: int
) -> None:
    """The schedule does not depend on when it was looked at: a process that starts later goes on
    with the very slots that an earlier one would have had."""
    try:
        found = cron.next_slots(expression, after, zone, 6)
    except UsageError:
        return
    assert found == sorted(set(found))
    assert all(slot > after for slot in found)
    for position, slot in enumerate(found[:-1]):
        assert cron.next_slots(expression, slot, zone, 1) == [found[position + 1]]
        assert cron.next_slots(expression, found[position + 1] - 1, zone, 1) == [
            found[position + 1]
        ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                  "America/Havana", "Asia/Beirut", "America/Sao_Paulo"])  # fmt: skip
def test_where_croniter_differs(zone: str) -> None:
    """A repeated hour, and steps in the days; over twenty years."""
    begin, years = datetime.datetime(2005, 1, 1, tzinfo=UTC).timestamp(), 20
    ours = cron.next_slots("15 1 * * *", begin, zone, 1000)
    assert len({_day(slot, zone) for slot in ours}) == 1000, "one a day"
    theirs = second_opinion("15 1 * * *", begin, zone, 365 * years)
    assert set(ours) <= set(theirs)
    assert coming("0 0 */2 * 1", "2026-06-01T00:00Z", n=1) == ["Mon 15.06. 00:00"]
    either = croniter("0 0 */2 * 1", datetime.datetime(2026, 6, 1, tzinfo=UTC))
    assert f"{either.get_next(datetime.datetime):%a %d}" == "Wed 03"


def _day(slot: int, zone: str) -> datetime.date:
    return datetime.datetime.fromtimestamp(slot, UTC).astimezone(cron.zone_of(zone)).date()
