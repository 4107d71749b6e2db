"""How an agent (or one model of an agent) stands with the queue: its cooldown, its weight,
the present window of its subscription.

Invariant: a standing is one subject's alone and is replaced as a whole; the subject is `agent` or
`agent:model`.
"""

from __future__ import annotations

import msgspec

from orch.model.cooldown import Cooldown
from orch.model.subscription import Window
from orch.model.weights import Weight


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """None: nothing is known, so nothing holds it back."""

    subject: str
    cooldown: Cooldown | None = None
    weight: Weight | None = None
    window: Window | None = None
