"""`./dev chaos --kills N [--seed S]`: random kills against the real thing, with figures."""

from __future__ import annotations

import argparse
import concurrent.futures
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import trial
from tests.chaos.scenario import PLAYS


def one(seed: int) -> tuple[int, list[str]]:
    """One seeded trial in a folder of its own."""
    rng = random.Random(seed)
    template = rng.choice(sorted(PLAYS))
    folder = Path(tempfile.mkdtemp(prefix="orch-chaos-"))
    try:
        wrong = trial.at_random(folder / "w", template, rng)
    finally:
        trial.clean(folder)
    return seed, [f"{template}: {text}" for text in wrong]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="number of trials (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first trial (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="trials at once (default 2)")
    chosen = parser.parse_args(argv)
    seeds = range(chosen.seed, chosen.seed + chosen.kills)
    began, bad = time.monotonic(), 0
    with concurrent.futures.ProcessPoolExecutor(chosen.jobs) as pool:
        for number, (seed, wrong) in enumerate(pool.map(one, seeds), 1):
            for text in wrong:
                sys.stdout.write(f"seed {seed}: {text}\n")
            bad += bool(wrong)
            if number % 10 == 0 or number == chosen.kills:
                taken = time.monotonic() - began
                sys.stdout.write(f"{number} of {chosen.kills} trials, {bad} bad, {taken:.0f} s\n")
                sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
