"""Where a worktree really is: its directory, and git's administrative directory for it.

Invariant: a directory is used only when it is a real directory at a path without symbolic links,
and the administrative directory only when it lies in the repository's `worktrees/` and names this
worktree. The worktree's own `.git` pointer proves nothing, an agent can write it; it is never read
to find out where to work, only put right again (`restore_pointer`).
"""

from __future__ import annotations

import contextlib
import os
import stat

import msgspec

from orch.git import pinned, refusals
from orch.git.gateway import Place
from orch.model.repo import Repo
from orch.model.worktree import Worktree

_UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "sequencer": "a cherry-pick or revert",
}


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A linked worktree that was found to be there: its directory, git's `worktrees/<id>`."""

    path: str
    admin_dir: str
    place: Place


def find_tree(repo: Repo, worktree: Worktree) -> Tree:
    """The worktree, or `NotFound(worktree_missing)` when directory or record is gone or was
    replaced by something else."""
    path = worktree.path
    if not is_real_directory(path):
        free = not os.path.lexists(path)
        raise refusals.missing_worktree(
            worktree, f"there is {'nothing' if free else 'no directory'} at {path}",
            repo.local_path or repo.common_dir if free else "",
        )  # fmt: skip
    admin_dir = find_admin(repo.common_dir, worktree)
    if not admin_dir:
        raise refusals.missing_worktree(
            worktree, f"git does not know the directory {path} any more"
        )
    return Tree(path=path, admin_dir=admin_dir, place=pinned.worktree_place(repo, admin_dir, path))


def is_real_directory(path: str) -> bool:
    """A directory, not through any symbolic link on the way."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode) and os.path.realpath(path) == path
    except OSError:
        return False


def is_plain_file(path: str) -> bool:
    """A regular file, not a link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def find_admin(common_dir: str, worktree: Worktree) -> str:
    """`<common>/worktrees/<id>` whose `gitdir` names this worktree, or empty."""
    base = os.path.join(common_dir, "worktrees")
    pointer = os.path.join(worktree.path, ".git")
    # git takes the directory's name where it can, so the first look nearly always hits.
    for name in _names(base, first=worktree.name):
        admin_dir = os.path.join(base, name)
        if is_real_directory(admin_dir) and _names_pointer(admin_dir, pointer):
            return admin_dir
    return ""


def _names_pointer(admin_dir: str, pointer: str) -> bool:
    named = read_line(os.path.join(admin_dir, "gitdir"))
    if named and not os.path.isabs(named):
        named = os.path.normpath(os.path.join(admin_dir, named))
    return named == pointer


def _names(base: str, *, first: str) -> list[str]:
    others: list[str] = []
    with contextlib.suppress(OSError):
        others = sorted(os.listdir(base))
    return [first, *(name for name in others if name != first)]


def restore_pointer(tree: Tree) -> None:
    """Make the worktree's `.git` point to the repository itself, for the person and the agent:
    git writes the pinned path there, and an agent may have written anything. A directory in its
    place (an agent's `git init`) is left alone: it may hold work."""
    pointer = os.path.join(tree.path, ".git")
    wanted = f"gitdir: {tree.admin_dir}"
    try:
        found = os.lstat(pointer)
    except FileNotFoundError:
        pinned.write_file(pointer, f"{wanted}\n".encode())
        return
    if stat.S_ISDIR(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode) or read_line(pointer) != wanted:
        pinned.write_file(pointer, f"{wanted}\n".encode())


def head_branch(tree: Tree) -> str:
    """The branch that HEAD names, empty when it is detached or cannot be read."""
    line = read_line(os.path.join(tree.admin_dir, "HEAD"))
    return line.removeprefix("ref: refs/heads/") if line.startswith("ref: refs/heads/") else ""


def refuse_unfinished(tree: Tree, worktree: Worktree) -> None:
    """`Conflict(worktree_busy)` when a merge, rebase or the like was begun and not ended there."""
    if what := unfinished(tree):
        raise refusals.unfinished(worktree, what)


def unfinished(tree: Tree) -> str:
    """What was begun and not ended there (`a merge`), or empty."""
    there = (w for n, w in _UNFINISHED.items() if os.path.lexists(os.path.join(tree.admin_dir, n)))
    return next(there, "")


def read_line(path: str) -> str:
    """The content of a small file without the line break, empty when it cannot be read. Links
    are not followed."""
    return read_start(path, 8_192).decode("utf-8", "surrogateescape").rstrip("\n")


def read_start(path: str, limit: int) -> bytes:
    """The first bytes of a regular file, nothing of anything else (an agent may have put a pipe or
    a link there)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(descriptor, "rb") as stream:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return stream.read(limit) if regular else b""
