"""A move: outcomes go into the workflow, and out comes all that has to be written next.

Invariant: runs the workflow's own code and nothing else; acts on nothing and writes nothing, so a
move that is lost is simply made again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from orch.engine import pure_steps
from orch.engine.step_context import Done
from orch.engine.world import World
from orch.model.command import Plan, Settle
from orch.model.effect import AddWorktree
from orch.model.ids import short
from orch.model.naming import run_worktree
from orch.model.run import Run
from orch.model.step import Outcome, Step
from orch.workflow.driver import Driver, Progress, Request
from orch.workflow.replay import replay
from orch.workflow.sources import COMPOSITES, Modules

MOST_PURE = 200


class Move(msgspec.Struct):
    """`settled` in the order of delivery; `planned` by path; `starts` are to be carried out;
    `interrupt` are wanted no more; `finished` when the workflow has returned; `more` when pure
    effects are left for another move."""

    settled: list[Settle] = []
    planned: dict[str, Plan] = {}
    starts: list[Request] = []
    interrupt: list[str] = []
    finished: Progress | None = None
    more: bool = False
    cancel: bool = False


class Moves:
    """Makes the moves of one run, one after another, on the thread of the workflow's code."""

    def __init__(self, world: World, run: Run) -> None:
        self._world = world
        self._run = run
        self._driver: Driver | None = None
        self._names: dict[str, str] = {}
        self._pure: list[Request] = []

    def arrive(self, program: Any, modules: Modules, steps: list[Step]) -> Move:
        """Replay to where the journal stands. Raises `NonDeterminism`."""
        expand = modules.load(COMPOSITES).EXPAND
        driver = Driver(program, lambda effect: expand[type(effect)](effect))
        self._driver = driver
        arrived = replay(driver, steps, self._run.cancel_seq)
        move = Move(interrupt=arrived.interrupted)
        for request in arrived.requests.values():
            self._fix_name(request)
        fresh = {request.path for request in arrived.unknown}
        for request in arrived.requests.values():
            if request.path in fresh:
                self._plan(move, request)
        for request in arrived.open:
            if request.path not in fresh:
                self._sort(move, request)
        undecided = {step.path for step in steps if step.outcome is None} | fresh
        for path, outcome in arrived.closed.items():
            if path in undecided and isinstance(outcome, Outcome):
                move.settled.append(Settle(path, outcome, plan=move.planned.pop(path, None)))
        if arrived.progress.finished:
            move.finished = arrived.progress
        self._settle_pure(move)
        return move

    def deliver(self, outcomes: list[tuple[str, Done]], *, cancel: bool = False) -> Move:
        """Give the workflow `outcomes` in this order; with `cancel` tell it to end after them."""
        move = Move(cancel=cancel)
        for path, done in outcomes:
            move.settled.append(Settle(path, done.outcome, done.facts, done.end))
            self._take(move, self._live.settle(path, done.outcome))
        self._settle_pure(move)
        if cancel:
            self._take(move, self._live.cancel())
        return move

    def close(self) -> None:
        """The run is driven no further here."""
        if self._driver is not None:
            self._driver.close()

    def name_of(self, path: str) -> str:
        """The name of the worktree that the step at `path` makes, empty for other steps."""
        return self._names.get(path, "")

    @property
    def _live(self) -> Driver:
        assert self._driver is not None, "arrive comes first"
        return self._driver

    def _take(self, move: Move, progress: Progress) -> None:
        for request in progress.requests:
            self._fix_name(request)
            self._plan(move, request)
        for path, outcome in progress.closed:
            move.settled.append(Settle(path, outcome, plan=move.planned.pop(path, None)))
        move.interrupt.extend(progress.interrupt)
        if progress.finished:
            move.finished = progress

    def _plan(self, move: Move, request: Request) -> None:
        move.planned[request.path] = Plan(request.path, request.kind, request.raw)
        self._sort(move, request)

    def _sort(self, move: Move, request: Request) -> None:
        cls = type(request.effect)
        if cls.pure:
            self._pure.append(request)
        elif not cls.composite:
            move.starts.append(request)

    def _settle_pure(self, move: Move) -> None:
        count = 0
        while self._pure and count < MOST_PURE:
            request = self._pure.pop(0)
            outcome, facts = pure_steps.carry_out(self._world, request.effect)
            plan = move.planned.pop(request.path, None)
            move.settled.append(Settle(request.path, outcome, facts, plan=plan))
            self._take(move, self._live.settle(request.path, outcome))
            count += 1
        move.more = bool(self._pure)

    def _fix_name(self, request: Request) -> None:
        """The n-th worktree with the same words gets `-n`, in the order in which the workflow
        asked, which a replay repeats."""
        effect = request.effect
        if not isinstance(effect, AddWorktree) or request.path in self._names:
            return
        issue = effect.issue or self._run.issue
        subject = issue.id if issue else f"task-{self._run.task}"
        title = effect.name or (issue.title if issue else self._run.workflow)
        suffix, tail, count = effect.suffix or "", short(self._run.id), 1
        taken = set(self._names.values())
        name = run_worktree(subject, title, suffix, tail)
        while name in taken:
            count += 1
            name = run_worktree(subject, title, suffix, tail, count)
        self._names[request.path] = name
