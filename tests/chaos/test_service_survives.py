"""The service, its agents, their wrappers and tmux are killed while a queue is worked off."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import scenario, service_trial, trial

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]

KILLS = 20
TASKS = 20


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: tmux's socket lies where a home is, if it has room."""
    with tempfile.TemporaryDirectory(prefix="c", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@pytest.mark.parametrize("seed", [1])
def test_no_task_is_lost_done_twice_or_left_over(short: Path, seed: int) -> None:
    """H21, H23, H26, H89: `./dev chaos --service --kills N` kills more often, among more tasks."""
    folder = short / "w"
    try:
        wrong = service_trial.play(folder, kills=KILLS, tasks=TASKS, seed=seed, limit_s=300)
        assert wrong == []
    finally:
        trial.clean(folder)


def test_the_auditor_sees_what_is_wrong(short: Path) -> None:
    """Each planted wrong is named."""
    world = scenario.make(short / "w")
    try:
        assert service_trial.complaints(world, []) == []
        world.ledger.write_text("0123456789ab one\n" * 2, "utf-8")
        assert world.orch("task", "add", "Left alone").returncode == 0
        (world.repo / ".git" / "index.lock").touch()
        wrong = "\n".join(service_trial.complaints(world, [7]))
        for word in (
            "task 7 is lost",
            "task 1 is nobody's",
            "rests as new",
            "2 times",
            "lock left",
        ):
            assert word in wrong, (word, wrong)
    finally:
        trial.clean(short / "w")
