"""Going on with an agent's conversation: when, with which one, and what it costs.

Invariant: a conversation is gone on with by the agent that had it, in its worktree, and only where it
was cut off from outside or a person wants it; one that could not be gone on with is begun anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orch.engine.step_context import StepContext
from orch.model.attempt import Attempt
from orch.ports import Agent

CUT_OFF = frozenset({
    "killed", "lost", "overloaded", "quota", "rate_limit", "server_error", "stopped", "stuck",
    "timeout", "unreachable", "usage_window", "waiting_input",
})  # fmt: skip
"""Ends that say nothing against what was said so far."""
HEAD = 1024 * 1024
"""Bytes at the beginning of an output, where it says which conversation it is."""


async def before(ctx: StepContext, agent: Agent, attempt: Attempt) -> tuple[Attempt | None, str]:
    """The attempt whose conversation `attempt` goes on with, and its id; (None, "") for a new one."""
    last = ctx.attempts[attempt.n - 2] if attempt.n > 1 else None
    if last is None or last.agent != attempt.agent or not agent.resumes:
        return None, ""
    wanted = ctx.run.converses and last.resumed < attempt.resumed
    if not wanted and last.code not in CUT_OFF and last.status not in ("lost", "stopped"):
        return None, ""
    known = str(last.usage.get("session_id") or "")
    if not known:
        head, _ = await ctx.world.call(
            "terminal.output", ctx.world.terminals.read, last.directory, "stdout", 0, HEAD
        )
        known = agent.session(head)
    return (last, known) if known else (None, "")


def onward(prompt: str, last: Attempt) -> str:
    """What an agent is told that goes on. The task stands in it once more: a conversation may have
    been shortened."""
    why = last.message or f"it was {last.status}"
    return (
        f"You were interrupted: {why}. Go on where you left off. First look at what is there already"
        " (git status, git diff); do nothing twice. This is the task:\n\n" + prompt
    )


def own(usage: Mapping[str, Any], before: Sequence[Attempt]) -> dict[str, Any]:
    """An attempt's part of what a conversation has used since its beginning: without what the
    attempts before it were written down with."""
    session = usage.get("session_id")
    earlier = [one.usage for one in before if session and one.usage.get("session_id") == session]
    return {
        name: max(0, value - sum(_number(one.get(name)) for one in earlier))
        if isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in usage.items()
    }  # fmt: skip


def _number(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number else 0
