"""The forge of each repository, and how it is reached, out of the configuration.

Invariant: a repository that says nothing has the forge at which its remote is; nothing is asked over
the network to find that out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orch.config.source_tree import ForgeConfig
from orch.forges.servers import AUTO, forge_of, server_of
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.config import Config

_API = {"GITHUB_API_URL": "github"}
"""Variables that name another server of a kind."""


class Forging:
    """`config` gives what is configured now, `repo` a registered repository."""

    def __init__(
        self, config: Callable[[], Config], repo: Callable[[str], Repo | None],
        environ: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._config = config
        self._repo = repo
        self._environ = environ

    def name_of(self, slug: str) -> str:
        config, repo = self._config(), self._repo(slug)
        chosen = config.repos.get(slug, config.defaults).forge
        if chosen != AUTO:
            return chosen
        return forge_of(repo.remote_url, self._servers(config)) if repo is not None else "local"

    def settings_of(self, name: str) -> ForgeConfig:
        """Its own table, else how a source of that kind is reached."""
        config = self._config()
        if name in config.forges:
            return config.forges[name]
        for source in config.sources.values():
            if source.kind == name and (source.base_url or source.token.reveal()):
                return ForgeConfig(base_url=source.base_url, user=source.user, token=source.token)
        return ForgeConfig()

    def _servers(self, config: Config) -> dict[str, str]:
        found = {
            server_of(self._environ[variable]): kind
            for variable, kind in _API.items() if self._environ.get(variable)
        }  # fmt: skip
        kinds = frozenset({"github", "gitlab", "gitea"})
        found |= {
            server_of(source.base_url): source.kind
            for source in config.sources.values() if source.base_url and source.kind in kinds
        }  # fmt: skip
        return found | {
            server_of(table.base_url): name
            for name, table in config.forges.items() if table.base_url
        }  # fmt: skip
