"""A universe for the engine: doubles that outlive it, crashes, lost answers, and an auditor.

Invariant: everything random comes from one seed. A crash is what `kill -9` is: nothing of the engine
runs after it, and what was done stays done. The doubles keep what git, tmux, the forge and the disk
would keep.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orch.api.planning import program_of
from orch.engine.engine import Engine
from orch.engine.journal import DirectJournal
from orch.engine.world import Limits, World
from orch.forges.memory import MemoryForge
from orch.git.memory import MemoryGit
from orch.model.attempt import Launch, Verdict
from orch.model.command import (
    AnswerGate,
    CreateRun,
    RegisterRepo,
    RequestStop,
    StopAttempts,
    TakeRun,
)
from orch.model.effect import GateAnswer
from orch.model.errors import ToolFailed
from orch.model.event import Actor
from orch.model.repo import Repo
from orch.model.run import TERMINAL, Owner, Source
from orch.model.ticket import Ticket
from orch.store.memory import MemoryStore
from orch.terminals.memory import MemoryTerminals, Script
from orch.trackers.memory import MemoryTracker
from orch.workflow.sources import collect
from tests.sim.flows import FLOWS
from tests.sim.virtual import SeededIds, VirtualClock, VirtualLoop

PERSON = Actor("person", "sim")


class Crash(BaseException):
    """kill -9."""


def _quiet_about_crashes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Whoever was in the middle of something when the crash came has nobody to tell."""
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


class Faults:
    """Failpoints that crash, and port calls that lose their answer. Once crashed, always crashed."""

    def __init__(self, rng: random.Random, crash: float, end: Callable[[], None]) -> None:
        self._rng = rng
        self._crash = crash
        self._end = end
        self.crashed = False

    def hit(self, name: str) -> None:
        if self.crashed or self._rng.random() < self._crash:
            self.crashed = True
            self._end()
            raise Crash(name)


class Flaky:
    """A port whose acts sometimes answer nothing: before they act, or after."""

    def __init__(self, port: Any, names: set[str], rng: random.Random, rate: float) -> None:
        self._port = port
        self._names = names
        self._rng = rng
        self._rate = rate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in self._names:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._rng.random() < self._rate:
                raise ToolFailed("no route to host", code="network")
            result = method(*args, **kwargs)
            if self._rng.random() < self._rate:
                raise ToolFailed("the answer was lost", code="network")
            return result

        return call


class TextAgent:
    """Says back what it was asked, and which attempt it was."""

    name, reply, io, timeout_s, idle_s = "text", "text", "pipes", 0.0, 0.0
    resumes, thread_usage, asks, took = False, False, False, None

    def launch(self, request: Any, environ: Mapping[str, str]) -> Launch:
        argv = ("agent", request.prompt, request.worktree.path)
        return Launch(argv=argv, cwd=request.worktree.path, env={}, stdin=request.prompt)

    def judge(self, reply: str, facts: Any, schema: Any = None) -> Verdict:
        if facts.exit.exit_code != 0:
            return Verdict(ok=False, code="exit_nonzero", message="failed", retry=False)
        return Verdict(ok=True, value=facts.stdout.decode())

    def probe(self, environ: Mapping[str, str]) -> str:
        return ""

    def session(self, stdout: bytes) -> str:
        return ""


class OneAgent:
    def choose(self, asked: str | None, run: str, repo: str) -> str:
        return "text"

    def get(self, name: str) -> TextAgent:
        return TextAgent()

    def names(self) -> list[str]:
        return ["text"]

    def took(self, name: str) -> None:
        """Nobody shows it."""

    def startable(self, repo: str) -> list[str]:
        return ["text"]

    def refresh(self) -> None:
        """Nothing changes."""


