"""Merging branches into a worktree's branch: computed without a worktree, then shown in it.

Look: a commit with the key since the base, or branches that are contained already (H73), mean it is
done. Act: merge in the object store alone (`git merge-tree --write-tree`), so that a conflict has
changed no file, index or ref (H70); then files, index and branch go to the result in one noted
step (see `pending`).

A branch that only adds to ours is taken over as it is (fast-forward), without a commit for the key:
repeated after that branch moved on, such a merge takes the new commits too.

A rebase replays the branch's own commits, merges left out, one by one: a stand-in commit with our
tree and the picked commit's parent makes git take that parent as the merge base, which git 2.38
cannot be told otherwise. Stand-ins stay unreachable.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orch.git import commits, names, pending, refs, refusals, status
from orch.git.gateway import Gateway, Place
from orch.model.effect import Strategy
from orch.model.repo import Repo
from orch.model.worktree import Worktree


class _Merger(msgspec.Struct, frozen=True, kw_only=True):
    """What all strategies need."""

    gateway: Gateway
    place: Place
    into: str
    key: str


class _Picked(msgspec.Struct, frozen=True, kw_only=True):
    """A commit to replay. The author's variables and the message stay as they were written."""

    id: str
    parents: list[str]
    author: dict[str, str | bytes]
    encoding: str
    message: bytes


def merge(
    gateway: Gateway,
    repo: Repo,
    worktree: Worktree,
    branches: Sequence[str],
    strategy: Strategy,
    *,
    key: str,
) -> str:
    """See `orch.ports.Git.merge`."""
    tree = commits.ready_tree(gateway, repo, worktree)
    seen = status.read_status(gateway, tree.place)
    commits.refuse_elsewhere(worktree, seen)
    if seen.tracked_changes:
        raise refusals.dirty(worktree, [status.shown(path) for path in seen.tracked_changes])
    tips = _tips(gateway, repo, tree.place, branches)
    if commits.find_key(gateway, tree.place, worktree, seen.head, key):
        return seen.head
    merger = _Merger(gateway=gateway, place=tree.place, into=worktree.branch, key=key)
    step = {"merge": _merge, "squash": _squash, "rebase": _rebase}[strategy]
    head = seen.head
    for branch, tip in tips:
        base = _merge_base(merger, branch, head, tip)
        if base != tip:
            head = step(merger, branch, head, tip, base)
    if head != seen.head:
        pending.finish(gateway, repo, worktree, tree, old=seen.head, new=head)
    return head


def rebase(gateway: Gateway, repo: Repo, worktree: Worktree, onto: str, *, key: str) -> str:
    """See `orch.ports.Git.rebase`. A branch with merges of its own is refused: what they settled
    would be lost."""
    tree = commits.ready_tree(gateway, repo, worktree)
    seen = status.read_status(gateway, tree.place)
    commits.refuse_elsewhere(worktree, seen)
    if seen.tracked_changes:
        raise refusals.dirty(worktree, [status.shown(path) for path in seen.tracked_changes])
    merger = _Merger(gateway=gateway, place=tree.place, into=onto[:12], key=key)
    base = _merge_base(merger, worktree.branch, onto, seen.head)
    if base == onto:
        return seen.head
    words = ["rev-list", "--merges", "--count", f"{onto}..{seen.head}", "--"]
    if gateway.run(words, tree.place).text() != "0":
        raise refusals.has_merges(worktree.branch)
    head = _rebase(merger, worktree.branch, onto, seen.head, base)
    pending.finish(gateway, repo, worktree, tree, old=seen.head, new=head)
    return head


def combined(
    gateway: Gateway, place: Place, into: str, branch: str, head: str, tip: str,
    strategy: Strategy, *, message: str, key: str,
) -> str:  # fmt: skip
    """The commit that has `head` (of `into`) and `tip` (of `branch`), which no ref names yet; `head`
    where nothing is left to take over. `merge` always makes a merge commit, `rebase` takes over as
    it is what only adds to `head`. `MergeConflict` as for `merge`."""
    merger = _Merger(gateway=gateway, place=place, into=into, key=key)
    base = _merge_base(merger, branch, head, tip)
    if base == tip:
        return head
    if strategy == "rebase":
        return _rebase(merger, branch, head, tip, base)
    tree_id = _merged_tree(merger, branch, head, tip)
    if strategy == "squash" and tree_id == commits.tree_of(gateway, place, head):
        return head
    parents = [head] if strategy == "squash" else [head, tip]
    return commits.write_commit(gateway, place, tree_id, parents, commits.with_key(message, key))


def _tips(
    gateway: Gateway, repo: Repo, place: Place, branches: Sequence[str]
) -> list[tuple[str, str]]:
    wanted = [names.branch_ref(branch) for branch in branches]
    known = refs.read_refs(gateway, place, wanted)
    for branch, ref in zip(branches, wanted, strict=True):
        if ref not in known:
            raise refusals.unknown_branch(repo, branch, [])
    return [(branch, known[ref]) for branch, ref in zip(branches, wanted, strict=True)]


