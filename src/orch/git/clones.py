"""Removing a clone of ours, when its remote has everything that is in it.

Look: worktrees, files (ignored ones too that policy lists or that look personal), repositories
inside, and every commit that a ref, HEAD or a reflog leads to, against what the remote says now
that it has. Act: one removal that follows no link (see `disposal`).

Invariant: a remote that does not answer has nothing; the stash and what is kept of removed
worktrees count as work.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from orch.git import (
    carrying,
    disposal,
    failures,
    pinned,
    places,
    remotes,
    removal_refusals,
    snapshots,
    status,
    worktrees,
)
from orch.git.gateway import Gateway
from orch.model.repo import Repo


def only_in_clone(gateway: Gateway, repo: Repo, keep: Sequence[str]) -> tuple[str, ...]:
    """See `orch.ports.Git.only_in_clone`."""
    reasons = []
    if linked := worktrees.list_worktrees(gateway, repo):
        reasons.append(f"it has the worktree {linked[0][0]}")
    if os.path.isdir(os.path.join(repo.common_dir, "modules")):
        reasons.append("it has submodules, which may have commits of their own")
    if repo.local_path != repo.common_dir:
        reasons += _files(gateway, repo, keep)
    return (*reasons, *_commits(gateway, repo))


def remove_clone(gateway: Gateway, repo: Repo, keep: Sequence[str]) -> None:
    """See `orch.ports.Git.remove_clone`."""
    if not os.path.lexists(repo.local_path):
        return
    if not places.is_real_directory(repo.local_path):
        raise removal_refusals.clone_gone(repo)
    if reasons := only_in_clone(gateway, repo, keep):
        raise removal_refusals.clone_has_work(repo, reasons)
    with failures.our_own_writes(f"remove {repo.local_path}"):
        disposal.remove_tree(repo.local_path)


def _files(gateway: Gateway, repo: Repo, keep: Sequence[str]) -> list[str]:
    place = pinned.main_place(repo)
    seen = status.read_status(gateway, place, ignored=True)
    if seen.unopened:
        return [f"{seen.unopened[0]} cannot be read"]
    listed = [
        *carrying.matching(gateway, place, keep), *snapshots.personal(repo.local_path, seen)
    ]  # fmt: skip
    paths = {*seen.unmerged, *(entry.path for entry in seen.entries), *listed}
    return [f"{status.shown(path)} is in no commit" for path in sorted(paths)]


def _commits(gateway: Gateway, repo: Repo) -> list[str]:
    place = pinned.main_place(repo)
    question = "".join(f"{tip}\n" for tip in remotes.all_tips(gateway, repo)).encode()
    answer = gateway.run(["cat-file", "--batch-check"], place, stdin=question or b"\n").text()
    fields = (line.split(" ") for line in answer.splitlines())
    known = "".join(f"^{f[0]}\n" for f in fields if f[1:2] in (["commit"], ["tag"])).encode()
    words = ["rev-list", "--no-commit-header", "--format=%h %s", "--max-count=20"]
    words += ["--all", "--reflog", "--stdin"]
    listing = gateway.run(words, place, stdin=known or b"\n").text()
    return [f"the remote does not have {line}" for line in listing.splitlines()]
