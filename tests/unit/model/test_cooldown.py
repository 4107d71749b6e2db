"""When an agent or a model is left alone, for how long, and what ends it."""

from __future__ import annotations

import datetime
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from orch.model.cooldown import (
    BRIEF_S,
    Cooldown,
    after_failure,
    after_success,
    briefly,
    choose_model,
    cooling,
    cools_sentence,
    subjects,
)
from orch.model.onward import Candidate
from orch.model.retrying import AttemptPolicy

CURVE = AttemptPolicy()
NOW = 1_000_000.0


def test_the_curve_doubles_up_to_its_end() -> None:
    held, waits, now = None, [], NOW
    for _ in range(8):
        held = after_failure(held, "rate_limit", now, CURVE)
        assert held is not None
        waits.append(held.until - now)
        now = held.until + 1
    assert waits == [300, 600, 1200, 2400, 4800, 9600, 14400, 14400]


@pytest.mark.parametrize(
    ("code", "model", "cooled"),
    [
        ("rate_limit", "opus", ("claude",)),
        ("usage_window", "", ("claude",)),
        ("auth", "", ("claude",)),
        ("billing", "", ("claude",)),
        ("timeout", "", ("claude",)),
        ("stuck", "", ("claude",)),
        ("overloaded", "opus", ("claude:opus",)),
        ("overloaded", "", ("claude",)),
        ("unknown_model", "opus", ("claude:opus",)),
        ("unknown_model", "", ()),
        ("missing_tool", "", ()),
        ("exit_nonzero", "", ()),
        ("no_change", "", ()),
        ("context_overflow", "opus", ()),
        ("waiting_input", "", ()),
        ("killed", "", ()),
        ("lost", "", ()),
        ("stopped", "", ()),
    ],
)
def test_what_a_failure_cools(code: str, model: str, cooled: tuple[str, ...]) -> None:
    """H27: what hung is left alone. H28: nothing else cools agents that work."""
    assert subjects(code, "claude", model) == cooled
    if not cooled:
        assert model or after_failure(None, code, NOW, CURVE) is None or code == "unknown_model"


def test_the_vendors_own_time_beats_the_curve_both_ways() -> None:
    for reset in (NOW + 20, NOW + 50_000):
        held = after_failure(None, "usage_window", NOW, CURVE, reset)
        assert held is not None
        assert held.until == reset


def test_a_reset_time_that_cannot_be_is_not_believed() -> None:
    for reset in (NOW - 1, NOW + 400 * 86_400):
        held = after_failure(None, "rate_limit", NOW, CURVE, reset)
        assert held is not None
        assert held.until == NOW + 300


def test_a_batch_that_meets_one_limit_counts_once() -> None:
    held = None
    for _ in range(4):
        held = after_failure(held, "rate_limit", NOW, CURVE)
    assert held is not None
    assert (held.failures, held.until) == (1, NOW + 300)


def test_a_vaguer_failure_does_not_shorten_what_the_vendor_said() -> None:
    held = after_failure(None, "usage_window", NOW, CURVE, NOW + 9_000)
    held = after_failure(held, "timeout", NOW + 1, CURVE)
    assert held is not None
    assert held.until == NOW + 9_000


def test_billing_needs_a_person_and_waits_a_day() -> None:
    held = after_failure(None, "billing", NOW, CURVE)
    assert held is not None
    assert held.until - NOW == 24 * 3600


def test_success_clears() -> None:
    assert after_success(after_failure(None, "rate_limit", NOW, CURVE)) is None


def test_one_success_does_not_forget_a_model_that_is_not_there() -> None:
    """H51: the counter of a structurally broken model is its own and outlives a success elsewhere."""
    table: dict[str, Cooldown] = {}
    now = NOW
    for _ in range(3):
        held = after_failure(table.get("claude:opus"), "unknown_model", now, CURVE)
        assert held is not None
        table["claude:opus"] = held
        now = held.until + 1
        assert after_success(table.get("claude")) is None  # it succeeded with another model
    assert table["claude:opus"].structural == 3
    after = after_success(table["claude:opus"])
    assert after is not None
    assert (after.structural, after.until) == (2, 0.0)


