"""Watching at scale: fifty agents that write at once, and books of a thousand runs.

The watcher is `orch watch --json` as anybody would use it: what is measured is the time from a line's
writing, by the clock of whoever wrote it, to its arrival at the reader of that pipe.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import programs
from orch.model import command as cmd
from orch.model.attempt import Attempt
from orch.model.effect import Log, RunAgent, encode_effect, kind_of
from orch.model.errors import OrchError
from orch.model.event import Actor
from orch.model.repo import Repo
from orch.model.run import Owner, Source
from orch.model.step import Outcome
from orch.model.ticket import Ticket
from orch.model.worktree import Worktree
from orch.store.sqlite import SqliteStore

AGENTS = 50
LINES = 100
PAUSE_S = 0.1
FLOW = f"""
from orch import CreateWorktree, Gather, RunAgent, do

@do
def branch(issue, number):
    env = yield CreateWorktree(issue=issue, suffix=str(number))
    yield RunAgent(env=env, prompt="talk", name=f"agent-{{number}}")

@do
def workflow(issue):
    yield Gather([branch(issue, number) for number in range({AGENTS})])
"""
TALKER = f"""
import sys, time
open("done.txt", "w").write("done")
for number in range({LINES}):
    time.sleep({PAUSE_S})
    sys.stdout.write(f"said {{time.time():.6f}} {{number}}\\n")
    sys.stdout.flush()
"""
PERSON = Actor("person", "bench")
ENGINE = Actor("engine")
STEPS = 10


class Seen:
    """What a watcher saw of a run of many agents. Seconds, MiB."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.attempts: list[dict[str, Any]] = []
        self.peak_mib = 0.0

    @property
    def p95_ms(self) -> float:
        return statistics.quantiles(self.delays, n=20)[-1] * 1000


def fifty_agents(folder: Path) -> Seen:
    """A run of fifty agents that write ten lines a second each, in worktrees of their own, and
    somebody who watches."""
    place = programs.Place(folder, 0)
    agent = [sys.executable, "-I", "-S", "-c", TALKER]
    (folder / "home" / "config.toml").write_text(
        f"[agents.talker]\ncommand = {json.dumps(agent)}\n", encoding="utf-8"
    )
    (folder / "flow.py").write_text(FLOW, encoding="utf-8")
    seen = Seen()
    driver = _start(place, "run", "flow.py", "--issue", "1", "--quiet")
    watcher = _first_run(place)
    peak = threading.Thread(target=_measure, args=(driver, seen))
    peak.start()
    assert watcher.stdout is not None
    for raw in watcher.stdout:
        now = time.time()
        line = json.loads(raw)
        if line["type"] == "output":
            seen.delays += [now - float(said) for said in _times(line["text"])]
        elif line["type"] == "end":
            seen.attempts = line["run"]["attempts"]
    for process in (watcher, driver):
        process.communicate(timeout=60)
    peak.join()
    return seen


def _times(text: str) -> Iterator[str]:
    words = text.split()
    if len(words) == 3 and words[0] == "said":
        yield words[1]


def _start(place: programs.Place, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [programs.ORCH, *words], env=place.environ, cwd=place.root, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _first_run(place: programs.Place) -> subprocess.Popen[bytes]:
    """A watcher of the run that is just being planned."""
    asked = [programs.ORCH, "ps", "--quiet"]
    while not subprocess.check_output(asked, env=place.environ, cwd=place.root):
        time.sleep(0.02)
    return _start(place, "watch", "@", "--json")


def _measure(driver: subprocess.Popen[bytes], seen: Seen) -> None:
    """The highest resident memory of whoever drives, for as long as it does."""
    status = Path(f"/proc/{driver.pid}/status")
    while driver.poll() is None:
        try:
            lines = status.read_text(encoding="ascii").splitlines()
        except OSError:
            return
        peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        seen.peak_mib = max([seen.peak_mib, *(peak / 1024 for peak in peaks)])
        time.sleep(0.1)


# --- books


class Books:
    """A home with so many runs that are done, written by the store's own commands."""

    def __init__(self, root: Path, count: int) -> None:
        home = root / "home"
        home.mkdir(mode=0o700, parents=True)
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(root), "ORCH_HOME": str(home),
            "LANG": "C.UTF-8",
        }  # fmt: skip
        self.root = root
        store = SqliteStore(home / "orch.db", now=time.time, install="bench")
        store.send(cmd.RegisterRepo(_repo(root)), PERSON)
        store.send(cmd.TakeEngine(Owner(1, 1, "bench")), ENGINE)
        for first in range(0, count, 50):
            batch = [
                asked for number in range(first, min(first + 50, count))
                for asked in _one_run(number)
            ]  # fmt: skip
            refused = [a for a in store.send_all(batch) if isinstance(a, OrchError)]
            assert not refused, refused[0]
        store.close()

    def seconds(self, *words: str) -> float:
        return programs.wall_seconds([programs.ORCH, *words], self.environ, self.root)


def _repo(root: Path) -> Repo:
    place = str(root)
    return Repo(
        slug="thing", local_path=place, common_dir=place, pinned_dir=place, workspace_dir=place,
        default_branch="main",
    )  # fmt: skip


def _one_run(number: int) -> Iterator[tuple[cmd.Command, Actor]]:
    """A run of ten steps, one of them an agent's, that is done."""
    run = f"{number:012x}"
    text = "def workflow(): ..."
    source = Source("flow", "flow.py", text, hashlib.sha256(text.encode()).hexdigest())
    issue = Ticket(id=f"ISSUE-{number:03}", title=f"Do the thing number {number}", body="Please.")
    yield cmd.CreateRun(
        id=run, workflow="basic_pr", entry="flow:workflow", repo="thing", title=issue.title,
        params={}, sources=(source,), issue=issue,
    ), PERSON  # fmt: skip
    yield cmd.TakeRun(run, Owner(1, 1, "bench")), ENGINE
    tree = Worktree(
        repo="thing", name=run, branch=f"orch/{run}", path=f"/trees/{run}", base_branch="main",
        base_commit="0" * 40,
    )  # fmt: skip
    attempt = Attempt(
        id=run, run=run, path="0", n=1, role="work", agent="one", status="starting",
        terminal=f"orch-{run}", directory=f"/attempts/{run}", branch=tree.branch,
    )  # fmt: skip
    effects = [RunAgent(env=tree, prompt="work"), *(Log(f"step {n}") for n in range(1, STEPS))]
    plans = tuple(
        cmd.Plan(str(n), kind_of(e), encode_effect(e), attempt=None if n else attempt)
        for n, e in enumerate(effects)
    )
    yield cmd.Advance(run=run, epoch=1, planned=plans), ENGINE
    end = cmd.AttemptEnd(id=run, status="succeeded", exit_code=0)
    settled = tuple(
        cmd.Settle(str(n), Outcome(), end=None if n else end) for n in range(len(effects))
    )
    yield cmd.Advance(run=run, epoch=1, settled=settled, finish=cmd.Finish("done")), ENGINE
