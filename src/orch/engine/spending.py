"""What has been spent, for the budgets: accounts made from the attempts in the books.

Invariant: where no limit is set nothing is read; a day begins at midnight of the reader's zone.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence

from orch.config import Config
from orch.engine.unattended import local_zone
from orch.model import budget
from orch.model.accounting import account_of
from orch.model.attempt import Attempt
from orch.model.budget import Account, Exceeded
from orch.model.run import Run
from orch.ports import Store

DAY_S = 86_400.0


class Spending:
    """`config` gives what is configured now, for a repository."""

    def __init__(self, store: Store, config: Callable[[str], Config]) -> None:
        self._store = store
        self._config = config

    def may_spend(self, run: Run, agent: str, now: float) -> Exceeded | None:
        """What forbids one more attempt."""
        return self._asked(run, agent, now, budget.check)

    def overspent(self, run: Run, agent: str, now: float) -> Exceeded | None:
        """The limit that those at work have reached."""
        return self._asked(run, agent, now, budget.overrun)

    def seconds_left(self, run: Run, agent: str, now: float) -> float:
        """How long those at work may go on before a limit of time is reached."""
        config = self._config(run.repo)
        if not any(one.seconds for one in config.budget.values()):
            return math.inf
        midnight = _midnight(now).timestamp()
        return budget.seconds_left(self._accounts(run, agent, now, midnight, config), config.budget)

    def _asked(
        self, run: Run, agent: str, now: float, rule: Callable[..., Exceeded | None]
    ) -> Exceeded | None:
        config = self._config(run.repo)
        if not any(one.tokens or one.usd or one.seconds for one in config.budget.values()):
            return None
        zone, midnight = local_zone(), _midnight(now)
        accounts = self._accounts(run, agent, now, midnight.timestamp(), config)
        ends = (midnight + datetime.timedelta(days=1)).timestamp()
        return rule(accounts, config.budget, now=now, day_ends_at=ends, zone=zone)

    def _accounts(
        self, run: Run, agent: str, now: float, midnight: float, config: Config
    ) -> list[Account]:
        today = self._store.attempts_since(midnight)
        of_task = [
            attempt
            for other in self._store.runs_of_task(run.task)
            for attempt in self._store.attempts(other.id)
        ]

        def account(scope: budget.Scope, name: str, found: Sequence[Attempt]) -> Account:
            return account_of(scope, name, found, now, config.metering)

        return [
            account("run", run.id, [one for one in of_task if one.run == run.id]),
            account("task", str(run.task), of_task),
            account("agent", agent, [one for one, _ in today if one.agent == agent]),
            account("repo", run.repo, [one for one, repo in today if repo == run.repo]),
            account("day", _day(now), [one for one, _ in today]),
        ]


def _midnight(now: float) -> datetime.datetime:
    """When the day began that it is now for the reader."""
    today = datetime.datetime.fromtimestamp(now, local_zone())
    return today.replace(hour=0, minute=0, second=0, microsecond=0)


def _day(now: float) -> str:
    return datetime.datetime.fromtimestamp(now, local_zone()).date().isoformat()
