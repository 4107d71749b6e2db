"""Budgets, breakers and windows: what stops work that costs too much."""

from __future__ import annotations

import datetime
import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from orch.config.service_tree import BreakerConfig, BudgetLimits, Metering
from orch.model.breakers import Story, tripped
from orch.model.budget import (
    Account,
    Exceeded,
    Unit,
    Use,
    check,
    overrun,
    seconds_left,
    total,
    use_of,
    warning,
)
from orch.model.onward import Defer
from orch.model.subscription import Window, after_limit, after_use, holds, rolled

T0 = datetime.datetime(2026, 3, 1, 14, 0, tzinfo=datetime.UTC).timestamp()
MIDNIGHT = T0 + 10 * 3600
TEN = {"day": BudgetLimits(usd=10.0)}


def ask(*accounts: Account, limits: dict[str, BudgetLimits] = TEN) -> Exceeded | None:
    return check(accounts, limits, now=T0, day_ends_at=MIDNIGHT)


def day(spent: float, *live: float, largest: float | None = 1.0) -> Account:
    return Account(
        scope="day", name="2026-03-01", spent=Use(usd=spent),
        live=tuple(Use(usd=one) for one in live),
        largest=None if largest is None else Use(usd=largest),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("account", "verdict"),
    [
        (day(0), "free"),
        (day(9.99), "free"),
        (day(10.0), "reached"),
        (day(12.0), "reached"),
        (day(8.0, 0.0), "free"),
        (day(8.0, 0.0, 0.0), "busy"),
        (day(8.0, 2.0), "reached"),
        (day(8.0, 0.5, 0.5, largest=0.1), "free"),
        (day(0.0, 0.0, largest=None), "busy"),
        (day(0.0, largest=None), "free"),
    ],
)
def test_nothing_starts_that_could_overshoot_by_more_than_itself(
    account: Account, verdict: str
) -> None:
    found = ask(account)
    assert verdict == ("free" if found is None else "busy" if found.busy else "reached")


def test_a_reached_limit_names_the_time_or_the_command() -> None:
    found = ask(day(10.5))
    assert found is not None
    assert found.lifts_at == MIDNIGHT
    assert found.message == (
        "the day 2026-03-01 has used $10.50 of its $10.00; it is paused until 2026-03-02 00:00, or"
        " orch config set budget.day.usd 21"
    )
    task = Account(scope="task", name="7", spent=Use(tokens=5000, assumed=True))
    found = ask(task, limits={"task": BudgetLimits(tokens=5000)})
    assert found is not None
    assert found.lifts_at is None
    assert found.command == "orch config set budget.task.tokens 10000"
    assert "5,000 tokens of its 5,000 tokens, partly estimated" in found.message


@pytest.mark.parametrize(
    ("unit", "limit", "used", "offered"),
    [
        ("tokens", 100, 2284, "2400"), ("tokens", 1, 1.5, "3"), ("tokens", 4e6, 4_000_001, "8100000"),
        ("usd", 0.01, 0.0123, "0.023"), ("usd", 3, 3.0, "6"), ("seconds", 5, 40.2, "46"),
    ],
)  # fmt: skip
def test_the_limit_that_is_offered_lifts_the_pause(
    unit: Unit, limit: float, used: float, offered: str
) -> None:
    account = Account(scope="task", name="7", spent=Use(**{unit: used}))
    found = ask(account, limits={"task": BudgetLimits(**{unit: limit})})
    assert found is not None
    assert found.command == f"orch config set budget.task.{unit} {offered}"
    assert ask(account, limits={"task": BudgetLimits(**{unit: float(offered)})}) is None


def test_a_limit_of_time_is_reached_the_sooner_the_more_are_at_work() -> None:
    limits = {"task": BudgetLimits(seconds=100, tokens=1), "run": BudgetLimits(tokens=1)}
    live = (Use(seconds=10), Use(seconds=20))
    task = Account(scope="task", name="7", spent=Use(seconds=40), live=live)
    assert seconds_left([task, Account(scope="run", name="ab", live=live)], limits) == 15.0
    assert (
        seconds_left([Account(scope="task", name="7", spent=Use(seconds=40))], limits) == math.inf
    )
    late = Account(scope="task", name="7", live=(Use(seconds=200),))
    assert seconds_left([late], limits) == 0.0


def test_the_narrowest_scope_speaks_and_other_scopes_do_not() -> None:
    limits = {"day": BudgetLimits(usd=1), "run": BudgetLimits(seconds=10)}
    run = Account(scope="run", name="ab12", spent=Use(seconds=10))
    found = ask(day(2), run, limits=limits)
    assert found is not None
    assert (found.scope, found.unit) == ("run", "seconds")
    assert ask(Account(scope="agent", name="x", spent=Use(usd=1e9)), limits=limits) is None
    assert ask(day(1e9), limits={"day": BudgetLimits()}) is None


def test_calls_under_way_are_paused_by_what_they_have_really_used() -> None:
    def over(account: Account) -> Exceeded | None:
        return overrun([account], TEN, now=T0, day_ends_at=MIDNIGHT)

    assert over(day(9.0, 0.5)) is None
    assert over(day(9.0, 0.5, 0.5)) is not None
    assert over(day(11.0)) is None  # nothing runs


