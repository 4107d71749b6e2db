"""Merging in the world of `MemoryGit`: the three strategies over dictionaries.

Invariant: the result is a commit that no ref names yet, or a refusal that has changed nothing; a
file that both sides changed differently conflicts as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.git import commits, names, refusals
from orch.git.memory_world import Commit, Files, MemoryWorld, Repository, Tree
from orch.model.effect import Strategy
from orch.model.repo import Repo
from orch.model.worktree import Worktree


def merge_one(
    world: MemoryWorld,
    worktree: Worktree,
    branch: str,
    head: str,
    tip: str,
    strategy: Strategy,
    key: str,
) -> str:
    """The commit that has `head` and the branch's `tip`; `head` when it has it already."""
    base = world.merge_base(head, tip)
    if not base:
        raise refusals.unrelated(worktree.branch, branch)
    if base == tip:
        return head
    if base == head and strategy != "squash":
        return tip
    if strategy == "rebase":
        return _replay(world, worktree.branch, branch, head, tip, key)
    files, conflicts = _merged(*map(world.committed_files, (base, head, tip)))
    if conflicts:
        raise refusals.merge_conflict(worktree.branch, branch, conflicts)
    if strategy == "squash" and files == world.committed_files(head):
        return head
    parents = (head,) if strategy == "squash" else (head, tip)
    verb = "Squash" if strategy == "squash" else "Merge"
    message = commits.with_key(f"{verb} branch '{branch}'", key).decode()
    return world.write_commit(Commit(files=files, parents=parents, message=message))


def rebased(world: MemoryWorld, worktree: Worktree, onto: str, head: str, key: str) -> str:
    """The commit that has the branch's own commits on top of `onto`; `head` when it stands there."""
    base = world.merge_base(onto, head)
    if not base:
        raise refusals.unrelated(onto[:12], worktree.branch)
    if base == onto:
        return head
    if any(len(world.commits[name].parents) > 1 for name in world.only_in(head, onto)):
        raise refusals.has_merges(worktree.branch)
    return _replay(world, onto[:12], worktree.branch, onto, head, key)


def refuse_dirty(
    world: MemoryWorld, repository: Repository, worktree: Worktree, tree: Tree, files: Files
) -> None:
    """Nothing is merged into changed files; `files` are the committed ones."""
    dirty = [path for path in world.changed_paths(repository, tree) if path in files]
    if dirty:
        raise refusals.dirty(worktree, dirty)


def tips_of(repository: Repository, repo: Repo, branches: Sequence[str]) -> list[tuple[str, str]]:
    for branch in branches:
        if names.branch_ref(branch) not in repository.refs:
            raise refusals.unknown_branch(repo, branch, [])
    return [(branch, repository.refs[names.branch_ref(branch)]) for branch in branches]


def bring(world: MemoryWorld, worktree: Worktree, tree: Tree, files: Files, result: str) -> None:
    """The worktree's files are those of `result`, and the untracked ones."""
    untracked = {name: text for name, text in tree.files.items() if name not in files}
    overwritten = sorted(untracked.keys() & world.committed_files(result).keys())
    if overwritten:
        raise refusals.dirty(worktree, overwritten)
    tree.files = {**untracked, **world.committed_files(result)}


def combined(
    world: MemoryWorld, into: str, branch: str, head: str, tip: str, strategy: Strategy, *,
    message: str, key: str,
) -> str:  # fmt: skip
    """See `merges.combined`."""
    base = world.merge_base(head, tip)
    if not base:
        raise refusals.unrelated(into, branch)
    if base == tip:
        return head
    if strategy == "rebase":
        return tip if base == head else _replay(world, into, branch, head, tip, key)
    files, conflicts = _merged(*map(world.committed_files, (base, head, tip)))
    if conflicts:
        raise refusals.merge_conflict(into, branch, conflicts)
    if strategy == "squash" and files == world.committed_files(head):
        return head
    parents = (head,) if strategy == "squash" else (head, tip)
    text = commits.with_key(message, key).decode()
    return world.write_commit(Commit(files=files, parents=parents, message=text))


def _replay(world: MemoryWorld, into: str, branch: str, head: str, tip: str, key: str) -> str:
    for name in reversed(world.only_in(tip, head)):
        picked = world.commits[name]
        if len(picked.parents) > 1:
            continue
        before = world.committed_files(picked.parents[0]) if picked.parents else {}
        ours = world.committed_files(head)
        files, conflicts = _merged(before, ours, dict(picked.files))
        if conflicts:
            raise refusals.merge_conflict(into, branch, conflicts)
        if files != ours:
            message = commits.with_key(picked.message, key).decode()
            made = Commit(files=files, parents=(head,), message=message, author=picked.author)
            head = world.write_commit(made)
    return head


def _merged(base: Files, ours: Files, theirs: Files) -> tuple[Files, list[str]]:
    """A three-way merge by file: the result, and the names that conflict."""
    result: Files = {}
    conflicts = []
    for name in sorted(base.keys() | ours.keys() | theirs.keys()):
        old, one, other = base.get(name), ours.get(name), theirs.get(name)
        if one != other and old not in (one, other):
            conflicts.append(name)
        chosen = other if one == old else one
        if chosen is not None:
            result[name] = chosen
    return result, conflicts
