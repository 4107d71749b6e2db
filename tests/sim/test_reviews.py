"""Pull requests that people review, in virtual time: nothing is merged against their word, and each
of their wishes reaches the agent once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from orch.engine import reviews
from orch.model import review_rules
from tests import stride
from tests.sim.queue_auditor import complaints
from tests.sim.review_universe import ReviewUniverse
from tests.sim.seeds import all_end_well, found_by

SEEDS = stride.of(64, "ORCH_SIM_REVIEW_SEEDS")
CHUNKS = 4

pytestmark = pytest.mark.sim


def play(seed: int) -> tuple[ReviewUniverse, list[str]]:
    universe = ReviewUniverse(seed)
    for _ in range(universe.rng.randint(1, 3)):
        universe.ask()
    universe.play_queue()
    return universe, [*complaints(universe), *universe.review_complaints()]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_people_say_is_heard_and_nothing_is_merged_against_it(chunk: int) -> None:
    """H77, H80, H82, H84: by seeds; the one that fails is named."""
    size = SEEDS // CHUNKS
    all_end_well(play, range(chunk * size, (chunk + 1) * size))


def test_the_seeds_do_what_they_are_for() -> None:
    seen: Counter[str] = Counter()
    crashes = 0
    for seed in range(30):
        universe, _ = play(seed)
        seen += universe.events
        crashes += universe.crashes
        seen.update(task.state for task in universe.store.tasks())
    wanted = (
        "changes", "approved", "dismissed", "worked on", "goes on", "told", "red", "judged",
        "merges", "done", "needs_review",
    )  # fmt: skip
    for what in wanted:
        assert seen[what], (what, seen)
    assert crashes > 5


def test_a_planted_bug_that_merges_without_another_look_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lets_be(ctx: Any, pull: Any) -> None:
        return None

    monkeypatch.setattr(reviews, "refuse_unwanted", lets_be)
    assert "merged against" in found_by(play, 60)


def test_a_planted_bug_that_forgets_who_may_speak_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        review_rules, "standing", lambda verdicts: [v for v in verdicts if v.state == "changes"]
    )
    assert "stranger" in found_by(play, 60)