def test_the_unknown_is_never_free() -> None:
    """What has no known cost counts its tokens, what has no tokens its time."""
    assumed = Metering(usd_per_mtoken=10.0, tokens_per_minute=1000)
    known = use_of(tokens=500, usd=0.0, seconds=60, assumed=assumed)
    assert known == Use(tokens=500, usd=0.0, seconds=60)
    priceless = use_of(tokens=100_000, usd=None, seconds=60, assumed=assumed)
    assert (priceless.usd, priceless.assumed) == (1.0, True)
    silent = use_of(tokens=None, usd=None, seconds=120, assumed=assumed)
    assert (silent.tokens, silent.usd) == (2000, 0.02)


def test_a_warning_from_four_fifths_on() -> None:
    assert warning(day(7.9), TEN) == ""
    assert warning(day(8.5), TEN) == "the day 2026-03-01 has used 85% of its $10.00"
    assert warning(day(10), TEN) == ""


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.floats(0.01, 3.0), min_size=1, max_size=60),
    limit=st.floats(0.5, 20.0),
    slots=st.integers(1, 6),
)
def test_a_budget_is_overshot_by_one_call_at_most(
    seed: int, sizes: list[float], limit: float, slots: int
) -> None:
    """Calls start and end in any order, their sizes unknown until they end; none is larger than the
    largest that the scope has seen, or it is the one that overshoots."""
    dice = random.Random(seed)
    limits = {"task": BudgetLimits(usd=limit)}
    sizes = [max(sizes), *sizes]  # the first, alone, is the largest
    spent: list[float] = []
    running: list[float] = []
    while sizes or running:
        account = Account(
            scope="task", name="1", spent=total([Use(usd=one) for one in spent]),
            live=tuple(Use() for _ in running),
            largest=Use(usd=max(spent)) if spent else None,
        )  # fmt: skip
        free = check([account], limits, now=T0, day_ends_at=MIDNIGHT) is None
        if free:
            assert sum(spent) < limit
        if sizes and free and len(running) < slots and dice.random() < 0.7:
            running.append(sizes.pop(0))
        elif running:
            spent.append(running.pop(dice.randrange(len(running))))
        elif not free:
            break
    assert sum(spent) < limit + max(spent) + 1e-9


BOUNDS = BreakerConfig(runs_per_task=3, runs_per_cause=4, tasks_per_hour=5, depth=2, same_diff=2)


@pytest.mark.parametrize(
    ("story", "code"),
    [
        (Story(), ""),
        (Story(runs_of_task=2, runs_of_cause=3, tasks_last_hour=4, depth=2), ""),
        (Story(runs_of_task=3), "runs_per_task"),
        (Story(runs_of_cause=4, cause="job nightly"), "runs_per_cause"),
        (Story(tasks_last_hour=5), "tasks_per_hour"),
        (Story(depth=3), "depth"),
        (Story(diffs=["a", "b", "b"]), "same_diff"),
        (Story(diffs=["b", "a", "b"]), ""),
        (Story(diffs=["b", ""]), ""),
        (Story(diffs=["", ""]), ""),
    ],
)
def test_loops_that_succeed_are_broken(story: Story, code: str) -> None:
    found = tripped(BOUNDS, story)
    assert (found.code if found else "") == code
    assert found is None or (found.message and found.hint)
    free = BreakerConfig(runs_per_task=0, runs_per_cause=0, tasks_per_hour=0, depth=0, same_diff=0)
    assert tripped(free, story) is None


def test_a_window_pauses_at_its_limit_and_goes_on_by_itself() -> None:
    window = after_use(Window(agent="claude"), 800, T0, T0 + 600)
    assert holds(window, T0, keep=0.1, person=False) is None  # nothing is known yet
    window = after_limit(window, T0 + 3600, T0 + 900)
    for person in (True, False):
        assert holds(window, T0 + 900, keep=0.1, person=person) == Defer(
            T0 + 3600, "the window of claude is used up until 15:00"
        )
    assert holds(window, T0 + 3600, keep=0.1, person=False) is None
    assert (window.room, window.length_s) == (800, 3600)
    assert rolled(window, T0 + 3601).used == 0


def test_a_share_of_the_window_is_kept_for_people() -> None:
    learned = Window(agent="claude", room=1000, length_s=3600)
    window = after_use(learned, 899, T0, T0 + 60)
    assert holds(window, T0 + 60, keep=0.1, person=False) is None
    window = after_use(window, 1, T0 + 60, T0 + 120)
    assert holds(window, T0 + 120, keep=0.1, person=False) == Defer(
        T0 + 3600, "the last 10% of the window of claude are kept for people until 15:00"
    )
    assert holds(window, T0 + 120, keep=0.1, person=True) is None
    assert holds(window, T0 + 3600, keep=0.1, person=False) is None


def test_a_reset_in_the_past_changes_nothing() -> None:
    window = after_use(Window(agent="claude"), 800, T0, T0)
    assert after_limit(window, T0 - 1, T0) == window
