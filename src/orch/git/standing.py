"""The directory that is to be saved or removed, proven to be the worktree and nothing else.

Removal puts a directory aside first (`held_path`), in one rename: an interrupted one leaves it
there, whole, and the next call finds it. Nothing else of ours ever lies under that name.

Invariant: a directory counts as the worktree only when it is a real one at a path without links,
git's own record names that path, and the `.git` in it is ours, missing, or leads nowhere. A
repository that took its place, a link, or another repository's worktree is refused.
"""

from __future__ import annotations

import os
import stat

from orch.git import pinned, places, refusals, removal_refusals
from orch.git.places import Tree
from orch.model.repo import Repo
from orch.model.worktree import Worktree


def held_path(worktree: Worktree) -> str:
    """Where a directory waits between "no longer the worktree" and "removed"."""
    parent, name = os.path.split(worktree.path)
    return os.path.join(parent, f".orch-held-{name}")


def stand(repo: Repo, worktree: Worktree) -> Tree | None:
    """The worktree's directory, put aside or not; None when there is none, or an empty one.
    `Conflict(worktree_foreign)` when what is there is not proven to be it."""
    held = held_path(worktree)
    if os.path.lexists(held) and os.path.lexists(worktree.path):
        raise removal_refusals.still_aside(worktree, held)
    path = held if os.path.lexists(held) else worktree.path
    if not os.path.lexists(path):
        return None
    if not places.is_real_directory(path):
        raise refusals.foreign_path(worktree)
    admin_dir = places.find_admin(repo.common_dir, worktree)
    if not admin_dir or not _is_whole(admin_dir):
        if is_empty(path):
            return None
        raise removal_refusals.replaced(repo, worktree, "git has no record of it")
    tree = Tree(path=path, admin_dir=admin_dir, place=pinned.worktree_place(repo, admin_dir, path))
    _refuse_replaced(repo, worktree, tree)
    return tree


def _is_whole(admin_dir: str) -> bool:
    """A killed `git worktree add` leaves half an entry; only a whole one is followed by files."""
    return all(places.read_line(os.path.join(admin_dir, name)) for name in ("commondir", "HEAD"))


def is_empty(path: str) -> bool:
    """Nothing in it but, perhaps, a pointer: what a killed `git worktree add` leaves."""
    entries = os.listdir(path)
    return not entries or (entries == [".git"] and places.is_plain_file(f"{path}/.git"))


def _refuse_replaced(repo: Repo, worktree: Worktree, tree: Tree) -> None:
    pointer = os.path.join(tree.path, ".git")
    try:
        found = os.lstat(pointer)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise removal_refusals.replaced(repo, worktree, "it is a repository of its own")
    there = os.path.realpath(pointer)
    if stat.S_ISREG(found.st_mode):
        named = places.read_line(pointer).removeprefix("gitdir: ")
        there = os.path.realpath(os.path.join(tree.path, named)) if named else ""
    if there and os.path.isdir(there) and there != os.path.realpath(tree.admin_dir):
        raise removal_refusals.replaced(repo, worktree, f"its .git leads to {there}")
