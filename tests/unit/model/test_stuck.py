"""An attempt is stuck when nothing at all moves while we and the machine are awake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from orch.config.service_tree import TimeoutConfig
from orch.model.pacing import Said, due_again, worth_saying
from orch.model.stuck import Look, Stuck, Watch, grace_s, judge, observe, timeout_s

TIMES = TimeoutConfig(stuck_simple_s=300, stuck_medium_s=600, stuck_complex_s=1200, simple_s=50)


def look(at: float, **other: Any) -> Look:
    seen: dict[str, Any] = {
        "generation": "a1", "monotonic": at, "wall": 1e9 + at, "process": "alive", "cpu_s": 5.0,
        "files": "f", "events": "e", "output": "o",
    }  # fmt: skip
    return Look(**{**seen, **other})


def seen(looks: Sequence[Look]) -> Watch:
    watch = None
    for one in looks:
        watch = observe(watch, one)
    assert watch is not None
    return watch


def verdict(looks: Sequence[Look], complexity: str = "medium") -> Stuck | None:
    return judge(seen(looks), grace_s(complexity, TIMES))


STILL = range(0, 661, 60)


def test_nothing_that_moves_for_the_grace_is_stuck() -> None:
    found = verdict([look(at) for at in STILL])
    assert found is not None
    assert found.message.startswith("no sign of life for 660 s")
    assert verdict([look(at) for at in STILL[:10]]) is None


@pytest.mark.parametrize(("complexity", "grace"), [("simple", 300), ("", 600), ("complex", 1200)])
def test_grace_by_complexity(complexity: str, grace: int) -> None:
    looks = [look(at) for at in range(0, grace + 1, 60)]
    assert verdict(looks, complexity) is not None
    assert verdict(looks[:-1], complexity) is None


@pytest.mark.parametrize(
    "sign",
    [
        lambda at: {"files": f"f{at}"},
        lambda at: {"events": f"e{at}"},
        lambda at: {"output": f"o{at}"},
        lambda at: {"cpu_s": 5.0 + at * 0.5},
        lambda at: {"cpu_s": 5000.0 - at},
    ],
)
def test_silence_on_a_screen_alone_kills_nobody(sign: Any) -> None:
    """H28: one sign of life from process, files, events or output is enough."""
    assert verdict([look(at, **sign(at)) for at in range(0, 9_001, 60)]) is None


@pytest.mark.parametrize(
    "blind",
    [
        {"process": "unknown"},
        {"process": "dead"},
        {"cpu_s": None},
        {"files": None},
        {"events": None, "output": None},
    ],
)
def test_what_cannot_be_seen_is_no_evidence(blind: dict[str, Any]) -> None:
    """H28: a probe that does not know never kills, and a dead one has an exit file to be read."""
    assert verdict([look(at, **blind) for at in range(0, 9_001, 60)]) is None


def test_one_failed_reading_is_neither_movement_nor_the_end_of_silence() -> None:
    looks = [look(at, files=None if at == 300 else "f") for at in STILL]
    assert verdict(looks) is not None
    moved = [look(at, files=None if at == 300 else "f" if at < 300 else "g") for at in STILL]
    assert verdict(moved) is None


def test_a_retried_session_is_judged_by_its_own_generation() -> None:
    """H29."""
    looks = [look(at) for at in range(0, 541, 60)]
    looks.append(look(600, generation="a2"))
    watch = seen(looks)
    assert watch.silent_s == 0
    assert judge(watch, grace_s("medium", TIMES)) is None


def test_sleep_is_not_silence() -> None:
    """H30: the machine slept for eight hours; the wall clock alone moved."""
    looks = [look(at) for at in range(0, 541, 60)]
    looks.append(look(600, wall=1e9 + 600 + 8 * 3600))
    assert seen(looks).silent_s == 0


def test_a_clock_that_was_set_back_changes_nothing() -> None:
    looks = [look(at, wall=1e9 + at - (7200 if at > 300 else 0)) for at in STILL]
    assert verdict(looks) is not None


def test_a_stopped_service_did_not_look() -> None:
    """H30: after a stop of three hours (SIGSTOP) only a short part of it counts."""
    assert verdict([look(0), look(60), look(3 * 3600)]) is None


def test_never_means_never() -> None:
    times = TimeoutConfig(stuck_medium_s=0)
    assert judge(seen([look(at) for at in range(0, 90_001, 60)]), grace_s("medium", times)) is None


@given(st.lists(st.tuples(st.floats(0, 4_000), st.floats(-9_000, 9_000)), max_size=40))
def test_silence_never_exceeds_the_time_awake(steps: list[tuple[float, float]]) -> None:
    """H30: whatever the clocks do."""
    watch, mono, wall = observe(None, look(0)), 0.0, 1e9
    for awake, skew in steps:
        mono, wall = mono + awake, wall + awake + skew
        watch = observe(watch, look(mono, wall=wall))
        assert 0 <= watch.silent_s <= min(mono, 120 * len(steps)) + 1e-6


@pytest.mark.parametrize(
    ("complexity", "seconds"), [("simple", 50), ("medium", 1800), ("complex", 1800), ("", 1800)]
)
def test_a_timeout_by_complexity_beats_the_agents_own(complexity: str, seconds: float) -> None:
    assert timeout_s(complexity, TIMES, 1800.0) == seconds


def test_what_waits_is_told_once_and_then_seldom() -> None:
    """H32."""
    told, last = 0, None
    for at in range(0, 7_200, 10):
        if worth_saying(last, "all agents cool", float(at)):
            told, last = told + 1, Said("all agents cool", float(at))
    assert told == 2
    assert worth_saying(last, "no agent is configured", 7_200.0)
    assert worth_saying(last, "all agents cool", -5.0)  # the clock was set back


def test_what_fails_is_not_tried_on_every_call() -> None:
    """H52: the time of the last try counts, whether it succeeded or failed."""
    tried_at, tries = -1e9, 0
    for at in range(0, 7_200, 10):
        if due_again(tried_at, float(at), 3600.0):
            tries, tried_at = tries + 1, float(at)  # and fails
    assert tries == 2
