"""Agents that work beside the workflow: started, waited for, looked at, stopped with their run.

Invariant: a spawned agent is its `SpawnAgent` step's attempts, whoever waits for it: `WaitForStatus`
carries on where that step left off, by the same rules (adopt, collect, lost, next attempt), under
that step's path. So an agent is started once however often it is waited for, and nobody's end of
waiting ends the agent. A run ends only when its agents' ends are journaled.

Look before act: a start looks for its terminal and exit file by the attempt's name; an end is
journaled once per attempt (`EndAttempt` is idempotent).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from orch.engine import programs
from orch.engine.agent_step import AgentProgram, chosen_agent
from orch.engine.step_context import Done, Interrupted, StepContext, done
from orch.engine.world import World
from orch.model import effect as fx
from orch.model.attempt import FINAL, Attempt
from orch.model.command import AttemptEnd, EndAttempt, NoteMessage
from orch.model.errors import NotFound, OrchError, StepError, StepTimeout
from orch.model.run import Run

CAPTURE_BYTES = 1024 * 1024


async def spawn(ctx: StepContext, effect: fx.SpawnAgent) -> Done:
    """Start it, and let it work."""
    program = _program(ctx, effect)
    attempt, end = await programs.started(ctx, program)
    agent = str(program.fields["agent"])
    return done(
        fx.AgentRef(
            step=ctx.path, attempt=attempt.id, agent=agent, env=effect.env, name=effect.name or ""
        ),
        end=end,
    )


async def wait_for(ctx: StepContext, effect: fx.WaitForStatus) -> Done:
    """Until every target stands as asked, or the time is over."""
    single = isinstance(effect.targets, fx.AgentRef)
    targets = [effect.targets] if isinstance(effect.targets, fx.AgentRef) else effect.targets
    inner = [_beside(ctx, target) for target in targets]
    waiting = [asyncio.ensure_future(_stands(c, effect.status)) for c in inner]
    try:
        await ctx.wait(_all(ctx, waiting, effect.timeout))
    finally:
        for context in inner:
            context.interrupt("leave")
        await asyncio.gather(*waiting, return_exceptions=True)  # all of them are heard
    if any(_left(task) for task in waiting):
        raise_timeout(targets, effect.timeout)
    found = [task.result() for task in waiting]
    return done(found[0] if single else found)


def raise_timeout(targets: Sequence[fx.AgentRef], seconds: float | None) -> None:
    names = ", ".join(target.name or target.agent for target in targets)
    raise StepTimeout(
        f"{names} did not get there within {seconds:g} s; what works goes on", code="timeout"
    )


def _left(task: asyncio.Future[fx.AgentStatus]) -> bool:
    error = task.exception()
    if error is not None and not isinstance(error, Interrupted):
        raise error
    return error is not None


async def _all(
    ctx: StepContext, waiting: Sequence[asyncio.Future[fx.AgentStatus]], seconds: float | None
) -> None:
    """All of them, one that failed at once, or the end of the time (counted from the step's plan)."""
    if not waiting:
        return
    timer: asyncio.Future[None] | None = None
    if seconds is not None:
        timer = asyncio.ensure_future(ctx.world.clock.sleep(remaining(ctx, seconds)))
    try:
        left: set[asyncio.Future[Any]] = set(waiting)
        while left:
            watched = {*left, timer} if timer is not None else left
            ready, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if timer in ready or any(task.exception() for task in ready):
                return
            left -= ready
    finally:
        if timer is not None:
            timer.cancel()


def remaining(ctx: StepContext, seconds: float) -> float:
    """What is left of `seconds` since the step was planned: a crash makes nothing longer."""
    step = ctx.world.store.step(ctx.run.id, ctx.path)
    began = step.planned_at if step is not None else ctx.world.clock.now()
    return max(0.0, min(seconds, began + seconds - ctx.world.clock.now()))


async def _stands(ctx: StepContext, wanted: str) -> fx.AgentStatus:
    """How one agent stands when it stands as `wanted`."""
    last = ctx.attempts[-1]
    if wanted == "running" and last.status not in FINAL:
        return fx.AgentStatus(attempt=last.id, status="running")
    if last.status in FINAL and (last.status != "stopped" or last.stop):
        return await _judged_before(ctx, last)
    program = _program(ctx, _asked(ctx))
    ended = await programs.carry_out(ctx, program, program.lost)
    if ended.end is not None:
        await ctx.end(ended.end)
    return _status(ctx, ended)


async def _judged_before(ctx: StepContext, attempt: Attempt) -> fx.AgentStatus:
    """Somebody waited for it before: its files still say what it answered."""
    if attempt.status != "succeeded":
        return fx.AgentStatus(
            attempt=attempt.id, status=attempt.status, code=attempt.code, message=attempt.message
        )
    terminals = ctx.world.terminals
    record = await ctx.world.call("terminal.collect", terminals.exit_record, attempt.directory)
    if record is None:
        raise StepError(f"the exit file of attempt {attempt.id} is gone", code="exit_file_gone")
    judged = await _program(ctx, _asked(ctx)).judge(attempt, record)
    return _status(ctx, judged.settle())


def _status(ctx: StepContext, ended: Done) -> fx.AgentStatus:
    attempt, failure = ctx.attempts[-1], ended.outcome.failure
    if failure is None:
        value = _asked(ctx).to_run.given(ended.outcome.value)
        return fx.AgentStatus(attempt=attempt.id, status="succeeded", value=value)
    how = ended.end.status if ended.end is not None else "failed"
    return fx.AgentStatus(
        attempt=attempt.id, status=how, code=failure.code, message=failure.message
    )


async def capture(ctx: StepContext, effect: fx.CaptureOutput) -> Done:
    """The tail of what it wrote: its own terminal's content, else its stdout."""
    attempt = _attempts(ctx.world, ctx.run, effect.target)[-1]
    text = ""
    for stream in ("pane", "stdout"):
        terminals = ctx.world.terminals
        raw = await ctx.world.call(
            "terminal.output", terminals.output, attempt.directory, stream,
            tail_bytes=CAPTURE_BYTES,
        )  # fmt: skip
        text = text or raw.decode("utf-8", "replace")
    lines = text.removesuffix("\n").split("\n")
    return done("\n".join(lines[-effect.lines :]) if effect.lines > 0 else "")


async def send(ctx: StepContext, effect: fx.SendMessage) -> Done:
    """At most once: the terminal keeps the key before the first byte, and knows it again."""
    attempt = _attempts(ctx.world, ctx.run, effect.target)[-1]
    terminals = ctx.world.terminals
    delivery = await ctx.world.call(
        "terminal.send", terminals.send, attempt.terminal, attempt.directory, effect.message,
        key=ctx.key, took=ctx.world.agents.took(attempt.agent),
    )  # fmt: skip
    size = len(effect.message.encode("utf-8", "replace"))
    await ctx.world.journal.send(NoteMessage(ctx.run.id, attempt.id, size, delivery))
    return done(delivery)


async def end_all(world: World, run: Run, epoch: int, besides: frozenset[str]) -> None:
    """Journal the end of every spawned agent of the run: collected where it has ended, else stopped.
    `besides` are attempts whose end is about to be journaled."""
    spawned = {step.path for step in world.store.steps(run.id) if step.kind == "SpawnAgent/1"}
    await _end(world, run, epoch, [
        attempt for attempt in world.store.attempts(run.id)
        if attempt.path in spawned and attempt.id not in besides
    ])  # fmt: skip


async def end_run(world: World, run: Run, epoch: int, besides: frozenset[str]) -> None:
    """The same for every program of a run that ends: none outlives it, or reads as if it did."""
    attempts = [one for one in world.store.attempts(run.id) if one.id not in besides]
    await _end(world, run, epoch, attempts)


async def _end(world: World, run: Run, epoch: int, attempts: list[Attempt]) -> None:
    for attempt in attempts:
        if attempt.status not in FINAL:
            end = await _ended(world, attempt, "stopped with its run")
            await world.journal.send(EndAttempt(run.id, epoch, end))


async def end_one(world: World, run: Run, epoch: int, attempt: Attempt) -> None:
    """A person wants an agent that nobody waits for now to end. The answer of one that has ended by
    itself stays for whoever asks for it."""
    record = await world.call("terminal.collect", world.terminals.exit_record, attempt.directory)
    if record is not None and not (record.lost or record.stopped):
        return
    end = await _ended(world, attempt, "stopped by request")
    if end.status in ("stopped", "lost"):
        await world.journal.send(EndAttempt(run.id, epoch, end))


async def _ended(world: World, attempt: Attempt, why: str) -> AttemptEnd:
    """Stop it and see how it ended: it may have done so by itself a moment before."""
    directory = attempt.directory
    try:
        await world.call(
            "terminal.stop", world.terminals.stop, attempt.terminal, directory,
            grace_s=world.limits.stop_grace_s,
        )  # fmt: skip
    except OrchError as error:
        if error.code != "cannot_stop":
            raise
        return AttemptEnd(id=attempt.id, status="lost", code=error.code, message=error.message)
    record = await world.call("terminal.collect", world.terminals.exit_record, directory)
    if record is None or record.lost or record.stopped:
        return AttemptEnd(id=attempt.id, status="stopped", code="stopped", message=why)
    return AttemptEnd(
        id=attempt.id, status="failed" if record.exit_code else "succeeded",
        exit_code=record.exit_code, code="exit_nonzero" if record.exit_code else "",
        message="it had ended; nobody waited for it",
    )  # fmt: skip


def _beside(ctx: StepContext, target: fx.AgentRef) -> StepContext:
    """The step that started `target`, to be carried on."""
    return ctx.beside(target.step, _attempts(ctx.world, ctx.run, target))


def _attempts(world: World, run: Run, target: fx.AgentRef) -> list[Attempt]:
    found = [a for a in world.store.attempts(run.id) if a.path == target.step]
    if not found:
        raise NotFound(
            f"this run has started no agent at {target.step}", code="unknown_agent",
            hint="a reference is good only in the run whose SpawnAgent gave it",
        )  # fmt: skip
    return found


def _asked(ctx: StepContext) -> fx.SpawnAgent:
    step = ctx.world.store.step(ctx.run.id, ctx.path)
    effect = fx.decode_effect(step.request) if step is not None else None
    assert isinstance(effect, fx.SpawnAgent)
    return effect


def _program(ctx: StepContext, effect: fx.SpawnAgent) -> AgentProgram:
    return AgentProgram(ctx, effect.to_run, chosen_agent(ctx.world, ctx.run, effect.agent))
