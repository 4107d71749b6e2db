"""One trial: play a template, kill something on the way, resume, audit."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

from tests.chaos import auditor
from tests.chaos.scenario import PLAYS, Scenario, make, resume_until_done

VICTIMS = ("engine", "group", "tmux")


class Stage:
    """A folder in which trials are played one after another. What each begins with is built once
    and laid there again from a copy: paths are written down in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept = folder.with_name(f"{folder.name}.kept")

    def fresh(self) -> Scenario:
        """The world as every trial finds it."""
        if not self._kept.exists():
            world = make(self.folder)
            shutil.copytree(self.folder, self._kept, symlinks=True)
            return world
        clean(self.folder)
        shutil.copytree(self._kept, self.folder, symlinks=True)
        return Scenario(self.folder)


def points(stage: Stage, template: str) -> list[str]:
    """The names of all failpoints that an undisturbed run passes, in order."""
    world = stage.fresh()
    log = stage.folder / "points"
    done = world.orch(*PLAYS[template].words, ORCH_FAILPOINT_LOG=str(log))
    assert done.returncode == 0, done.stderr + done.stdout
    wrong = auditor.complaints(world, template)
    assert not wrong, wrong
    return log.read_text(encoding="utf-8").split()


def at_point(stage: Stage, template: str, number: int, victim: str) -> list[str]:
    """Kill at the n-th failpoint. `victim`: `engine`, `group` (its whole process group) or `tmux`
    (the engine, and then the tmux server with all terminals)."""
    world = stage.fresh()
    prefix = "group:" if victim == "group" else ""
    done = world.orch(*PLAYS[template].words, ORCH_FAILPOINT=f"{prefix}@{number}")
    if done.returncode >= 0 and done.returncode != 128 + signal.SIGKILL:
        return _after(world, template)  # interleaved differently: it was over before that point
    if victim == "tmux":
        world.kill_tmux()
    return _after(world, template)


def at_random(folder: Path, template: str, rng: random.Random) -> list[str]:
    """Kill at a random moment, perhaps again while resuming, perhaps tmux too."""
    world = make(folder, seconds=rng.choice([0.0, 0.05, 0.4]))
    words = PLAYS[template].words
    for _ in range(rng.choice([1, 1, 2, 3])):
        process = world.start(*words)
        time.sleep(rng.random() * rng.choice([0.3, 1.0]))
        victims = [process.pid]
        if rng.random() < 0.3:
            world.kill_tmux()
        if rng.random() < 0.5:
            os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            os.kill(victims[0], signal.SIGKILL)
        process.communicate()
        words = ("resume",)
    if not any(world.orch("ps", "--json").stdout.strip() == empty for empty in ("[]", "")):
        return _after(world, template)
    # It was killed before it had acknowledged anything: nothing may have happened.
    done = world.orch(*PLAYS[template].words)
    return auditor.complaints(world, template) if done.returncode == 0 else [done.stderr]


def _after(world: Scenario, template: str) -> list[str]:
    if world.orch("ps", "--json").stdout.strip() == "[]":
        done = world.orch(*PLAYS[template].words)
        if done.returncode:
            return [f"after an unacknowledged run: {done.stderr}"]
    return [*resume_until_done(world), *auditor.complaints(world, template)]


def clean(folder: Path) -> None:
    """Take a finished trial away, with whatever it should not have left."""
    world = Scenario(folder)
    if folder.exists():
        world.kill_tmux()
    shutil.rmtree(folder, ignore_errors=True)
