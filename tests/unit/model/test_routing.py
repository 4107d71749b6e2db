"""Who carries out a task: pin, label, mode; never an agent that is not there or cools."""

from __future__ import annotations

import datetime
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from orch.model.cooldown import Cooldown, cooling
from orch.model.errors import UsageError
from orch.model.labels import check_labels
from orch.model.onward import Defer, GiveUp
from orch.model.profile import Profile
from orch.model.route_answer import RouteAnswer
from orch.model.routing import Around, AskLlm, Routed, ToRoute, route, sanity, settle
from orch.model.weights import Weight, after_limit, after_success, pick, weight_at

T0 = datetime.datetime(2026, 3, 1, 14, 0, tzinfo=datetime.UTC).timestamp()
AGENTS = ("claude", "codex", "kimi")


class Rules:
    def __init__(self, mode: str = "round_robin", **other: Any) -> None:
        self.mode: Any = mode
        self.agent = other.get("agent", "")
        self.model = other.get("model", "")
        self.timeout_s = 120.0
        self.max_route_attempts = 3
        self.fallback = other.get("fallback", "")
        self.tools: tuple[str, ...] = other.get("tools", ())
        self.skills: tuple[str, ...] = other.get("skills", ())


def around(**other: Any) -> Around:
    return Around(**{"agents": AGENTS, "now": T0, **other})


def cold(*names: str, seconds: float = 300.0) -> dict[str, Cooldown]:
    return {name: Cooldown(until=T0 + seconds, why="rate_limit") for name in names}


def routed(task: ToRoute, rules: Rules, world: Around) -> Routed:
    answer = route(task, rules, world)
    assert isinstance(answer, Routed), answer
    return answer


@pytest.mark.parametrize(
    ("pin", "labels", "agent", "how", "pinned"),
    [
        ("", ("agent:kimi",), "kimi", "label", False),
        ("codex", (), "codex", "pin", True),
        ("codex", ("agent:kimi",), "codex", "pin", True),
        ("", ("agent:nobody",), "claude", "round_robin", False),
        ("", (), "claude", "round_robin", False),
    ],
)
def test_a_pin_then_a_label_then_the_mode(
    pin: str, labels: tuple[str, ...], agent: str, how: str, pinned: bool
) -> None:
    answer = routed(ToRoute(id="1", pin=pin, labels=labels), Rules(), around())
    assert (answer.agent, answer.how, answer.pinned) == (agent, how, pinned)
    assert bool(answer.warnings) == (bool(labels) and how != "label")


def test_a_label_whose_agent_cools_gives_way_and_a_pin_waits() -> None:
    world = around(cooldowns=cold("kimi"))
    answer = routed(ToRoute(id="1", labels=("agent:kimi",)), Rules(), world)
    assert answer.agent == "claude"
    assert answer.warnings == ("the label agent:kimi was not followed: kimi cools",)
    assert route(ToRoute(id="1", pin="kimi"), Rules(), world) == Defer(
        T0 + 300, "agent kimi cools until 14:05 (rate limit)"
    )


def test_all_cool_is_a_reason_to_wait_and_none_a_reason_for_a_person() -> None:
    """H31."""
    answer = route(ToRoute(id="1"), Rules(), around(cooldowns=cold(*AGENTS)))
    assert answer == Defer(T0 + 300, "all agents cool until 14:05")
    assert isinstance(route(ToRoute(id="1"), Rules(), around(agents=())), GiveUp)
    gone = route(ToRoute(id="1", pin="glm"), Rules(), around())
    assert isinstance(gone, GiveUp)
    assert "claude, codex, kimi" in gone.message


def test_complexity_gives_the_model_and_cooled_models_are_passed_over() -> None:
    """H50: by agent and by model of the tier."""
    models = {"simple": {"claude": ("haiku",)}, "complex": {"claude": ("opus", "sonnet")}}
    world = around(agents=("claude",), models=models)
    for labels, model in (
        (("complexity:simple",), "haiku"),
        (("complexity:complex",), "opus"),
        (("complexity:medium",), ""),
        ((), ""),
        (("complexity:complex", "model:own"), "own"),
    ):
        assert routed(ToRoute(id="1", labels=labels), Rules(), world).model == model
    world = around(agents=("claude",), models=models, cooldowns=cold("claude:opus"))
    task = ToRoute(id="1", labels=("complexity:complex",))
    assert routed(task, Rules(), world).model == "sonnet"
    world = around(models=models, cooldowns=cold("claude:opus", "claude:sonnet"))
    assert routed(task, Rules(), world).agent == "codex"


