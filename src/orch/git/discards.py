"""Removing a worktree whose content has been saved.

Look: the directory, put aside or not; git's entry for it; the branch and its record. Act, in this
order (H56): put the directory aside in one rename, prove that what is aside is what was saved,
remove it, remove git's entry for it and no other (H74), delete the branch, then its record. A call
that was killed anywhere is completed by the same call again; before the proof nothing is removed,
and what does not match is put back.

Invariant: only a directory proven ours goes (see `standing`), never through a link (see
`disposal`), and only when an entry with the caller's key holds all of it. A branch goes only when
it was made here, is checked out nowhere, and its tip is in that entry.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence

from orch.git import (
    disposal,
    failures,
    names,
    pending,
    pinned,
    places,
    refs,
    removal_refusals,
    standing,
    trash,
    worktrees,
)
from orch.git.gateway import Gateway
from orch.git.places import Tree
from orch.model.repo import Repo
from orch.model.worktree import Saved, Worktree

_ON_BRANCH = re.compile(r"ref: refs/heads/(.+)")


def discard(
    gateway: Gateway, repo: Repo, worktree: Worktree, *, key: str, keep: Sequence[str]
) -> str:
    """See `orch.ports.Git.discard_worktree`."""
    trash.check(worktree)
    found = [s for s in trash.entries(gateway, repo) if trash.is_of(s, worktree, key)]
    saved = found[-1] if found else None
    tree = standing.stand(repo, worktree)
    if tree is not None:
        if saved is None:
            raise removal_refusals.not_saved(worktree)
        _put_aside(gateway, repo, worktree, tree, saved, keep)
    with failures.our_own_writes(f"remove {worktree.path}"):
        # Also what an interrupted removal has left half emptied.
        disposal.remove_tree(standing.held_path(worktree))
        _remove_empty(worktree)
        for admin_dir in _entries_of(repo, worktree):
            disposal.remove_tree(admin_dir)
    pending.forget(repo, worktree)
    return _delete_branch(gateway, repo, worktree, saved)


def _put_aside(
    gateway: Gateway,
    repo: Repo,
    worktree: Worktree,
    tree: Tree,
    saved: Saved,
    keep: Sequence[str],
) -> None:
    """Take the directory away from its path, and see that nothing came to it since it was saved.
    Otherwise it goes back, whatever happened."""
    held = standing.held_path(worktree)
    if tree.path != held:
        with failures.our_own_writes(f"move {tree.path} aside"):
            os.rename(tree.path, held)
    try:
        aside = standing.stand(repo, worktree)
        now = trash.described(gateway, repo, worktree, aside, keep)
        if not trash.holds(saved, now):
            raise removal_refusals.changed_meanwhile(worktree)
    except BaseException:
        with failures.our_own_writes(f"move {held} back to {worktree.path}"):
            os.rename(held, worktree.path)
        raise


def _remove_empty(worktree: Worktree) -> None:
    """What a killed `git worktree add` leaves: a directory with nothing but a pointer."""
    path = worktree.path
    if places.is_real_directory(path) and standing.is_empty(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(path, ".git"))
        os.rmdir(path)


def _entries_of(repo: Repo, worktree: Worktree) -> list[str]:
    """git's entries for this worktree, unless something that is not ours lies at its path."""
    if os.path.lexists(worktree.path):
        return []
    found = worktrees.remains(repo, worktree)
    other = places.find_admin(repo.common_dir, worktree)
    return [*found, other] if other and other not in found else found


def _delete_branch(gateway: Gateway, repo: Repo, worktree: Worktree, saved: Saved | None) -> str:
    """Delete branch and record; gives why the branch is kept, empty when it is gone."""
    place = pinned.repository_place(repo)
    tip, record = trash.branch_and_record(gateway, repo, worktree)
    branch = worktree.branch
    if tip and not record:
        return f"the branch {branch} was not made by orch"
    if user := _checked_out_at(gateway, repo, branch):
        return f"the branch {branch} is checked out in {user}"
    if tip and (saved is None or saved.tip != tip):
        return f"the branch {branch} has moved since it was saved"
    for name, commit in ((names.branch_ref(branch), tip), (names.made_ref(branch), record)):
        if commit and not refs.move_refs(gateway, place, [f"delete {name} {commit}"], "removed"):
            return f"the branch {branch} has just moved"
    return ""


def _checked_out_at(gateway: Gateway, repo: Repo, branch: str) -> str:
    """Where somebody works on the branch, or empty."""
    head = _ON_BRANCH.fullmatch(places.read_line(os.path.join(repo.common_dir, "HEAD")))
    if head and head.group(1) == branch:
        return repo.local_path
    there = worktrees.list_worktrees(gateway, repo)
    return next((path for path, used in there if used == branch), "")
