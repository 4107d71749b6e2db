"""What follows on a failed attempt: again, elsewhere, later, or a person."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest
from hypothesis import given, settings, strategies as st

from orch.model.cooldown import Cooldown, after_failure, after_success, cooling, subjects
from orch.model.failure_class import class_of
from orch.model.onward import Again, Candidate, Defer, GiveUp
from orch.model.retrying import AttemptPolicy, Next, Tried, complexity_after, decide_next

POLICY = AttemptPolicy()
T0 = datetime.datetime(2026, 3, 1, 14, 0, tzinfo=datetime.UTC).timestamp()
THREE = [Candidate("alpha"), Candidate("beta"), Candidate("gamma")]


def tried(agent: str, code: str = "exit_nonzero", message: str = "", at: float = T0) -> Tried:
    return Tried(agent=agent, code=code, message=message or f"{agent} {code} {at}", ended_at=at)


def ask(
    history: Sequence[Tried],
    agents: Sequence[Candidate] = THREE,
    cooldowns: dict[str, Cooldown] | None = None,
    *,
    pin: str = "",
    routed: str = "",
    now: float = T0,
    policy: AttemptPolicy = POLICY,
) -> Next:
    return decide_next(
        history, policy, agents, cooldowns or {}, now=now, task="7", pin=pin, routed=routed
    )


def test_the_first_attempt_is_the_routers_choice() -> None:
    answer = ask([], routed="beta")
    assert isinstance(answer, Again)
    assert (answer.agent, answer.model, answer.at) == ("beta", "", T0)


def test_another_agent_takes_over_at_once_in_turn() -> None:
    """H26: the next agent goes on, where the last one stopped."""
    history = [tried("beta")]
    answer = ask(history)
    assert isinstance(answer, Again)
    assert (answer.agent, answer.at) == ("gamma", T0)
    answer = ask([*history, tried("gamma", "timeout")])
    assert isinstance(answer, Again)
    assert answer.agent == "alpha"
    assert "instead of gamma" in answer.why


def test_when_all_were_tried_the_first_to_be_ready_waits_its_turn() -> None:
    history = [tried("alpha", at=T0), tried("beta", at=T0 + 50)]
    answer = ask(history, THREE[:2], now=T0 + 60)
    assert isinstance(answer, Again)
    assert (answer.agent, answer.at) == ("alpha", T0 + 300)
    assert "not before 14:05" in answer.why


def test_a_clock_that_was_put_back_lets_the_next_attempt_begin() -> None:
    answer = ask([tried("alpha", at=T0 + 86_400)], THREE[:1], now=T0)
    assert isinstance(answer, Again)
    assert answer.at == T0


def test_a_pinned_agent_is_tried_again_and_no_other() -> None:
    history: list[Tried] = []
    waits = []
    now = T0
    while isinstance(answer := ask(history, pin="beta", now=now), Again):
        assert answer.agent == "beta"
        waits.append(answer.at - now)
        now = answer.at
        history.append(tried("beta", message=f"other words {'x' * len(history)}", at=now))
    assert waits == [0, 300, 600, 1200, 2400]
    assert answer == GiveUp(
        "attempts_spent",
        "5 attempts failed (beta); the last: other words xxxx",
        "orch task retry 7",
    )


def test_an_agent_that_is_gone_is_named() -> None:
    answer = ask([], pin="delta")
    assert isinstance(answer, GiveUp)
    assert answer.message == "the agent delta, which was asked for, is not available"
    none = ask([], [])
    assert isinstance(none, GiveUp)
    assert none.message == "no agent is available"


@pytest.mark.parametrize("code", ["missing_tool", "bad_cwd", "cannot_start"])
def test_a_fault_of_the_environment_stops_at_once(code: str) -> None:
    """H46: no other agent can do better on a machine without the tool."""
    answer = ask([tried("alpha", code, "needs rustc")])
    assert answer == GiveUp(code, "needs rustc", "orch task retry 7")


@pytest.mark.parametrize(
    "code", ["waiting_input", "reported_blocked", "reported_needs_review", "stopped", "no_change"]
)
def test_what_a_person_decides_or_has_to_is_not_tried_again(code: str) -> None:
    answer = ask([tried("alpha", code)])
    assert isinstance(answer, GiveUp)
    assert answer.code == code


@pytest.mark.parametrize("code", ["auth", "billing", "context_overflow"])
def test_what_waiting_cannot_cure_goes_to_another_agent_or_a_person(code: str) -> None:
    history = [tried("alpha", code)]
    answer = ask(history)
    assert isinstance(answer, Again)
    assert (answer.agent, answer.at) == ("beta", T0)
    alone = ask(history, pin="alpha")
    assert isinstance(alone, GiveUp)
    assert alone.code == code
    later = ask([*history, tried("beta", at=T0 + 1)], THREE[:2], now=T0 + 1)
    assert isinstance(later, Again)  # never the one that is not signed in
    assert (later.agent, later.at) == ("beta", T0 + 301)


def test_an_unknown_model_means_another_model_of_the_same_agent_first() -> None:
    agents = [Candidate("alpha", ("big", "small")), Candidate("beta")]
    history = [Tried(agent="alpha", model="big", code="unknown_model", ended_at=T0)]
    for pin in ("", "alpha"):
        answer = ask(history, agents, pin=pin)
        assert isinstance(answer, Again)
        assert (answer.agent, answer.model, answer.at) == ("alpha", "small", T0)
    history.append(Tried(agent="alpha", model="small", code="unknown_model", ended_at=T0))
    other = ask(history, agents)
    assert isinstance(other, Again)
    assert other.agent == "beta"
    assert isinstance(ask(history, agents, pin="alpha"), GiveUp)


def test_the_same_error_three_times_stops() -> None:
    """H47: whatever the agents, and whatever differs in ids and times."""
    history = [
        tried("alpha", message="the agent alpha failed: no module named x (12 s)"),
        tried("beta", message="the agent beta failed: no module named x (13 s)"),
    ]
    assert isinstance(ask(history), Again)
    history.append(tried("gamma", message="the agent gamma failed: no module named x (9 s)"))
    answer = ask(history)
    assert isinstance(answer, GiveUp)
    assert answer.code == "same_error"
    assert "3 times" in answer.message


def test_the_same_error_three_times_among_four_stops() -> None:
    """H47 and the contract's rule at once."""
    history = [tried("alpha", message=words) for words in ("boom", "other", "boom", "boom")]
    answer = ask(history)
    assert isinstance(answer, GiveUp)
    assert answer.code == "same_error"


