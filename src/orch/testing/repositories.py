"""Repositories for the suites of forges, and what other people do to them meanwhile.

Invariant: `MemoryRepositories` is deterministic and touches no disk; whoever has the real program at
hand gives the suites another `Repositories` over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, get_args

import pytest

from orch.git.memory import MemoryGit
from orch.git.memory_world import Commit, Repository, Tree
from orch.model.effect import Strategy
from orch.model.errors import OrchError
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from orch.ports import Git

STRATEGIES = get_args(Strategy)
FILES = {"README.md": "start\n", "src/app.py": "print('hello')\n"}


class Repositories(Protocol):
    """Repositories with remotes, and everybody who is not Orch."""

    @property
    def git(self) -> Git: ...

    def repository(
        self, slug: str = "thing", *, branch: str = "main", remote: bool = True, empty: bool = False
    ) -> Repo:
        """A registered repository with `README.md` and `src/app.py` in one commit."""

    def write(self, worktree: Worktree, changes: Mapping[str, str]) -> None:
        """An agent writes files."""

    def message(self, repo: Repo, commit: str) -> str: ...

    def files_of(self, repo: Repo, commit: str) -> Mapping[str, str]: ...

    def commit_remotely(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str: ...

    def merge_remotely(self, repo: Repo, head: str, *, forward: bool = False) -> str:
        """Somebody merges `head` into `main` by hand (`forward`: main moves to it as it is)."""

    def set_remotely(self, repo: Repo, branch: str, commit: str) -> None:
        """Somebody forces `branch` to `commit`, or deletes it (empty)."""


class MemoryRepositories:
    """`Repositories` in the world of git's double."""

    def __init__(self) -> None:
        self.git = MemoryGit()
        self.world = self.git.world

    def repository(
        self, slug: str = "thing", *, branch: str = "main", remote: bool = True, empty: bool = False
    ) -> Repo:
        path, url = f"/src/{slug}", f"/remotes/{slug}.git" if remote else ""
        self.world.make_repository(path, default_branch=branch, files=FILES, remote_url=url)
        self.git.pin(f"{path}/.git", f"/pins/{slug}")
        return Repo(
            slug=slug,
            local_path=path,
            common_dir=f"{path}/.git",
            pinned_dir=f"/pins/{slug}",
            workspace_dir=f"/worktrees/{slug}",
            default_branch=branch,
            remote_name="origin" if remote else "",
            remote_url=url,
        )

    def write(self, worktree: Worktree, changes: Mapping[str, str]) -> None:
        self.tree(worktree).files.update(changes)

    def message(self, repo: Repo, commit: str) -> str:
        return self.world.commits[commit].message

    def files_of(self, repo: Repo, commit: str) -> Mapping[str, str]:
        return self.world.committed_files(commit)

    def commit_remotely(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str:
        return self.world.commit_at(repo.remote_url, branch, changes, "Somebody else's")

    def merge_remotely(self, repo: Repo, head: str, *, forward: bool = False) -> str:
        refs = self.world.remotes[repo.remote_url].refs
        tip, base = refs[f"refs/heads/{head}"], refs["refs/heads/main"]
        if not forward:
            files = {**self.world.committed_files(base), **self.world.committed_files(tip)}
            merged = Commit(files=files, parents=(base, tip), message="By hand")
            tip = self.world.write_commit(merged)
        refs["refs/heads/main"] = tip
        return tip

    def set_remotely(self, repo: Repo, branch: str, commit: str) -> None:
        refs = self.world.remotes[repo.remote_url].refs
        refs[f"refs/heads/{branch}"] = commit
        if not commit:
            del refs[f"refs/heads/{branch}"]

    def of(self, repo: Repo) -> Repository:
        """The repository in the double's world."""
        return self.world.repositories[repo.common_dir]

    def tree(self, worktree: Worktree) -> Tree:
        """The worktree in the double's world."""
        [tree] = [
            repository.trees[worktree.path]
            for repository in self.world.repositories.values()
            if worktree.path in repository.trees
        ]
        return tree


@contextmanager
def refused(kind: type[OrchError], code: str) -> Iterator[pytest.ExceptionInfo[OrchError]]:
    """The block raises exactly this, in one sentence."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code
    assert caught.value.message.endswith(".")


def planned(git: Git, repo: Repo, name: str = "a", *, branch: str = "") -> Worktree:
    """The record of a worktree at the repository's base as it is now."""
    base = git.resolve_base(repo, None, fetch=False)
    return Worktree(
        repo=repo.slug,
        name=name,
        branch=branch or f"orch/{name}",
        path=f"{repo.workspace_dir}/{name}",
        base_branch=base.branch,
        base_commit=base.commit,
    )


def made(git: Git, repo: Repo, name: str = "a", *, branch: str = "") -> Worktree:
    """A worktree at the repository's base."""
    worktree = planned(git, repo, name, branch=branch)
    git.add_worktree(repo, worktree, key="k")
    return worktree


def pushed(
    git: Git, hands: Repositories, repo: Repo, name: str = "a", text: str = "work\n"
) -> tuple[Worktree, str]:
    """A branch `orch/<name>` with one commit that adds `<name>.txt`, at the remote."""
    worktree = made(git, repo, name)
    hands.write(worktree, {f"{name}.txt": text})
    git.commit(repo, worktree, f"Add {name}", key=f"commit-{name}")
    return worktree, git.push(repo, worktree)