class Universe:
    """One seed's world. `flow` names the workflow that is played."""

    def __init__(self, seed: int, flow: str) -> None:
        self.rng = random.Random(seed)
        self.flow = flow
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(_quiet_about_crashes)
        self.clock = VirtualClock(self.loop)
        self.ids = SeededIds(self.rng)
        self.store = MemoryStore(now=self.clock.now, install=f"sim-{seed}")
        self.git = MemoryGit()
        self.forge = MemoryForge(self.clock, self.git)
        self.tracker = MemoryTracker()
        self.terminals = MemoryTerminals(self._program, self.loop.call_later, self.clock.now)
        self.crash_rate = self.rng.choice([0.0, 0.005, 0.02, 0.05])
        self.flaky_rate = self.rng.choice([0.0, 0.0, 0.03, 0.1])
        self.lost_rate = self.rng.choice([0.0, 0.0, 0.0, 0.1])
        self.boots = 0
        self.crashes = 0
        self.repo = self._repo()
        self.done_prompts: dict[str, int] = {}

    def _repo(self) -> Repo:
        repo = Repo(
            slug="thing", local_path="/thing", common_dir="/thing/.git", pinned_dir="/pin",
            workspace_dir="/trees", default_branch="main", remote_name="origin",
            remote_url="/remote",
        )  # fmt: skip
        self.git.world.make_repository("/thing", remote_url="/remote")
        self.git.pin(repo.common_dir, repo.pinned_dir)
        self.store.send(RegisterRepo(repo), PERSON)
        return repo

    def _program(self, attempt: str, launch: Launch) -> Script:
        """What the programs of the flows do: an answer that names what was asked."""
        word = launch.argv[1]
        seconds = self.rng.choice([0.0, 0.01, 0.5, 3.0])
        if word == "slow":
            seconds = 5000.0
        if word.startswith("fail"):
            return Script(seconds=seconds, exit_code=1, stdout=b"no")
        lost = self.rng.random() < self.lost_rate and self.rng.random() < 0.5

        def effect() -> None:
            self.done_prompts[attempt] = self.done_prompts.get(attempt, 0) + 1
            trees = self.git.world.repositories[self.repo.common_dir].trees
            if launch.cwd in trees:
                name = f"{word.replace(' ', '-')}.txt"
                trees[launch.cwd].files[name] = f"{word} by {attempt}\n"

        return Script(
            seconds=seconds, stdout=f"answer to {word}".encode(), effect=effect, lost=lost
        )

    # --- playing

    def create_run(self) -> str:
        text = FLOWS[self.flow]
        digest = hashlib.sha256(text.encode()).hexdigest()
        entry = Source("flow", "flow.py", text, digest)
        sources = collect(entry, None)
        run = self.ids.run_id()
        issue = Ticket(id="ISSUE-001", title="Make it so", body="please")
        command = CreateRun(
            id=run, workflow=self.flow, entry="flow:workflow", repo="thing", title="t", params={},
            sources=tuple(sources.values()), issue=issue,
        )  # fmt: skip
        self.store.send(command, PERSON)
        return run

    def play(self, runs: list[str]) -> None:
        """Boot engines until every run has ended; each may crash. Gates are answered, blocked runs
        resumed, as a patient person would."""
        asyncio.set_event_loop(self.loop)
        try:
            for _ in range(400):
                live = [run for run in self.store.live_runs() if run.id in runs]
                if not live:
                    return
                self._resume(runs)
                self._boot(runs)
            raise AssertionError("the runs did not come to an end in 400 lives of the engine")
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def _resume(self, runs: list[str]) -> None:
        for step in self.store.open_gates():
            if step.answer is None and self.rng.random() < 0.7:
                answer = GateAnswer(decision="answer", text="yes", by="sim")
                self.store.send(AnswerGate(step.run, step.path, answer), PERSON)
        for identifier in runs:
            run = self.store.run(identifier)
            assert run is not None
            if run.status == "blocked":
                self.store.send(TakeRun(run.id, self._me(), resume=True), PERSON)

    def _me(self) -> Owner:
        return Owner(self.boots, self.boots, "sim")

    def _boot(self, runs: list[str]) -> None:
        """One life of an engine: until the runs settle, or until it crashes."""
        self.boots += 1
        # Late lives are calm, so that every seed comes to an end.
        calm = self.boots > 60
        faults = Faults(self.rng, 0.0 if calm else self.crash_rate, self.loop.stop)
        engine = Engine(self._world(faults, calm), self._me(), program_of)
        task = self.loop.create_task(engine.run(runs))
        task.add_done_callback(self._stop_loop)
        self.loop.run_forever()
        task.remove_done_callback(self._stop_loop)
        self.crashes += faults.crashed
        error = None if faults.crashed or not task.done() else task.exception()
        faults.crashed = True
        self._end_life()
        if error is not None:
            raise error

    def _stop_loop(self, task: asyncio.Task[None]) -> None:
        self.loop.stop()

    def _end_life(self) -> None:
        """Nothing of the engine runs on; the terminals' own timers do."""
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            gathered = asyncio.gather(*left, return_exceptions=True)
            self.loop.run_until_complete(gathered)

    def _world(self, faults: Faults, calm: bool) -> World:
        rate = 0.0 if calm else self.flaky_rate
        git = Flaky(self.git, {"push", "resolve_base"}, self.rng, rate)
        forge = Flaky(self.forge, {"open_pr"}, self.rng, rate)
        me = self._me()

        async def offload(call: Callable[[], Any]) -> Any:
            await asyncio.sleep(self.rng.random() * 0.05)
            result = call()
            await asyncio.sleep(self.rng.random() * 0.05)
            if faults.crashed:
                raise Crash("after the end")
            return result

        async def advance(call: Callable[[], Any]) -> Any:
            await asyncio.sleep(self.rng.random() * 0.001)
            return call()

        return World(
            home=Path("/home/sim"), store=self.store, journal=DirectJournal(self.store, faults),
            git=git, terminals=self.terminals, forge=forge, tracker=self.tracker,
            agents=OneAgent(), clock=self.clock, ids=self.ids, failpoints=faults, environ={},
            command_environ={}, alive=lambda owner: owner == me, offload=offload,
            advance=advance, dependencies=lambda slug, path: None,
            limits=Limits(advance_deadline_s=1000.0, cancel_deadline_s=30.0),
            lost_attempts=lambda slug: 1000,
        )  # fmt: skip

    def commit_keys(self) -> list[str]:
        """The `Orch-Key` of every commit that a branch reaches, once for each commit. A merge step
        makes one commit for each branch it brings in: those share their key."""
        world = self.git.world
        refs = world.repositories[self.repo.common_dir].refs
        reached = {commit for tip in refs.values() for commit in world.history(tip)}
        single = [world.commits[name] for name in reached if len(world.commits[name].parents) < 2]
        lines = [line for commit in single for line in commit.message.splitlines()]
        return [line.split()[1] for line in lines if line.startswith("Orch-Key: ")]

    def stop(self, run: str, *, abort: bool) -> None:
        known = self.store.run(run)
        if known is not None and known.status not in TERMINAL:
            self.store.send(RequestStop(run, abort), PERSON)

    def stop_agents(self, run: str, names: set[str]) -> None:
        """A person wants these agents to end, whoever drives."""
        live = [a for a in self.store.attempts(run) if a.status in ("starting", "running")]
        ids = tuple(a.id for a in live if a.name in names)
        if ids:
            self.store.send(StopAttempts(run, ids), PERSON)
