"""Making, repairing and removing worktrees.

Look: the record `refs/orch/made/<branch>` (= the commit the branch was made from), the branch, the
administrative directory, the directory. Act: record and branch in one transaction, the record
first, then `git worktree add`. So after a crash at any point a branch without record is not ours,
and a branch with record is (RELIABILITY §5: plain repetition failed at 154 of 196 crash points).

Invariant: calling `add_worktree` again always ends with the worktree complete and `git fsck`
clean, or with a `Conflict` that names what is not ours. Work found there is kept. Nothing is pruned
but this worktree's own remains (H74).
"""

from __future__ import annotations

import contextlib
import os
import re

from orch.git import checkouts, disposal, failures, names, pinned, places, refs, refusals, status
from orch.git.gateway import Gateway, Place
from orch.git.places import Tree
from orch.model.errors import NotFound, ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_IN_USE = re.compile(r"already (?:checked out|used by worktree) at '(.+)'")


def add_worktree(gateway: Gateway, repo: Repo, worktree: Worktree) -> None:
    """See `orch.ports.Git.add_worktree`. Two processes of ours on the happy path."""
    _check(worktree)
    place = pinned.repository_place(repo)
    if os.path.lexists(worktree.path) or _may_have_remains(repo, worktree):
        complete = _reconcile(gateway, repo, worktree)
    elif _move(gateway, place, worktree, _first_orders(worktree)):
        complete = False
    else:
        complete = _reconcile(gateway, repo, worktree)
    if not complete:
        check_out(gateway, repo, worktree)


def remove_worktree(gateway: Gateway, repo: Repo, worktree: Worktree) -> None:
    """See `orch.ports.Git.remove_worktree`. Order: directory, administrative directory, branch,
    record; the record goes last, without it the branch would look foreign (H56)."""
    _check(worktree)
    place = pinned.repository_place(repo)
    tip, record = _branch_and_record(gateway, repo, worktree)
    if tip and not record:
        raise refusals.foreign_branch(worktree)
    if tip not in ("", record, worktree.base_commit):
        raise refusals.has_work(worktree, "its branch has commits of its own")
    if not _is_absent_or_ours(repo, worktree):
        raise refusals.foreign_path(worktree)
    with contextlib.suppress(NotFound):
        _refuse_unsaved(gateway, places.find_tree(repo, worktree), worktree)
    _clear_remains(repo, worktree)
    for name, commit in (
        (names.branch_ref(worktree.branch), tip),
        (names.made_ref(worktree.branch), record),
    ):
        if commit and not refs.move_refs(gateway, place, [f"delete {name} {commit}"], "removed"):
            raise refusals.has_work(worktree, "its branch has just moved")


def list_worktrees(gateway: Gateway, repo: Repo) -> list[tuple[str, str]]:
    """(path, branch) of every linked worktree; branch empty when detached."""
    asked, place = ["worktree", "list", "--porcelain", "-z"], pinned.repository_place(repo)
    try:
        listing = gateway.run(asked, place)
    except ToolFailed as error:
        if not failures.is_half_made(str(error.data.get("stderr", ""))):
            raise
        with _adding(repo):  # whoever of ours made it was killed
            _clear_half_made(gateway, repo)
            listing = gateway.run(asked, place)
    found = []
    for block in listing.stdout.split(b"\0\0")[1:]:
        lines = (line.partition(b" ") for line in block.split(b"\0"))
        words = {name: value for name, _, value in lines}
        if b"worktree" in words:
            branch = words.get(b"branch", b"").removeprefix(b"refs/heads/")
            found.append((status.shown(words[b"worktree"]), status.shown(branch)))
    return found


def _check(worktree: Worktree) -> None:
    names.check_branch(worktree.branch)
    names.check_branch(worktree.base_branch)
    names.check_commit_id(worktree.base_commit)
    names.check_worktree_path(worktree.path, worktree.name)


def _first_orders(worktree: Worktree) -> list[str]:
    """Record and branch, both new. The record comes first: see the module."""
    base = worktree.base_commit
    return [
        f"create {names.made_ref(worktree.branch)} {base}",
        f"create {names.branch_ref(worktree.branch)} {base}",
    ]


def _move(gateway: Gateway, place: Place, worktree: Worktree, orders: list[str]) -> bool:
    return refs.move_refs(gateway, place, orders, f"from {worktree.base_branch}")


