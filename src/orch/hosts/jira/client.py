"""One Jira, all of it that Orch uses, behind one credential and one pool of connections.

Invariant: making one asks nothing and opens nothing; whether it is Cloud or Data Center is asked
once, at the first need.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Mapping

from orch.config.secret import Secret
from orch.hosts.accounts import Accounts
from orch.hosts.budget import Budget, Figures
from orch.hosts.dialect import Place
from orch.hosts.jira.calls import Caller, credential
from orch.hosts.jira.comments import Comments
from orch.hosts.jira.dialect import GATEWAY, dialect
from orch.hosts.jira.issues import PAGE, Issues
from orch.hosts.jira.people import People
from orch.hosts.jira.shapes import Server
from orch.hosts.shared import the_one
from orch.hosts.wire import Wire


class Jira:
    """`connect` makes one. Its rooms: `issues`, `comments`, `people`."""

    def __init__(self, caller: Caller, *, page: int = PAGE) -> None:
        self.caller = caller
        self._lock = threading.Lock()
        self._server: Server | None = None
        self.issues = Issues(self, page=page)
        self.comments = Comments(self)
        self.people = People(self)

    @property
    def place(self) -> Place:
        return self.caller.place

    def server(self) -> Server:
        """What it is. Both kinds answer at this path."""
        with self._lock:
            if self._server is None:
                self._server = self.caller.read("/rest/api/2/serverInfo", Server)
            return self._server

    @property
    def cloud(self) -> bool:
        return self.server().cloud

    @property
    def api(self) -> str:
        return "/rest/api/3" if self.cloud else "/rest/api/2"

    def browse(self, key: str) -> str:
        """Where a person reads the issue `key`."""
        base = self.place.web
        if base.startswith(GATEWAY) and self.server().baseUrl.startswith("https://"):
            base = self.server().baseUrl.rstrip("/")
        return f"{base}/browse/{key}"

    def figures(self) -> Figures:
        return self.caller.budget.figures()

    def close(self) -> None:
        """Give the connections back; the next request opens new ones."""
        self.caller.close()


def connect(
    environ: Mapping[str, str], *, url: str, user: Secret | None = None, token: Secret | None = None,
    source: str = "", page: int = PAGE, patience_s: float = 2.0, answer_s: float = 30.0,
    now: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> Jira:  # fmt: skip
    """A client for the Jira at `url`; `user` and `token` are resolved already. `ConfigError` for
    what is configured wrongly; who has no token hears of it at the first request."""
    speaks = dialect(source)
    place = speaks.place(url)
    wire = Wire(place.origin, environ, answer_s=answer_s)
    # Jira counts by the second and refills at once: there is nothing to keep back for the person.
    budget = Budget(place.name, reserve=0)
    caller = Caller(
        speaks, place, credential(user, token), wire=wire, budget=budget, now=now, sleep=sleep,
        chance=chance, patience_s=patience_s,
    )  # fmt: skip
    return Jira(caller, page=page)


def joined(
    environ: Mapping[str, str], *, url: str, user: Secret | None, token: Secret | None, source: str,
    now: Callable[[], float], accounts: Accounts | None = None,
) -> Jira:  # fmt: skip
    """The same, over the connections and the book of all who come with that credential."""
    whole = credential(user, token)
    whose = whole.reveal() if whole else ""
    fresh = connect(environ, url=url, user=user, token=token, source=source, now=now)

    def make() -> Caller:
        if accounts is not None:
            told = hashlib.sha256(whose.encode()).hexdigest()[:16]
            accounts.follow(
                fresh.caller.budget, credential=dialect(source).whose, whose=lambda: told
            )
        return fresh.caller

    return Jira(the_one(("jira", fresh.place, now, accounts), whose, make))
