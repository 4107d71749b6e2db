"""How long an agent, or one model of an agent, is left alone after a failure that waiting can cure.

Invariant: only limits, sign-in, billing, timeouts and hangs cool (H27), and models that the vendor
does not have; a missing tool or the agent's own bad work never does. A cooldown belongs to one
subject: what another subject does cannot clear it (H51).

The subject is `agent` or `agent:model`. `structural` counts how often a model turned out not to be
there at all; a success of the agent with another model leaves it as it is, one with this model takes
one off.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Protocol

import msgspec

from orch.model.failure_class import class_of
from orch.model.onward import Candidate, clock_words
from orch.model.wall import put_back

BRIEF_S = 120.0
"""How long an agent that a task was only moved away from is left alone."""
LONGEST_RESET_S = 8 * 86_400.0
"""A reset time further away than this is a misread one: the curve is used."""
_BILLING_FACTOR = 6.0  # 24 h with the default curve: a person has to pay first
_STRUCTURAL_FACTOR = 42.0  # from max_s up to 7 days with the default curve

_WORDS = {
    "rate_limit": "rate limit",
    "quota": "quota",
    "usage_window": "usage limit",
    "overloaded": "overloaded",
    "auth": "not signed in",
    "billing": "billing",
    "timeout": "ran out of time",
    "stuck": "hung",
    "unknown_model": "model not available",
    "reroute": "moved to another agent",
}
_AGENT_COOLS = frozenset({"limit", "auth", "billing", "timeout", "stuck"})


class Curve(Protocol):
    """The part of `[retry]` that this is about: seconds, doubling from `base_s` up to `max_s`."""

    @property
    def base_s(self) -> float: ...
    @property
    def max_s(self) -> float: ...


class Cooldown(msgspec.Struct, frozen=True, kw_only=True):
    """`until`: seconds since the epoch (0 or past: not cooling now), as it was set `at` (0: not
    known). `failures` in a row, `why` the failure code. `vendor`: the time is the vendor's own."""

    until: float
    failures: int = 0
    why: str = ""
    structural: int = 0
    vendor: bool = False
    at: float = 0.0


Cooldowns = Mapping[str, Cooldown]
"""Subject -> cooldown."""


def subject(agent: str, model: str = "") -> str:
    return f"{agent}:{model}" if model else agent


def subjects(code: str, agent: str, model: str = "") -> tuple[str, ...]:
    """What a failure with this code cools: nothing, the agent, or only the model that was asked for
    (unknown, or overloaded while others of the vendor are not)."""
    if class_of(code) == "unknown_model" or (code == "overloaded" and model):
        return (subject(agent, model),) if model else ()
    return (agent,) if class_of(code) in _AGENT_COOLS else ()


def curve_s(curve: Curve, failures: int) -> float:
    """Seconds to wait after so many failures in a row (1 or more)."""
    doublings = min(max(failures, 1) - 1, 60)
    return float(min(curve.base_s * 2.0**doublings, max(curve.max_s, curve.base_s)))


def usable_reset(reset_at: float | None, now: float) -> float | None:
    """The vendor's reset time where it can be believed."""
    if reset_at is None or not now < reset_at <= now + LONGEST_RESET_S:
        return None
    return reset_at


def after_failure(
    before: Cooldown | None, code: str, now: float, curve: Curve, reset_at: float | None = None
) -> Cooldown | None:
    """The cooldown of one of `subjects(code, …)` after a failure; `before` unchanged where the code
    cools nothing. The vendor's own reset time beats the curve.

    Failures while it cools already are those of attempts that were under way: a batch that meets one
    limit counts once.
    """
    kind = class_of(code)
    if kind not in _AGENT_COOLS and kind != "unknown_model":
        return before
    known = before or Cooldown(until=0.0)
    if kind == "unknown_model":
        count = known.structural + 1
        longest = curve.max_s * _STRUCTURAL_FACTOR
        wait = min(curve.max_s * 2.0 ** min(count - 1, 60), longest)
        return msgspec.structs.replace(
            known, until=_later(known, now, wait), why=code, structural=count, at=now
        )
    counted = known.failures if holds(known, now) and known.failures else known.failures + 1
    reset = usable_reset(reset_at, now) if kind == "limit" else None
    if reset is not None:
        return msgspec.structs.replace(
            known, until=reset, failures=counted, why=code, vendor=True, at=now
        )
    if known.vendor and holds(known, now):  # the vendor said it; a vaguer failure knows no better
        return msgspec.structs.replace(known, failures=counted)
    wait = curve.max_s * _BILLING_FACTOR if kind == "billing" else curve_s(curve, counted)
    return msgspec.structs.replace(
        known, until=_later(known, now, wait), failures=counted, why=code, vendor=False, at=now
    )


def briefly(before: Cooldown | None, now: float) -> Cooldown:
    """After a task was only moved to another agent: `BRIEF_S`, and no failure is counted."""
    known = before or Cooldown(until=0.0)
    if known.until >= now + BRIEF_S and holds(known, now):
        return known
    return msgspec.structs.replace(known, until=now + BRIEF_S, why="reroute", vendor=False, at=now)


def after_success(before: Cooldown | None) -> Cooldown | None:
    """The cooldown of a subject that has just succeeded itself; None: nothing is left of it. Give
    both the agent's and, where a model was asked for, the `agent:model`'s."""
    if before is None or before.structural <= 1:
        return None
    return Cooldown(until=0.0, structural=before.structural - 1)


def holds(cooldown: Cooldown, now: float) -> bool:
    """Whether it is still cooling."""
    return cooldown.until > now and not put_back(cooldown.at, now)


def cooling(cooldowns: Cooldowns, agent: str, model: str, now: float) -> Cooldown | None:
    """The cooldown that keeps this agent with this model from being used now, the longest one."""
    found = [cooldowns.get(subject(agent)), cooldowns.get(subject(agent, model)) if model else None]
    return max((one for one in found if one and holds(one, now)), key=_until, default=None)


def choose_model(
    candidate: Candidate, cooldowns: Cooldowns, now: float, unfit: frozenset[str] = frozenset()
) -> tuple[str, float, str] | None:
    """(model, usable from, why not before) for a candidate: its first model that does not cool, else
    the one that is free first (H50). None when every model is `unfit`."""
    models = [model for model in candidate.models or ("",) if model not in unfit]
    best: tuple[str, float, str] | None = None
    for model in models:
        held = cooling(cooldowns, candidate.agent, model, now)
        if held is None:
            return model, 0.0, ""
        if best is None or held.until < best[1]:
            best = model, held.until, held.why
    return best


def cools_sentence(
    agent: str, until: float, why: str, now: float, zone: datetime.tzinfo, model: str = ""
) -> str:
    """`agent claude cools until 14:05 (rate limit)`."""
    what = f"agent {agent}" + (f" with {model}" if model else "")
    reason = _WORDS.get(why, why.replace("_", " "))
    return f"{what} cools until {clock_words(until, now, zone)}" + (
        f" ({reason})" if reason else ""
    )


def _later(known: Cooldown, now: float, wait: float) -> float:
    return max(known.until if holds(known, now) else 0.0, now + wait)


def _until(cooldown: Cooldown) -> float:
    return cooldown.until
