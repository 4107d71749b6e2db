"""Going on with an agent's conversation: when, with which one, and what it costs.

Invariant: a conversation is gone on with by the agent that had it, in its worktree, and only where it
was cut off from outside, a person wants it, or the step asks for it (`RunAgent.onward`); one that
could not be gone on with is begun anew.
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
GONE = "conversation_gone"
"""The code of an attempt whose agent has lost the conversation: the next one begins anew."""
HEAD = 1024 * 1024
"""Bytes at the beginning of an output, where it says which conversation it is."""


async def before(ctx: StepContext, agent: Agent, attempt: Attempt) -> tuple[Attempt | None, str]:
    """The attempt after which `attempt` goes on, and the conversation's id; (None, "") for a new
    one. An attempt that ended before it said a word had the conversation of the one before it."""
    earlier = ctx.attempts[: attempt.n - 1]
    if not agent.resumes:
        return None, ""
    for one in reversed(earlier):
        if one.agent != attempt.agent or not _goes_on(ctx, one, attempt):
            break
        known = str(one.usage.get("session_id") or "") or await _said(ctx, agent, one)
        if known:
            return earlier[-1], known
    return None, ""


async def had_before(ctx: StepContext, agent: Agent, attempt: Attempt) -> str:
    """The conversation that this agent had last in this worktree, in another step of the run that was
    the author's work; empty where it had none, or has lost it."""
    if not agent.resumes or any(one.code == GONE for one in ctx.attempts):
        return ""
    others = [
        one for one in elsewhere(ctx, attempt)
        if (one.role, one.agent, one.worktree) == ("work", attempt.agent, attempt.worktree)
    ]  # fmt: skip
    for one in sorted(others, key=lambda other: other.started_at, reverse=True):
        known = str(one.usage.get("session_id") or "") or await _said(ctx, agent, one)
        if known:
            return known
    return ""


def elsewhere(ctx: StepContext, attempt: Attempt) -> list[Attempt]:
    """The attempts of the run's other steps."""
    return [one for one in ctx.world.store.attempts(ctx.run.id) if one.path != attempt.path]


def _goes_on(ctx: StepContext, one: Attempt, attempt: Attempt) -> bool:
    wanted = ctx.run.converses and one.resumed < attempt.resumed
    return wanted or one.code in CUT_OFF or one.status in ("lost", "stopped")


async def _said(ctx: StepContext, agent: Agent, attempt: Attempt) -> str:
    """The conversation that its output names; empty where it names none."""
    head, _ = await ctx.world.call(
        "terminal.output", ctx.world.terminals.read, attempt.directory, "stdout", 0, HEAD
    )
    return agent.session(head)


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
