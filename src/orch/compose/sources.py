"""The ticket sources of a home, made from its configuration.

Invariant: a source is made when it is first needed, once for its table as it stands; a table that was
changed makes another one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orch import plugins
from orch.config.source_tree import SourceConfig, SourcePremises
from orch.model.errors import NotFound
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.config import Config
    from orch.hosts.accounts import Accounts
    from orch.ports import Clock, TicketSource

_SECRET = "marks.key"


class HomeSources:
    """`orch.engine.sourcing.Sources`. `config` gives what is configured now, `repo` a repository."""

    def __init__(
        self, home: Path, config: Callable[[], Config], repo: Callable[[str], Repo | None],
        environ: Mapping[str, str], clock: Clock, accounts: Accounts | None = None,
    ) -> None:  # fmt: skip
        self._home = home
        self._config = config
        self._repo = repo
        self._environ = environ
        self._clock = clock
        self._accounts = accounts
        self._made: dict[str, tuple[SourceConfig, Repo, TicketSource]] = {}
        self._lock = threading.Lock()

    def all(self) -> Mapping[str, SourceConfig]:
        """Those whose repository is registered."""
        found = self._config().sources
        return {name: one for name, one in found.items() if self._repo(one.repo) is not None}

    def open(self, name: str) -> TicketSource:
        config = self._config().sources.get(name)
        if config is None:
            raise NotFound(
                f"there is no source {name!r}", code="unknown_source", hint="orch repo sources list"
            )
        repo = self._repo(config.repo)
        if repo is None:
            raise NotFound(
                f"the repository {config.repo!r} of the source {name} is not registered",
                code="unknown_repo", hint="orch repo list",
            )  # fmt: skip
        with self._lock:
            known = self._made.get(name)
            if known is None or known[:2] != (config, repo):
                known = self._made[name] = (config, repo, self.made(name, config, repo))
            return known[2]

    def made(self, name: str, config: SourceConfig, repo: Repo) -> TicketSource:
        """The source that this table is, whether it is configured or only meant to be."""
        premises = SourcePremises(
            name=name, config=config, repo=repo, environ=self._environ, clock=self._clock,
            directory=self._home / "sources" / name, accounts=self._accounts,
        )  # fmt: skip
        made: TicketSource = plugins.make(plugins.SOURCES, config.kind, premises)
        return made


def mark_secret(home: Path) -> bytes:
    """The key of the codes in our marks: made once for a home, for its owner's eyes."""
    place = home / _SECRET
    try:
        return place.read_bytes()
    except FileNotFoundError:
        pass  # the first time
    new = place.with_name(f"{_SECRET}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, place)  # only the first of several makers wins
        except FileExistsError:
            pass  # and its key is the one
    finally:
        os.unlink(new)
    return place.read_bytes()
