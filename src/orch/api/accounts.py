"""What was used, and how the agents do: sums out of the books, with what is not known said.

Invariant: a cost that nobody reported is null and counted as unknown, never zero.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from orch.api.tasks import Tasks
from orch.model import standing_rules
from orch.model.cooldown import cooling
from orch.model.errors import NotFound, OrchError, UsageError
from orch.model.naming import moment
from orch.model.report import AgentState
from orch.model.run import Run
from orch.model.spending import AgentStats, Spending, Spent, total
from orch.model.standing import Standing
from orch.model.task import Task

if TYPE_CHECKING:
    from orch.api.facade import Orch

WINDOW_S = 30 * 86_400.0
"""How far back the agents' figures go."""


class Cooldowns(Protocol):
    """Who is left alone for a while; what reads it is handed in."""

    def cooling(self, agent: str, now: float) -> tuple[float, str] | None:
        """Until when (seconds since the epoch) and why; None when it can be used."""


class BookedCooldowns:
    """As the books have them; `keep`: the share of a window that is left to people."""

    def __init__(self, standings: Sequence[Standing], now: float, keep: float) -> None:
        self._cooldowns = standing_rules.cooldowns(standings, now, keep)

    def cooling(self, agent: str, now: float) -> tuple[float, str] | None:
        found = cooling(self._cooldowns, agent, "", now)
        return (found.until, found.why) if found is not None else None


def booked(orch: Orch) -> BookedCooldowns:
    """As the books have them now."""
    keep = orch.rooms.config(None).metering.keep_for_people
    return BookedCooldowns(orch.store.standings(), orch.rooms.clock.now(), keep)


def meant(orch: Orch, word: str) -> Task | Run:
    """What `12`, `#12`, `task-12` (a task) or a run's id, its beginning or `@` mean. A number that is
    both means the task."""
    if word != "@":
        try:
            return Tasks(orch).find(word)
        except NotFound:
            if word.startswith(("#", "task-")):
                raise
    try:
        return orch.run(word)
    except NotFound as error:
        raise NotFound(
            f"there is no task and no run {word!r}", code="unknown_target",
            hint="orch task list, or: orch ps",
        ) from error  # fmt: skip


