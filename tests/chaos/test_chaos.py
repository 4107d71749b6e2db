"""kill -9 at every journal write and between act and confirm of every effect, for real."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stride
from tests.chaos import trial
from tests.chaos.scenario import PLAYS, make

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1200)]

SLICES = 2
RANDOM_KILLS = 6
EVERY_SHARED = 80 if stride.thorough() else 160
"""Of the points that the plays share."""
EVERY_BASIC = 4 if stride.thorough() else 8


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for child in tmp_path.iterdir():
        trial.clean(child)
    shutil.rmtree(tmp_path, ignore_errors=True)


def chosen(names: list[str], known: frozenset[str], every: int) -> list[int]:
    """The numbers (from 1) of every so many points and of the first of each name that is not
    `known`."""
    new = {names.index(name) + 1 for name in set(names) - known}
    return sorted(new | set(range(every, len(names) + 1, every)))


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The names of the points that `basic_pr` passes."""
    folder = tmp_path_factory.mktemp("basic")
    names = trial.points(trial.Stage(folder / "w"), "basic_pr")
    trial.clean(folder / "w")
    return frozenset(names)


@pytest.mark.parametrize(
    ("template", "part", "parts"),
    [("basic_pr", part, SLICES) for part in range(SLICES)]
    + [(template, 0, 1) for template in sorted(PLAYS) if template != "basic_pr"],
)
def test_killed_at_every_point(
    place: Path, common: frozenset[str], template: str, part: int, parts: int
) -> None:
    """Every failpoint (before and after each journal write and each act), each with one of the
    three victims in turn, so that over the points of a template each kind of act meets each.

    `basic_pr` is killed at the first point of each name and at some others. Of the other plays,
    which have most in common with it, only the points are taken here that it does not have, and
    a few; `./dev chaos --points` takes all."""
    stage = trial.Stage(place / "w")
    names = trial.points(stage, template)
    assert len(names) > 20, names
    whole = template == "basic_pr"
    every = EVERY_BASIC if whole else EVERY_SHARED
    numbers = chosen(names, frozenset() if whole else common, every)
    bad = []
    for number in numbers[part::parts]:
        victim = trial.VICTIMS[(number // 2) % len(trial.VICTIMS)]
        wrong = trial.at_point(stage, template, number, victim)
        if wrong:
            bad.append(f"point {number} ({names[number - 1]}, {victim}): {wrong}")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("part", range(SLICES))
def test_random_kills(place: Path, part: int) -> None:
    bad = []
    for seed in range(1 + part, RANDOM_KILLS + 1, SLICES):
        rng = random.Random(seed)
        template = rng.choice(sorted(PLAYS))
        wrong = trial.at_random(place / f"{seed}", template, rng)
        if wrong:
            bad.append(f"seed {seed} ({template}): {wrong}")
        trial.clean(place / f"{seed}")
    assert not bad, "\n".join(bad)


def test_the_auditor_sees_what_is_wrong(place: Path) -> None:
    """The auditor is no rubber stamp: each planted wrong is named."""
    from tests.chaos import auditor

    world = make(place / "w")
    done = world.orch(*PLAYS["basic_pr"].words)
    assert done.returncode == 0, done.stderr
    assert auditor.complaints(world, "basic_pr") == []
    attempt = world.ledger.read_text(encoding="utf-8").split()[0]
    with world.ledger.open("a", encoding="utf-8") as ledger:
        ledger.write(f"{attempt} one\n")
    world.git("branch", "orch/stray")
    (world.repo / ".git" / "index.lock").touch()
    wrong = "\n".join(auditor.complaints(world, "basic_pr"))
    for word in ("ran 2 times", "branches:", "lock left over"):
        assert word in wrong, (word, wrong)
