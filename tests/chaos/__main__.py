"""`./dev chaos --kills N [--seed S]`: random kills against the real thing, with figures.
`./dev chaos --points [PLAY]`: a kill at every point of every play, or of one.
`./dev chaos --service --kills N [--tasks M]`: N kills of a service and what it drives, M tasks."""

from __future__ import annotations

import argparse
import concurrent.futures
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import service_trial, trial
from tests.chaos.scenario import PLAYS


def one(seed: int) -> tuple[str, list[str]]:
    """One seeded trial in a folder of its own."""
    rng = random.Random(seed)
    template = rng.choice(sorted(PLAYS))
    folder = Path(tempfile.mkdtemp(prefix="orch-chaos-"))
    try:
        wrong = trial.at_random(folder / "w", template, rng)
    finally:
        trial.clean(folder)
    return f"seed {seed}", [f"{template}: {text}" for text in wrong]


def at(place: tuple[str, int, str]) -> tuple[str, list[str]]:
    """One trial at the n-th point of a play."""
    play, number, victim = place
    folder = Path(tempfile.mkdtemp(prefix="orch-chaos-"))
    try:
        wrong = trial.at_point(trial.Stage(folder / "w"), play, number, victim)
    finally:
        trial.clean(folder)
    return f"{play}, point {number}, {victim}", wrong


def everywhere(wanted: str) -> list[tuple[str, int, str]]:
    """Every point of the plays, each with one of the victims in turn."""
    found = []
    for play in sorted(PLAYS) if wanted == "all" else [wanted]:
        folder = Path(tempfile.mkdtemp(prefix="orch-chaos-"))
        count = len(trial.points(trial.Stage(folder / "w"), play))
        trial.clean(folder)
        found += [(play, n, trial.VICTIMS[(n // 2) % 3]) for n in range(1, count + 1)]
    return found


def of_service(kills: int, tasks: int, seed: int) -> int:
    """One long trial of a service."""
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="orch-chaos-"))
    try:
        wrong = service_trial.play(folder / "w", kills=kills, tasks=tasks, seed=seed)
    finally:
        trial.clean(folder)
    for text in wrong:
        sys.stdout.write(f"seed {seed}: {text}\n")
    taken = time.monotonic() - began
    sys.stdout.write(f"{kills} kills, {tasks} tasks, {len(wrong)} wrong, {taken:.0f} s\n")
    return 1 if wrong else 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="number of trials (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first trial (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="trials at once (default 2)")
    parser.add_argument(
        "--points", nargs="?", const="all", choices=["all", *sorted(PLAYS)],
        help="kill at every point instead, of all plays or of one",
    )  # fmt: skip
    parser.add_argument(
        "--service", action="store_true", help="one service, killed so many times in all"
    )
    parser.add_argument("--tasks", type=int, default=200, help="its tasks (default 200)")
    chosen = parser.parse_args(argv)
    if chosen.service:
        return of_service(chosen.kills, chosen.tasks, chosen.seed)
    began, bad = time.monotonic(), 0
    with concurrent.futures.ProcessPoolExecutor(chosen.jobs) as pool:
        if chosen.points:
            places = everywhere(chosen.points)
            total, answers = len(places), pool.map(at, places)
        else:
            seeds = range(chosen.seed, chosen.seed + chosen.kills)
            total, answers = len(seeds), pool.map(one, seeds)
        for number, (place, wrong) in enumerate(answers, 1):
            for text in wrong:
                sys.stdout.write(f"{place}: {text}\n")
            bad += bool(wrong)
            if number % 10 == 0 or number == total:
                taken = time.monotonic() - began
                sys.stdout.write(f"{number} of {total} trials, {bad} bad, {taken:.0f} s\n")
                sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
