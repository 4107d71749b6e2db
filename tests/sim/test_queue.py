"""The queue as a whole in virtual time: no task is lost, whoever fails, dies, retries or closes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from orch.engine.engine import Engine
from orch.model import budget, task_rules
from orch.model.run import Run
from orch.store.memory import MemoryStore
from tests import stride
from tests.sim.queue_auditor import complaints
from tests.sim.queue_universe import QueueUniverse
from tests.sim.seeds import all_end_well, found_by

SEEDS = stride.of(200, "ORCH_SIM_QUEUE_SEEDS")
CHUNKS = 10

pytestmark = pytest.mark.sim


def play(seed: int) -> tuple[QueueUniverse, list[str]]:
    universe = QueueUniverse(seed)
    universe.fill()
    universe.play_queue()
    return universe, complaints(universe)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_task_comes_to_its_end_or_to_a_person(chunk: int) -> None:
    """H21 to H26, H31, H35, H41: by seeds; the one that fails is named."""
    size = SEEDS // CHUNKS
    all_end_well(play, range(chunk * size, (chunk + 1) * size))


def test_the_seeds_do_crash_and_persons_do_meddle() -> None:
    universes = [play(seed)[0] for seed in range(40)]
    states = {task.state for universe in universes for task in universe.store.tasks()}
    assert states == {"done", "cancelled", "in_review", "needs_review"}
    assert sum(universe.crashes for universe in universes) > 20
    assert any(len(universe.store.runs_of_task(1)) > 1 for universe in universes)
    assert any(universe.clock.put for universe in universes), "clocks are put"
    assert any(universe.raised for universe in universes), "budgets are used up"


def test_the_same_seed_plays_the_same_way() -> None:
    first, again = play(7)[0], play(7)[0]
    assert [e.data for e in first.store.events(0, limit=9999)] == [
        e.data for e in again.store.events(0, limit=9999)
    ]


@pytest.mark.parametrize("places", [1, 2])
def test_a_repository_with_many_tasks_does_not_hold_up_the_others(places: int) -> None:
    """Fair: whoever asks first for twenty tasks leaves the others' few their turn."""
    universe = QueueUniverse(3)
    universe.mood = universe.crash_rate = universe.flaky_rate = universe.lost_rate = 0.0
    universe.persons, universe.total, universe.of_repo = 0, places, {}
    universe.config = universe._config()
    for slug, count in (("left", 20), ("middle", 3), ("right", 3)):
        for _ in range(count):
            universe.ask(repo=slug, agent="able", labels=(), priority=0)
    universe.play_queue()
    assert complaints(universe) == []
    assert Counter(universe.starts_by_repo()[:10]) >= Counter(middle=3, right=3)


def test_a_planted_bug_that_gives_places_to_all_who_waited_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def to_all(engine: Engine, runs: Sequence[Run]) -> None:
        for run in runs:
            engine._world.places.take(run.id, run.repo)

    monkeypatch.setattr(Engine, "_give_places", to_all)
    assert "places" in found_by(play, 120)


def test_a_planted_bug_that_forgets_who_is_at_work_overshoots_a_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "_promised", lambda account: account.spent)
    assert "a call begins at" in found_by(play, 120)


def test_a_planted_bug_that_gives_a_task_two_runs_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_rules, "may_run", lambda state, number: None)
    monkeypatch.setattr(
        MemoryStore, "waiting_tasks",
        lambda store, limit=100: [t for t in store.tasks() if t.state in ("new", "blocked")],
    )  # fmt: skip
    assert found_by(play, 120)
