"""How an attempt's end changes the standing of its agent."""

from __future__ import annotations

from orch.config.tree import RetryPolicy
from orch.model import standing_rules
from orch.model.standing import Standing

CURVE = RetryPolicy()


def after(
    known: list[Standing], code: str, now: float, **more: float | int | None
) -> list[Standing]:
    changed = standing_rules.after(
        known, "claude", "", code, now, CURVE, more.get("reset_at"),
        tokens=int(more.get("tokens") or 0), began_at=now - 10,
    )  # fmt: skip
    names = {one.subject for one in changed}
    return [*changed, *(one for one in known if one.subject not in names)]


def held(known: list[Standing], now: float, keep: float = 0.0) -> float:
    found = standing_rules.cooldowns(known, now, keep).get("claude")
    return found.until if found is not None and found.until > now else 0.0


def test_a_limit_cools_until_the_vendors_own_time_and_a_success_ends_it() -> None:
    known = after([], "usage_window", 1000.0, reset_at=5000.0)
    assert held(known, 1001.0) == 5000.0
    assert held(known, 5001.0) == 0.0
    known = after(known, "", 5002.0, tokens=10)
    assert held(known, 5003.0) == 0.0


def test_a_share_of_a_known_window_is_kept_for_people() -> None:
    known = after([], "", 100.0, tokens=900)
    known = after(known, "usage_window", 200.0, reset_at=1090.0, tokens=100)
    assert held(known, 300.0) == 1090.0, "used up"
    known = after(known, "", 2000.0, tokens=850)
    assert held(known, 2001.0, keep=0.1) == 0.0
    known = after(known, "", 2002.0, tokens=60)
    assert held(known, 2003.0, keep=0.1) > 2003.0, "the last tenth is left to people"
    assert held(known, 2003.0, keep=0.0) == 0.0


def test_an_agents_own_bad_work_cools_nothing() -> None:
    assert after([], "exit_nonzero", 10.0) == []