def test_labels_and_defaults_make_the_profile() -> None:
    rules = Rules(tools=("git",), skills=("gh", "git-worktree"))
    task = ToRoute(id="1", labels=("role:security", "skill:fuzzing", "skill:gh"))
    profile = routed(task, rules, around()).profile
    assert profile == Profile(
        role="security", skills=("fuzzing", "gh", "git-worktree"), tools=("git",)
    )


def test_in_turn_never_the_last_one_again() -> None:
    last, seen = "", []
    for number in range(7):
        last = routed(ToRoute(id=str(number)), Rules(), around(last_agent=last)).agent
        seen.append(last)
    assert seen == ["claude", "codex", "kimi", "claude", "codex", "kimi", "claude"]
    one = around(last_agent="claude", cooldowns=cold("codex", "kimi"))
    assert routed(ToRoute(id="1"), Rules(), one).agent == "claude"


def test_the_default_agent_where_nothing_else_was_chosen() -> None:
    world = around(default_agent="codex", last_agent="codex")
    answer = routed(ToRoute(id="1"), Rules("default"), world)
    assert (answer.agent, answer.how) == ("codex", "default")
    away = around(default_agent="codex", cooldowns=cold("codex"))
    assert routed(ToRoute(id="1"), Rules("default"), away).how == "round_robin"


def test_a_classifier_is_asked_and_what_follows_on_its_failures() -> None:
    rules = Rules("llm", agent="claude", model="haiku", fallback="codex")
    asked = route(ToRoute(id="1"), rules, around(cooldowns=cold("kimi")))
    assert asked == AskLlm(
        agent="claude", model="haiku", timeout_s=120.0, agents=("claude", "codex")
    )
    for failures, how in ((1, "fallback"), (2, "fallback"), (3, "round_robin"), (9, "round_robin")):
        assert routed(ToRoute(id="1", failed_routes=failures), rules, around()).how == how
    bare = Rules("llm", agent="claude")
    assert isinstance(route(ToRoute(id="1", failed_routes=2), bare, around()), AskLlm)


def test_a_classifier_that_cools_is_not_asked() -> None:
    """H50: seventeen times a day it was."""
    rules = Rules("llm", agent="claude", model="haiku")
    for subject in ("claude", "claude:haiku"):
        answer = routed(ToRoute(id="1"), rules, around(cooldowns=cold(subject)))
        assert answer.how == "round_robin"


@pytest.mark.parametrize("executor", ["kimi", "nobody", "claude"])
def test_an_answer_is_a_wish_among_what_is_there(executor: str) -> None:
    said = RouteAnswer(executor=executor, complexity="complex", reason="why not")
    world = around(cooldowns=cold("claude"), models={"complex": {"codex": ("big",)}})
    answer = settle(said, ToRoute(id="1"), Rules("llm"), world)
    assert isinstance(answer, Routed)
    assert answer.agent == ("kimi" if executor == "kimi" else "codex")
    assert answer.complexity == "complex"
    assert (answer.model == "big") == (answer.agent == "codex")
    assert any("instead" in text for text in answer.warnings) == (executor != "kimi")
    labelled = settle(said, ToRoute(id="1", labels=("complexity:simple",)), Rules("llm"), world)
    assert isinstance(labelled, Routed)
    assert labelled.complexity == "simple"


@pytest.mark.parametrize(
    ("labels", "agent", "skills", "odd"),
    [
        (("role:backend",), "claude", ("x",), 1),
        (("api",), "claude", ("x",), 1),
        (("Database",), "claude", ("x",), 1),
        (("docs",), "codex", ("x",), 1),
        (("docs",), "claude", ("x",), 0),
        (("api",), "codex", (), 1),
        ((), "codex", ("x",), 0),
    ],
)
def test_sanity_warnings(
    labels: tuple[str, ...], agent: str, skills: tuple[str, ...], odd: int
) -> None:
    assert len(sanity(labels, agent, skills)) == odd


@pytest.mark.parametrize("first", [1, 42, 1000, 99_990])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_batch_spreads_however_fast_it_comes(first: int, count: int) -> None:
    """H48: seeded by the task's id, not by the time."""
    agents = tuple("abcd"[:count])
    picked = Counter(
        routed(ToRoute(id=str(n)), Rules("weighted"), around(agents=agents)).agent
        for n in range(first, first + 4 * count)
    )
    assert set(picked) == set(agents)
    assert max(picked.values()) - min(picked.values()) <= 2


def test_other_ids_spread_too() -> None:
    """H48."""
    picked = Counter(pick(AGENTS, {}, f"internal-{n:x}", T0) for n in range(300))
    assert min(picked.values()) > 60


