"""The attempt policy of unattended runs: what follows on a failed attempt.

Invariant: pure and repeatable. The answer follows from what was tried since a person last resumed
the step, so asking again after a wait, a restart or a change of the cooldowns is always right. Never
more attempts than the policy allows, never one of an agent that cools, never one after a person's
word; and an agent's being unavailable burns no attempt (H31).

Ask when an attempt has ended and when a wait that was answered is over. Record the failure with
`cooldown.after_failure` first: that is what keeps a hung agent from being chosen again (H27).

Where the contract and H47 differ: the contract stops at the third identical error "with at least
four attempts", H47 at the third. Here the third identical error in a step's history stops it,
whatever stood between: three in a row stop at three (H47), and others between make it four or more,
as the contract says. Limits and lost terminals are not compared: they say nothing about the work.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import msgspec

from orch.model import failure_class
from orch.model.cooldown import (
    Cooldowns,
    choose_model,
    cools_sentence,
    curve_s,
    usable_reset,
)
from orch.model.failure_class import class_of
from orch.model.onward import Again, Candidate, Defer, GiveUp, clock_words
from orch.model.wall import put_back

Next = Again | Defer | GiveUp
MOMENT_S = 5.0
"""Seconds between a failure's being judged and written down, at most."""
SAME_ERROR = 3
"""The identical error that ends a step (H47)."""

_UNCOMPARED = frozenset({"limit", "lost"})
_AGENT_UNFIT = frozenset({"auth", "billing", "context_overflow"})
_LOWER = {"complex": "medium", "medium": "simple"}
_LOWERS = frozenset({"limit", "timeout", "stuck"})


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """An ended attempt of the step. `reset_at`: the vendor's own time in its limit message."""

    agent: str
    model: str = ""
    code: str
    message: str = ""
    ended_at: float
    reset_at: float | None = None


class AttemptPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`[retry]`, and `lost_attempts` of `[run]`. `max_attempts` counts all tries but lost ones."""

    base_s: float = 300.0
    max_s: float = 14400.0
    max_attempts: int = 5
    lost_attempts: int = 3


class _Option(msgspec.Struct, frozen=True):
    agent: str
    model: str
    ready: float
    tried: bool
    cools: str
    """Why it cools where that is what has to be waited for, else empty."""


def decide_next(
    history: Sequence[Tried],
    policy: AttemptPolicy,
    agents: Sequence[Candidate],
    cooldowns: Cooldowns,
    *,
    now: float,
    task: str,
    pin: str = "",
    routed: str = "",
    zone: datetime.tzinfo = datetime.UTC,
) -> Next:
    """What to do next in this step.

    `history`: its attempts since the last resume, oldest first (empty: before the first one).
    `agents`: those that can be started, in the order of the configuration. `pin`: the agent that a
    person asked for; no other is used. `routed`: the router's choice, where the first attempt
    begins. `task` is named in hints, `zone` is the reader's time zone.
    """
    ended = _ended(history, policy, task)
    if ended is not None:
        return ended
    usable = [candidate for candidate in agents if not pin or candidate.agent == pin]
    if not usable:
        which = f"the agent {pin}, which was asked for," if pin else "no agent"
        return GiveUp(
            "agent_unavailable", f"{which} is {'not ' * bool(pin)}available", "orch doctor"
        )
    rotated = _rotated(usable, history, routed)
    options = [found for one in rotated if (found := _option(one, history, policy, cooldowns, now))]
    if not options:
        return _nobody(history[-1], task)
    # `min` takes the first of equals: the rotation decides.
    best = min(options, key=lambda option: (max(option.ready, now), option.tried))
    if best.ready > now and best.cools:
        return Defer(best.ready, _why_deferred(best, options, now, zone))
    return Again(
        agent=best.agent, model=best.model, at=max(best.ready, now),
        why=_why_again(best, history, policy, now, zone),
    )  # fmt: skip


def complexity_after(complexity: str, history: Sequence[Tried], *, lower: bool) -> str:
    """The complexity whose models a retry gets: with `lower` one step down for each time the step
    ran out of time, hung or met a limit."""
    for tried in history if lower else ():
        if class_of(tried.code) in _LOWERS:
            complexity = _LOWER.get(complexity, complexity)
    return complexity


def _ended(history: Sequence[Tried], policy: AttemptPolicy, task: str) -> GiveUp | None:
    """The end of the step, where its history alone decides it."""
    if not history:
        return None
    last, again = history[-1], _hint(task)
    kind = class_of(last.code)
    if kind in failure_class.FINAL or last.code in failure_class.AT_ONCE:
        return GiveUp(last.code, last.message or f"the attempt ended: {last.code}", again)
    counted = [tried for tried in history if class_of(tried.code) != "lost"]
    lost = len(history) - len(counted)
    if lost >= policy.lost_attempts:
        return GiveUp("lost", f"its terminal went away {_times(lost)}, without a result", again)
    if len(counted) >= policy.max_attempts:
        names = ", ".join(dict.fromkeys(tried.agent for tried in counted))
        count = f"{len(counted)} attempt{'s' if len(counted) != 1 else ''}"
        return GiveUp("attempts_spent", f"{count} failed ({names}); the last: {_said(last)}", again)
    same = _identical(history)
    if same >= SAME_ERROR:
        return GiveUp("same_error", f"the same error {_times(same)}: {_said(last)}", again)
    return None


def _identical(history: Sequence[Tried]) -> int:
    """How often the last error stands in the history (H47)."""
    last = history[-1]
    if class_of(last.code) in _UNCOMPARED:
        return 0
    names = {tried.agent for tried in history}
    words = failure_class.normalised(last.message, *names)
    return sum(
        tried.code == last.code and failure_class.normalised(tried.message, *names) == words
        for tried in history
    )


def _rotated(agents: Sequence[Candidate], history: Sequence[Tried], routed: str) -> list[Candidate]:
    """Beginning after the agent that failed; with it where it did not fail itself (its terminal was
    lost) or may have another model, or where nothing was tried yet."""
    current = history[-1].agent if history else routed
    stays = not history or class_of(history[-1].code) in ("lost", "unknown_model")
    names = [candidate.agent for candidate in agents]
    if current not in names:
        return list(agents)
    start = names.index(current) + (0 if stays else 1)
    return [*agents[start:], *agents[:start]]


def _option(
    candidate: Candidate,
    history: Sequence[Tried],
    policy: AttemptPolicy,
    cooldowns: Cooldowns,
    now: float,
) -> _Option | None:
    """From when on this agent may be used; None when waiting does not make it fit for this step."""
    mine = [t for t in history if t.agent == candidate.agent and class_of(t.code) != "lost"]
    if any(class_of(tried.code) in _AGENT_UNFIT for tried in mine):
        return None
    unfit = frozenset(t.model for t in mine if class_of(t.code) == "unknown_model")
    chosen = choose_model(candidate, cooldowns, now, unfit)
    if chosen is None:
        return None
    model, free_at, held = chosen
    failed = [tried for tried in mine if class_of(tried.code) != "unknown_model"]
    pause = _pause_end(failed, policy, now) if failed else 0.0
    # Both begin with the same failure; the books note it a moment later.
    cools = (held or "cooling") if free_at > now and free_at >= pause - MOMENT_S else ""
    return _Option(candidate.agent, model, max(free_at, pause), bool(failed), cools)


def _pause_end(failed: Sequence[Tried], policy: AttemptPolicy, now: float) -> float:
    """When the back-off after an agent's last failure is over; the vendor's time beats the curve."""
    last = failed[-1]
    if put_back(last.ended_at, now):
        return 0.0
    reset = usable_reset(last.reset_at, last.ended_at) if class_of(last.code) == "limit" else None
    return reset if reset is not None else last.ended_at + curve_s(policy, len(failed))


def _nobody(last: Tried, task: str) -> GiveUp:
    message = f"{_said(last)}; no other agent or model can take over"
    return GiveUp(last.code, message, _hint(task))


def _why_deferred(
    best: _Option, options: Sequence[_Option], now: float, zone: datetime.tzinfo
) -> str:
    if len(options) > 1 and all(option.cools for option in options):
        return f"all agents cool until {clock_words(best.ready, now, zone)}"
    return cools_sentence(best.agent, best.ready, best.cools, now, zone)


def _why_again(
    best: _Option,
    history: Sequence[Tried],
    policy: AttemptPolicy,
    now: float,
    zone: datetime.tzinfo,
) -> str:
    if not history:
        return f"first attempt, with {best.agent}"
    last = history[-1]
    number = 1 + sum(class_of(tried.code) != "lost" for tried in history)
    how = f"attempt {number} of {policy.max_attempts} with {best.agent}"
    if best.agent != last.agent:
        how += f" instead of {last.agent}"
    elif best.model != last.model:
        how += f" and {best.model}"
    if best.ready > now:
        how += f", not before {clock_words(best.ready, now, zone)}"
    return f"{how}, after: {_said(last)}"


def _said(tried: Tried) -> str:
    return tried.message or tried.code.replace("_", " ")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _hint(task: str) -> str:
    return f"orch task retry {task}"
