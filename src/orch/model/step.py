"""A step: an effect of a run, keyed by its path, with what is known about its outcome.

`planned -> intended -> confirmed | refused | abandoned`. `intended` is durable before a byte leaves;
whatever is unknown stays `intended` and is looked for before it is done again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orch.model import typed
from orch.model.errors import Failure
from orch.model.gate import GateAnswer

StepStatus = Literal["planned", "intended", "confirmed", "refused", "abandoned"]
SETTLED: frozenset[str] = frozenset({"confirmed", "refused", "abandoned"})


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a settled step gave: the encoded `value` (JSON), or the `failure` it raises."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        return self.failure is None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """`path` as in `2/gather.1/0`; `kind` as in `RunAgent/1`; `request` the encoded effect;
    `planned_seq` the event number of its planning, the order of listings (a clock may stand still
    or go back); `settled_seq` that of its outcome, the order in which a replay delivers outcomes."""

    run: str
    path: str
    kind: str
    request: bytes
    status: StepStatus
    attempt: int = 1
    outcome: Outcome | None = None
    planned_seq: int = 0
    settled_seq: int = 0
    looks: int = 0
    planned_at: float = 0.0
    intended_at: float = 0.0
    settled_at: float = 0.0
    answer: GateAnswer | None = None


ENCODER = msgspec.json.Encoder()
OUTCOME_DECODER: msgspec.json.Decoder[Outcome] = typed.decoder(Outcome)
