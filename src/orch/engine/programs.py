"""Steps that run a program in a terminal: agents, commands, dependency installation.

Invariant: start, then wait. The attempt is journaled before its terminal exists; terminal and
directory are named from it; a restarted engine finds the terminal, the exit file, or neither (then
it never ran, or it is lost and the next attempt continues in the same worktree). Exit files are
collected before anything is concluded from a missing terminal (H23).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from orch.engine import questions, vigil
from orch.engine.step_context import Done, Interrupted, StepContext, Unknown, failed
from orch.engine.unattended import Unattended
from orch.engine.vigil import Watched
from orch.model.attempt import FINAL, Attempt, ExitRecord, Launch
from orch.model.command import AttemptEnd
from orch.model.effect import Retry
from orch.model.errors import AgentFailed


class Program(Protocol):
    """What is special about one kind of program."""

    fields: dict[str, Any]
    retry: Retry
    queue: Unattended | None
    """The rules of the queue, for a task of it; None: `retry` alone decides."""

    def watched(self, attempt: Attempt) -> Watched | None:
        """How it is watched while it works; None: it is waited for, however silent it is."""

    async def launch(self, attempt: Attempt) -> Launch:
        """The command line; made only if the program never started."""

    async def judge(self, attempt: Attempt, record: ExitRecord) -> Judged:
        """What its end means."""

    def stopped(self) -> Done:
        """What it means that a person ended it, for good."""


class Judged:
    """What an ended attempt means for its step: `make` settles it, unless `retry` says that another
    attempt may follow. `tries` and `pause` (seconds) stand before the program's own policy."""

    def __init__(
        self, end: AttemptEnd, make: Callable[[AttemptEnd], Done], *, retry: bool, tries: int = 0,
        pause: float | None = None,
    ) -> None:  # fmt: skip
        self.end = end
        self.make = make
        self.retry = retry
        self.tries = tries
        self.pause = pause

    def settle(self) -> Done:
        return self.make(self.end)


async def carry_out(ctx: StepContext, program: Program, lost: Callable[[Attempt], Done]) -> Done:
    """Run attempts of `program` until one settles the step, the policy is spent, or a person has
    ended one of them."""
    if _ended_for_good(ctx):
        return program.stopped()
    try:
        return await _tries(ctx, program, lost)
    except Interrupted as asked:
        if asked.mode != "end" or asked.end is None:
            raise
        stopped = program.stopped()
        return Done(stopped.outcome, stopped.facts, asked.end)


async def _tries(ctx: StepContext, program: Program, lost: Callable[[Attempt], Done]) -> Done:
    attempt = await _current(ctx, program)
    while True:
        record = await _run_once(ctx, program, attempt)
        if record is None and ctx.interrupted == "end":
            raise Interrupted("end", _stopped(attempt))
        if record is None or isinstance(record, AttemptEnd):
            after = await _onward(ctx, program, attempt, record, lost)
            if isinstance(after, Done):
                return after
            attempt = after
            continue
        judged = await program.judge(attempt, record)
        if program.queue is not None and judged.end.status == "failed":
            asked_again = judged.retry and _count(ctx, "failed") + 1 < judged.tries
            if ctx.interrupted == "end":
                return judged.settle()
            if not asked_again:
                attempt = await program.queue.next(program, judged.end)
                continue
        failures = _count(ctx, "failed")
        spent = failures + 1 >= max(judged.tries, program.retry.attempts)
        if not judged.retry or spent or ctx.interrupted == "end":
            return judged.settle()
        if program.queue is not None:
            attempt = await program.queue.again(program, judged.end)
        else:
            attempt = await _next(ctx, program, judged.end)
        pause = min(program.retry.max_s, program.retry.base_s * 2.0**failures)
        await _pause(ctx, attempt, pause if judged.pause is None else judged.pause)


async def _onward(
    ctx: StepContext, program: Program, attempt: Attempt, overdue: AttemptEnd | None,
    lost: Callable[[Attempt], Done],
) -> Attempt | Done:  # fmt: skip
    """The attempt that follows on one which was ended (`overdue`) or lost, or what the step is
    settled with."""
    end = overdue or AttemptEnd(
        id=attempt.id, status="lost", code="lost", message="its terminal went away without a result"
    )
    if program.queue is not None:
        return await program.queue.next(program, end)
    most = program.retry.lost if overdue is None else program.retry.attempts
    if _count(ctx, end.status) + 1 < most:
        return await _next(ctx, program, end)
    if overdue is None:
        finished = lost(attempt)
        return Done(finished.outcome, finished.facts, end)
    hint = f"orch logs {ctx.run.id}:{attempt.id}"
    error = AgentFailed(f"the agent {attempt.agent}: {end.message}", code=end.code, hint=hint)
    return failed(error, end=end)


async def _pause(ctx: StepContext, attempt: Attempt, seconds: float) -> None:
    """Before an attempt that is journaled already: whoever interrupts ends it before it began."""
    try:
        await ctx.wait(ctx.world.clock.sleep(seconds))
    except Interrupted as asked:
        raise Interrupted(
            asked.mode, None if asked.mode == "leave" else _stopped(attempt)
        ) from None


