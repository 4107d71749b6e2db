"""How much of what could be tried is tried: `./dev test --thorough PATH` tries more of it."""

from __future__ import annotations

import os

step = 6
"""Every so many of the moments at which a program can be killed."""


def thorough() -> bool:
    return step == 1


def of(whole: int, name: str = "") -> int:
    """How many of `whole` seeds are played: half of them, or all.

    The variable `name` of the environment says another number.
    """
    told = os.environ.get(name, "") if name else ""
    return int(told) if told else whole if thorough() else whole // 2
