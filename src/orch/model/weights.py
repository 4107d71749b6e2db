"""Weighted rotation: agents that meet limits get less work, and win it back.

Invariant: a weight is between 0.05 and 1.0, also after any number of limits, successes or minutes; a
choice follows from the weights and the task's id alone, so that tasks of one batch spread over the
agents however fast they come (H48). Figures: SEED-CONTRACT 1B "Router".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

START = 1.0
FLOOR = 0.05
LIMIT_FACTOR = 0.3
STEP = 0.1
QUIET_S = 60.0
_GOLDEN = 0.6180339887498949


class Weight(msgspec.Struct, frozen=True):
    """`value` as it was at `at` (seconds since the epoch); it grows by itself from there."""

    value: float = START
    at: float = 0.0


def weight_at(weight: Weight | None, now: float) -> float:
    """The weight now: 0.1 more for each whole minute without a limit, so nothing has to tick."""
    if weight is None:
        return START
    minutes = max(0, int((now - weight.at) // QUIET_S))
    return min(START, max(FLOOR, weight.value + STEP * minutes))


def after_limit(weight: Weight | None, now: float) -> Weight:
    return Weight(max(FLOOR, weight_at(weight, now) * LIMIT_FACTOR), now)


def after_success(weight: Weight | None, now: float) -> Weight:
    return Weight(min(START, weight_at(weight, now) + STEP), now)


def place(task: str) -> float:
    """The task's place between 0 and 1. Numbers that follow one another lie far apart (steps of the
    golden ratio), so that even a small batch spreads; other ids by their hash. Never the time
    (H48)."""
    if task.isascii() and task.isdigit() and len(task) <= 15:
        return int(task) * _GOLDEN % 1.0
    import hashlib  # late: it brings OpenSSL, and few who read weights choose by them

    digest = hashlib.sha256(task.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def pick(agents: Sequence[str], weights: Mapping[str, Weight], task: str, now: float) -> str:
    """One of `agents` (not empty), each as often as its weight says."""
    shares = [weight_at(weights.get(agent), now) for agent in agents]
    left = place(task) * sum(shares)
    for agent, share in zip(agents, shares, strict=True):
        left -= share
        if left < 0:
            return agent
    return agents[-1]