async def _current(ctx: StepContext, program: Program) -> Attempt:
    """The attempt to work on: the last one if it has not ended, else a new one."""
    if ctx.attempts and ctx.attempts[-1].status not in FINAL:
        return ctx.attempts[-1]
    if program.queue is not None:
        return await program.queue.next(program, None)
    attempt = ctx.new_attempt(len(ctx.attempts) + 1, **program.fields)
    await ctx.begin(attempt)
    return attempt


async def _next(ctx: StepContext, program: Program, end: AttemptEnd) -> Attempt:
    attempt = ctx.new_attempt(len(ctx.attempts) + 1, **program.fields)
    await ctx.begin(attempt, end)
    return attempt


def _count(ctx: StepContext, status: str) -> int:
    return sum(1 for attempt in ctx.attempts if attempt.status == status)


async def _run_once(
    ctx: StepContext, program: Program, attempt: Attempt
) -> ExitRecord | AttemptEnd | None:
    """Start it if it never was, wait for its end; None when it is lost, or its end where the queue's
    rules say that it must not go on."""
    world, terminals = ctx.world, ctx.world.terminals
    name, directory = attempt.terminal, attempt.directory
    state = await _start(ctx, program, attempt)
    if state in ("alive", "unknown"):
        await ctx.note_running(attempt)
        try:
            overdue = await _until_end(ctx, program, attempt)
        except Interrupted as asked:
            return await _interrupted(ctx, attempt, asked)
        if overdue is not None:
            return await _ended_early(ctx, attempt, overdue)
        state = await world.call("terminal.probe", terminals.probe, name, directory)
    record = await world.call("terminal.collect", terminals.exit_record, directory)
    if record is None and state == "unknown":
        raise Unknown(f"tmux does not answer about terminal {name}")
    if record is None or record.lost or record.stopped:
        # Whatever survived its terminal must not work beside the next attempt.
        grace = world.limits.stop_grace_s
        await world.call("terminal.stop", terminals.stop, name, directory, grace_s=grace)
        return None
    return record


async def _until_end(ctx: StepContext, program: Program, attempt: Attempt) -> AttemptEnd | None:
    end = ctx.world.terminals.ended(attempt.terminal, attempt.directory)
    watched = program.watched(attempt)
    if watched is None:
        await ctx.wait(end)
        return None
    heard = asyncio.ensure_future(questions.heard(ctx, attempt)) if watched.asking else None
    try:
        return await vigil.ended(ctx, attempt, watched, end)
    finally:
        if heard is not None:
            heard.cancel()
            await asyncio.gather(heard, return_exceptions=True)


async def _ended_early(
    ctx: StepContext, attempt: Attempt, overdue: AttemptEnd
) -> ExitRecord | AttemptEnd:
    """End it for the queue's sake; what it has finished meanwhile counts (H23)."""
    world, directory = ctx.world, attempt.directory
    record = await world.call("terminal.collect", world.terminals.exit_record, directory)
    if record is not None and not (record.lost or record.stopped):
        return record
    await world.call(
        "terminal.stop", world.terminals.stop, attempt.terminal, directory,
        grace_s=world.limits.stop_grace_s,
    )  # fmt: skip
    return overdue


async def _start(ctx: StepContext, program: Program, attempt: Attempt) -> str:
    """Start it if it never was; how its terminal stands then."""
    terminals, name, directory = ctx.world.terminals, attempt.terminal, attempt.directory
    state: str = await ctx.world.call("terminal.probe", terminals.probe, name, directory)
    if state != "absent":
        return state
    if ctx.interrupted is not None:
        raise Interrupted(ctx.interrupted, _stopped(attempt))
    launch = await program.launch(attempt)
    await ctx.world.call("terminal.start", terminals.start, name, directory, attempt.id, launch)
    return "alive"


async def started(ctx: StepContext, program: Program) -> tuple[Attempt, AttemptEnd | None]:
    """Start an attempt, or find that it was; nobody waits for its end here. With it its end, where a
    person wanted it to end at once."""
    if _ended_for_good(ctx):
        return ctx.attempts[-1], None
    attempt = await _current(ctx, program)
    try:
        if await _start(ctx, program, attempt) in ("alive", "unknown"):
            await ctx.note_running(attempt)
        if ctx.interrupted == "end":
            await _interrupted(ctx, attempt, Interrupted("end"))
    except Interrupted as asked:
        if asked.mode != "end":
            raise
        return attempt, asked.end
    return attempt, None


def _ended_for_good(ctx: StepContext) -> bool:
    last = ctx.attempts[-1] if ctx.attempts else None
    return last is not None and last.stop and last.status == "stopped"


async def _interrupted(ctx: StepContext, attempt: Attempt, asked: Interrupted) -> ExitRecord | None:
    if asked.mode == "leave":
        raise asked
    world, directory = ctx.world, attempt.directory
    record = await world.call("terminal.collect", world.terminals.exit_record, directory)
    if record is not None and not (record.lost or record.stopped):
        return record  # it ended by itself a moment ago: its result counts
    await world.call(
        "terminal.stop", world.terminals.stop, attempt.terminal, directory,
        grace_s=world.limits.stop_grace_s,
    )  # fmt: skip
    raise Interrupted(asked.mode, _stopped(attempt))


def _stopped(attempt: Attempt) -> AttemptEnd:
    return AttemptEnd(id=attempt.id, status="stopped", code="stopped", message="stopped by request")
