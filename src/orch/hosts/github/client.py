"""GitHub, all of it that Orch uses, behind one credential, one book and one pool of connections.

Invariant: one client for each host and credential in a process, so that what one part spends the
others know of. Making one asks nothing and opens nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from orch.config.secret import Secret
from orch.hosts.budget import RESERVE, Budget, Figures
from orch.hosts.github.address import Address, address
from orch.hosts.github.boards import Boards
from orch.hosts.github.calls import PACES, Caller
from orch.hosts.github.checks import Checks
from orch.hosts.github.credentials import Credential, find
from orch.hosts.github.hooks import Hooks
from orch.hosts.github.issues import Comments, Issues
from orch.hosts.github.labels import Labels
from orch.hosts.github.pulls import Pulls, Reviews
from orch.hosts.github.relations import Related
from orch.hosts.github.repositories import Repositories
from orch.hosts.kept import InMemory, Keeper
from orch.hosts.wire import Wire


class GitHub:
    """`connect` makes one. Its rooms: `issues`, `comments`, `labels`, `related`, `pulls`, `reviews`,
    `checks`, `repositories`, `boards`, `hooks`."""

    def __init__(
        self, caller: Caller, wire: Wire, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._caller, self._wire = caller, wire
        self.issues = Issues(caller)
        self.comments = Comments(caller)
        self.labels = Labels(caller, sleep=sleep)
        self.related = Related(caller)
        self.pulls = Pulls(caller)
        self.reviews = Reviews(caller)
        self.checks = Checks(caller)
        self.repositories = Repositories(caller)
        self.boards = Boards(caller)
        self.hooks = Hooks(caller)

    @property
    def address(self) -> Address:
        return self._caller.address

    @property
    def credential(self) -> Credential:
        return self._caller.credential

    @property
    def budget(self) -> Budget:
        return self._caller.budget

    def figures(self) -> Figures:
        """What was spent here and what is left."""
        return self._caller.budget.figures()

    def close(self) -> None:
        """Give the connections back; the next request opens new ones."""
        self._wire.close()


def connect(
    environ: Mapping[str, str], *, url: str = "", token: Secret | None = None,
    credential: Credential | None = None, reserve: int = RESERVE, kept: Keeper | None = None,
    patience_s: float = 2.0, answer_s: float = 30.0, now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random,
) -> GitHub:  # fmt: skip
    """The client for `url` (or `GITHUB_API_URL`, or github.com) with the configured `token`, or the
    credential that the environment has. `ConfigError` for what is configured wrongly; who is not
    signed in hears of it at the first request (`NoCredential`)."""
    place = address(environ, url)
    wire = Wire(place.origin, environ, answer_s=answer_s)
    caller = Caller(
        place,
        credential or find(place, environ, configured=token, now=now),
        wire=wire,
        budget=Budget(place.name, reserve=reserve, paces=PACES),
        kept=kept or InMemory(),
        now=now,
        sleep=sleep,
        chance=chance,
        patience_s=patience_s,
    )
    return GitHub(caller, wire, sleep=sleep)
