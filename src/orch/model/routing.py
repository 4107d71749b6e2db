"""Who carries out a task: by pin, by label, by a classifier's word, or in turn.

Invariant: the answer names an agent that can be used now, or says why there is none and until when;
never an agent that is not configured, never one that cools or whose models of the tier all cool
(H50), and nothing an earlier task got is evidence for this one (H49).

Order: the agent that a person asked for (pin), an `agent:NAME` label that can be followed, the mode.
A pin beats a label because nothing may take its place; a label is a wish and gives way with a
warning when its agent is not there or cools.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from orch.model import weights as weighing
from orch.model.cooldown import Cooldowns, choose_model, cools_sentence
from orch.model.labels import Asked, Complexity, asked_by
from orch.model.onward import Candidate, Defer, GiveUp, clock_words
from orch.model.profile import Profile, lines
from orch.model.route_answer import RouteAnswer
from orch.model.weights import Weight

Mode = Literal["default", "llm", "round_robin", "weighted"]
How = Literal["pin", "label", "default", "llm", "fallback", "round_robin", "weighted"]
ModelMap = Mapping[str, Mapping[str, Sequence[str]]]
"""Tier (`simple`, `medium`, `complex`, `review`) -> agent -> models, the preferred first."""


class Rules(Protocol):
    """`[router]`: see `orch.config.service_tree.RouterConfig`."""

    @property
    def mode(self) -> Mode: ...
    @property
    def agent(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def max_route_attempts(self) -> int: ...
    @property
    def fallback(self) -> str: ...
    @property
    def tools(self) -> tuple[str, ...]: ...
    @property
    def skills(self) -> tuple[str, ...]: ...


class ToRoute(msgspec.Struct, frozen=True, kw_only=True):
    """What routing looks at of a task. `complexity`: known from an earlier routing of it, else
    empty. `failed_routes`: how often a classifier has failed for it."""

    id: str
    labels: tuple[str, ...] = ()
    pin: str = ""
    model: str = ""
    complexity: Complexity | None = None
    failed_routes: int = 0


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What routing looks at besides the task. `agents`: configured, installed and enabled, in the
    configuration's order. `default_agent`: `[defaults] agent`. `last_agent`: the router's last choice
    of all, persisted with it."""

    agents: tuple[str, ...]
    now: float
    models: ModelMap = {}
    cooldowns: Cooldowns = {}
    default_agent: str = ""
    last_agent: str = ""
    weights: Mapping[str, Weight] = {}
    zone: datetime.tzinfo = datetime.UTC


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """`pinned`: no other agent may take over. Empty `model`: the agent's own default."""

    agent: str
    model: str
    complexity: Complexity
    profile: Profile
    how: How
    reason: str
    warnings: tuple[str, ...] = ()
    pinned: bool = False


class AskLlm(msgspec.Struct, frozen=True, kw_only=True):
    """Run the classifier `agent` (an attempt of role `route`), then `settle` its answer; when it
    fails, count it and `route` again. `agents`: those it may choose among."""

    agent: str
    model: str
    timeout_s: float
    agents: tuple[str, ...]


def candidates(
    agents: Sequence[str], models: ModelMap, tier: str, model: str = ""
) -> list[Candidate]:
    """The agents with their models of a tier; with `model` that one alone, as was asked for."""
    tiered = models.get(tier, {})
    return [Candidate(name, (model,) if model else tuple(tiered.get(name, ()))) for name in agents]


def route(task: ToRoute, rules: Rules, around: Around) -> Routed | AskLlm | Defer | GiveUp:
    """Who does it. Pure; persist `last_agent` with what comes back before the next task is routed."""
    case = _case(task, rules, around)
    if not case.offered:
        return _no_agent(task)
    if task.pin:
        return _pinned(case)
    if not case.usable:
        return _all_cool(case)
    if case.asked.agent in case.usable:
        return _routed(
            case, case.asked.agent, "label", f"the label agent:{case.asked.agent} asks for it"
        )
    return _by_mode(case)


def settle(
    answer: RouteAnswer, task: ToRoute, rules: Rules, around: Around
) -> Routed | Defer | GiveUp:
    """A classifier's answer as a choice among the agents that can be used now.

    An agent that cannot be used gives way to the first that can; labels beat the answer's
    complexity and role; the default tools and skills are added.
    """
    case = _case(msgspec.structs.replace(task, complexity=answer.complexity), rules, around)
    if not case.offered:
        return _no_agent(task)
    if not case.usable:
        return _all_cool(case)
    odd, agent = list(answer.noted), answer.executor
    if agent not in case.usable:
        agent = case.usable[0]
        odd.append(f"the classifier's choice {answer.executor} cannot be used now, {agent} instead")
    odd += sanity(task.labels, agent, answer.profile.skills)
    reason = answer.reason or "the classifier chose it"
    return _routed(case, agent, "llm", reason, tuple(odd), answer.profile)


def sanity(labels: Sequence[str], agent: str, skills: Sequence[str]) -> list[str]:
    """What looks odd about a classifier's choice; told, never acted on."""
    words = {label.lower().rpartition(":")[2] for label in labels}
    odd = []
    if agent == "claude" and words & {"backend", "api", "database"}:
        odd.append("a backend task went to claude")
    if agent == "codex" and words & {"docs", "documentation"}:
        odd.append("a documentation task went to codex")
    if not skills:
        odd.append("no skills were selected")
    return odd


