"""Budgets that bite: what may still be spent per run, task, agent, repository and day.

Invariant: nothing starts where a limit is reached, and a limit is never overshot by more than one
call: calls under way are counted with the largest call seen in their scope, and where none has been
measured yet there is one call at a time (one that grows beyond all before it is what `overrun` is
for). What is unknown is never free: an attempt whose cost is
unknown counts its tokens, one whose tokens are unknown its time (RELIABILITY: "fail closed if
metering is lost").

How the unknown counts: tokens at an assumed price, time at an assumed pace (`[metering]`), so that a
limit in dollars also stops agents that report nothing. What people are shown as cost stays unknown.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from orch.model.onward import clock_words

Scope = Literal["run", "task", "agent", "repo", "day"]
SCOPES: tuple[Scope, ...] = ("run", "task", "agent", "repo", "day")
Unit = Literal["tokens", "usd", "seconds"]
UNITS: tuple[Unit, ...] = ("tokens", "usd", "seconds")
WARN_SHARE = 0.8


class Limits(Protocol):
    """`[budget.SCOPE]`; 0: no limit."""

    @property
    def tokens(self) -> int: ...
    @property
    def usd(self) -> float: ...
    @property
    def seconds(self) -> float: ...


class Assumed(Protocol):
    """`[metering]`: what the unknown counts as."""

    @property
    def usd_per_mtoken(self) -> float: ...
    @property
    def tokens_per_minute(self) -> int: ...


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What was used. `assumed`: a part of it is not measured."""

    tokens: float = 0.0
    usd: float = 0.0
    seconds: float = 0.0
    assumed: bool = False

    def plus(self, other: Use) -> Use:
        return Use(
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
            seconds=self.seconds + other.seconds,
            assumed=self.assumed or other.assumed,
        )

    def at_least(self, other: Use) -> Use:
        """The larger of both in each unit."""
        return Use(
            tokens=max(self.tokens, other.tokens),
            usd=max(self.usd, other.usd),
            seconds=max(self.seconds, other.seconds),
            assumed=self.assumed or other.assumed,
        )


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What one scope has used. `name`: which run, task, agent, repository or day. `spent`: by calls
    that have ended; `live`: by each call under way so far; `largest`: the largest call that has been
    measured here, None before the first."""

    scope: Scope
    name: str
    spent: Use = Use()
    live: tuple[Use, ...] = ()
    largest: Use | None = None


class Exceeded(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing may start. `lifts_at`: when it ends by itself; else `command` lifts it. `busy`:
    only calls under way stand against it; ask again when one has ended."""

    scope: Scope
    name: str
    unit: Unit
    limit: float
    spent: float
    message: str
    lifts_at: float | None = None
    command: str = ""
    busy: bool = False


def use_of(*, tokens: int | None, usd: float | None, seconds: float, assumed: Assumed) -> Use:
    """What an attempt counts in a budget; None: unknown."""
    counted = seconds / 60.0 * assumed.tokens_per_minute if tokens is None else float(tokens)
    dollars = counted / 1e6 * assumed.usd_per_mtoken if usd is None else usd
    return Use(tokens=counted, usd=dollars, seconds=seconds, assumed=tokens is None or usd is None)


def total(uses: Sequence[Use]) -> Use:
    whole = Use()
    for use in uses:
        whole = whole.plus(use)
    return whole


def check(
    accounts: Sequence[Account],
    limits: Mapping[str, Limits],
    *,
    now: float,
    day_ends_at: float,
    zone: datetime.tzinfo = datetime.UTC,
) -> Exceeded | None:
    """Whether one more call may start; the narrowest scope that forbids it, and a limit that is
    reached before one that calls under way only might reach.

    `limits`: scope -> its limits; `day_ends_at`: when the day's account begins anew.
    """
    busy: Exceeded | None = None
    for account, unit, limit in _limited(accounts, limits):
        used = _used(account)
        if _of(used, unit) >= limit:
            return _reached(account, unit, limit, used, now, day_ends_at, zone)
        may = account.largest is None or _of(_promised(account), unit) >= limit
        if busy is None and account.live and may:
            busy = _busy(account, unit, limit, used)
    return busy


