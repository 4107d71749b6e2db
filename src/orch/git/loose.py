"""Commits that only a worktree remembers: in its own reflog, its unfinished business, its own refs.

They go with git's directory for the worktree (and, with a branch, its reflog goes), so what is
reachable from nothing else has to be saved with the rest: commits made on a detached HEAD, reset
away, amended, or stashed by an interrupted rebase. The stash itself belongs to the repository and
stays.

Invariant: files that an agent can write are read as text for ids, and believed only where git has a
commit of that id.
"""

from __future__ import annotations

import os
import re

from orch.git import names, pinned, places
from orch.git.gateway import Gateway
from orch.git.places import Tree
from orch.model.repo import Repo
from orch.model.worktree import Worktree

_ID = re.compile(rb"\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b")
_REMEMBERS = (
    "logs/HEAD",
    "ORIG_HEAD",
    "MERGE_HEAD",
    "MERGE_AUTOSTASH",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "rebase-merge/autostash",
    "rebase-merge/onto",
    "rebase-merge/orig-head",
    "rebase-merge/stopped-sha",
    "rebase-apply/autostash",
    "rebase-apply/onto",
    "rebase-apply/orig-head",
)
_LARGEST = 64 << 20


def loose_ends(
    gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree | None, *, kept: list[str]
) -> list[str]:
    """The newest of the commits that this worktree or its branch remembers and that neither a ref
    nor one of `kept` leads to."""
    candidates = _remembered(gateway, repo, worktree, tree)
    candidates -= set(kept)
    place = pinned.repository_place(repo)
    if not candidates:
        return []
    question = "".join(f"{c}\n" for c in sorted(candidates)).encode()
    answer = gateway.run(["cat-file", "--batch-check"], place, stdin=question).text()
    fields = (line.split(" ") for line in answer.splitlines())
    there = sorted(words[0] for words in fields if words[1:2] == ["commit"])
    if not there:
        return []
    wanted = "".join(f"{c}\n" for c in [*there, *(f"^{k}" for k in kept if k)]).encode()
    # Of this working tree only: the HEAD of one that is just being made leads nowhere, and git fails.
    words = ["rev-list", "--single-worktree", "--parents", "--stdin", "--not", "--all"]
    listing = gateway.run(words, place, stdin=wanted).text()
    lost, parents = set(), set()
    for line in listing.splitlines():
        commit, *others = line.split(" ")
        lost.add(commit)
        parents.update(others)
    return sorted(lost - parents)


def _remembered(gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree | None) -> set[str]:
    files = [os.path.join(repo.common_dir, "logs", names.branch_ref(worktree.branch))]
    found: set[str] = set()
    if tree is not None:
        files += [os.path.join(tree.admin_dir, name) for name in _REMEMBERS]
        own = ["refs/worktree", "refs/bisect", "refs/rewritten"]
        listing = gateway.run(["for-each-ref", "--format=%(objectname)", *own], tree.place)
        found.update(listing.text().split())
    for path in files:
        text = places.read_start(path, _LARGEST)
        found.update(match.decode() for match in _ID.findall(text))
    return {commit for commit in found if commit.strip("0")}