def test_limits_are_not_the_same_error() -> None:
    history = [tried("alpha", "rate_limit", "too many requests", T0 + n) for n in range(3)]
    assert not isinstance(ask(history, now=T0 + 5), GiveUp)


def test_a_lost_terminal_is_nobodys_failure_but_bounded() -> None:
    history = [tried("alpha", "lost")]
    for _ in range(2):
        answer = ask(history)
        assert isinstance(answer, Again)
        assert (answer.agent, answer.at) == ("alpha", T0)
        history.append(tried("alpha", "lost"))
    answer = ask(history)
    assert isinstance(answer, GiveUp)
    assert answer.code == "lost"


def test_the_vendors_time_beats_the_curve() -> None:
    for seconds in (40.0, 9_000.0):
        history = [Tried(agent="alpha", code="rate_limit", ended_at=T0, reset_at=T0 + seconds)]
        answer = ask(history, pin="alpha")
        assert isinstance(answer, Again)
        assert answer.at == T0 + seconds


def test_when_all_agents_cool_the_task_waits_and_says_why() -> None:
    """H31: transient, and no attempt is burned."""
    cold = {name: Cooldown(until=T0 + 300 + n, why="rate_limit") for n, name in enumerate("abc")}
    agents = [Candidate(name) for name in cold]
    assert ask([], agents, cold) == Defer(T0 + 300, "all agents cool until 14:05")
    alone = ask([], agents, cold, pin="b")
    assert alone == Defer(T0 + 301, "agent b cools until 14:06 (rate limit)")
    after = ask([], agents, cold, now=T0 + 301)
    assert isinstance(after, Again)
    assert after.agent == "a"


def test_a_hung_agent_is_not_chosen_again_by_the_next_task() -> None:
    """H27."""
    held = after_failure(None, "stuck", T0, POLICY)
    assert held is not None
    answer = ask([], cooldowns={"alpha": held}, routed="alpha")
    assert isinstance(answer, Again)
    assert answer.agent == "beta"


def test_complexity_goes_down_only_where_it_is_wanted() -> None:
    history = [tried("a", "timeout"), tried("a", "exit_nonzero"), tried("a", "rate_limit")]
    assert complexity_after("complex", history, lower=False) == "complex"
    assert complexity_after("complex", history, lower=True) == "simple"
    assert complexity_after("complex", history[:2], lower=True) == "medium"


CODES = [
    "exit_nonzero", "rate_limit", "usage_window", "overloaded", "auth", "billing", "timeout",
    "stuck", "lost", "killed", "unknown_model", "context_overflow", "empty", "done",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    endings=st.lists(
        st.tuples(st.sampled_from(CODES), st.sampled_from(["", "boom", "bang"])), max_size=60
    ),
    names=st.lists(st.sampled_from("abcd"), unique=True, max_size=4),
    models=st.lists(st.sampled_from(["big", "small"]), unique=True, max_size=2),
    pinned=st.booleans(),
    most=st.integers(1, 7),
    lost=st.integers(1, 4),
    others=st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 5_000)), max_size=4),
)
def test_every_story_ends_within_the_policy(
    endings: list[tuple[str, str]],
    names: list[str],
    models: list[str],
    pinned: bool,
    most: int,
    lost: int,
    others: list[tuple[str, float]],
) -> None:
    """Never more attempts than the policy, never a cooling agent or one that was not offered, and
    waits cost nothing (H27, H31)."""
    policy = AttemptPolicy(max_attempts=most, lost_attempts=lost)
    agents = [Candidate(name, tuple(models)) for name in names]
    pin = names[0] if pinned and names else ""
    cold = {name: Cooldown(until=T0 + until, why="rate_limit") for name, until in others}
    history: list[Tried] = []
    now, fates = T0, iter(endings)
    for _ in range(400):
        answer = ask(history, agents, cold, pin=pin, now=now, policy=policy)
        assert answer == ask(history, agents, cold, pin=pin, now=now, policy=policy)
        if isinstance(answer, GiveUp):
            assert answer.message
            assert answer.hint
            break
        if isinstance(answer, Defer):
            assert answer.until > now
            now = answer.until
            continue
        assert answer.agent in ([pin] if pin else names)
        assert answer.model in (models or [""])
        assert cooling(cold, answer.agent, answer.model, max(now, answer.at)) is None
        if answer.at > now:
            now = answer.at
            continue
        now += 10
        code, words = next(fates, ("done", ""))
        if code == "done":
            after_success(cold.get(answer.agent))
            break
        history.append(
            Tried(agent=answer.agent, model=answer.model, code=code, message=words, ended_at=now)
        )
        for subject in subjects(code, answer.agent, answer.model):
            held = after_failure(cold.get(subject), code, now, policy)
            assert held is not None
            cold[subject] = held
    else:
        pytest.fail("the story has no end")
    assert sum(class_of(one.code) != "lost" for one in history) <= most
    assert sum(class_of(one.code) == "lost" for one in history) <= lost
