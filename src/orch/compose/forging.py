"""The forge of each repository, and how it is reached, out of the configuration.

Invariant: a repository that says nothing has the forge at which its remote is, and its own source's
credential there, never that of a source at another server; nothing is asked over the network to find
that out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orch.config.source_tree import ForgeConfig
from orch.forges.servers import AUTO, forge_of, server_of
from orch.model.loopback import is_loopback
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

    def choice_of(self, slug: str) -> str:
        """The forge of a repository, and the source by whose words it is reached where it has no
        table of its own: `NAME` or `NAME@SOURCE`."""
        config, name = self._config(), self.name_of(slug)
        source = "" if name in config.forges else self._source_for(config, name, slug)
        return f"{name}@{source}" if source else name

    def settings_of(self, choice: str) -> ForgeConfig:
        """How the forge of a choice is reached."""
        config = self._config()
        name, _, through = choice.partition("@")
        if name in config.forges:
            return config.forges[name]
        if through not in config.sources:
            return ForgeConfig()
        source = config.sources[through]
        return ForgeConfig(base_url=source.base_url, user=source.user, token=source.token)

    def _source_for(self, config: Config, name: str, slug: str) -> str:
        """The source of that kind which is for this repository; without one, another at the same
        server. Empty where none says anything."""
        repo = self._repo(slug)
        server = server_of(repo.remote_url) if repo is not None else ""
        of_kind = {key: one for key, one in config.sources.items() if one.kind == name}
        own = [key for key, one in of_kind.items() if one.repo == slug]
        if own:
            there = [key for key in own if _may_be(of_kind[key].base_url, server)]
            there.sort(key=lambda key: server_of(of_kind[key].base_url) != server)
            found = there[:1]
        else:
            found = [
                key for key, one in of_kind.items()
                if (server_of(one.base_url) == server if one.base_url else one.token.reveal())
            ]  # fmt: skip
        said = (key for key in found if of_kind[key].base_url or of_kind[key].token.reveal())
        return next(said, "")

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


def _may_be(base_url: str, server: str) -> bool:
    """Whether an API's address is one of the server at which a remote is: the usual one, one on this
    machine (which stands for another), or any where the remote is a folder."""
    there = server_of(base_url)
    return there in ("", server) or not server or is_loopback(there.rpartition(":")[0] or there)
