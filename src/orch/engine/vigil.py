"""Watching an agent while it works: is it stuck, has a queued task's used up what it may?

Invariant: only an agent whose process is known to be alive and idle is ended for silence, and its
exit file is collected first (H23); what could not be read is no evidence. A limit ends the attempt
and nothing else: the task waits until it is lifted; a limit of time is looked at when it can be
reached. Between two looks nothing runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

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


async def ended(
    ctx: StepContext, attempt: Attempt, complexity: str, end: Coroutine[Any, Any, None],
    *, asking: bool = False, idle_s: float = 0.0,
) -> AttemptEnd | None:  # fmt: skip
    """Wait for the agent's end. None: it has ended or is gone; else why it has to be ended now. One
    that waits for a person's answer is not stuck. `idle_s` is the agent's own limit of silence, 0 for
    the one of the task's complexity. Only a queued task's agent is ended for what it has spent."""
    timeouts: stuck.Timeouts = ctx.world.config(ctx.run.repo).timeouts
    timeouts = _Own(idle_s) if idle_s else timeouts
    grace = stuck.timeout_s(complexity, _Silences(timeouts), 0.0)
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
            if asking and await questions.waiting(ctx, attempt):
                watch = found = None
            else:
                watch = stuck.observe(watch, await _look(ctx, attempt))
                found = stuck.judge(watch, complexity, timeouts)
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


class _Silences:
    """The graces of silence in the form of times an attempt may take."""

    def __init__(self, timeouts: stuck.Timeouts) -> None:
        self.simple_s = timeouts.stuck_simple_s
        self.medium_s = timeouts.stuck_medium_s
        self.complex_s = timeouts.stuck_complex_s
        self.stuck_simple_s = self.stuck_medium_s = self.stuck_complex_s = 0.0


class _Own:
    """The same limit of silence, whatever the task."""

    def __init__(self, idle_s: float) -> None:
        self.simple_s = self.medium_s = self.complex_s = 0.0
        self.stuck_simple_s = self.stuck_medium_s = self.stuck_complex_s = idle_s


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