def test_a_broken_model_waits_from_hours_to_a_week() -> None:
    """H51."""
    held, waits, now = None, [], NOW
    for _ in range(9):
        held = after_failure(held, "unknown_model", now, CURVE)
        assert held is not None
        waits.append((held.until - now) / 3600)
        now = held.until + 1
    assert waits == [4, 8, 16, 32, 64, 128, 168, 168, 168]


def test_a_move_to_another_agent_is_brief_and_no_failure() -> None:
    held = briefly(None, NOW)
    assert (held.until - NOW, held.failures) == (BRIEF_S, 0)
    longer = Cooldown(until=NOW + 900, failures=2, why="rate_limit")
    assert briefly(longer, NOW) is longer


def test_a_cooling_model_is_passed_over_for_the_next_of_its_tier() -> None:
    """H50: filtered by agent and by model."""
    held = {"claude:opus": Cooldown(until=NOW + 60, why="overloaded")}
    claude = Candidate("claude", ("opus", "sonnet"))
    assert choose_model(claude, held, NOW) == ("sonnet", 0.0, "")
    held["claude:sonnet"] = Cooldown(until=NOW + 30, why="overloaded")
    assert choose_model(claude, held, NOW) == ("sonnet", NOW + 30, "overloaded")
    held["claude"] = Cooldown(until=NOW + 90, why="rate_limit")
    assert choose_model(claude, held, NOW) == ("opus", NOW + 90, "rate_limit")
    assert choose_model(claude, held, NOW, frozenset({"opus", "sonnet"})) is None


def test_a_clock_that_was_put_back_makes_nobody_wait_for_what_was_over() -> None:
    held = after_failure(None, "rate_limit", NOW, CURVE)
    assert held is not None
    assert cooling({"able": held}, "able", "", NOW - 30) == held, "put right by a little"
    assert cooling({"able": held}, "able", "", NOW - 86_400) is None
    again = after_failure(held, "rate_limit", NOW - 86_400, CURVE)
    assert again is not None
    assert (again.failures, again.until) == (2, NOW - 86_400 + 600)
    assert briefly(held, NOW - 86_400).until == NOW - 86_400 + BRIEF_S


def test_the_sentence() -> None:
    at = datetime.datetime(2026, 3, 1, 14, 4, 30, tzinfo=datetime.UTC).timestamp()
    said = cools_sentence("claude", at, "rate_limit", at - 3600, datetime.UTC)
    assert said == "agent claude cools until 14:05 (rate limit)"
    later = cools_sentence("claude", at, "quota", at - 86_400, datetime.UTC, "opus")
    assert later == "agent claude with opus cools until 2026-03-01 14:05 (quota)"


CODES = st.sampled_from(
    ["rate_limit", "timeout", "auth", "billing", "exit_nonzero", "unknown_model"]
)


@given(
    st.lists(st.tuples(CODES, st.floats(0, 40_000), st.none() | st.floats(0, 90_000)), max_size=30)
)
def test_a_failure_never_shortens_what_holds_unless_the_vendor_says_so(
    steps: list[tuple[str, float, float | None]],
) -> None:
    held, now = None, NOW
    for code, passed, reset in steps:
        now += passed
        before = held
        held = after_failure(held, code, now, CURVE, None if reset is None else now + reset)
        if before is not None and held is not None and not held.vendor:
            assert held.until >= min(before.until, now)
            assert held.until >= before.until or before.until <= now
        assert cooling({"a": held} if held else {}, "a", "", now) is (
            held if held and held.until > now else None
        )


@given(st.integers(1, 40))
def test_the_curve_never_falls(count: int) -> None:
    from orch.model.cooldown import curve_s

    waits = [curve_s(CURVE, n) for n in range(1, count + 1)]
    assert all(one <= other for one, other in pairwise(waits))
    assert max(waits) <= CURVE.max_s
