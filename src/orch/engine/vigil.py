"""Watching an agent while it works: is it stuck, has a queued task's used up what it may?

Invariant: only an agent whose process is known to be alive and idle is ended for silence, and its
exit file is collected first (H23); what could not be read is no evidence. A limit ends the attempt
and nothing else: the task waits until it is lifted; a limit of time is looked at when it can be
reached. Between two looks nothing runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

from orch.engine import questions
from orch.engine.step_context import StepContext
from orch.model import stuck
from orch.model.attempt import Attempt
from orch.model.command import AttemptEnd

LONGEST_S = 60.0
"""Seconds between two looks at an agent."""
SHORTEST_S = 0.2
"""Seconds: a timer may ring a little before its time."""
PARTS = 8
"""Looks within the time after which silence counts."""
OVERSPENT = "budget"
"""The code of an attempt that was ended because a limit was reached: no failure of anybody."""


class Watched(NamedTuple):
    """How an agent is watched: the complexity of its task (empty: none is known), its own limit of
    silence in seconds (0: the one of the complexity), and whether it asks a person before it acts."""

    complexity: str
    idle_s: float
    asking: bool


async def ended(
    ctx: StepContext, attempt: Attempt, watched: Watched, end: Coroutine[Any, Any, None]
) -> AttemptEnd | None:
    """Wait for the agent's end. None: it has ended or is gone; else why it has to be ended now. One
    that waits for a person's answer is not stuck. Only a queued task's agent is ended for what it
    has spent."""
    timeouts: stuck.Timeouts = ctx.world.config(ctx.run.repo).timeouts
    grace = watched.idle_s or stuck.grace_s(watched.complexity, timeouts)
    pause = min(LONGEST_S, grace / PARTS) if grace else LONGEST_S
    gone = asyncio.ensure_future(end)
    watch: stuck.Watch | None = None
    try:
        while True:
            now = ctx.world.clock.now()
            queued = ctx.run.unattended
            left = ctx.world.seconds_left(ctx.run, attempt.agent, now) if queued else LONGEST_S
            await ctx.wait(_either(gone, min(pause, max(left, SHORTEST_S))))
            if gone.done():
                gone.result()
                return None
            if watched.asking and await questions.waiting(ctx, attempt):
                watch = found = None
            else:
                watch = stuck.observe(watch, await _look(ctx, attempt))
                found = stuck.judge(watch, grace)
            if found is not None:
                return AttemptEnd(
                    id=attempt.id, status="failed", code="stuck", message=found.message
                )
            over = queued and ctx.world.overspent(ctx.run, attempt.agent, ctx.world.clock.now())
            if over:
                return AttemptEnd(
                    id=attempt.id, status="stopped", code=OVERSPENT, message=over.message
                )
    finally:
        if not gone.done():
            gone.cancel()


async def _either(gone: asyncio.Future[None], seconds: float) -> None:
    await asyncio.wait({gone}, timeout=seconds)


async def _look(ctx: StepContext, attempt: Attempt) -> stuck.Look:
    world = ctx.world
    seen = await world.call(
        "terminal.activity", world.terminals.activity, attempt.terminal, attempt.directory,
        attempt.worktree,
    )  # fmt: skip
    return stuck.Look(
        generation=attempt.id, monotonic=world.clock.monotonic(), wall=world.clock.now(),
        process=seen.process, cpu_s=seen.cpu_s, files=seen.files, output=seen.output,
    )  # fmt: skip
