"""What attempts have used, summed up: by agent, task, repository, model or day. Pure.

Invariant: what nobody reported is unknown and is counted as such, never as zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from orch.model.attempt import Attempt
from orch.model.price import tokens_of

By = Literal["task", "agent", "model", "repo", "day"]
DIMENSIONS: tuple[By, ...] = ("task", "agent", "model", "repo", "day")
LIVE = frozenset({"starting", "running"})
_LARGEST = 2**62


class Spent(NamedTuple):
    """`tokens_in`, `tokens_out` and `usd` are None where no attempt reported any; `usd_unknown` and
    `tokens_unknown` count the attempts that did not. `seconds` of agents' time; `live`: at work."""

    name: str
    attempts: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    usd_unknown: int = 0
    tokens_unknown: int = 0
    seconds: float = 0.0
    live: int = 0


class AgentStats(NamedTuple):
    """How an agent did. `failed` counts lost attempts too, not those that a person stopped;
    `average_s` of those that ended, None before the first."""

    agent: str
    attempts: int = 0
    succeeded: int = 0
    failed: int = 0
    live: int = 0
    average_s: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    usd_unknown: int = 0
    tokens_unknown: int = 0

    @property
    def success_rate(self) -> float | None:
        """Between 0 and 1; None before the first end."""
        judged = self.succeeded + self.failed
        return self.succeeded / judged if judged else None


class Spending(NamedTuple):
    """What to sum up: since when (seconds since the epoch), of one run or task or of all."""

    by: str = ""
    since: float = 0.0
    run: str = ""
    task: int = 0


class Accounts(Protocol):
    """The part of the books that sums up."""

    def agent_stats(self, since: float) -> list[AgentStats]:
        """How each agent did in attempts that began since then, by name."""

    def spending(self, wanted: Spending) -> list[Spent]:
        """What agents have used, by name of the dimension asked for (one row without one)."""


def reported(usage: Mapping[str, Any]) -> tuple[int | None, int | None, float | None]:
    """Tokens in and out, and US dollars, of what an attempt reports; None: not known."""
    tokens, dollars = tokens_of(usage), usage.get("cost_usd")
    known: float | None = None
    if isinstance(dollars, int | float) and not isinstance(dollars, bool):
        known = float(dollars) if 0 <= dollars < math.inf else None
    return _kept(tokens.input), _kept(tokens.output), known


def _kept(count: int | None) -> int | None:
    return count if count is not None and count < _LARGEST else None


def total(rows: Iterable[Spent]) -> Spent:
    """All rows as one."""
    whole = Spent("")
    for row in rows:
        whole = Spent(
            "", whole.attempts + row.attempts, plus(whole.tokens_in, row.tokens_in),
            plus(whole.tokens_out, row.tokens_out), plus(whole.usd, row.usd),
            whole.usd_unknown + row.usd_unknown, whole.tokens_unknown + row.tokens_unknown,
            whole.seconds + row.seconds, whole.live + row.live,
        )  # fmt: skip
    return whole


def plus(one: Any, other: Any) -> Any:
    """Their sum; what is not known adds nothing."""
    return one if other is None else other if one is None else one + other


def spent_by(name: str, attempts: Iterable[Attempt], now: float) -> Spent:
    """What these attempts have used together."""
    rows = []
    for attempt in attempts:
        tokens_in, tokens_out, usd = reported(attempt.usage)
        rows.append(
            Spent(
                name, 1, tokens_in, tokens_out, usd, int(usd is None),
                int(tokens_in is None and tokens_out is None),
                max(0.0, (attempt.ended_at or now) - attempt.started_at),
                int(attempt.status in LIVE),
            )
        )  # fmt: skip
    return total(rows)._replace(name=name)


def stats_of(agent: str, attempts: Iterable[Attempt]) -> AgentStats:
    """How `agent` did in these attempts of it."""
    found = list(attempts)
    ended = [one for one in found if one.ended_at > 0]
    whole = spent_by(agent, found, 0.0)
    seconds = [max(0.0, one.ended_at - one.started_at) for one in ended]
    unknown = [reported(one.usage) for one in ended]
    return AgentStats(
        agent, len(found), sum(one.status == "succeeded" for one in found),
        sum(one.status in ("failed", "lost") for one in found),
        sum(one.status in LIVE for one in found),
        sum(seconds) / len(seconds) if seconds else None,
        whole.tokens_in, whole.tokens_out, whole.usd,
        sum(usd is None for _, _, usd in unknown),
        sum(into is None and out is None for into, out, _ in unknown),
    )  # fmt: skip
