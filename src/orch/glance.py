"""The names that a person may be about to type: runs, repositories, issues, agents, keys.

Invariant: looks, never makes: no home, no lock, no program. A home that is absent or broken has no
names. Fast enough to be asked at each press of the tab key.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orch.config import home_from, load
from orch.model.errors import OrchError

Name = tuple[str, str]
"""A name, and what may be said beside it."""

_TITLES = 40
"""So many issues are opened for their titles; beyond that the ids have to do."""


class Names:
    """The names of the home that `environ` names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._home = home_from(environ)

    def runs(self, begun: str) -> list[Name]:
        from orch.store.glance import Glance

        return [*Glance(self._home / "orch.db").runs(begun.lower()), ("@", "the last run")]

    def tasks(self) -> list[Name]:
        from orch.store.glance import Glance

        return Glance(self._home / "orch.db").tasks()

    def questions(self) -> list[Name]:
        """What agents at work ask a person."""
        from orch.store.glance import Glance
        from orch.terminals.questions import open_questions

        folders = Glance(self._home / "orch.db").directories()
        return [(one.id, one.text) for folder in folders for one in open_questions(Path(folder))]

    def repos(self) -> list[Name]:
        from orch.store.glance import Glance

        return [(slug, "") for slug in Glance(self._home / "orch.db").repos()]

    def hosts(self) -> list[Name]:
        """The remote services that something was asked of."""
        from orch.hosts.accounts import FOLDER, read

        return [(one.host, "") for one in read(self._home / FOLDER)]

    def jobs(self) -> list[Name]:
        from orch.store.glance import Glance

        return [(job, "") for job in Glance(self._home / "orch.db").jobs()]

    def pulls(self) -> list[Name]:
        from orch.store.glance import Glance

        return [(name, "") for name in Glance(self._home / "orch.db").pulls()]

    def worktrees(self, repo: str) -> list[Name]:
        from orch.store.glance import Glance

        return Glance(self._home / "orch.db").worktrees(repo)

    def issues(self, begun: str) -> list[Name]:
        """Those whose id begins so, newest first."""
        from orch.trackers.vault import Vault

        vault = Vault(self._home / "vault")
        ids = [name for name in vault.ids() if name.startswith(begun.upper())]
        if len(ids) > _TITLES:
            return [(name, "") for name in ids]
        found = []
        for name in ids:
            try:
                found.append((name, vault.get(name).title))
            except OrchError:
                found.append((name, "cannot be read"))
        return found

    def workflows(self) -> list[Name]:
        from orch.workflow.sources import builtin_names

        return [(name, "") for name in builtin_names()]

    def agents(self) -> list[Name]:
        config = load(self._home, None, {}, self._environ)
        return [(name, agent.kind) for name, agent in config.agents.items()]

    def sources(self) -> list[Name]:
        config = load(self._home, None, {}, self._environ)
        return [(name, f"{one.kind} for {one.repo}") for name, one in config.sources.items()]

    def keys(self) -> list[Name]:
        """Keys of the configuration, with their values (secrets masked)."""
        from orch.config.explain import Settings

        settings = Settings(self._home, self._environ)
        return [(key, str(settings.explain(key).said.value)) for key in settings.all_keys()]
