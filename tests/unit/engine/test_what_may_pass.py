"""What ends a step, and what it only waits for."""

from __future__ import annotations

import pytest

from orch.engine.step_context import due_of, may_pass
from orch.hosts.budget import Allowance, Budget, Pace
from orch.hosts.failures import Limited
from orch.model.errors import Conflict, LimitReached, OrchError, ToolFailed

NOW = 1_700_000_000.0


def refused(budget: Budget) -> Limited:
    for _ in range(3):
        try:
            budget.admit("core", 1, NOW, weights={"any": 1})
        except Limited as limit:
            return limit
    raise AssertionError("it is never too much")


def test_every_limit_of_a_host_is_waited_for_until_the_time_that_it_names() -> None:
    pace = Budget("host", paces=[Pace("any", 2, 60.0)])
    reserve = Budget("host")
    reserve.told("core", Allowance(limit=5000, left=500, reset_at=NOW + 900))
    held = Budget("host")
    held.hold(NOW, NOW + 30)
    for budget, after in ((pace, 65), (reserve, 900), (held, 30)):
        limit = refused(budget)
        assert may_pass(limit)
        assert due_of(limit) == NOW + after


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ToolFailed("no answer", code="outcome_unknown"), True),
        (LimitReached("the prompt has too many words"), False),
        (Conflict("the head has moved", code="head_moved"), False),
    ],
)
def test_what_names_no_time_goes_by_its_code(error: OrchError, *, passes: bool) -> None:
    assert may_pass(error) is passes
    assert due_of(error) == 0.0
