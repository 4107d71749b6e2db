"""What a person answers where a run waits for one."""

from __future__ import annotations

import msgspec


class GateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A person's answer: `decision` is `approve` or `answer`, `text` what they wrote."""

    decision: str
    text: str = ""
    by: str = ""

    def __str__(self) -> str:
        return self.text or self.decision
