"""A merge whose result is known but not yet in the worktree: the note that survives a crash.

Between "the new commit exists" and "branch, index and files show it" lie two git commands. The note
(`<pinned>/pending/<worktree>`, JSON) is durable before the first and removed after the second.

Invariant: with a note, the worktree is rolled forward before anything else looks at it; every file
that is then overwritten is one that the merge itself changes.
"""

from __future__ import annotations

import contextlib
import os
import re

import msgspec

from orch.git import failures, names, pinned, refs, refusals, status
from orch.git.gateway import Gateway
from orch.git.places import Tree
from orch.model import typed
from orch.model.errors import ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree

_IN_THE_WAY = re.compile(
    r"(?:Untracked working tree file|Entry) '(.+)' (?:would be overwritten|not uptodate)"
)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The branch is to go from `old` to `new`."""

    branch: str
    old: str
    new: str


def finish(
    gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree, *, old: str, new: str
) -> None:
    """Bring files, index and branch of a clean worktree from `old` to `new`."""
    with failures.our_own_writes("note the merge"):
        os.makedirs(os.path.dirname(_file(repo, worktree)), mode=0o700, exist_ok=True)
        note = Note(branch=worktree.branch, old=old, new=new)
        pinned.write_file(_file(repo, worktree), msgspec.json.encode(note))
    try:
        gateway.run(["read-tree", "-m", "-u", old, new], tree.place)
    except ToolFailed as error:
        files = _IN_THE_WAY.findall(str(error.data.get("stderr", "")))
        if not files:
            raise
        # git checks all paths before it writes the first: nothing has changed.
        forget(repo, worktree)
        raise refusals.dirty(worktree, files) from error
    _move(gateway, repo, worktree, tree, old, new)


def settle(gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree) -> None:
    """Complete what a note says, if there is one."""
    try:
        with open(_file(repo, worktree), "rb") as stream:
            note = typed.decode(stream.read(), Note)
    except FileNotFoundError:
        return
    ref = names.branch_ref(note.branch)
    tip = refs.read_refs(gateway, tree.place, [ref]).get(ref, "")
    if note.branch != worktree.branch or tip not in (note.old, note.new):
        forget(repo, worktree)
        return
    _refuse_other_changes(gateway, worktree, tree, note)
    gateway.run(["read-tree", "--reset", "-u", note.new], tree.place)
    _move(gateway, repo, worktree, tree, note.old, note.new)


def _move(gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree, old: str, new: str) -> None:
    ref = names.branch_ref(worktree.branch)
    if not refs.move_refs(gateway, tree.place, [f"update {ref} {new} {old}"], "merge"):
        tip = refs.read_refs(gateway, tree.place, [ref]).get(ref, "")
        if tip != new:
            raise refusals.branch_moved(worktree.branch, "merging into it")
    forget(repo, worktree)


def _refuse_other_changes(gateway: Gateway, worktree: Worktree, tree: Tree, note: Note) -> None:
    listing = gateway.run(
        ["diff-tree", "-r", "-z", "--no-renames", "--name-only", note.old, note.new], tree.place
    )
    ours = set(listing.stdout.split(b"\0"))
    others = set(status.read_status(gateway, tree.place).tracked_changes) - ours
    if others:
        raise refusals.dirty(worktree, [status.shown(path) for path in sorted(others)])


def _file(repo: Repo, worktree: Worktree) -> str:
    return os.path.join(repo.pinned_dir, "pending", worktree.name)


def forget(repo: Repo, worktree: Worktree) -> None:
    """There is no merge to complete (any more)."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_file(repo, worktree))
