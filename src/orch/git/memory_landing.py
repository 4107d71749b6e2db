"""Landing a pull request in the world of `MemoryGit`; see `landing` for the rules.

Invariant: nothing but the remote's refs moves, and only in `push`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from orch.git import commits, memory_merges, names, refusals
from orch.git.memory_world import Files, MemoryWorld, Remote
from orch.model.effect import Strategy
from orch.model.pull import FileChange, Landing
from orch.model.repo import Repo


def look(
    world: MemoryWorld, repo: Repo, there: Remote, *, head: str, base: str, head_sha: str,
    keys: Sequence[str],
) -> Landing:  # fmt: skip
    base_tip = there.refs.get(names.branch_ref(base), "")
    head_tip = there.refs.get(names.branch_ref(head), "")
    if not base_tip:
        raise refusals.not_at_the_remote(repo, [base])
    seen = Landing(base_tip=base_tip, head_tip=head_tip, head_sha=head_tip or head_sha)
    if seen.head_sha not in world.commits:
        return seen
    seen = replace(seen, start=world.merge_base(base_tip, seen.head_sha))
    if not seen.start:
        return seen
    line, since = _line(world, base_tip), set(world.only_in(base_tip, seen.start))
    for key in keys:
        found = [name for name in line if name in since and _ends_with(world, name, key)]
        if found:
            start = _first_parent(world, found[-1])
            return replace(seen, head_sha=head_sha, start=start, commit=found[0])
    if seen.start != seen.head_sha:
        return seen
    if seen.head_sha in line:
        known = head_sha in world.commits and world.contains(seen.head_sha, head_sha)
        return replace(seen, start="", commit=seen.head_sha) if known else seen
    bringing = [name for name in line if world.contains(name, seen.head_sha)][-1]
    return replace(seen, start=_first_parent(world, bringing), commit=bringing)


def land(
    world: MemoryWorld, repo: Repo, there: Remote, *, head: str, base: str, expected: str,
    strategy: Strategy, message: str, key: str, trial: bool,
) -> Landing:  # fmt: skip
    names.check_commit_id(expected)
    seen = look(world, repo, there, head=head, base=base, head_sha=expected, keys=[key])
    if seen.commit:
        return seen
    if seen.head_tip != expected:
        raise refusals.head_moved(head, expected, seen.head_tip)
    result = memory_merges.combined(
        world, base, head, seen.base_tip, expected, strategy, message=message, key=key
    )
    if result != seen.base_tip and not trial:
        if base in there.refuses:
            said = there.refuses[base]
            raise refusals.push_refused(repo.remote_name, base, "hook declined", [said])
        there.refs[names.branch_ref(base)] = result
    return Landing(
        base_tip=result, head_tip=expected, head_sha=expected, commit=result,
        start=seen.start if result == seen.base_tip else seen.base_tip,
    )  # fmt: skip


def delete(repo: Repo, there: Remote, branch: str, *, expected: str, ours: bool) -> bool:
    if branch == repo.default_branch:
        raise refusals.default_branch(repo)
    tip = there.refs.get(names.branch_ref(branch), "")
    if not tip:
        return False
    if not ours:
        raise refusals.not_ours_to_delete(branch)
    if tip != names.check_commit_id(expected):
        raise refusals.head_moved(branch, expected, tip)
    del there.refs[names.branch_ref(branch)]
    return True


def stat(old: Files, new: Files) -> list[FileChange]:
    """Whole files: the double counts every line of a file that changed as gone and come."""
    return [
        FileChange(name, len(new.get(name, "").splitlines()), len(old.get(name, "").splitlines()))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _line(world: MemoryWorld, tip: str) -> list[str]:
    """The commit and its first parents, newest first."""
    found = [tip]
    while parent := _first_parent(world, found[-1]):
        found.append(parent)
    return found


def _first_parent(world: MemoryWorld, commit: str) -> str:
    parents = world.commits[commit].parents
    return parents[0] if parents else ""


def _ends_with(world: MemoryWorld, commit: str, key: str) -> bool:
    return world.commits[commit].message.rstrip().endswith(f"\n{commits.KEY_TRAILER}: {key}")
