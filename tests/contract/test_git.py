"""Every git of ours passes the one contract."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orch.git.memory_world import Tree
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from orch.testing.repositories import FILES, MemoryRepositories
from tests.contract.git_contract import GitContract
from tests.contract.git_landing_contract import GitLandingContract
from tests.contract.git_reading_contract import GitReadingContract
from tests.contract.git_rebase_contract import GitRebaseContract
from tests.contract.git_trash_contract import GitTrashContract
from tests.gitrepos import GitRepos


class RealHands:
    """Hands that use the person's own git."""

    def __init__(self, root: Path) -> None:
        self.repos = GitRepos(root)
        self.git = self.repos.gateway()

    def repository(
        self, slug: str = "thing", *, branch: str = "main", remote: bool = True, empty: bool = False
    ) -> Repo:
        path = self.repos.root / slug
        self.repos.git(self.repos.root, "init", "--quiet", "-b", branch, str(path))
        self.repos.commit(path, FILES)
        if remote:
            there = self.repos.bare(f"{slug}-remote.git", branch)
            self.repos.git(path, "remote", "add", "origin", str(there))
            self.repos.git(path, "push", "--quiet", "origin", branch)
        return self.repos.register(self.git, path, slug)

    def path_of_empty_repository(self) -> str:
        path = self.repos.root / "empty"
        self.repos.git(self.repos.root, "init", "--quiet", str(path))
        return str(path)

    def commit(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str:
        here = self.repos.git(repo.local_path, "branch", "--show-current")
        if branch != here:
            self.repos.git(repo.local_path, "checkout", "--quiet", "-b", branch)
        made = self.repos.commit(repo.local_path, changes)
        self.repos.git(repo.local_path, "checkout", "--quiet", here)
        return made

    def commit_remotely(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str:
        return self.repos.commit_remotely(repo.remote_url, branch, changes)

    def break_remote(self, repo: Repo) -> None:
        os.rename(repo.remote_url, f"{repo.remote_url}-gone")

    def refuse_remotely(self, repo: Repo, branch: str, words: str) -> None:
        hook = Path(repo.remote_url, "hooks", "pre-receive")
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
        hook.chmod(0o755)

    def tip(self, repo: Repo, ref: str) -> str:
        return self.repos.git(repo.local_path, "rev-parse", "--verify", "-q", ref, ok=False)

    def parents(self, repo: Repo, commit: str) -> Sequence[str]:
        return self.repos.git(repo.local_path, "show", "-s", "--format=%P", commit).split()

    def message(self, repo: Repo, commit: str) -> str:
        return self.repos.git(repo.local_path, "show", "-s", "--format=%B", commit)

    def files_of(self, repo: Repo, commit: str) -> Mapping[str, str]:
        listing = self.repos.git(repo.local_path, "ls-tree", "-r", "-z", "--name-only", commit)
        names = [name for name in listing.split("\0") if name]
        return {n: self.repos.git(repo.local_path, "show", f"{commit}:{n}") + "\n" for n in names}

    def write(self, worktree: Worktree, changes: Mapping[str, str]) -> None:
        for name, text in changes.items():
            target = Path(worktree.path, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def remove(self, worktree: Worktree, name: str) -> None:
        Path(worktree.path, name).unlink()

    def read(self, worktree: Worktree, name: str) -> str | None:
        target = Path(worktree.path, name)
        return target.read_text() if target.exists() else None

    def agent_commit(self, repo: Repo, worktree: Worktree) -> str:
        return self.repos.commit(worktree.path, {}, "The agent's own")

    def agent_switch(self, repo: Repo, worktree: Worktree, branch: str) -> None:
        words = ["-B", branch] if branch else ["--detach"]
        self.repos.git(worktree.path, "checkout", "--quiet", *words)

    def agent_reset(self, repo: Repo, worktree: Worktree, commit: str) -> None:
        self.repos.git(worktree.path, "reset", "--quiet", "--hard", commit)

    def begin_merge(self, repo: Repo, worktree: Worktree) -> None:
        self.commit(repo, "main", {"README.md": "main\n"})
        self.repos.commit(worktree.path, {"README.md": "worktree\n"})
        self.repos.git(worktree.path, "merge", "main", ok=False)

    def delete_directory(self, worktree: Worktree) -> None:
        shutil.rmtree(worktree.path)

    def worktree_by_hand(self, repo: Repo, branch: str) -> str:
        path = str(self.repos.root / f"{branch}-tree")
        self.repos.git(repo.local_path, "worktree", "add", "--quiet", "-b", branch, path)
        return path

    def occupy(self, repo: Repo, worktree: Worktree) -> None:
        self.write(worktree, {"theirs.txt": "theirs\n"})

    def merge_remotely(self, repo: Repo, head: str, *, forward: bool = False) -> str:
        elsewhere = self.repos.root / f"merging-{len(list(self.repos.root.iterdir()))}"
        self.repos.git(self.repos.root, "clone", "--quiet", repo.remote_url, str(elsewhere))
        words = ["--ff-only"] if forward else ["--no-ff", "-m", "By hand"]
        self.repos.git(elsewhere, "merge", "--quiet", *words, f"origin/{head}")
        self.repos.git(elsewhere, "push", "--quiet", "origin", "main")
        return self.repos.git(elsewhere, "rev-parse", "HEAD")

    def set_remotely(self, repo: Repo, branch: str, commit: str) -> None:
        words = [f"refs/heads/{branch}", commit] if commit else ["-d", f"refs/heads/{branch}"]
        self.repos.git(repo.remote_url, "update-ref", *words)


class MemoryHands(MemoryRepositories):
    """Hands in the double's world."""

    def path_of_empty_repository(self) -> str:
        return self.world.make_repository("/src/empty", files={}).main_path

    def commit(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str:
        return self.world.commit_on(self.of(repo), branch, changes, "More")

    def break_remote(self, repo: Repo) -> None:
        self.world.remotes[repo.remote_url].reachable = False

    def refuse_remotely(self, repo: Repo, branch: str, words: str) -> None:
        self.world.remotes[repo.remote_url].refuses[branch] = words

    def tip(self, repo: Repo, ref: str) -> str:
        return self.of(repo).refs.get(ref, "")

    def parents(self, repo: Repo, commit: str) -> Sequence[str]:
        return list(self.world.commits[commit].parents)

    def remove(self, worktree: Worktree, name: str) -> None:
        del self.tree(worktree).files[name]

    def read(self, worktree: Worktree, name: str) -> str | None:
        for repository in self.world.repositories.values():
            if worktree.path in repository.trees:
                return repository.trees[worktree.path].files.get(name)
        return None

    def agent_commit(self, repo: Repo, worktree: Worktree) -> str:
        return self.world.agent_commit(self.of(repo), worktree.path, "The agent's own")

    def agent_switch(self, repo: Repo, worktree: Worktree, branch: str) -> None:
        tree = self.tree(worktree)
        head = self.world.head_of(self.of(repo), tree)
        tree.branch, tree.detached = branch, "" if branch else head
        if branch:
            self.of(repo).refs[f"refs/heads/{branch}"] = head

    def agent_reset(self, repo: Repo, worktree: Worktree, commit: str) -> None:
        self.of(repo).refs[f"refs/heads/{worktree.branch}"] = commit
        self.tree(worktree).files = self.world.committed_files(commit)

    def begin_merge(self, repo: Repo, worktree: Worktree) -> None:
        self.tree(worktree).unfinished = "a merge"

    def delete_directory(self, worktree: Worktree) -> None:
        for repository in self.world.repositories.values():
            repository.trees.pop(worktree.path, None)

    def worktree_by_hand(self, repo: Repo, branch: str) -> str:
        repository, path = self.of(repo), f"/src/{branch}-tree"
        head = repository.refs[f"refs/heads/{repository.branch}"]
        repository.refs[f"refs/heads/{branch}"] = head
        repository.trees[path] = Tree(branch=branch, files=self.world.committed_files(head))
        return path

    def occupy(self, repo: Repo, worktree: Worktree) -> None:
        self.world.foreign_paths.add(worktree.path)


class TestGitCli(GitContract, GitLandingContract, GitReadingContract, GitRebaseContract):
    @pytest.fixture
    def hands(self, tmp_path: Path) -> RealHands:
        return RealHands(tmp_path)


class TestMemoryGit(GitContract, GitLandingContract, GitReadingContract, GitRebaseContract):
    @pytest.fixture
    def hands(self) -> MemoryHands:
        return MemoryHands()


class TestGitCliTrash(GitTrashContract):
    @pytest.fixture
    def hands(self, tmp_path: Path) -> RealHands:
        return RealHands(tmp_path)


class TestMemoryGitTrash(GitTrashContract):
    @pytest.fixture
    def hands(self) -> MemoryHands:
        return MemoryHands()