def _branch_and_record(gateway: Gateway, repo: Repo, worktree: Worktree) -> tuple[str, str]:
    """Where the branch is and where we made it; empty for what is not there."""
    branch, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
    known = refs.read_refs(gateway, pinned.repository_place(repo), [branch, made])
    return known.get(branch, ""), known.get(made, "")


def _reconcile(gateway: Gateway, repo: Repo, worktree: Worktree) -> bool:
    """Bring what an interrupted call left to a known state. True when the worktree is complete,
    false when branch and record are right and the directory has to be checked out."""
    place = pinned.repository_place(repo)
    gateway.await_quiet([worktree.path, *remains(repo, worktree)])
    gateway.free_locks(_ref_locks(repo, worktree), place.roots)
    tip, record = _branch_and_record(gateway, repo, worktree)
    if tip and not record:
        raise refusals.foreign_branch(worktree)
    base = worktree.base_commit
    if tip and record != base and tip not in (record, base):
        raise refusals.other_base(worktree, record)
    if not _is_absent_or_ours(repo, worktree):
        raise refusals.foreign_path(worktree)
    outdated = bool(tip) and tip == record != base
    tree = _complete_tree(repo, worktree)
    if tree is not None and outdated:
        _refuse_unsaved(gateway, tree, worktree)
        tree = None
    if tree is None:
        _clear_remains(repo, worktree)
    _set_refs(gateway, place, worktree, tip, record)
    if tree is None:
        return False
    gateway.free_locks(_admin_locks(tree), place.roots)
    _finish(tree, worktree)
    return True


def _set_refs(gateway: Gateway, place: Place, worktree: Worktree, tip: str, record: str) -> None:
    """Branch and record as a first call would have left them; work on the branch stays."""
    base = worktree.base_commit
    branch, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
    absent = "0" * len(base)
    orders = []
    if not tip:
        orders.append(f"update {made} {base} {record or absent}")
        orders.append(f"create {branch} {base}")
    elif record != base:
        # Branch first: a record ahead of its branch would make the old base look like work.
        orders.append(f"update {branch} {base} {tip}")
        orders.append(f"update {made} {base} {record}")
    if orders and not _move(gateway, place, worktree, orders):
        raise refusals.branch_moved(worktree.branch, "making the worktree")


def _complete_tree(repo: Repo, worktree: Worktree) -> Tree | None:
    """The worktree, when its checkout once ended: git writes the index after all the files."""
    try:
        tree = places.find_tree(repo, worktree)
    except NotFound:
        return None
    return tree if os.path.isfile(os.path.join(tree.admin_dir, "index")) else None


def check_out(gateway: Gateway, repo: Repo, worktree: Worktree) -> None:
    """Make the directory, with its branch (which is there) checked out in it."""
    with failures.our_own_writes(f"make {os.path.dirname(worktree.path)}"):
        os.makedirs(os.path.dirname(worktree.path), mode=0o700, exist_ok=True)
    # The short name is what makes git put HEAD on the branch; it looks below refs/heads first, so
    # a tag of that name does not matter (H68).
    words = ["worktree", "add", "--quiet", "--lock", "--reason", _lock_reason(worktree)]
    words += ["--end-of-options", worktree.path, worktree.branch]
    place = pinned.repository_place(repo)
    with _adding(repo):
        try:
            gateway.run(words, place)
        except ToolFailed as error:
            used = _IN_USE.search(str(error.data.get("stderr", "")))
            if used:
                raise refusals.branch_in_use(worktree, used.group(1)) from error
            if not _clear_half_made(gateway, repo):
                raise
            _clear_remains(repo, worktree)
            gateway.run(words, place)
    _finish(places.find_tree(repo, worktree), worktree)


def _adding(repo: Repo) -> contextlib.AbstractContextManager[None]:
    """One of ours makes a worktree at a time: git reads the entries of all before it makes one, and
    cannot read a half made one."""
    return checkouts.alone(os.path.join(repo.pinned_dir, "adding"))


