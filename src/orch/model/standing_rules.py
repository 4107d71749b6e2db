"""What changes how agents stand with the queue, and what that means for cooldowns and weights. Pure.

Invariant: a standing is one subject's alone and is replaced as a whole; the subject is `agent` or
`agent:model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from orch.model import command as cmd, cooldown as cooling, event as ev, weights
from orch.model.cooldown import Cooldown, Cooldowns, Curve
from orch.model.errors import NotFound, OrchError
from orch.model.failure_class import class_of
from orch.model.standing import Standing
from orch.model.weights import Weight

if TYPE_CHECKING:
    from orch.model.ledger import Reader, Tables


def cooldowns(standings: Sequence[Standing]) -> Cooldowns:
    return {one.subject: one.cooldown for one in standings if one.cooldown is not None}


def weighed(standings: Sequence[Standing]) -> dict[str, Weight]:
    return {one.subject: one.weight for one in standings if one.weight is not None}


def after(
    known: Sequence[Standing], agent: str, model: str, code: str, now: float, curve: Curve,
    reset_at: float | None,
) -> list[Standing]:  # fmt: skip
    """The standings that an attempt's end changes; an empty `code` is a success."""
    before = {one.subject: one for one in known}
    changed: dict[str, Standing] = {}

    def put(subject: str, **fields: Cooldown | Weight | None) -> None:
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
    return [ev.AgentStood(msgspec.structs.replace(one, cooldown=None)) for one in found]


def stood(tables: Tables, event: ev.Event, data: ev.AgentStood) -> None:
    tables.put_standing(data.standing)
