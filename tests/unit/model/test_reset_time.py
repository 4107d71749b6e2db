"""The vendor's own reset time out of the sentences in which it is told."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from orch.model.reset_time import reset_time

ZONE = datetime.timezone(datetime.timedelta(hours=2))
NOON = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=ZONE).timestamp()
HOUR = 3600.0


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("You've hit your usage limit. Upgrade, or try again at 3:42 AM.", 15.7 * HOUR),
        ("5-hour limit reached ∙ resets 3pm", 3 * HOUR),
        ("5-hour limit reached ∙ resets 3pm (UTC)", 5 * HOUR),
        ("resets at 12:00", 24 * HOUR),
        ("resets 12am", 12 * HOUR),
        ("available again at 14:30", 2.5 * HOUR),
        ("429 Too Many Requests, retry-after: 18", 18),
        ("Retry-After: 2m", 120),
        ("Please try again in 1h 5m.", 3900),
        ("Please try again in 20.5s", 20.5),
        ("try again in 2 days, 3 hours and 5 minutes", 2 * 86_400 + 3 * HOUR + 300),
        ("limit resets at 2026-03-02T12:00:00+02:00", 24 * HOUR),
        ("limit resets at 2026-03-02 10:00Z", 24 * HOUR),
        ("limit resets on 2026-03-02 12:00", 24 * HOUR),
        (f"Claude AI usage limit reached|{int(NOON) + 77}", 77),
        ("you reached the 5-hour limit", 5 * HOUR),
    ],
)
def test_a_told_time_is_found(message: str, seconds: float) -> None:
    found = reset_time(message, NOON, ZONE)
    assert found == pytest.approx(NOON + seconds)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "429 Too Many Requests",
        "try again later",
        "try again at 25:00",
        "resets 13pm",
        "resets at 7",
        "limit resets at 2020-01-01T00:00:00Z",
        "limit resets at 2026-13-41T00:00:00Z",
        "attempt 3 of 5 failed at 3:42",
        "usage limit reached|12",
    ],
)
def test_what_names_no_time_is_none(message: str) -> None:
    assert reset_time(message, NOON, ZONE) is None


def test_a_time_of_day_across_a_change_of_the_clock() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    evening = datetime.datetime(2026, 3, 28, 22, 0, tzinfo=berlin).timestamp()
    assert reset_time("resets 8am", evening, berlin) == evening + 9 * HOUR


@given(st.text(max_size=200), st.floats(0, 4e9))
def test_no_text_breaks_it_and_nothing_is_over_already(message: str, now: float) -> None:
    for text in (
        message,
        f"try again at {message}",
        f"resets in {message}",
        f"retry-after {message}",
    ):
        found = reset_time(text, now, ZONE)
        assert found is None or found > now
