"""A checkout that was moved: its worktrees' `.git` files lead to it again (`git worktree repair`).

git's own command writes through whatever link an agent has put in a `.git`'s place, so this is done
by hand. Invariant: only a plain `.git` file that still names this very entry at the old place, which
is gone, is replaced, by rename; anything else in its place is left as it is.
"""

from __future__ import annotations

import os

from orch.git import failures, pinned, places


def linked(common_dir: str) -> tuple[str, ...]:
    """The paths of the linked worktrees as git's own entries name them, there or not."""
    return tuple(path for _, path in _entries(common_dir))


def follow(common_dir: str, pinned_dir: str) -> None:
    """Before the view at `pinned_dir`, which may still be of an old place, is made anew."""
    try:
        old = os.path.dirname(os.readlink(os.path.join(pinned_dir, "worktrees")))
    except OSError:
        return
    if old == common_dir or os.path.lexists(os.path.join(old, "objects")):
        return
    for admin_dir, path in _entries(common_dir):
        pointer = os.path.join(path, ".git")
        named = places.read_line(pointer).removeprefix("gitdir: ")
        lost = os.path.join(old, "worktrees", os.path.basename(admin_dir))
        if (
            not places.is_real_directory(path)
            or os.path.normpath(os.path.join(path, named)) != lost
        ):
            continue
        with failures.our_own_writes(f"write {pointer}"):
            pinned.write_file(pointer, f"gitdir: {admin_dir}\n".encode())


def _entries(common_dir: str) -> list[tuple[str, str]]:
    """(administrative directory, worktree) of each entry."""
    base = os.path.join(common_dir, "worktrees")
    try:
        found = sorted(os.listdir(base))
    except OSError:
        return []
    entries = []
    for name in found:
        admin_dir = os.path.join(base, name)
        named = places.read_line(os.path.join(admin_dir, "gitdir"))
        if named and places.is_real_directory(admin_dir):
            whole = os.path.normpath(os.path.join(admin_dir, named))
            entries.append((admin_dir, os.path.dirname(whole)))
    return entries
