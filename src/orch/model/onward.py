"""What the attempt policy and the router answer: go on with this agent, wait, or ask a person.

Invariant: there is always one of these, each with a sentence for the task's record; `Defer` is a
fact about agents and costs the task nothing (H31).
"""

from __future__ import annotations

import datetime

import msgspec


class Candidate(msgspec.Struct, frozen=True):
    """An agent that is configured and can be started here. `models`: those it may be given for this
    step, the preferred first; none: the agent's own default (H107)."""

    agent: str
    models: tuple[str, ...] = ()


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Start an attempt of `agent` (with `model`, empty for its default) not before `at`, in the same
    worktree (H26). With `at` in the future: wait, then ask the rule again; other tasks may have met
    a limit meanwhile."""

    agent: str
    model: str = ""
    at: float
    why: str


class Defer(msgspec.Struct, frozen=True):
    """No agent may be used before `until`; ask again then. No attempt is burned."""

    until: float
    why: str


class GiveUp(msgspec.Struct, frozen=True):
    """A person is needed: `needs_review` with this code, sentence and command."""

    code: str
    message: str
    hint: str


def clock_words(at: float, now: float, zone: datetime.tzinfo) -> str:
    """A time to come as a person reads it: `14:05`, on another day `2026-03-01 14:05`. Rounded up to
    the minute, so that it is never said too early."""
    when = datetime.datetime.fromtimestamp(-(-at // 60) * 60, zone)
    today = datetime.datetime.fromtimestamp(now, zone).date()
    return when.strftime("%H:%M" if when.date() == today else "%Y-%m-%d %H:%M")
