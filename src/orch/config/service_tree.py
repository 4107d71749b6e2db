"""The tables of `config.toml` that unattended work needs; `tree` lists them with the others.

Invariant: data only. What each key means is the rule of `orch.model` that it is named after:
`routing`, `budget`, `breakers`, `stuck`, `price`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orch.config.kinds import Choice, Names, Seconds, Text, Whole
from orch.config.service_kinds import MODEL_NAME, AgentModels, Amount

_AGENT = Text(
    "the name of an agent (letters, digits, _ and -, first a letter)", r"[a-z][a-z0-9_-]{0,31}|"
)
_WORDS = r"\S[^\x00-\x1f\x7f]{0,99}"
_MODES = ("default", "llm", "round_robin", "weighted")
SCOPES = r"run|task|agent|repo|day"


class RouterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[router]`: who carries out a task that names nobody. `mode`: `default` (the agent of
    `[defaults]`, in turn without one), `llm` (`agent` with `model` is asked), `round_robin`,
    `weighted`. After a failure of the one asked, `fallback`; after `max_route_attempts`, in turn.
    `tools` and `skills` are added to every profile. `downgrade`: a retry after a time-out or a limit
    gets the models of the next lower complexity."""

    mode: Annotated[Literal["default", "llm", "round_robin", "weighted"], Choice(_MODES)] = (
        "default"
    )
    agent: Annotated[str, _AGENT] = ""
    model: Annotated[str, Text("the name of a model", f"{MODEL_NAME}|")] = ""
    timeout_s: Annotated[float, Seconds()] = 120.0
    max_route_attempts: Annotated[int, Whole(1, 100)] = 3
    fallback: Annotated[str, _AGENT] = ""
    tools: Annotated[tuple[str, ...], Names("tools", _WORDS)] = ()
    skills: Annotated[tuple[str, ...], Names("skills", _WORDS)] = ()
    downgrade: Annotated[Literal["never", "on_retry"], Choice(("never", "on_retry"))] = "never"


class ModelMap(msgspec.Struct, frozen=True, kw_only=True):
    """`[model_map.simple]` and so on: agent = the model it gets for tasks of that complexity, or a
    list, the preferred first. Agents that are not named get none."""

    simple: Annotated[dict[str, tuple[str, ...]], AgentModels()] = {}
    medium: Annotated[dict[str, tuple[str, ...]], AgentModels()] = {}
    complex: Annotated[dict[str, tuple[str, ...]], AgentModels()] = {}
    review: Annotated[dict[str, tuple[str, ...]], AgentModels()] = {}

    def tiers(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Complexity (or `review`) -> agent -> models."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class BudgetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`[budget.run]`, `task`, `agent`, `repo`, `day`: what each run, task, agent and repository, and
    what a day may use; 0 for no limit. `agent` and `repo` count by the day. A limit that is reached
    pauses."""

    tokens: Annotated[int, Whole(0, 10**12)] = 0
    usd: Annotated[float, Amount()] = 0.0
    seconds: Annotated[float, Seconds(zero=True)] = 0.0


class Metering(msgspec.Struct, frozen=True, kw_only=True):
    """`[metering]`: what counts in budgets where an agent does not tell its tokens or a model has no
    known price, and the share of a flat subscription's window that is left to people (0 to 1)."""

    usd_per_mtoken: Annotated[float, Amount()] = 15.0
    tokens_per_minute: Annotated[int, Whole(0)] = 20_000
    keep_for_people: Annotated[float, Amount(1.0)] = 0.1


class BreakerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[breakers]`: bounds for loops that succeed; 0 for none. `runs_per_cause` within a day;
    `tasks_per_hour` made by anything but a person; `depth` of causes from a person; `same_diff` runs
    of a task with the same change."""

    runs_per_task: Annotated[int, Whole(0)] = 20
    runs_per_cause: Annotated[int, Whole(0)] = 50
    tasks_per_hour: Annotated[int, Whole(0)] = 60
    depth: Annotated[int, Whole(0)] = 5
    same_diff: Annotated[int, Whole(0)] = 2


class TimeoutConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[timeouts]`: seconds by complexity. `simple_s` and so on: how long an attempt may take, 0 for
    the agent's own `timeout_s`. `stuck_…`: how long nothing at all may move (process, files, events,
    output) before an attempt counts as stuck, 0 for never."""

    simple_s: Annotated[float, Seconds(zero=True)] = 0.0
    medium_s: Annotated[float, Seconds(zero=True)] = 0.0
    complex_s: Annotated[float, Seconds(zero=True)] = 0.0
    stuck_simple_s: Annotated[float, Seconds(zero=True)] = 900.0
    stuck_medium_s: Annotated[float, Seconds(zero=True)] = 1800.0
    stuck_complex_s: Annotated[float, Seconds(zero=True)] = 3600.0


class PriceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[prices."MODEL"]`: US dollars per million tokens, over the list that ships. What is left out
    is as in that list; a model without a price for both sides has no known cost."""

    input: Annotated[float | None, Amount()] = None
    output: Annotated[float | None, Amount()] = None
    cache_read: Annotated[float | None, Amount()] = None
    cache_write: Annotated[float | None, Amount()] = None
