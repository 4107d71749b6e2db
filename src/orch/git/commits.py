"""Committing what is in a worktree, once per key.

Look: a clean tree means there is nothing to do (H69), a commit with the trailer `Orch-Key: <key>`
since the base means it is done. Act: stage exactly the paths that `status` listed, write the tree,
write the commit, move the branch by compare-and-swap. A crash before the last step leaves at most
staged files, which the repetition finds again.

Invariants: no hook, filter, signature or second git runs. `git add` is not used: it runs `git
status` inside submodules and embedded repositories, under configuration that an agent wrote. A
repository inside the worktree that is no known submodule is refused, never turned into a link that
nobody else can follow. Sockets and pipes are passed over, as git does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from orch.git import failures, names, pending, places, refs, refusals, status
from orch.git.gateway import Gateway, Place
from orch.git.places import Tree
from orch.git.status import Entry, Status
from orch.model.errors import Conflict, ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree

KEY_TRAILER = "Orch-Key"

_AUTHOR = re.compile(r"\s*([^<>\n\0]*[^<>\n\0\s])\s*<([^<>\n\0\s]+)>\s*")
_TRAILER_LINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: \S.*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # `git log` on a terminal obeys them
_SMALL_FILE = 1 << 20


def commit(
    gateway: Gateway, repo: Repo, worktree: Worktree, message: str, *, key: str, author: str
) -> str:
    """See `orch.ports.Git.commit`."""
    tree = ready_tree(gateway, repo, worktree)
    seen = status.read_status(gateway, tree.place)
    refuse_elsewhere(worktree, seen)
    refuse_replaced(gateway, tree.place, worktree, seen.head)
    if not seen.entries:
        return seen.head
    if done := find_key(gateway, tree.place, worktree, seen.head, key):
        return done
    _refuse_embedded(tree, worktree, seen)
    _stage(gateway, tree, worktree, seen.entries)
    tree_id = gateway.run(["write-tree"], tree.place).text()
    # What the agent had staged may cancel out with what it did to the files since.
    staged = any(entry.staged not in ".?" for entry in seen.entries)
    if staged and tree_id == tree_of(gateway, tree.place, seen.head):
        return seen.head
    new = write_commit(
        gateway,
        tree.place,
        tree_id,
        [seen.head],
        with_key(message or f"Work on {worktree.branch}", key),
        author=author_variables(author),
    )
    advance(gateway, tree.place, worktree, new, seen.head, "commit")
    return new


def ready_tree(gateway: Gateway, repo: Repo, worktree: Worktree) -> Tree:
    """The worktree with nothing half done in it: stale locks removed, an interrupted merge of ours
    completed, none of the agent's under way."""
    names.check_branch(worktree.branch)
    tree = places.find_tree(repo, worktree)
    locks = [os.path.join(tree.admin_dir, name) for name in ("index.lock", "HEAD.lock")]
    gateway.free_locks(locks, tree.place.roots)
    with failures.our_own_writes(f"write {tree.path}/.git"):
        places.restore_pointer(tree)
    pending.settle(gateway, repo, worktree, tree)
    places.refuse_unfinished(tree, worktree)
    return tree


def refuse_elsewhere(worktree: Worktree, seen: Status) -> None:
    """HEAD has to be on the worktree's branch, the branch has to exist, nothing unmerged."""
    if seen.branch != worktree.branch:
        raise refusals.moved_elsewhere(worktree, seen.branch)
    if not seen.head:
        raise refusals.branch_gone(worktree)
    if seen.unmerged:
        raise refusals.unmerged(worktree, [status.shown(path) for path in seen.unmerged])


def refuse_replaced(gateway: Gateway, place: Place, worktree: Worktree, head: str) -> None:
    """What stands on the branch has to go back to some commit that the base knows too: a history
    begun anew could not be merged by anybody."""
    if head == worktree.base_commit:
        return
    base = names.check_commit_id(worktree.base_commit)
    if not gateway.run(["merge-base", base, head], place, accept=(0, 1)).text():
        raise refusals.history_replaced(worktree)


def find_key(gateway: Gateway, place: Place, worktree: Worktree, head: str, key: str) -> str:
    """The commit since the base that carries `key`, or empty."""
    if head == worktree.base_commit:
        return ""
    span = f"{names.check_commit_id(worktree.base_commit)}..{head}"
    line = f"{KEY_TRAILER}: {key}"
    words = ["log", "-z", "--format=%H%n%B", "--fixed-strings", f"--grep={line}", span, "--"]
    for found in gateway.run(words, place).stdout.decode("utf-8", "replace").split("\0"):
        commit_id, _, message = found.partition("\n")
        # grep finds the key 1/1 in 1/10 too.
        if line in message.splitlines():
            return commit_id
    return ""


def with_key(message: str, key: str) -> bytes:
    """`message` as a commit message that ends with the key's trailer."""
    if not key or not key.isprintable():
        raise refusals.bad_key(key)
    body = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", message.replace("\r\n", "\n")).strip()
    last = body.rpartition("\n\n")[2].splitlines() if "\n\n" in body else []
    joint = "\n" if last and all(map(_TRAILER_LINE.fullmatch, last)) else "\n\n"
    return f"{body}{joint}{KEY_TRAILER}: {key}\n".encode("utf-8", "replace")


