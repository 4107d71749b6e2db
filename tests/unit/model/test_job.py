"""Which slot of a job is due: catching up, new jobs, clocks that jump."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from orch.model.errors import UsageError
from orch.model.job import DAY_S, Job, coming_slot, due_slot

NINE = 1_780_304_400  # 2026-06-01T09:00Z
HOUR = 3600


def job(schedule: str = "@hourly", **changed: Any) -> Job:
    fields: dict[str, Any] = {"id": "j", "title": "J", "schedule": schedule, "since": 1.0}
    return Job(**(fields | changed))


def test_h36_a_new_job_fires_at_its_next_slot_and_not_before() -> None:
    new = job(since=NINE + 60.0)
    assert due_slot(new, NINE + 61) is None
    assert due_slot(new, NINE + HOUR - 1) is None
    assert coming_slot(new, NINE + 61) == NINE + HOUR
    assert due_slot(new, NINE + HOUR) == NINE + HOUR


def test_h36_a_job_made_within_the_minute_of_a_slot_waits_for_the_next() -> None:
    assert due_slot(job("* * * * *", since=NINE + 0.5), NINE + 59) is None
    assert due_slot(job("* * * * *", since=NINE + 0.5), NINE + 60) == NINE + 60


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (NINE, NINE + HOUR - 1, None),
        (NINE, NINE + HOUR, NINE + HOUR),
        (NINE, NINE + 5 * HOUR + 7, NINE + 5 * HOUR),  # five were missed: once, the last of them
        (NINE, NINE + 1000 * HOUR + 7, NINE + 1000 * HOUR),
        (0, NINE + 7, NINE),
        (NINE, NINE - 2 * HOUR, None),  # the clock was put back: nothing fires twice
        (NINE + 3 * HOUR, NINE + 2 * HOUR, None),
        (NINE + 400 * HOUR, NINE, NINE),  # a clock that was weeks ahead does not silence the job
    ],
)
def test_the_slot_that_is_due(last: int, now: float, due: int | None) -> None:
    assert due_slot(job(last_slot=last), now) == due


def test_what_was_missed_more_than_a_day_ago_is_over() -> None:
    daily = job("0 9 * * *", last_slot=NINE - 5 * 86_400)
    assert due_slot(daily, NINE + 23 * HOUR) == NINE
    weekly = job("0 9 * * mon", last_slot=NINE - 14 * 86_400)
    assert due_slot(weekly, NINE + 23 * HOUR) == NINE
    assert due_slot(weekly, NINE + 25 * HOUR) is None


def test_h34_slots_are_those_of_the_jobs_own_zone() -> None:
    there = job("0 9 * * *", zone="Europe/Berlin")
    assert due_slot(there, NINE) == NINE - 2 * HOUR
    assert due_slot(job("0 9 * * *"), NINE) == NINE


@pytest.mark.parametrize("broken", [job("*/0 * * * *"), job(zone="Gone/Zone")])
def test_h35_a_job_that_cannot_be_reckoned_is_an_error_of_that_job(broken: Job) -> None:
    for ask in (due_slot, coming_slot):
        with pytest.raises(UsageError):
            ask(broken, NINE)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "@hourly", "30 9 * * mon-fri", "@daily"]),
    st.lists(st.integers(-2 * HOUR, 40 * HOUR), max_size=12),
)
def test_whatever_the_clock_does_a_slot_comes_once_and_only_when_it_is_past(
    schedule: str, moves: list[int]
) -> None:
    held, now, seen = job(schedule, since=float(NINE)), float(NINE), set[int]()
    for move in moves:
        now += move
        slot = due_slot(held, now)
        if slot is None:
            continue
        assert held.since < slot <= now
        assert now - slot <= DAY_S
        assert slot not in seen
        seen.add(slot)
        held = Job(id="j", title="J", schedule=schedule, since=float(NINE), last_slot=slot)
