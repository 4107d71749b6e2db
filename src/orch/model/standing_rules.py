"""What changes how agents stand with the queue, and what that means for cooldowns and weights. Pure.

Invariant: a standing is one subject's alone and is replaced as a whole; the subject is `agent` or
`agent:model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from orch.model import command as cmd, cooldown as cooling, event as ev, subscription, weights
from orch.model.cooldown import Cooldown, Cooldowns, Curve
from orch.model.errors import NotFound, OrchError
from orch.model.failure_class import class_of
from orch.model.standing import Standing
from orch.model.subscription import Window
from orch.model.weights import Weight

if TYPE_CHECKING:
    from orch.model.ledger import Reader, Tables


WINDOWED = frozenset({"usage_window", "quota"})
"""Limits that end with a window of a subscription."""


def cooldowns(standings: Sequence[Standing], now: float, keep: float) -> Cooldowns:
    """What must not be used now: what cools, and agents whose window is used up, or all but the share
    `keep` (0 to 1) of it, which is left to people."""
    found = {one.subject: one.cooldown for one in standings if one.cooldown is not None}
    for one in standings:
        held = subscription.holds(one.window, now, keep=keep, person=False) if one.window else None
        cools = found.get(one.subject)
        if held is not None and (cools is None or cools.until < held.until):
            found[one.subject] = Cooldown(until=held.until, why="usage_window")
    return found


def weighed(standings: Sequence[Standing]) -> dict[str, Weight]:
    return {one.subject: one.weight for one in standings if one.weight is not None}


def after(
    known: Sequence[Standing], agent: str, model: str, code: str, now: float, curve: Curve,
    reset_at: float | None, tokens: int | None = None, began_at: float = 0.0,
) -> list[Standing]:  # fmt: skip
    """The standings that an attempt's end changes; an empty `code` is a success. `tokens`: what it
    used since `began_at`, where that was counted."""
    before = {one.subject: one for one in known}
    changed: dict[str, Standing] = {}

    def put(subject: str, **fields: Cooldown | Weight | Window | None) -> None:
        old = changed.get(subject) or before.get(subject) or Standing(subject)
        changed[subject] = msgspec.structs.replace(old, **fields)

    def had(subject: str) -> Standing:
        return before.get(subject) or Standing(subject)

    if not code:
        for subject in dict.fromkeys((cooling.subject(agent), cooling.subject(agent, model))):
            put(subject, cooldown=cooling.after_success(had(subject).cooldown))
        put(agent, weight=weights.after_success(had(agent).weight, now))
    for subject in cooling.subjects(code, agent, model) if code else ():
        cooled = cooling.after_failure(had(subject).cooldown, code, now, curve, reset_at)
        put(subject, cooldown=cooled)
    if code and class_of(code) == "limit":
        put(agent, weight=weights.after_limit(had(agent).weight, now))
    window = had(agent).window or Window(agent=agent)
    if tokens:
        window = subscription.after_use(window, float(tokens), began_at, now)
    if code in WINDOWED and reset_at is not None:
        window = subscription.after_limit(window, reset_at, now)
    if window != Window(agent=agent):
        put(agent, window=window)
    return [
        one for one in changed.values() if one != before.get(one.subject, Standing(one.subject))
    ]


def clear(state: Reader, command: cmd.ClearCooldown) -> list[ev.EventData] | OrchError:
    """A person says that it may be used again; an empty subject means all of them."""
    found = [
        one for one in state.standings()
        if one.cooldown is not None and command.subject in ("", one.subject)
    ]  # fmt: skip
    if command.subject and not found:
        return NotFound(
            f"{command.subject} does not cool", code="not_cooling", hint="orch cooldown list"
        )
    return [
        ev.AgentStood(msgspec.structs.replace(one, cooldown=None, window=_freed(one.window)))
        for one in found
    ]


def _freed(window: Window | None) -> Window | None:
    return msgspec.structs.replace(window, resets_at=0.0) if window is not None else None


def stood(tables: Tables, event: ev.Event, data: ev.AgentStood) -> None:
    tables.put_standing(data.standing)
