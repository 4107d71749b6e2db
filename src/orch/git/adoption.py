"""Taking in a worktree that a person made by hand with `git worktree add`.

Invariant: nothing of it is changed: not its directory, its branch or git's entry for it. What is
written is one ref, `refs/orch/adopted/<branch>`, a person's word that the branch may be pushed;
unlike a branch that was made here, it is never deleted.
"""

from __future__ import annotations

import os

from orch.git import (
    bases,
    names,
    pinned,
    places,
    refs,
    refusals,
    removal_refusals,
    status,
    worktrees,
)
from orch.git.gateway import Gateway
from orch.model.errors import NotFound
from orch.model.repo import Repo
from orch.model.worktree import Worktree


def adopt(gateway: Gateway, repo: Repo, path: str, name: str) -> Worktree:
    """See `orch.ports.Git.adopt`."""
    there = os.path.realpath(path)
    linked = {
        os.path.realpath(known): known for known, _ in worktrees.list_worktrees(gateway, repo)
    }
    if there not in linked or there == os.path.realpath(repo.local_path):
        raise removal_refusals.not_linked(path, repo)
    names.check_worktree_path(there, os.path.basename(there))
    names.check_worktree_path(f"/{name}", name)
    draft = Worktree(
        repo=repo.slug, name=name, branch="-", path=there, base_branch="-", base_commit="-"
    )
    tree = places.find_tree(repo, draft)
    seen = status.read_status(gateway, tree.place)
    if not seen.branch:
        raise removal_refusals.on_no_branch(there)
    if not seen.head:
        raise refusals.no_commits(there)
    base = _base(gateway, repo, seen.head)
    _record(gateway, repo, names.check_branch(seen.branch), base)
    return Worktree(
        repo=repo.slug, name=name, branch=seen.branch, path=there,
        base_branch=repo.default_branch, base_commit=base,
    )  # fmt: skip


def _base(gateway: Gateway, repo: Repo, head: str) -> str:
    """Where its history left that of the default branch; HEAD itself where they never met."""
    try:
        known = bases.resolve_base(gateway, repo, None, fetch=False).commit
    except NotFound:
        return head
    place = pinned.repository_place(repo)
    met = gateway.run(["merge-base", head, known], place, accept=(0, 1))
    return met.text() if met.code == 0 else head


def _record(gateway: Gateway, repo: Repo, branch: str, base: str) -> None:
    place = pinned.repository_place(repo)
    made, adopted = names.made_ref(branch), names.adopted_ref(branch)
    if refs.read_refs(gateway, place, [made, adopted]):
        return
    # False: another process has just recorded the same.
    refs.move_refs(gateway, place, [f"create {adopted} {base}"], "adopted")