def test_weights_fall_with_limits_and_come_back() -> None:
    one = after_limit(None, T0)
    assert one.value == pytest.approx(0.3)
    two = after_limit(after_limit(one, T0), T0)
    assert two.value == 0.05
    assert after_success(two, T0).value == pytest.approx(0.15)
    assert weight_at(two, T0 + 59) == 0.05
    assert weight_at(two, T0 + 120) == pytest.approx(0.25)
    assert weight_at(two, T0 + 86_400) == 1.0
    assert weight_at(two, T0 - 500) == 0.05
    heavy = {"a": Weight(1.0, T0), "b": Weight(0.1, T0)}
    picked = Counter(pick(("a", "b"), heavy, str(n), T0) for n in range(1100))
    assert 80 <= picked["b"] <= 120


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 500)), max_size=40))
def test_a_weight_stays_in_its_bounds(steps: list[tuple[bool, float]]) -> None:
    weight, now = None, T0
    for limited, passed in steps:
        now += passed
        weight = after_limit(weight, now) if limited else after_success(weight, now)
        assert 0.05 <= weight_at(weight, now) <= 1.0


NAMES = st.sampled_from(["claude", "codex", "kimi", "glm"])
LABELS = st.lists(
    st.sampled_from(
        [
            "agent:kimi",
            "agent:glm",
            "agent:",
            "complexity:complex",
            "complexity:x",
            "model:m",
            "bug",
        ]
    ),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(
    agents=st.lists(NAMES, unique=True, max_size=4),
    mode=st.sampled_from(["default", "llm", "round_robin", "weighted"]),
    labels=LABELS,
    pin=st.sampled_from(["", "", "", "codex", "nobody"]),
    holds=st.dictionaries(
        st.sampled_from(["claude", "codex", "kimi", "glm", "claude:big", "codex:m"]),
        st.floats(-50, 500),
    ),
    last=st.sampled_from(["", "claude", "kimi", "gone"]),
    executor=st.sampled_from(["claude", "glm", "nobody"]),
)
def test_the_router_names_an_agent_that_can_be_used_or_a_reason(
    agents: list[str],
    mode: str,
    labels: list[str],
    pin: str,
    holds: dict[str, float],
    last: str,
    executor: str,
) -> None:
    """H31, H50: whatever cools, and whatever is asked."""
    cooldowns = {name: Cooldown(until=T0 + until, why="quota") for name, until in holds.items()}
    world = around(
        agents=tuple(agents), cooldowns=cooldowns, last_agent=last,
        models={"complex": {"claude": ("big", "small")}},
    )  # fmt: skip
    task = ToRoute(id="5", labels=tuple(labels), pin=pin)
    rules = Rules(mode, agent="claude", fallback="glm")
    answer = route(task, rules, world)
    if isinstance(answer, AskLlm):
        assert cooling(cooldowns, answer.agent, answer.model, T0) is None
        assert answer.agent in agents
        assert answer.agents
        answer = settle(RouteAnswer(executor=executor), task, rules, world)
    if isinstance(answer, Routed):
        assert answer.agent in agents
        assert not pin or answer.agent == pin
        assert cooling(cooldowns, answer.agent, answer.model, T0) is None
        if answer.how == "round_robin" and answer.agent == last:
            for other in set(agents) - {last}:
                alone = ToRoute(id="5", labels=tuple(labels), pin=other)
                assert not isinstance(route(alone, rules, world), Routed)
    elif isinstance(answer, Defer):
        assert answer.until > T0
        assert answer.why
    else:
        assert answer.message
        assert not agents or pin not in agents


@pytest.mark.parametrize(
    "labels",
    [
        ("complexity:simple", "role:docs", "agent:mine", "agent:mine"),
        ("skill:anything", "job:nightly", "model:opus-5", "parent:12", "status:new"),
        ("bug", "area/x", "odd:thing", "", "agent:kimi"),
    ],
)
def test_labels_that_pass(labels: tuple[str, ...]) -> None:
    check_labels(labels, ("mine",))


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        (("complexity:hard",), "simple, medium, complex"),
        (("complexity:simpel",), "complexity: is simple"),
        (("role:wizard",), "general"),
        (("agent:minee",), "mine"),
        (("status:lost",), "new"),
        (("parent:x",), "number"),
        (("skill:",), "value"),
        (("agent:mine", "agent:codex"), "otherwise"),
    ],
)
def test_labels_that_nobody_would_understand_are_refused(
    labels: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        check_labels(labels, ("mine",))
    assert caught.value.hint


def test_in_turn_follows_the_configuration() -> None:
    order = [routed(ToRoute(id="1"), Rules(), around(last_agent=name)).agent for name in AGENTS]
    assert [(a, b) for a, b in pairwise([*AGENTS, AGENTS[0]])] == list(
        zip(AGENTS, order, strict=True)
    )