def _clear_half_made(gateway: Gateway, repo: Repo) -> bool:
    """Remove entries of ours that a killed git left without their `commondir`; the steps they
    belong to make them anew. True when there was one. Nobody else adds meanwhile."""
    folder = os.path.join(repo.common_dir, "worktrees")
    half_made = [
        entry.path
        for entry in sorted(os.scandir(folder), key=_by_name)
        if entry.is_dir(follow_symlinks=False)
        and places.read_line(os.path.join(entry.path, "locked")).startswith("orch ")
        and not places.read_line(os.path.join(entry.path, "commondir"))
    ]
    if half_made:
        # Ours take turns (`alone`): only one that outlived its engine can be at it still.
        gateway.await_quiet([repo.common_dir, repo.pinned_dir], command="worktree")
    for path in half_made:
        disposal.remove_tree(path)
    return bool(half_made)


def _finish(tree: Tree, worktree: Worktree) -> None:
    with failures.our_own_writes(f"write {tree.path}/.git"):
        places.restore_pointer(tree)
    branch = places.head_branch(tree)
    if branch != worktree.branch:
        raise refusals.moved_elsewhere(worktree, branch)


def _refuse_unsaved(gateway: Gateway, tree: Tree, worktree: Worktree) -> None:
    """`Conflict(worktree_has_work)` for anything that exists nowhere but in this directory (H57).
    Ignored files are nobody's work."""
    if not os.path.isfile(os.path.join(tree.admin_dir, "index")):
        return
    gateway.free_locks(_admin_locks(tree), tree.place.roots)
    seen = status.read_status(gateway, tree.place)
    if seen.entries or seen.unmerged:
        raise refusals.has_work(worktree, "it has uncommitted changes")
    if not seen.branch and seen.head != worktree.base_commit:
        raise refusals.has_work(worktree, f"it stands on the commit {seen.head[:12]}, on no branch")


def _is_absent_or_ours(repo: Repo, worktree: Worktree) -> bool:
    """Nothing at the path, our worktree, or what a killed `git worktree add` leaves: an empty
    directory, or one with nothing but a pointer. A directory with files that git has no record of
    is never the remains of a call of ours, whatever its pointer says."""
    path = worktree.path
    if not os.path.lexists(path):
        return True
    if not places.is_real_directory(path):
        return False
    if places.find_admin(repo.common_dir, worktree):
        return True
    entries = os.listdir(path)
    return not entries or (entries == [".git"] and places.is_plain_file(f"{path}/.git"))


def _clear_remains(repo: Repo, worktree: Worktree) -> None:
    with failures.our_own_writes(f"remove what is left of {worktree.path}"):
        disposal.remove_tree(worktree.path)
        for admin_dir in remains(repo, worktree):
            disposal.remove_tree(admin_dir)


def remains(repo: Repo, worktree: Worktree) -> list[str]:
    """Administrative directories of this worktree, whole or half made. One without `gitdir` is
    ours by its lock's reason, or by the name alone when not even that was written."""
    found = []
    pointer = os.path.join(worktree.path, ".git")
    try:
        entries = sorted(os.scandir(os.path.join(repo.common_dir, "worktrees")), key=_by_name)
    except FileNotFoundError:
        return []
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            continue
        named = places.read_line(os.path.join(entry.path, "gitdir"))
        if named == pointer or (not named and _is_half_made(entry, worktree)):
            found.append(entry.path)
    return found


def _is_half_made(entry: os.DirEntry[str], worktree: Worktree) -> bool:
    reason = places.read_line(os.path.join(entry.path, "locked"))
    return reason == _lock_reason(worktree) or (not reason and entry.name == worktree.name)


def _may_have_remains(repo: Repo, worktree: Worktree) -> bool:
    """A quick look before the long one: git names the directory after a plain name."""
    if not _PLAIN.fullmatch(worktree.name):
        return bool(remains(repo, worktree))
    return os.path.lexists(os.path.join(repo.common_dir, "worktrees", worktree.name))


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _lock_reason(worktree: Worktree) -> str:
    return f"orch {worktree.branch}"


def _ref_locks(repo: Repo, worktree: Worktree) -> list[str]:
    return [
        os.path.join(repo.common_dir, f"{name}.lock")
        for name in (names.branch_ref(worktree.branch), names.made_ref(worktree.branch))
    ]


def _admin_locks(tree: Tree) -> list[str]:
    return [os.path.join(tree.admin_dir, name) for name in ("index.lock", "HEAD.lock")]
