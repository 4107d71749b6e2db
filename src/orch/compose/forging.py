"""The forge of each repository, and how it is reached, out of the configuration.

Invariant: a repository that says nothing has the forge at which its remote is, and its own source's
credential there, never that of a source at another server; nothing is asked over the network to find
that out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from orch.config.source_tree import ForgeConfig
from orch.forges.servers import AUTO, forge_of, server_of
from orch.model.loopback import is_loopback
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.config import Config

_API = {"GITHUB_API_URL": "github"}
"""Variables that name another server of a kind."""


class Choice(NamedTuple):
    """The forge of a repository, and the source by whose words it is reached where the forge has no
    table of its own; empty: by what the kind finds by itself."""

    forge: str
    source: str = ""

    @property
    def table(self) -> str:
        """Of the configuration, that says how it is reached."""
        return f"sources.{self.source}" if self.source else f"forges.{self.forge}"


class Forging:
    """`config` gives what is configured now, `repo` a registered repository."""

    def __init__(
        self, config: Callable[[], Config], repo: Callable[[str], Repo | None],
        environ: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._config = config
        self._repo = repo
        self._environ = environ

    def choice_of(self, slug: str) -> Choice:
        config, repo = self._config(), self._repo(slug)
        remote = repo.remote_url if repo is not None else ""
        name = config.repos.get(slug, config.defaults).forge
        if name == AUTO:
            name = forge_of(remote, self._servers(config)) if repo is not None else "local"
        if name in config.forges:
            return Choice(name)
        return Choice(name, _source_for(config, name, slug, server_of(remote)))

    def settings_of(self, choice: Choice) -> ForgeConfig:
        """How the forge of a choice is reached."""
        config = self._config()
        if choice.forge in config.forges:
            return config.forges[choice.forge]
        source = config.sources.get(choice.source)
        if source is None:
            return ForgeConfig()
        return ForgeConfig(base_url=source.base_url, user=source.user, token=source.token)

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


def _source_for(config: Config, kind: str, slug: str, server: str) -> str:
    """The source of that kind which is for this repository; without one, another at the same server.
    Empty where none says anything."""
    of_kind = {name: one for name, one in config.sources.items() if one.kind == kind}
    own = [name for name, one in of_kind.items() if one.repo == slug]
    if own:
        found = [name for name in own if _may_be(of_kind[name].base_url, server)]
        found = sorted(found, key=lambda name: server_of(of_kind[name].base_url) != server)[:1]
    else:
        found = [
            name for name, one in of_kind.items()
            if not one.base_url or server_of(one.base_url) == server
        ]  # fmt: skip
    said = (name for name in found if of_kind[name].base_url or of_kind[name].token.reveal())
    return next(said, "")


def _may_be(base_url: str, server: str) -> bool:
    """Whether an API's address is one of the server at which a remote is: the usual one, one on this
    machine (which stands for another), or any where the remote is a folder."""
    there = server_of(base_url)
    return there in ("", server) or not server or is_loopback(there.rpartition(":")[0] or there)
