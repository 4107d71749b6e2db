"""Accounts of what was used, out of the attempts in the books. Pure.

Invariant: commands cost nothing; what an attempt did not report counts as `[metering]` assumes.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.model import budget
from orch.model.attempt import FINAL, Attempt
from orch.model.budget import Account, Assumed, Use
from orch.model.price import tokens_of


def account_of(
    scope: budget.Scope, name: str, found: Sequence[Attempt], now: float, assumed: Assumed
) -> Account:
    """The account of one scope that these attempts belong to."""
    uses = [(one, _use(one, now, assumed)) for one in found if one.role != "command"]
    over = [use for one, use in uses if one.status in FINAL]
    measured = [use for use in over if not use.assumed]
    largest: Use | None = None
    for use in measured or over:
        largest = use if largest is None else largest.at_least(use)
    return Account(
        scope=scope, name=name, spent=budget.total(over),
        live=tuple(use for one, use in uses if one.status not in FINAL), largest=largest,
    )  # fmt: skip


def _use(attempt: Attempt, now: float, assumed: Assumed) -> Use:
    tokens = tokens_of(attempt.usage).total
    told = attempt.usage.get("cost_usd")
    dollars = float(told) if isinstance(told, int | float) else None
    seconds = max(0.0, (attempt.ended_at or now) - attempt.started_at)
    return budget.use_of(tokens=tokens, usd=dollars, seconds=seconds, assumed=assumed)
