"""Effects that touch nothing: their value is made once and journaled with whatever follows."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

from orch.engine.world import World
from orch.model.command import Fact, Noted
from orch.model.effect import Effect, Log, Now, Random, encode_result
from orch.model.step import Outcome


def carry_out(world: World, effect: Effect[Any]) -> tuple[Outcome, tuple[Fact, ...]]:
    """The outcome of a pure effect and what is told to whoever watches."""
    if isinstance(effect, Now):
        moment = datetime.datetime.fromtimestamp(world.clock.now(), datetime.UTC)
        return _value(moment), ()
    if isinstance(effect, Random):
        return _value(world.ids.random()), ()
    if isinstance(effect, Log):
        return _value(None), (Noted(effect.message, effect.level),)
    raise TypeError(f"{type(effect).__name__} is not a pure effect")


def _value(value: Any) -> Outcome:
    return Outcome(msgspec.Raw(encode_result(value)))
