"""A universe for the queue: the service's engine, dispatcher, places, policy and router on doubles,
with agents that fail at random, persons who retry and close at random, and services that die.

Invariant: as in `tests.sim.universe`: everything random comes from one seed, and what was done stays
done when a service dies. Persons act as other processes do: they write, and the service hears of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from orch.api import Orch
from orch.api.planning import program_of
from orch.api.tasks import Tasks
from orch.config import Config, load
from orch.config.service_tree import BudgetLimits
from orch.config.tree import AgentConfig, RetryPolicy, RouterConfig, RunLimits, Service
from orch.engine.dispatcher import Dispatcher, Loop
from orch.engine.engine import Engine
from orch.engine.slots import Places
from orch.engine.spending import Spending
from orch.engine.world import Agents, World
from orch.model.attempt import Launch, Verdict
from orch.model.command import RegisterRepo
from orch.model.errors import NotFound, OrchError
from orch.model.event import Actor
from orch.model.price import tokens_of
from orch.model.repo import Repo
from orch.model.run import Owner
from orch.model.task import CLOSED, Task
from orch.terminals.memory import Script
from tests.sim.universe import PERSON, Faults, TextAgent, Universe

REPOS = ("left", "middle", "right")
NAMES = ("able", "baker", "clever")
CODES = {
    1: "exit_nonzero", 2: "rate_limit", 3: "reported_needs_review", 4: "no_change", 5: "auth",
}  # fmt: skip
CALL = 1000
"""Tokens that a call uses."""
REST = frozenset({*CLOSED, "in_review", "needs_review"})


class Moody(TextAgent):
    """Ends as its exit code says."""

    def __init__(self, name: str) -> None:
        self.name = name

    def judge(self, reply: str, facts: Any, schema: Any = None) -> Verdict:
        code = facts.exit.exit_code
        used = {"input_tokens": CALL - 10, "output_tokens": 10}
        told = facts.stdout.decode()
        if not code:
            return Verdict(ok=True, value=told, usage=used)
        failed = CODES.get(code, "killed")
        return Verdict(ok=False, code=failed, message=told, retry=code < 3, usage=used)


class ThreeAgents:
    def choose(self, asked: str | None, run: str, repo: str) -> str:
        return asked or run or NAMES[0]

    def get(self, name: str) -> Moody:
        return Moody(name)

    def took(self, name: str) -> None:
        """Nobody shows it."""

    def startable(self, repo: str) -> list[str]:
        return list(NAMES)

    def refresh(self) -> None:
        """Nothing changes."""


@dataclasses.dataclass
class Rooms:
    """`orch.api.rooms.Rooms`, as far as tasks need them: those of a person at the command line."""

    universe: QueueUniverse
    path: Path = Path("/home/sim")
    cwd: Path = Path("/home/sim")
    person: Actor = PERSON
    me: Owner = dataclasses.field(default_factory=lambda: Owner(99_999, 99_999, "a person"))

    def __getattr__(self, name: str) -> Any:
        if name in ("store", "git", "terminals", "tracker", "forge", "clock", "ids"):
            return getattr(self.universe, name)
        raise AttributeError(name)

    def config(self, repo: Repo | None) -> Config:
        config = self.universe.config
        limit = self.universe.of_repo.get(repo.slug, 0) if repo is not None else 0
        return replace(config, defaults=replace(config.defaults, max_parallel=limit))

    def choose_agent(self, asked: str | None, run: str, repo: Repo | None) -> str:
        if asked and asked not in NAMES:
            raise NotFound(f"there is no agent {asked}", code="unknown_agent")
        return asked or NAMES[0]

    def engine_pid(self) -> int:
        return 1


class QueueUniverse(Universe):
    """One seed's world. `wrong` collects what was seen to be wrong while it happened."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, "chain")
        self.mood = self.rng.choice([0.0, 0.2, 0.5, 0.9])
        self.total = self.rng.choice([1, 2, 4])
        self.of_repo = {"left": self.rng.choice([0, 1, 2])}
        self.persons = self.rng.choice([0, 0, 5, 25])
        self.raised = 0
        self.clock_is_put = self.rng.random() < 0.3
        self.wrong: list[str] = []
        self.config = self._config()
        self.orch = Orch(Rooms(self))  # type: ignore[arg-type]
        self.tasks = Tasks(self.orch)
        self.acknowledged: list[int] = []
        self._engine: Engine | None = None
        self._heard = asyncio.Event()
        for name in REPOS:
            self._add_repo(name)

    def _config(self) -> Config:
        plain = load(Path("/nonexistent"), None, {}, {})
        return replace(
            plain,
            service=Service(max_parallel=self.total),
            retry=RetryPolicy(base_s=5.0, max_s=60.0, max_attempts=self.rng.choice([1, 3, 5])),
            router=RouterConfig(mode=self.rng.choice(["default", "round_robin", "weighted"])),
            run=RunLimits(lost_attempts=3),
            budget=self._budget(),
            agents={name: AgentConfig(command=("agent",)) for name in NAMES},
        )

    def _budget(self) -> dict[str, BudgetLimits]:
        if self.rng.random() < 0.6:
            return {}
        scope = self.rng.choice(["run", "task", "agent", "repo", "day"])
        return {scope: BudgetLimits(tokens=self.rng.choice([1, CALL, 2500, 8 * CALL]))}

    def _add_repo(self, name: str) -> None:
        place = f"/{name}"
        repo = Repo(
            slug=name, local_path=place, common_dir=f"{place}/.git", pinned_dir=f"/pin-{name}",
            workspace_dir=f"/trees-{name}", default_branch="main", remote_name="origin",
            remote_url=f"/remote-{name}",
        )  # fmt: skip
        self.git.world.make_repository(place, remote_url=repo.remote_url)
        self.git.pin(repo.common_dir, repo.pinned_dir)
        self.store.send(RegisterRepo(repo), PERSON)

    # --- what persons do

    def ask(self, **more: Any) -> int:
        """Somebody asks for something; the number that was acknowledged."""
        rng = self.rng
        wanted: dict[str, Any] = {
            "repo": rng.choice([*REPOS, *REPOS, ""]), "priority": rng.choice([0, 0, 0, 5]),
            "agent": rng.choice(["", "", *NAMES]),
            "labels": rng.choice([(), (), ("agent:baker",), ("docs",)]), **more,
        }  # fmt: skip
        made = self.tasks.add(f"Do thing {len(self.acknowledged) + 1}", **wanted)
        assert made is not None
        self.acknowledged.append(made.id)
        self._heard.set()
        return made.id

    def fill(self) -> None:
        """A queue to begin with: tasks, and one with parts."""
        for _ in range(self.rng.randint(2, 9)):
            self.ask()
        whole = self.ask(repo="right")
        for _ in range(self.rng.randint(0, 3)):
            self.ask(parent=whole)

    def person_acts(self) -> None:
        """One wish of a person, refused or not."""
        rng = self.rng
        number = rng.choice(self.acknowledged)
        try:
            task = self.tasks.get(number)
            match rng.randrange(6):
                case 0 | 1:
                    self.tasks.retry(task)
                case 2:
                    self.tasks.close(task, done=rng.random() < 0.5)
                case 3:
                    self.ask(parent=number)
                case 4:
                    self.tasks.unblock(task)
                case _:
                    self.ask()
        except OrchError as refused:
            if not refused.code:
                self.wrong.append(f"a refusal without a code: {refused.message}")
        self._heard.set()

    # --- what programs do

    def _program(self, attempt: str, launch: Launch) -> Script:
        self._watch_start(attempt)
        seconds = self.rng.choice([0.0, 0.5, 3.0, 30.0])
        if self.rng.random() < self.mood:
            code = self.rng.choice([1, 1, 2, 2, 3, 4, 5, 137])
            words = self.rng.choice(["no", "bad luck", "the cup is empty", f"odd {seconds}"])
            return Script(seconds=seconds, exit_code=code, stdout=words.encode())
        lost = self.rng.random() < self.lost_rate and self.rng.random() < 0.5

        def effect() -> None:
            self.done_prompts[attempt] = self.done_prompts.get(attempt, 0) + 1
            for repository in self.git.world.repositories.values():
                if launch.cwd in repository.trees:
                    repository.trees[launch.cwd].files["work.txt"] = f"work by {attempt}\n"

        return Script(seconds=seconds, stdout=b"did it", effect=effect, lost=lost)

    def _watch_start(self, attempt: str) -> None:
        """A program begins: is there a place for it, and is it the only one of its task?"""
        owner = self._task_of(attempt)
        live = [self._task_of(name.removeprefix("orch-")) for name in self.terminals.names()]
        if len(live) + 1 > self.total:
            self.wrong.append(f"{len(live) + 1} programs at work, {self.total} places")
        limit = self.of_repo.get(owner.repo, 0)
        beside = sum(task.repo == owner.repo for task in live) + 1
        if limit and beside > limit:
            self.wrong.append(f"{beside} programs at work in {owner.repo}, {limit} places")
        if owner.id in {task.id for task in live}:
            self.wrong.append(f"two programs of task {owner.id} at once")
        if owner.state in CLOSED:
            self.wrong.append(f"a program of task {owner.id} begins, which is {owner.state}")
        self._watch_budget(attempt)

    def _watch_budget(self, attempt: str) -> None:
        """Whatever is at work already, taken for a whole call, leaves something of every limit: none
        is overshot by more than this one call."""
        begun = self.store.attempt(attempt)
        run = self.store.run(begun.run) if begun is not None else None
        assert begun is not None
        assert run is not None
        at_work = {name.removeprefix("orch-") for name in self.terminals.names()}
        used: Counter[str] = Counter()
        for other in self.store.runs():
            for one in self.store.attempts(other.id):
                tokens = CALL if one.id in at_work else tokens_of(one.usage).total or 0
                used["day"] += tokens
                used["agent"] += tokens * (one.agent == begun.agent)
                used["repo"] += tokens * (other.repo == run.repo)
                used["task"] += tokens * (other.task == run.task)
                used["run"] += tokens * (other.id == run.id)
        for scope, limits in self.config.budget.items():
            if self.clock_is_put and scope in ("day", "agent", "repo"):
                continue  # another day, another budget
            if used[scope] >= limits.tokens:
                self.wrong.append(f"a call begins at {used[scope]} of {limits.tokens} ({scope})")

    def _task_of(self, attempt: str) -> Task:
        known = self.store.attempt(attempt)
        run = self.store.run(known.run) if known is not None else None
        task = self.store.task(run.task) if run is not None else None
        assert task is not None, f"{attempt} belongs to no task"
        return task

    # --- playing

    def play_queue(self) -> None:
        """Lives of the service until everything is at rest and persons have seen to the rest."""
        asyncio.set_event_loop(self.loop)
        try:
            for life in range(200):
                if life and self._settled():
                    return
                self._live(calm=life > 40)
            raise AssertionError(f"no rest in 200 lives of the service: {self.open_tasks()}")
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def open_tasks(self) -> list[tuple[int, str, str]]:
        return [(t.id, t.state, t.reason) for t in self.store.tasks() if t.state not in CLOSED]

    def _settled(self) -> bool:
        return not self.persons and all(task.state in REST for task in self.store.tasks())

    def _live(self, *, calm: bool) -> None:
        """One life: until a crash, until it is asked to leave, or until all is at rest."""
        self.boots += 1
        faults = Faults(self.rng, 0.0 if calm else self.crash_rate / 4, self.loop.stop)
        leave, self._heard = asyncio.Event(), asyncio.Event()
        places = Places(self.tasks.slots)
        spending = Spending(self.store, lambda slug: self.config)
        world = dataclasses.replace(
            self._world(faults, calm), places=places, agents=self._agents(),
            config=lambda slug: self.config, lost_attempts=lambda slug: 3,
            may_spend=spending.may_spend, overspent=spending.overspent,
        )  # fmt: skip
        engine = Engine(world, self._me(), program_of)
        dispatcher = Dispatcher(world, self.tasks.plan_run, engine.look)
        loops = [dispatcher, *self._loops(world, engine)]
        task = self.loop.create_task(engine.serve(leave, loops, self._ear))
        task.add_done_callback(lambda _: None if faults.crashed else self.loop.stop())
        watch = self.loop.create_task(self._watch(leave, faults))
        self.loop.run_forever()
        self.crashes += faults.crashed
        error = None if faults.crashed or not task.done() else task.exception()
        faults.crashed = True
        faults._end = lambda: None  # whoever meets it now is being buried already
        watch.cancel()
        self._end_life()
        if error is not None:
            raise error

    def _agents(self) -> Agents:
        return ThreeAgents()

    def _loops(self, world: World, engine: Engine) -> list[Loop]:
        """What the service has besides the dispatcher."""
        return []

    async def _ear(self) -> None:
        await self._heard.wait()
        self._heard.clear()

    async def _watch(self, leave: asyncio.Event, faults: Faults) -> None:
        """Persons come by; somebody stops the service now and then, or when all is at rest."""
        leaving = self.rng.random() < 0.2
        while not leave.is_set() and not faults.crashed:
            await asyncio.sleep(self.rng.random() * 40)
            if faults.crashed:
                return
            if self.clock_is_put and self.rng.random() < 0.2:
                self.clock.put += self.rng.choice([-86_400, -3600, -90, 90, 3600, 86_400])
            if self.persons:
                self.persons -= 1
                self.person_acts()
            elif self._settled() or (leaving and self.rng.random() < 0.2):
                leave.set()
            else:
                self._close_parts()
                self._raise_limits()

    def _raise_limits(self) -> None:
        """What a used-up budget holds up goes on when somebody gives more."""
        if any("budget" in task.hint for task in self.store.tasks() if task.state == "blocked"):
            more = {
                scope: replace(limits, tokens=limits.tokens + 2 * CALL)
                for scope, limits in self.config.budget.items()
            }
            self.config = replace(self.config, budget=more)
            self.raised += 1

    def _close_parts(self) -> None:
        """What waits for a person holds up its parent: one sees to it in the end."""
        for task in self.store.tasks():
            if task.parent and task.state in ("in_review", "needs_review"):
                try:
                    self.tasks.close(task, done=True)
                except OrchError as refused:
                    self.wrong.append(f"task {task.id} cannot be closed: {refused.message}")
                self._heard.set()

    def starts_by_repo(self) -> list[str]:
        """The repositories of the runs, in the order in which they began."""
        return [run.repo for run in reversed(self.store.runs())]

    def commit_keys(self) -> list[str]:
        world, found = self.git.world, []
        for slug in REPOS:
            refs = world.repositories[f"/{slug}/.git"].refs
            reached = {commit for tip in refs.values() for commit in world.history(tip)}
            lines = [line for name in reached for line in world.commits[name].message.splitlines()]
            found += [line.split()[1] for line in lines if line.startswith("Orch-Key: ")]
        return found
