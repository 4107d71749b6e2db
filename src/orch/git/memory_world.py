"""The world of `MemoryGit`: repositories, remotes and worktrees as dictionaries.

Invariant: commits are immutable and their id follows from their content alone, so equal histories
have equal ids in every run; nothing here reads a clock, a file or a random number. Files are text;
two sides that changed one file differently conflict (the real program looks at lines).

The methods without a counterpart in `orch.ports.Git` are the hands of people, agents and other
machines: what a test or a simulation does to the repositories from outside.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from orch.git.pinned import TOOL_STATE
from orch.model.worktree import Saved

Files = dict[str, str]

PERSON = "Person <person@localhost>"


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; `files` is path → content."""

    files: Files
    parents: tuple[str, ...]
    message: str
    author: str = PERSON


class Remote(msgspec.Struct, kw_only=True):
    """Another machine's repository. `refuses` maps a branch to what its hook says; an unreachable
    one fails like a broken line."""

    default_branch: str
    refs: dict[str, str] = {}
    refuses: dict[str, str] = {}
    reachable: bool = True


class Tree(msgspec.Struct, kw_only=True):
    """A linked worktree. `branch` is empty when HEAD is detached at `detached`. `known` is false
    after someone removed git's record of it."""

    branch: str
    files: Files
    detached: str = ""
    unfinished: str = ""
    known: bool = True


class Repository(msgspec.Struct, kw_only=True):
    """A repository at `main_path`. `refs` has full names, remote-tracking ones too."""

    main_path: str
    common_dir: str
    branch: str
    bare: bool = False
    refs: dict[str, str] = {}
    remotes: dict[str, str] = {}
    trees: dict[str, Tree] = {}
    remote_head: str = ""
    saved: dict[str, Saved] = {}


class MemoryWorld:
    """All that exists. Paths are names only; nothing is on a disk."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.repositories: dict[str, Repository] = {}
        self.remotes: dict[str, Remote] = {}
        self.pinned: dict[str, str] = {}
        self.foreign_paths: set[str] = set()

    def make_repository(
        self,
        main_path: str,
        *,
        default_branch: str = "main",
        files: Mapping[str, str] | None = None,
        remote_url: str = "",
        bare: bool = False,
    ) -> Repository:
        """A repository with one commit (none when `files` is empty), cloned from `remote_url`."""
        common_dir = main_path if bare else os.path.join(main_path, ".git")
        made = Repository(
            main_path=main_path, common_dir=common_dir, branch=default_branch, bare=bare
        )
        self.repositories[common_dir] = made
        content = {"README.md": "start\n"} if files is None else dict(files)
        if content:
            first = self.write_commit(Commit(files=content, parents=(), message="Start"))
            made.refs[f"refs/heads/{default_branch}"] = first
        if remote_url:
            made.remotes["origin"] = remote_url
            self.remotes[remote_url] = Remote(default_branch=default_branch, refs=dict(made.refs))
            self.take_tracking_refs(made, "origin")
        return made

    def write_commit(self, commit: Commit) -> str:
        """Keep a commit; gives its id."""
        content = (sorted(commit.files.items()), commit.parents, commit.message, commit.author)
        name = hashlib.sha1(msgspec.json.encode(content), usedforsecurity=False).hexdigest()
        self.commits[name] = commit
        return name

    def commit_on(
        self, repository: Repository, branch: str, changes: Mapping[str, str], message: str
    ) -> str:
        """What a person commits on a local branch (made from HEAD's when it is new)."""
        refs = repository.refs
        return self._commit_on(refs, branch, repository.branch, changes, message)

    def commit_at(self, url: str, branch: str, changes: Mapping[str, str], message: str) -> str:
        """What somebody else pushes to the remote."""
        remote = self.remotes[url]
        return self._commit_on(remote.refs, branch, remote.default_branch, changes, message)

    def _commit_on(
        self,
        refs: dict[str, str],
        branch: str,
        start: str,
        changes: Mapping[str, str],
        message: str,
    ) -> str:
        parent = refs.get(f"refs/heads/{branch}") or refs[f"refs/heads/{start}"]
        files = {**self.commits[parent].files, **changes}
        made = self.write_commit(Commit(files=files, parents=(parent,), message=message))
        refs[f"refs/heads/{branch}"] = made
        return made

    def take_tracking_refs(self, repository: Repository, name: str) -> None:
        """What a full fetch brings."""
        for ref, commit in self.remotes[repository.remotes[name]].refs.items():
            branch = ref.removeprefix("refs/heads/")
            repository.refs[f"refs/remotes/{name}/{branch}"] = commit

    def head_of(self, repository: Repository, tree: Tree) -> str:
        """The commit that a worktree stands on; empty when its branch is gone."""
        return tree.detached or repository.refs.get(f"refs/heads/{tree.branch}", "")

    def committed_files(self, commit: str) -> Files:
        """What a commit holds; nothing for the empty id."""
        return dict(self.commits[commit].files) if commit else {}

    def changed_paths(self, repository: Repository, tree: Tree) -> list[str]:
        """Paths that differ from HEAD, tool state left out unless it is tracked."""
        head = self.committed_files(self.head_of(repository, tree))
        names = sorted(head.keys() | tree.files.keys())
        return [
            name
            for name in names
            if head.get(name) != tree.files.get(name) and (name in head or not is_ignored(name))
        ]

    def agent_commit(self, repository: Repository, path: str, message: str) -> str:
        """What an agent commits by itself in its worktree, on whatever HEAD is."""
        tree = repository.trees[path]
        head = self.head_of(repository, tree)
        kept = {name: text for name, text in tree.files.items() if not is_ignored(name)}
        made = self.write_commit(Commit(files=kept, parents=(head,), message=message))
        if tree.detached:
            tree.detached = made
        else:
            repository.refs[f"refs/heads/{tree.branch}"] = made
        return made

    def history(self, commit: str) -> Iterator[str]:
        """The commit and all its ancestors, children before parents along each line."""
        waiting, seen = [commit] if commit else [], set()
        while waiting:
            name = waiting.pop(0)
            if name not in seen:
                seen.add(name)
                yield name
                waiting.extend(self.commits[name].parents)

    def only_in(self, tip: str, *others: str) -> list[str]:
        """Commits of `tip`'s history that none of `others` has, newest first."""
        had = {name for other in others for name in self.history(other)}
        return [name for name in self.history(tip) if name not in had]

    def contains(self, tip: str, commit: str) -> bool:
        """Whether `commit` is in `tip`'s history."""
        return commit in self.history(tip)

    def merge_base(self, one: str, other: str) -> str:
        """The newest common ancestor, empty when there is none."""
        had = set(self.history(one))
        return next((name for name in self.history(other) if name in had), "")


def is_ignored(path: str) -> bool:
    """Whether the pinned view's list of tool state names the path (see `pinned`)."""
    parts = path.split("/")
    for pattern in TOOL_STATE:
        wanted = pattern.rstrip("/").split("/")
        whole = parts[:-1] if pattern.endswith("/") else parts
        if len(wanted) > 1:
            if _match(parts[: len(wanted)], wanted):
                return True
        elif any(fnmatch.fnmatchcase(part, wanted[0]) for part in whole):
            return True
    return False


def _match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))
