"""Bringing back a worktree that was removed: its branch, its directory, and its uncommitted files as
uncommitted ones.

Invariant: nothing that is there is overwritten: a branch that has moved, a directory or a worktree
in the place refuses. The entry in the trash stays. An agent may have written the entry: the
directory is made in the repository's own workspace, under the worktree's name, unless that is
where it was; and git itself refuses paths that lead out of it.
"""

from __future__ import annotations

import contextlib
import os

import msgspec

from orch.git import (
    commits,
    failures,
    names,
    pinned,
    places,
    raw,
    refs,
    refusals,
    removal_refusals,
    standing,
    trash,
    worktrees,
)
from orch.git.gateway import Gateway, Place
from orch.model.repo import Repo
from orch.model.worktree import Saved, Worktree


def restore(gateway: Gateway, repo: Repo, saved: Saved) -> Worktree:
    """See `orch.ports.Git.restore_worktree`."""
    path = os.path.join(repo.workspace_dir, saved.worktree.name)
    worktree = msgspec.structs.replace(saved.worktree, repo=repo.slug, path=path)
    trash.check(worktree)
    if os.path.lexists(path):
        raise refusals.foreign_path(worktree)
    held = standing.held_path(worktree)
    if os.path.lexists(held):
        raise removal_refusals.still_aside(worktree, held)
    tip = _bring_branch(gateway, repo, worktree, saved)
    worktrees.check_out(gateway, repo, worktree)
    if saved.directory:
        _bring_files(gateway, repo, worktree, saved, tip)
    return worktree


def _bring_branch(gateway: Gateway, repo: Repo, worktree: Worktree, saved: Saved) -> str:
    """The branch where it was; gives its tip."""
    tip, record = trash.branch_and_record(gateway, repo, worktree)
    wanted = saved.tip or saved.head or worktree.base_commit
    if tip and tip != wanted:
        raise removal_refusals.branch_differs(saved)
    orders = []
    if saved.ours and not record:
        orders.append(f"create {names.made_ref(worktree.branch)} {worktree.base_commit}")
    if not tip:
        orders.append(f"create {names.branch_ref(worktree.branch)} {wanted}")
    place = pinned.repository_place(repo)
    if orders and not refs.move_refs(gateway, place, orders, f"restored {saved.id}"):
        raise refusals.branch_moved(worktree.branch, "restoring it")
    return wanted


def _bring_files(gateway: Gateway, repo: Repo, worktree: Worktree, saved: Saved, tip: str) -> None:
    """From a clean checkout of `tip` to what was there: HEAD, files (to the byte), index."""
    tree = places.find_tree(repo, worktree)
    place = tree.place
    if saved.head and saved.on != worktree.branch:
        words = ["update-ref", "--no-deref", "-m", "orch: restored", "HEAD", saved.head]
        gateway.run(words, place)
    changed, removed = _differences(gateway, place, tip, saved.commit)
    gateway.run(["read-tree", saved.commit], place)
    with failures.our_own_writes(f"write {tree.path}"):
        for path in removed:
            _remove(os.fsencode(tree.path), path)
    if changed:
        text = b"\0".join(changed) + b"\0"
        exact = raw.raw_place(repo, place)
        gateway.run(["checkout-index", "--force", "-z", "--stdin"], exact, stdin=text)
    index = saved.staged or commits.tree_of(gateway, place, saved.head or tip)
    gateway.run(["read-tree", index], place)
    gateway.run(["update-index", "-q", "--refresh"], place, accept=(0, 1))


def _differences(
    gateway: Gateway, place: Place, old: str, new: str
) -> tuple[list[bytes], list[bytes]]:
    """Paths that `new` has otherwise than `old`, and paths that it has not."""
    words = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new]
    fields = gateway.run(words, place).stdout.split(b"\0")
    pairs = list(zip(fields[0::2], fields[1::2], strict=False))
    return [p for kind, p in pairs if kind != b"D"], [p for kind, p in pairs if kind == b"D"]


def _remove(top: bytes, path: bytes) -> None:
    """Take a file out of a fresh checkout, where no directory is a link, and empty directories
    with it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(top, path))
    folder = os.path.dirname(path)
    while folder:
        try:
            os.rmdir(os.path.join(top, folder))
        except OSError:
            break
        folder = os.path.dirname(folder)