def _merge_base(merger: _Merger, branch: str, head: str, tip: str) -> str:
    found = merger.gateway.run(["merge-base", head, tip], merger.place, accept=(0, 1))
    if found.code == 1:
        raise refusals.unrelated(merger.into, branch)
    return found.text()


def _merge(merger: _Merger, branch: str, head: str, tip: str, base: str) -> str:
    if base == head:
        return tip
    tree_id = _merged_tree(merger, branch, head, tip)
    message = commits.with_key(f"Merge branch '{branch}' into {merger.into}", merger.key)
    return commits.write_commit(merger.gateway, merger.place, tree_id, [head, tip], message)


def _squash(merger: _Merger, branch: str, head: str, tip: str, base: str) -> str:
    tree_id = _merged_tree(merger, branch, head, tip)
    if tree_id == commits.tree_of(merger.gateway, merger.place, head):
        return head
    subjects = merger.gateway.run(
        ["log", "--reverse", "--max-count=50", "--format=- %s", f"{head}..{tip}", "--"],
        merger.place,
    ).text()
    message = commits.with_key(f"Squash branch '{branch}'\n\n{subjects}", merger.key)
    return commits.write_commit(merger.gateway, merger.place, tree_id, [head], message)


def _rebase(merger: _Merger, branch: str, head: str, tip: str, base: str) -> str:
    if base == head:
        return tip
    head_tree = commits.tree_of(merger.gateway, merger.place, head)
    for picked in _commits_to_replay(merger, head, tip):
        stand_in = commits.write_commit(
            merger.gateway, merger.place, head_tree, picked.parents, b"stand-in\n"
        )
        tree_id = _merged_tree(merger, branch, stand_in, picked.id)
        if tree_id == head_tree:
            continue
        head = commits.write_commit(
            merger.gateway,
            merger.place,
            tree_id,
            [head],
            _replayed_message(picked, merger.key),
            author=picked.author,
            encoding=picked.encoding,
        )
        head_tree = tree_id
    return head


def _merged_tree(merger: _Merger, branch: str, ours: str, theirs: str) -> str:
    # Histories without a common commit were refused before; a picked root commit has none.
    words = ["merge-tree", "--write-tree", "--allow-unrelated-histories"]
    output = merger.gateway.run(
        [*words, "-z", "--name-only", "--no-messages", ours, theirs],
        merger.place,
        accept=(0, 1),
    )
    if output.code == 0:
        return output.stdout.split(b"\0")[0].decode()
    names_of_files = {status.shown(path) for path in output.stdout.split(b"\0")[1:] if path}
    raise refusals.merge_conflict(merger.into, branch, sorted(names_of_files))


def _commits_to_replay(merger: _Merger, head: str, tip: str) -> list[_Picked]:
    """The branch's own commits, oldest first, without merges and without those whose change we
    have already (H73)."""
    words = ["rev-list", "--reverse", "--topo-order", "--no-merges", "--right-only"]
    listing = merger.gateway.run([*words, "--cherry-pick", f"{head}...{tip}", "--"], merger.place)
    wanted = listing.text().splitlines()
    if not wanted:
        return []
    output = merger.gateway.run(
        ["cat-file", "--batch"], merger.place, stdin="".join(f"{w}\n" for w in wanted).encode()
    )
    return _parse_commits(output.stdout)


def _parse_commits(text: bytes) -> list[_Picked]:
    """`git cat-file --batch` of commits: `<id> commit <size>`, the object, a line break."""
    found = []
    while text:
        line, _, rest = text.partition(b"\n")
        commit_id, _, size = line.decode().split(" ")
        found.append(_parse_commit(commit_id, rest[: int(size)]))
        text = rest[int(size) + 1 :]
    return found


def _parse_commit(commit_id: str, content: bytes) -> _Picked:
    header, _, message = content.partition(b"\n\n")
    fields: dict[bytes, bytes] = {}
    for line in header.split(b"\n"):
        name, _, value = line.partition(b" ")
        fields.setdefault(name, value)
    who, _, when = fields[b"author"].rpartition(b"> ")
    name, _, email = who.partition(b" <")
    return _Picked(
        id=commit_id,
        parents=[fields[b"parent"].decode()] if b"parent" in fields else [],
        author={
            "GIT_AUTHOR_NAME": name or b"unknown",
            "GIT_AUTHOR_EMAIL": email,
            "GIT_AUTHOR_DATE": b"@" + when,
        },
        encoding=fields.get(b"encoding", b"").decode("ascii", "replace"),
        message=message,
    )


def _replayed_message(picked: _Picked, key: str) -> bytes:
    """The message as it was, with our key after it; one that is not UTF-8 stays to the byte."""
    try:
        return commits.with_key(picked.message.decode("utf-8"), key)
    except UnicodeDecodeError:
        return picked.message.rstrip(b"\n") + f"\n\n{commits.KEY_TRAILER}: {key}\n".encode()
