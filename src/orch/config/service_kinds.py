"""Kinds of values that only the tables of unattended work have.

Invariant: as in `kinds`: the value in the form the tree holds, or `Wrong`.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from orch.config.kinds import Place, Wrong, described

MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,99}"
_AGENT = r"[a-z][a-z0-9_-]{0,31}"


class Amount(msgspec.Struct, frozen=True):
    """A number from 0 to `high`."""

    high: float = 1e9

    def read(self, value: Any, place: Place) -> float:
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        if not usable or not math.isfinite(value) or not 0 <= value <= self.high:
            top = f" to {self.high:g}" if self.high < 1e9 else " or more"
            raise Wrong(f"expected a number from 0{top}, found {described(value)}")
        return float(value)


class AgentModels:
    """Agent -> model, or a list of models."""

    def read(self, value: Any, place: Place) -> dict[str, tuple[str, ...]]:
        if not isinstance(value, dict):
            raise Wrong(f'expected a table (agent = "model"), found {described(value)}')
        return {agent: self._models(agent, models) for agent, models in value.items()}

    def _models(self, agent: str, value: Any) -> tuple[str, ...]:
        if not re.fullmatch(_AGENT, agent):
            raise Wrong(f'"{agent}" is not the name of an agent', agent)
        models = value if isinstance(value, list) else [value]
        usable = all(isinstance(name, str) and re.fullmatch(MODEL_NAME, name) for name in models)
        if not models or not usable:
            raise Wrong(f"expected a model or a list of models, found {described(value)}", agent)
        return tuple(models)
