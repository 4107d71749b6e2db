"""One trial of the service: a queue of tasks, and something is killed every few moments, whoever it
is: the service, an agent, a wrapper, the tmux server. Then everything is left in peace, and audited.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from orch.api.tasks import Tasks
from orch.compose import open_orch
from orch.terminals.process import identity, wait
from tests.acceptance import forking
from tests.chaos import auditor
from tests.chaos.scenario import Scenario, make

VICTIMS = ("service", "agent", "service", "tmux", "wrapper")
RULES = """
[service]
max_parallel = 6
[retry]
base_s = 0.05
max_s = 0.2
max_attempts = 100
[run]
lost_attempts = 100
stop_grace_s = 0.5
"""
CALM = ("done", "in_review", "needs_review", "cancelled")


class Service:
    """`orch serve` of one world, killed and started again."""

    def __init__(self, world: Scenario) -> None:
        self.world = world
        self.process: forking.Started | None = None

    def start(self) -> None:
        self.process = self.world.start("serve", "--json")
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "{" not in line:
            raise AssertionError(f"the service did not start: {self.process.communicate()[1]}")

    def kill(self) -> None:
        """`kill -9`, then the next one."""
        self.end(signal.SIGKILL)
        self.start()

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


def play(folder: Path, *, kills: int, tasks: int, seed: int, limit_s: float = 600.0) -> list[str]:
    """Everything that is wrong after a queue of `tasks` was worked off under `kills` kills."""
    rng = random.Random(seed)
    world = make(folder, seconds=0.15)
    config = world.home / "config.toml"
    config.write_text(config.read_text("utf-8") + RULES, "utf-8")
    numbers = _ask(world, tasks, rng)
    service = Service(world)
    service.start()
    wrong: list[str] = []
    try:
        for number in range(kills):
            time.sleep(rng.random() * 0.6)
            if number == kills // 2:
                numbers += _ask(world, 3, rng)
            _strike(VICTIMS[number % len(VICTIMS)], world, service, rng)
        _rest(world, limit_s)
        if service.end(signal.SIGTERM):
            wrong.append(f"the service ended with {service.process and service.process.returncode}")
    finally:
        if service.process is not None and service.process.poll() is None:
            service.end(signal.SIGKILL)
    return [*wrong, *complaints(world, numbers)]


def _ask(world: Scenario, count: int, rng: random.Random) -> list[int]:
    """Tasks of several kinds, the first one with two parts; what was acknowledged."""
    with closing(open_orch(world.environ(), world.root, person="pat")) as orch:
        queue, numbers = Tasks(orch), []
        for n in range(count):
            made = queue.add(
                f"Thing {n}", repo="" if n % 5 == 4 else "thing", agent=rng.choice(["one", "two"]),
                parent=numbers[0] if n in (1, 2) and count > 3 else 0,
            )  # fmt: skip
            assert made is not None
            numbers.append(made.id)
    return numbers


def _strike(victim: str, world: Scenario, service: Service, rng: random.Random) -> None:
    if victim == "service":
        service.kill()
    elif victim == "tmux":
        world.kill_tmux()
    else:
        found = [
            pid for pid, command in _ours(world) if (b"wrapper" in command) == (victim != "agent")
        ]
        if found:
            pid = rng.choice(found)
            began = identity(pid).started
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return  # it was quicker
            wait({pid: began}, 5)


def _ours(world: Scenario) -> Iterator[tuple[int, bytes]]:
    """Agents and wrappers of this world's attempts, as the kernel has them."""
    mark = f"ORCH_HOME={world.home}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environ = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        wrapper = b"wrapper.py" in command and os.fsencode(world.home) in command
        agent = mark in environ.split(b"\0") and b"ORCH_ATTEMPT=" in environ
        if (wrapper or agent) and b"tmux" not in command.split(b"\0")[0]:
            yield int(entry.name), command


def _rest(world: Scenario, limit_s: float) -> None:
    """Until every task waits for a person or has ended, or until the time is up (the audit tells)."""
    deadline = time.monotonic() + limit_s
    with closing(open_orch(world.environ(), world.root, person="pat")) as orch:
        while time.monotonic() < deadline:
            for task in orch.store.tasks(limit=10_000):
                if task.parent and task.state == "in_review":
                    Tasks(orch).close(task, done=True)  # its parent waits for that
            if all(task.state in CALM for task in orch.store.tasks(limit=10_000)):
                return
            time.sleep(0.2)


def complaints(world: Scenario, numbers: list[int]) -> list[str]:
    """0 lost, 0 twice, 0 left over."""
    listed = json.loads(world.orch("task", "list", "--global", "--json", "--limit", "9999").stdout)
    tasks = {task["id"]: task for task in listed}
    found = [f"task {number} is lost" for number in numbers if number not in tasks]
    found += [f"task {number} is nobody's" for number in tasks.keys() - set(numbers)]
    for task in tasks.values():
        if task["status"] not in CALM:
            found.append(f"task {task['id']} rests as {task['status']}: {task['reason']}")
        elif task["status"] == "needs_review" and not task["reason"]:
            found.append(f"task {task['id']} needs a person and does not say why")
    return [*found, *_once(world, listed), *_books(world), *auditor._left_over(world)]


def _once(world: Scenario, tasks: list[dict[str, Any]]) -> Iterator[str]:
    """Each attempt ran at most once; one pull request and one branch a task, one commit a key."""
    text = world.ledger.read_text("utf-8") if world.ledger.exists() else ""
    ran = Counter(line.split()[0] for line in text.splitlines())
    pulls = json.loads(world.orch("pr", "list", "--json").stdout)
    heads = Counter(pull["head"] for pull in pulls)
    keys = Counter(
        re.findall(r"^\s*Orch-Key: (\S+)$", world.git("log", "--no-merges", "--branches"), re.M)
    )
    for what, counted in (("attempt", ran), ("pull request of", heads), ("commit of", keys)):
        yield from (f"{what} {name}: {count} times" for name, count in counted.items() if count > 1)
    reviewed = {
        task["id"] for task in tasks
        if task["repo"] and task["status"] in ("in_review", "done")
    }  # fmt: skip
    subjects = Counter(int(found.group(1)) for pull in pulls
                       if (found := re.search(r"/task-(\d+)-", pull["head"])))  # fmt: skip
    if set(subjects) != reviewed or any(count > 1 for count in subjects.values()):
        yield f"pull requests of tasks {dict(subjects)}, in review {sorted(reviewed)}"


def _books(world: Scenario) -> Iterator[str]:
    with closing(open_orch(world.environ(), world.root, person="pat")) as orch:
        for attempt in orch.store.live_attempts():
            yield f"attempt {attempt.id} is {attempt.status} at the end"
        for run in orch.store.live_runs():
            if run.status != "blocked":
                yield f"run {run.id} is {run.status} at the end"
        yield from (f"the books: {text}" for text in orch.store.quick_check())