def author_variables(author: str) -> dict[str, str | bytes]:
    """`Name <email>` as git's environment; empty for the person of the pinned view."""
    if not author:
        return {}
    parts = _AUTHOR.fullmatch(author)
    if parts is None:
        raise refusals.bad_author(author)
    return {"GIT_AUTHOR_NAME": parts.group(1), "GIT_AUTHOR_EMAIL": parts.group(2)}


def write_commit(
    gateway: Gateway,
    place: Place,
    tree_id: str,
    parents: Sequence[str],
    message: bytes,
    *,
    author: dict[str, str | bytes] | None = None,
    encoding: str = "",
) -> str:
    """A new commit object; no ref moves."""
    words = ["-c", f"i18n.commitEncoding={encoding}"] if encoding else []
    words += ["commit-tree", tree_id]
    for parent in parents:
        words += ["-p", parent]
    return gateway.run([*words, "-F", "-"], place, stdin=message, variables=author or {}).text()


def tree_of(gateway: Gateway, place: Place, commit_id: str) -> str:
    """The tree of a commit."""
    return gateway.run(["rev-parse", "--verify", f"{commit_id}^{{tree}}"], place).text()


def advance(
    gateway: Gateway, place: Place, worktree: Worktree, new: str, old: str, reason: str
) -> None:
    """Move the worktree's branch from `old` to `new`; nobody else may have moved it."""
    order = f"update {names.branch_ref(worktree.branch)} {new} {old}"
    if not refs.move_refs(gateway, place, [order], reason):
        raise refusals.branch_moved(worktree.branch, "writing to it")


def _stage(gateway: Gateway, tree: Tree, worktree: Worktree, entries: Sequence[Entry]) -> None:
    """Bring the index to what the files are. Removals go first and by name alone: their place may
    now be below a link or be a directory."""
    removed = [e.path for e in entries if e.unstaged == "D"]
    present = [e.path for e in entries if e.untracked or e.unstaged in ("M", "T", "A")]
    _refuse_filtered(gateway, tree, worktree, present)
    if removed:
        words = ["update-index", "--force-remove", "-z", "--stdin"]
        gateway.run(words, tree.place, stdin=b"\0".join(removed) + b"\0")
    if present:
        words = ["update-index", "--add", "--replace", "--remove", "-z", "--stdin"]
        try:
            gateway.run(words, tree.place, stdin=b"\0".join(present) + b"\0")
        except ToolFailed as error:
            raise unreadable(error, worktree) from error


def unreadable(error: ToolFailed, worktree: Worktree) -> ToolFailed | Conflict:
    said = str(error.data.get("stderr", ""))
    unusable = "Unable to process path" in said or "Permission denied" in said
    if error.code != "git_failed" or not unusable:
        return error
    reason = said.strip().splitlines()[0].removeprefix("error: ")
    return Conflict(
        f"A file in the worktree {worktree.name} cannot be committed: {reason}.",
        code="unreadable_file",
        hint=f"Give it read rights or remove it in {worktree.path}, then resume.",
        **error.data,
    )


def _refuse_embedded(tree: Tree, worktree: Worktree, seen: Status) -> None:
    known = _submodules(tree)
    found = [
        status.shown(e.path.rstrip(b"/"))
        for e in seen.entries
        if e.embedded and e.path.rstrip(b"/") not in known
    ]
    if found:
        raise refusals.embedded(worktree, found)


def _submodules(tree: Tree) -> set[bytes]:
    """Paths that `.gitmodules` declares. Read as text: only a plain `path = …` line counts."""
    content = places.read_start(os.path.join(tree.path, ".gitmodules"), _SMALL_FILE)
    lines = (line.strip().partition(b"=") for line in content.splitlines())
    return {value.strip().strip(b'"') for name, _, value in lines if name.strip() == b"path"}


def _refuse_filtered(
    gateway: Gateway, tree: Tree, worktree: Worktree, paths: Sequence[bytes]
) -> None:
    """Files that a filter (LFS, git-crypt) has to convert would be stored wrongly without it.
    Looked for where such tools write it, in the top `.gitattributes`."""
    attributes = places.read_start(os.path.join(tree.path, ".gitattributes"), _SMALL_FILE)
    if not paths or b"filter=" not in attributes:
        return
    output = gateway.run(
        ["check-attr", "-z", "--stdin", "filter"],
        tree.place,
        stdin=b"\0".join(paths) + b"\0",
    )
    fields = output.stdout.split(b"\0")
    filtered = [
        (status.shown(path), status.shown(value))
        for path, value in zip(fields[0::3], fields[2::3], strict=False)
        if value not in (b"unspecified", b"unset", b"set")
    ]
    if filtered:
        raise refusals.needs_filter(worktree, [path for path, _ in filtered], filtered[0][1])