def day(word: str) -> float:
    """`2026-11-20`, or with a time, as seconds since the epoch (UTC where no zone is said)."""
    try:
        found = datetime.datetime.fromisoformat(word)
    except ValueError as error:
        raise UsageError(
            f"{word!r} is no date", code="bad_date", hint="--since 2026-11-20, or 2026-11-20T14:00"
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()


def cost(orch: Orch, target: Task | Run | None, by: str, since: float) -> dict[str, Any]:
    """`total` and, where a dimension is asked for, `rows`, the dearest first."""
    wanted = Spending(
        by, since, target.id if isinstance(target, Run) else "",
        target.id if isinstance(target, Task) else 0,
    )  # fmt: skip
    rows = orch.store.spending(wanted)
    about = {"task" if isinstance(target, Task) else "run": target.id} if target else {}
    told: dict[str, Any] = {
        **about, "by": by or None, "since": moment(since) or None, "total": _sum(total(rows)),
        "rows": [],
    }  # fmt: skip
    if by:
        told["rows"] = [{by: row.name or None, **_sum(row)} for row in _dearest(by, rows)]
    return told


def _dearest(by: str, rows: list[Spent]) -> list[Spent]:
    if by == "day":
        return sorted(rows, key=lambda row: row.name, reverse=True)
    return sorted(
        rows, key=lambda row: (-(row.usd or 0), -(row.tokens_in or 0) - (row.tokens_out or 0),
                               -row.seconds, row.name)
    )  # fmt: skip


def _sum(row: Spent) -> dict[str, Any]:
    return {
        "attempts": row.attempts, "live": row.live, "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out, "usd": _dollars(row.usd), "seconds": round(row.seconds, 3),
        "usd_unknown": row.usd_unknown, "tokens_unknown": row.tokens_unknown,
    }  # fmt: skip


def _dollars(usd: float | None) -> float | None:
    return round(usd, 6) if usd is not None else None


def agents(orch: Orch, cooldowns: Cooldowns) -> list[dict[str, Any]]:
    """Every configured agent, those that only the books know, and known programs that are installed
    here (`configured` false)."""
    rooms = orch.rooms
    now = rooms.clock.now()
    stats = {one.agent: one for one in orch.store.agent_stats(now - WINDOW_S)}
    configured = rooms.config(None).agents
    paused = _paused(orch, tuple(configured), now)
    at_hand = rooms.agents_at_hand()
    states = _states(orch, [*sorted(configured), *at_hand])
    return [
        _agent(orch, name, stats.get(name, AgentStats(name)), cooldowns.cooling(name, now),
               paused.get(name, ""), states.get(name))
        for name in [*sorted(configured), *at_hand, *sorted(set(stats) - set(states))]
    ]  # fmt: skip


def _paused(orch: Orch, names: tuple[str, ...], now: float) -> dict[str, str]:
    """Those that a reached limit of theirs, or of the day, keeps from beginning, with the reason."""
    from orch.model import budget
    from orch.model.accounting import account_of

    config = orch.rooms.config(None)
    limits = {key: one for key, one in config.budget.items() if key in ("agent", "day")}
    if not any(one.tokens or one.usd or one.seconds for one in limits.values()):
        return {}
    here = datetime.datetime.fromtimestamp(now).astimezone()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = (midnight + datetime.timedelta(days=1)).timestamp()
    today = [one for one, _ in orch.store.attempts_since(midnight.timestamp())]
    day = account_of("day", here.date().isoformat(), today, now, config.metering)
    found = {}
    for name in names:
        own = account_of("agent", name, [one for one in today if one.agent == name], now,
                         config.metering)  # fmt: skip
        over = budget.check([own, day], limits, now=now, day_ends_at=ends,
                            zone=here.tzinfo or datetime.UTC)  # fmt: skip
        if over is not None and not over.busy:
            found[name] = over.message
    return found


def _agent(
    orch: Orch,
    name: str,
    stats: AgentStats,
    cools: tuple[float, str] | None,
    paused: str,
    state: AgentState | None,
) -> dict[str, Any]:
    config = orch.rooms.config(None).agents.get(name)
    configured, found = config is not None, state is not None
    state = state or AgentState()
    lacks = _lacks(orch, name) if configured else "it is not configured any more"
    if found and not configured:
        lacks = ""
    rate = stats.success_rate
    return {
        "name": name, "kind": config.kind if config else None, "configured": configured,
        "installed": not lacks, "problem": lacks or state.problem or None,
        "found": bool(state.found) or (configured and not lacks),
        "program": state.found or None, "version": state.version or None,
        "proven": state.proven or None, "signed_in": state.signed_in, "fix": state.fix or None,
        "capabilities": msgspec.to_builtins(state.capabilities), "runs": stats.attempts,
        "cooling_until": moment(cools[0]) if cools else None, "cooling_why": cools[1] if cools
        else None, "paused_why": paused or None, "attempts": stats.attempts,
        "live": stats.live, "succeeded": stats.succeeded,
        "failed": stats.failed, "success_rate": round(rate, 4) if rate is not None else None,
        "average_s": round(stats.average_s, 3) if stats.average_s is not None else None,
        "tokens_in": stats.tokens_in, "tokens_out": stats.tokens_out,
        "usd": _dollars(stats.usd), "usd_unknown": stats.usd_unknown,
        "tokens_unknown": stats.tokens_unknown,
    }  # fmt: skip


def _states(orch: Orch, names: list[str]) -> dict[str, AgentState]:
    """Of all at once: a program may take two seconds to tell its version."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(1, len(names))) as helpers:
        return dict(zip(names, helpers.map(lambda name: _state(orch, name), names), strict=True))


def _state(orch: Orch, name: str) -> AgentState:
    try:
        return orch.rooms.agent_state(name)
    except OrchError as error:
        return AgentState(problem=error.message, fix=error.hint)


def _lacks(orch: Orch, name: str) -> str:
    """Why it cannot start; a broken plugin of one agent does not hide the others."""
    try:
        return orch.rooms.agent_lacks(name)
    except OrchError as error:
        return error.message
