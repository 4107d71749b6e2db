"""Steps in flight: started, looked for again, interrupted, landed.

Invariant: every step in flight ends with exactly one message to its runner, and none is in flight
after `land`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from orch.engine import beside, handlers, unattended
from orch.engine.agent_step import agent_fields, chosen_agent
from orch.engine.command_step import command_fields, words
from orch.engine.step_context import (
    Done,
    GivenUp,
    Interrupted,
    Mendable,
    Mode,
    PutAway,
    StepContext,
    Unknown,
)
from orch.engine.world import World
from orch.model import effect as fx
from orch.model.attempt import Attempt
from orch.model.command import EndAttempt
from orch.model.errors import Cancelled, GateRejected, OrchError, failure_of
from orch.model.ids import attempt_id
from orch.model.naming import terminal
from orch.model.repo import Repo
from orch.model.run import Run, Unresolved
from orch.model.step import Outcome
from orch.workflow.driver import Request

PROGRAMS = (fx.Route, fx.RunAgent, fx.SpawnAgent, fx.RunCommand, fx.InstallDependencies)
Post = Callable[[str, Any], None]
LONG_S = 5.0
"""Seconds of a limit for which a queued task's run gives its place up."""


class Flights:
    """The steps of one run that are being carried out, and the gates that wait. `post` gets
    (`done`, (path, Done)), (`left`, path), (`unknown`, (path, kind, why)), (`mend`, (path,
    kind, error)), (`given_up`, the same), (`away`, (path, kind, reason)) or (`fault`, error)."""

    def __init__(self, world: World, run: Run, repo: Repo, epoch: int, post: Post) -> None:
        self._world = world
        self._run = run
        self._repo = repo
        self._epoch = epoch
        self._post = post
        self._flying: dict[str, tuple[Request, StepContext, asyncio.Task[None]]] = {}
        self.gates: dict[str, Request] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}  # agents that nobody waits for

    def __bool__(self) -> bool:
        return bool(self._flying or self._ending)

    def __contains__(self, path: str) -> bool:
        return path in self._flying or path in self.gates

    def start(self, request: Request, worktree_name: str) -> None:
        """Carry a journaled step out. A gate only waits."""
        path = request.path
        if isinstance(request.effect, fx.Gate):
            self.gates[path] = request
            return
        attempts: list[Attempt] = []
        if isinstance(request.effect, PROGRAMS):
            attempts = [a for a in self._world.store.attempts(self._run.id) if a.path == path]
        ctx = StepContext(
            self._world, self._run, self._repo, self._epoch, path, worktree_name, attempts
        )
        task = asyncio.ensure_future(self._fly(request, ctx))
        self._flying[path] = (request, ctx, task)

    def interrupt(self, path: str, mode: Mode) -> None:
        """Ask a step to end; unknown paths have ended already."""
        if path in self._flying:
            self._flying[path][1].interrupt(mode)
        elif path in self.gates and mode == "cancel":
            del self.gates[path]
            self._post("done", (path, _cancelled()))

    def interrupt_all(self, mode: Mode) -> None:
        for path in list(self._flying):
            self.interrupt(path, mode)

    def end(self, attempt: Attempt) -> None:
        """A person wants it to end, for good. Asked again, it is under way."""
        for _, ctx, _ in self._flying.values():
            waiting = ctx.carrying(attempt.path)
            if waiting is not None:
                waiting.interrupt("end")
                return
        if attempt.id not in self._ending:
            self._ending[attempt.id] = asyncio.ensure_future(self._end(attempt))

    async def _end(self, attempt: Attempt) -> None:
        try:
            await beside.end_one(self._world, self._run, self._epoch, attempt)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the runner must hear of it
            self._post("fault", fault)
        del self._ending[attempt.id]
        self._post("left", attempt.path)

    def unresolved(self) -> tuple[Unresolved, ...]:
        """What is still in flight, for a run that ends all the same."""
        sentence = "its outcome was not known when the run ended"
        return tuple(
            Unresolved(path, request.kind, sentence)
            for path, (request, _, _) in self._flying.items()
        )

    async def land(self) -> None:
        """Let acts in flight finish (within the grace), leave programs to their terminals."""
        self.interrupt_all("leave")
        tasks = [*(task for _, _, task in self._flying.values()), *self._ending.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._world.limits.stop_grace_s)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def answered(self) -> list[tuple[str, Done]]:
        """The gates that a person has answered, taken off the list."""
        found = []
        for path in list(self.gates):
            step = self._world.store.step(self._run.id, path)
            if step is not None and step.answer is not None:
                del self.gates[path]
                found.append((path, _answer(step.answer)))
        return found

    def questions(self) -> str:
        effects = [request.effect for request in self.gates.values()]
        return "; ".join(e.question for e in effects if isinstance(e, fx.Gate))

    def first_attempt(self, request: Request) -> Attempt | None:
        """The attempt that is journaled together with its step, where one can be named already."""
        effect = request.effect
        try:
            if isinstance(effect, fx.SpawnAgent):
                effect = effect.to_run
            if isinstance(effect, fx.RunAgent) and self._run.unattended:
                return None  # the queue's rules decide whether, with whom and when
            if isinstance(effect, fx.RunAgent):
                agent = chosen_agent(self._world, self._run, effect.agent)
                fields = agent_fields(effect, agent.name)
            elif isinstance(effect, fx.RunCommand):
                fields = command_fields(effect.env, effect.name or words(effect.command)[0])
            else:
                return None
        except OrchError:
            return None  # the handler meets the same error and settles the step with it
        identifier = attempt_id(self._world.store.install, self._run.id, request.path, 1)
        return Attempt(
            id=identifier, run=self._run.id, path=request.path, n=1, status="starting",
            terminal=terminal(identifier), directory=self._world.attempt_directory(identifier),
            started_at=self._world.clock.now(), resumed=self._run.resumed, **fields,
        )  # fmt: skip

    async def _fly(self, request: Request, ctx: StepContext) -> None:
        path = request.path
        try:
            word, content = await self._outcome(request, ctx)
        except Interrupted as asked:
            word, content = await self._interrupted(path, asked)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the runner must hear of it
            word, content = "fault", fault
        self._flying.pop(path, None)
        self._post(word, content)

    async def _outcome(self, request: Request, ctx: StepContext) -> tuple[str, Any]:
        """Carry it out, looking again while its outcome is unknown: a few times, in a queued task's
        run until it is known, as nobody is there to resume it."""
        limits, now = self._world.limits, self._world.clock.now
        reason, due = "", 0.0
        for look in itertools.count():
            long = self._run.unattended and due - now() > LONG_S
            if look >= limits.look_attempts or long:
                if not self._run.unattended or ctx.interrupted is not None:
                    break
                await unattended.unreachable(ctx, request.kind, reason, due)
            elif look:
                pause = limits.look_base_s * 2.0 ** (look - 1)
                await self._pause(ctx, max(pause, min(due - now(), LONG_S)))
            try:
                return "done", (request.path, await handlers.carry_out(ctx, request.effect))
            except Unknown as unknown:
                reason, due = str(unknown), unknown.due
            except GivenUp as spent:
                return "given_up", (request.path, request.kind, spent.error)
            except Mendable as broken:
                await ctx.note_over()
                return "mend", (request.path, request.kind, broken.error)
            except PutAway as waiting:
                return "away", (request.path, request.kind, waiting.reason)
        return "unknown", (request.path, request.kind, reason)

    async def _pause(self, ctx: StepContext, seconds: float) -> None:
        """Between two looks. Whoever wants the step's program to end is answered by the next one."""
        try:
            await ctx.wait(self._world.clock.sleep(seconds))
        except Interrupted as asked:
            if asked.mode != "end":
                raise

    async def _interrupted(self, path: str, asked: Interrupted) -> tuple[str, Any]:
        if asked.mode == "cancel":
            return "done", (path, msgspec.structs.replace(_cancelled(), end=asked.end))
        if asked.end is not None:
            await self._world.journal.send(EndAttempt(self._run.id, self._epoch, asked.end))
        return "left", path


def _cancelled() -> Done:
    return Done(Outcome(failure=failure_of(Cancelled("the run is being ended"))))


def _answer(answer: fx.GateAnswer) -> Done:
    if answer.decision == "reject":
        by = f" by {answer.by}" if answer.by else ""
        note = f": {answer.text}" if answer.text else ""
        return Done(Outcome(failure=failure_of(GateRejected(f"rejected{by}{note}"))))
    return Done(Outcome(msgspec.Raw(fx.encode_result(answer))))