def overrun(
    accounts: Sequence[Account],
    limits: Mapping[str, Limits],
    *,
    now: float,
    day_ends_at: float,
    zone: datetime.tzinfo = datetime.UTC,
) -> Exceeded | None:
    """The limit that calls under way have reached with what they have used so far: they are to be
    paused."""
    for account, unit, limit in _limited(accounts, limits):
        used = _used(account)
        if account.live and _of(used, unit) >= limit:
            return _reached(account, unit, limit, used, now, day_ends_at, zone)
    return None


def seconds_left(accounts: Sequence[Account], limits: Mapping[str, Limits]) -> float:
    """How long calls under way may go on before they reach a limit of time, if no other begins;
    infinite where none is set."""
    return min(
        (
            max(0.0, limit - _used(account).seconds) / len(account.live)
            for account, unit, limit in _limited(accounts, limits)
            if unit == "seconds" and account.live
        ),
        default=math.inf,
    )


def warning(account: Account, limits: Mapping[str, Limits]) -> str:
    """One sentence from 80 % of a limit on; empty below, and where it is reached."""
    for _, unit, limit in _limited([account], limits):
        used = _of(_used(account), unit)
        if WARN_SHARE * limit <= used < limit:
            return f"{_what(account)} has used {used / limit:.0%} of its {amount(limit, unit)}"
    return ""


def amount(value: float, unit: Unit) -> str:
    """`$1.50`, `12,000 tokens`, `90 s`."""
    if unit == "usd":
        return f"${value:,.2f}" if value >= 0.01 or value == 0 else f"${value:.4f}"
    return f"{value:,.0f} tokens" if unit == "tokens" else f"{value:,.0f} s"


def _limited(
    accounts: Sequence[Account], limits: Mapping[str, Limits]
) -> list[tuple[Account, Unit, float]]:
    ordered = sorted(accounts, key=lambda account: SCOPES.index(account.scope))
    return [
        (account, unit, limit)
        for account in ordered
        if account.scope in limits
        for unit in UNITS
        if (limit := float(getattr(limits[account.scope], unit))) > 0
    ]


def _of(use: Use, unit: Unit) -> float:
    return float(getattr(use, unit))


def _used(account: Account) -> Use:
    return total([account.spent, *account.live])


def _promised(account: Account) -> Use:
    """With every call under way as large as the largest was."""
    size = account.largest or Use()
    return total([account.spent, *(one.at_least(size) for one in account.live)])


def _what(account: Account) -> str:
    words = {
        "run": "the run",
        "task": "task",
        "agent": "agent",
        "repo": "repository",
        "day": "the day",
    }
    return f"{words[account.scope]} {account.name}"


def _reached(
    account: Account,
    unit: Unit,
    limit: float,
    used: Use,
    now: float,
    day_ends_at: float,
    zone: datetime.tzinfo,
) -> Exceeded:
    lifts_at = day_ends_at if account.scope == "day" else None
    command = f"orch config set budget.{account.scope}.{unit} {_raised(limit, unit, used)}"
    partly = ", partly estimated" if used.assumed else ""
    until = (
        f"until {clock_words(day_ends_at, now, zone)}, or " if lifts_at is not None else "until "
    )
    return Exceeded(
        scope=account.scope, name=account.name, unit=unit, limit=limit, spent=_of(used, unit),
        message=f"{_what(account)} has used {amount(_of(used, unit), unit)} of its"
        f" {amount(limit, unit)}{partly}; it is paused {until}{command}",
        lifts_at=lifts_at, command=command,
    )  # fmt: skip


def _busy(account: Account, unit: Unit, limit: float, used: Use) -> Exceeded:
    count = len(account.live)
    return Exceeded(
        scope=account.scope, name=account.name, unit=unit, limit=limit, spent=_of(used, unit),
        message=f"{_what(account)} may reach its {amount(limit, unit)} with the {count} running;"
        " it goes on when one has ended",
        busy=True,
    )  # fmt: skip


def _raised(limit: float, unit: Unit, used: Use) -> str:
    """A limit to offer: as much again as it is now, on top of what is used; rounded up to two
    digits."""
    wanted = limit + _of(used, unit)
    step = 10.0 ** (math.floor(math.log10(wanted)) - 1)
    if unit != "usd":
        step = max(step, 1.0)
    return f"{math.ceil(wanted / step - 1e-9) * step:.15g}"
