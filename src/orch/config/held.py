"""The configuration that holds in this process, of the home and of each repository.

Invariant: what is asked for is read once, and again only by `reread`. A file that is broken then
changes nothing: what held before goes on to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

from orch.config.layers import Layer, from_file, from_text
from orch.config.loading import FILE, REPOSITORY_FILE, Config, load
from orch.model.errors import ConfigError
from orch.model.repo import Repo


class Held:
    """See the module. `problems` is None until `reread` was called."""

    def __init__(self, home: FilePath, environ: Mapping[str, str]) -> None:
        self._home = home
        self._environ = environ
        self._own: Layer | None = None
        self._known: dict[str, Config] = {}
        self.problems: Sequence[str] | None = None

    def get(self, repo: Repo | None) -> Config:
        """`ConfigError` where a file is broken and nothing held before."""
        key = repo.slug if repo else ""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._load(repo)
        return found

    def _load(self, repo: Repo | None) -> Config:
        folder = FilePath(repo.local_path) if repo else None
        whole = load(self._home, folder, {}, self._environ, own=self._own)
        return whole.for_repo(repo.slug) if repo else whole

    def files(self, repos: Sequence[Repo]) -> list[str]:
        """All that `reread` reads, whether it is there or not."""
        places = [FilePath(repo.local_path) / REPOSITORY_FILE for repo in repos]
        return [str(self._home / FILE), *map(str, places)]

    def reread(self, repos: Sequence[Repo]) -> Sequence[str]:
        """Read everything again; what is wrong, one sentence each."""
        problems, before, place = [], self._own, self._home / FILE
        fresh: dict[str, Config] = {}
        for repo in (None, *repos):
            key = repo.slug if repo else ""
            try:
                if repo is None:
                    self._own = from_file(place) or from_text("", place)
                fresh[key] = self._load(repo)
            except ConfigError as error:
                problems.append(error.message)
                if repo is None:
                    self._own = before
                if key in self._known:
                    fresh[key] = self._known[key]
        self._known = fresh
        self.problems = tuple(dict.fromkeys(problems))
        return self.problems