def in_turn(usable: Sequence[str], names: Sequence[str], last_agent: str) -> str:
    """The next after the last one in the configuration's order; never the last one again while there
    is another."""
    if last_agent not in names:
        return usable[0]
    start = names.index(last_agent) + 1
    return next(name for name in [*names[start:], *names[:start]] if name in usable)


def _no_agent(task: ToRoute) -> GiveUp:
    return GiveUp(
        "no_agent", "no agent is configured that can be started here",
        "orch doctor, or: orch config set agents.NAME.command '[\"PROGRAM\"]';"
        f" then: orch task retry {task.id}",
    )  # fmt: skip


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """One task's routing: `offered` in the configuration's order, `usable` those of them that have
    a model of the tier that does not cool."""

    task: ToRoute
    asked: Asked
    complexity: Complexity
    offered: tuple[Candidate, ...]
    usable: tuple[str, ...]
    rules: Rules
    around: Around


def _case(task: ToRoute, rules: Rules, around: Around) -> _Case:
    asked = asked_by(task.labels)
    complexity = asked.complexity or task.complexity or "medium"
    offered = candidates(around.agents, around.models, complexity, task.model or asked.model)
    usable = tuple(one.agent for one in offered if _held(one, around) is None)
    return _Case(
        task=task, asked=asked, complexity=complexity, offered=tuple(offered), usable=usable,
        rules=rules, around=around,
    )  # fmt: skip


def _held(candidate: Candidate, around: Around) -> tuple[float, str] | None:
    """(until, why) where an agent with every model of the tier cools."""
    chosen = choose_model(candidate, around.cooldowns, around.now)
    return (chosen[1], chosen[2]) if chosen is not None and chosen[1] > around.now else None


def _pinned(case: _Case) -> Routed | Defer | GiveUp:
    pin, around = case.task.pin, case.around
    candidate = next((one for one in case.offered if one.agent == pin), None)
    if candidate is None:
        listed = ", ".join(around.agents)
        return GiveUp(
            "agent_unavailable",
            f"the agent {pin}, which was asked for, is not available; there are: {listed}",
            "orch doctor",
        )
    held = _held(candidate, around)
    if held is not None:
        return Defer(held[0], cools_sentence(pin, *held, around.now, around.zone))
    return _routed(case, pin, "pin", "a person asked for it")


def _all_cool(case: _Case) -> Defer:
    around = case.around
    held = [(found, one.agent) for one in case.offered if (found := _held(one, around))]
    (until, why), agent = min(held)
    if len(held) > 1:
        return Defer(until, f"all agents cool until {clock_words(until, around.now, around.zone)}")
    return Defer(until, cools_sentence(agent, until, why, around.now, around.zone))


def _by_mode(case: _Case) -> Routed | AskLlm:
    rules, around, task = case.rules, case.around, case.task
    if rules.mode == "weighted":
        agent = weighing.pick(case.usable, around.weights, task.id, around.now)
        return _routed(case, agent, "weighted", "its weight and the task's number")
    if rules.mode == "default" and around.default_agent in case.usable:
        return _routed(case, around.default_agent, "default", "it is the default agent")
    if rules.mode == "llm" and task.failed_routes < rules.max_route_attempts:
        if task.failed_routes and rules.fallback in case.usable:
            return _routed(case, rules.fallback, "fallback", "the classifier failed")
        asker = _classifier(case)
        if asker is not None:
            return asker
    names = [candidate.agent for candidate in case.offered]
    agent = in_turn(case.usable, names, around.last_agent)
    reason = "it is the only agent that can be used" if len(case.usable) == 1 else "in turn"
    return _routed(case, agent, "round_robin", reason)


def _classifier(case: _Case) -> AskLlm | None:
    """The agent that is asked; None when it cools itself: a cooled model is not asked again and
    again (H50)."""
    rules, around = case.rules, case.around
    name = rules.agent or case.usable[0]
    candidate = Candidate(name, (rules.model,) if rules.model else ())
    if name not in around.agents or _held(candidate, around) is not None:
        return None
    return AskLlm(agent=name, model=rules.model, timeout_s=rules.timeout_s, agents=case.usable)


def _routed(
    case: _Case,
    agent: str,
    how: How,
    reason: str,
    odd: tuple[str, ...] = (),
    profile: Profile | None = None,
) -> Routed:
    asked, rules, around = case.asked, case.rules, case.around
    wanted = profile or Profile()
    candidate = next(one for one in case.offered if one.agent == agent)
    chosen = choose_model(candidate, around.cooldowns, around.now)
    return Routed(
        agent=agent,
        model=chosen[0] if chosen is not None else "",
        complexity=case.complexity,
        profile=Profile(
            role=asked.role or wanted.role,
            skills=lines([*asked.skills, *wanted.skills, *rules.skills]),
            tools=lines([*wanted.tools, *rules.tools]),
            constraints=wanted.constraints,
        ),
        how=how,
        reason=reason,
        warnings=(*_unfollowed(case), *odd),
        pinned=how == "pin",
    )


def _unfollowed(case: _Case) -> tuple[str, ...]:
    """A label that could not be followed, in one sentence."""
    wish, pin = case.asked.agent, case.task.pin
    if not wish or (wish in case.usable and not pin) or wish == pin:
        return ()
    if pin:
        return (f"the label agent:{wish} gives way to {pin}, which was asked for",)
    there = any(one.agent == wish for one in case.offered)
    why = "cools" if there else "is not configured here"
    return (f"the label agent:{wish} was not followed: {wish} {why}",)
