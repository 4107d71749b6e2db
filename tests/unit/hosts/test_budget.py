"""The book of one host: the person's reserve, paces, holds; without a network."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orch.hosts.budget import Allowance, Budget, Pace
from orch.hosts.failures import Limited

NOW = 1_000_000.0
ONE: Mapping[str, int] = {"any": 1}


def told(budget: Budget, left: int, *, limit: int = 5000, reset_at: float = NOW + 3600) -> None:
    budget.told("core", Allowance(limit=limit, left=left, reset_at=reset_at))


def refused(budget: Budget, now: float = NOW, **weights: int) -> Limited:
    with pytest.raises(Limited) as caught:
        budget.admit("core", 1, now, weights=weights or ONE)
    return caught.value


def test_what_is_left_for_the_person_is_never_taken() -> None:
    budget = Budget("github.com", reserve=500)
    told(budget, 501)
    budget.admit("core", 1, NOW, weights=ONE)
    limit = refused(budget)  # the first one is still on its way
    assert (limit.kind, limit.code, limit.retry_at) == ("reserve", "host_reserve", NOW + 3600)
    assert "500 are kept for you" in limit.message


def test_of_a_small_limit_half_is_the_persons() -> None:
    budget = Budget("github.com", reserve=500)
    told(budget, 16, limit=30)
    budget.admit("core", 1, NOW, weights=ONE)
    budget.landed("core", 1)
    told(budget, 15, limit=30)
    assert refused(budget).kind == "reserve"


def test_without_a_reserve_the_last_point_may_be_spent_and_no_more() -> None:
    budget = Budget("github.com", reserve=0)
    told(budget, 1)
    budget.admit("core", 1, NOW, weights=ONE)
    assert refused(budget).kind == "primary"


def test_after_the_reset_nothing_is_known_any_more() -> None:
    budget = Budget("github.com", reserve=500)
    told(budget, 500)
    assert budget.knows("core", NOW)
    assert not budget.knows("core", NOW + 3600)


def test_answers_that_overtake_one_another_do_not_give_points_back() -> None:
    budget = Budget("github.com", reserve=500)
    told(budget, 600)
    told(budget, 601)
    told(budget, 700, reset_at=NOW + 3598)  # the same window, told by another server
    assert budget.figures().allowances["core"].left == 600
    told(budget, 4999, reset_at=NOW + 7200)
    assert budget.figures().allowances["core"].left == 4999


def test_a_lost_answer_was_paid_for() -> None:
    budget = Budget("github.com", reserve=500)
    told(budget, 501)
    budget.admit("core", 1, NOW, weights=ONE)
    budget.lost("core", 1)
    budget.landed("core", 1)
    assert refused(budget).kind == "reserve"


def test_a_pace_is_kept_before_the_host_has_to_say_so() -> None:
    budget = Budget("github.com", reserve=0, paces=(Pace("content", 2, 60.0),))
    for at in (NOW, NOW + 10):
        budget.admit("core", 1, at, weights={"content": 1})
        budget.landed("core", 1)
    limit = refused(budget, NOW + 20, content=1)
    assert (limit.kind, limit.retry_at) == ("pace", NOW + 65)  # what is sent arrives later
    assert limit.hint.startswith("It goes on by itself at 1970-01-12T13:47:45Z; ")
    budget.admit("core", 1, NOW + 20, weights=ONE)  # questions have another pace
    budget.admit("core", 1, NOW + 65, weights={"content": 1})


def test_a_server_that_counts_nothing_has_no_pace_until_it_says_so() -> None:
    budget = Budget("host", paces=[Pace("content", 1, 60.0)])
    budget.unlimited()
    for _ in range(5):
        budget.admit("core", 1, NOW, weights={"content": 1})
    budget.hold(NOW, NOW + 10)
    with pytest.raises(Limited, match="slow down"):
        budget.admit("core", 1, NOW, weights={"content": 1})


def test_who_is_too_fast_twice_waits_longer_and_an_answer_makes_it_short_again() -> None:
    budget = Budget("github.com", reserve=0)
    assert budget.hold(NOW, None) == NOW + 60
    assert refused(budget, NOW + 59).retry_at == NOW + 60
    assert budget.hold(NOW + 60, None) == NOW + 60 + 120
    for _ in range(5):
        budget.hold(NOW, None)
    assert budget.hold(NOW + 10_000, None) == NOW + 10_000 + 900
    budget.eased()
    assert budget.hold(NOW + 20_000, None) == NOW + 20_000 + 60
