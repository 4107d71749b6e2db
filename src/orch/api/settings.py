"""The configuration as a person looks at it: for the repository where one stands, or another.

Invariant: looking makes nothing: where there is no home yet, there are no repositories in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch.config import home_from, load
from orch.config.explain import Settings
from orch.model.errors import OrchError
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.api.facade import Orch

FILES = (
    ("home", ""), ("config", "config.toml"), ("database", "orch.db"), ("vault", "vault"),
    ("worktrees", "worktrees"), ("clones", "repos"), ("attempts", "attempts"), ("forge", "forge"),
    ("runtime", "run"), ("log", "log"),
)  # fmt: skip


class Place:
    """The home that `environ` names. `opened` gives its facade, and is asked only where it is."""

    def __init__(self, environ: Mapping[str, str], opened: Callable[[], Orch]) -> None:
        self.environ = environ
        self.home = home_from(environ)
        self._opened = opened

    def repos(self) -> list[Repo]:
        return self._opened().repos() if (self.home / "orch.db").exists() else []

    def settings(self, repo: str) -> Settings:
        """As it is for `repo`; without a name for where one stands, else for none."""
        found: Repo | None = None
        if repo:
            found = self._opened().repo(repo)
        elif self.repos():
            found = self._opened().standing_in()
        if found is None:
            return Settings(self.home, self.environ)
        folder = Path(found.local_path)
        return Settings(self.home, self.environ, slug=found.slug, folder=folder)

    def faults(self) -> list[dict[str, Any]]:
        """`{"file", "ok", "error"}` of the person's file and of each registered repository's."""
        found = [self._look(self.home / "config.toml", None)]
        if found[0]["ok"]:
            for repo in self.repos():
                folder = Path(repo.local_path)
                if (folder / ".orch.toml").exists():
                    found.append(self._look(folder / ".orch.toml", folder))
        return found

    def _look(self, file: Path, folder: Path | None) -> dict[str, Any]:
        try:
            load(self.home, folder, {}, self.environ)
        except OrchError as error:
            return {"file": str(file), "ok": False, "error": error.as_dict()}
        return {"file": str(file), "ok": True, "error": None}

    def paths(self) -> list[dict[str, Any]]:
        """`{"name", "path", "exists"}` of everything that Orch keeps."""
        places = [(name, self.home / below) for name, below in FILES]
        places += [
            (f"repo {repo.slug}", Path(repo.local_path) / ".orch.toml") for repo in self.repos()
        ]
        return [{"name": n, "path": str(path), "exists": path.exists()} for n, path in places]
