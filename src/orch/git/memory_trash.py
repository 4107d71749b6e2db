"""What the double keeps of removed worktrees, and what else a person does to worktrees and clones.

Invariant: as in `trash`, `discards` and `restores`: entries hold everything or refuse, a removal
needs an entry that holds what is there now, and nothing that is there is overwritten. There is no
index here: what is staged is what is committed.
"""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Sequence

import msgspec

from orch.git import names, refusals, removal_refusals
from orch.git.memory_world import Commit, MemoryWorld, Repository, Tree, is_ignored
from orch.git.trash import PREFIX, holds, is_of
from orch.model.naming import slug
from orch.model.repo import Repo
from orch.model.worktree import Risk, Saved, Worktree, is_personal


def at_risk(
    world: MemoryWorld, repository: Repository, worktree: Worktree, keep: Sequence[str]
) -> Risk:
    tree = _stand(world, repository, worktree)
    tip, record = _branch_and_record(repository, worktree)
    head = world.head_of(repository, tree) if tree else ""
    own = names.branch_ref(worktree.branch) if record else ""
    others = [
        commit
        for ref, commit in repository.refs.items()
        if ref.startswith(("refs/heads/", "refs/remotes/")) and ref != own
    ]
    lost = [c for end in (head, tip) if end for c in world.only_in(end, *others)]
    return Risk(
        dirty=tuple(world.changed_paths(repository, tree)) if tree else (),
        ignored=tuple(_kept_ignored(tree, keep)) if tree else (),
        commits=tuple(f"{c[:7]} {world.commits[c].message}" for c in dict.fromkeys(lost)),
        unfinished=tree.unfinished if tree else "",
        missing="" if tree else f"there is no directory at {worktree.path}",
        lost=tuple(_lost(tree, keep)) if tree else (),
    )


def rescue(
    world: MemoryWorld,
    repository: Repository,
    worktree: Worktree,
    *,
    key: str,
    at: float,
    keep: Sequence[str],
) -> list[Saved]:
    found = [saved for saved in entries(repository) if is_of(saved, worktree, key)]
    tree = _stand(world, repository, worktree)
    if tree is None and (found or not _branch_and_record(repository, worktree)[0]):
        return found
    fresh = _described(world, repository, worktree, tree, keep, key=key, at=at)
    if found and holds(found[-1], fresh):
        return found
    first = f"{time.strftime('%Y%m%d', time.gmtime(at))}-{slug(worktree.name, 60)}"
    name, number = first, 1
    while PREFIX + name in repository.refs:
        number += 1
        name = f"{first}-{number}"
    saved = msgspec.structs.replace(fresh, id=name, ref=PREFIX + name)
    repository.refs[saved.ref] = saved.commit
    repository.saved[saved.ref] = saved
    return [*found, saved]


def discard(
    world: MemoryWorld,
    repository: Repository,
    worktree: Worktree,
    *,
    key: str,
    keep: Sequence[str],
) -> str:
    found = [saved for saved in entries(repository) if is_of(saved, worktree, key)]
    tree = _stand(world, repository, worktree)
    if tree is not None:
        if not found:
            raise removal_refusals.not_saved(worktree)
        now = _described(world, repository, worktree, tree, keep, key=key, at=0.0)
        if not holds(found[-1], now):
            raise removal_refusals.changed_meanwhile(worktree)
        del repository.trees[worktree.path]
    tip, record = _branch_and_record(repository, worktree)
    branch = worktree.branch
    if tip and not record:
        return f"the branch {branch} was not made by orch"
    users = [path for path, other in repository.trees.items() if other.branch == branch]
    if branch == repository.branch or users:
        return f"the branch {branch} is checked out in {[*users, repository.main_path][0]}"
    if tip and (not found or found[-1].tip != tip):
        return f"the branch {branch} has moved since it was saved"
    repository.refs.pop(names.branch_ref(branch), None)
    repository.refs.pop(names.made_ref(branch), None)
    return ""


def restore(world: MemoryWorld, repository: Repository, repo: Repo, saved: Saved) -> Worktree:
    path = os.path.join(repo.workspace_dir, saved.worktree.name)
    worktree = msgspec.structs.replace(saved.worktree, path=path)
    if path in repository.trees or path in world.foreign_paths:
        raise refusals.foreign_path(worktree)
    tip, _ = _branch_and_record(repository, worktree)
    wanted = saved.tip or saved.head or worktree.base_commit
    if tip and tip != wanted:
        raise removal_refusals.branch_differs(saved)
    if saved.ours:
        repository.refs.setdefault(names.made_ref(worktree.branch), worktree.base_commit)
    repository.refs[names.branch_ref(worktree.branch)] = wanted
    detached = "" if saved.on == worktree.branch else saved.head
    files = world.committed_files(saved.commit)
    repository.trees[path] = Tree(branch="" if detached else saved.on, files=files)
    repository.trees[path].detached = detached
    return worktree


def entries(repository: Repository) -> list[Saved]:
    return sorted(repository.saved.values(), key=lambda saved: (saved.at, saved.id))


def purge(repository: Repository, older_than: float) -> list[Saved]:
    old = [saved for saved in entries(repository) if saved.at < older_than]
    for saved in old:
        del repository.saved[saved.ref], repository.refs[saved.ref]
    return old


def adopt(world: MemoryWorld, repository: Repository, repo: Repo, path: str, name: str) -> Worktree:
    tree = repository.trees.get(path)
    if tree is None or not tree.known:
        raise removal_refusals.not_linked(path, repo)
    if not tree.branch:
        raise removal_refusals.on_no_branch(path)
    head = world.head_of(repository, tree)
    default = repository.refs.get(names.branch_ref(repo.default_branch), "")
    base = world.merge_base(head, default) if default else ""
    if names.made_ref(tree.branch) not in repository.refs:
        repository.refs[names.adopted_ref(tree.branch)] = base or head
    return Worktree(
        repo=repo.slug, name=name, branch=tree.branch, path=path,
        base_branch=repo.default_branch, base_commit=base or head,
    )  # fmt: skip


def only_in_clone(world: MemoryWorld, repository: Repository, there: Sequence[str]) -> list[str]:
    """`there` are the tips that the remote has."""
    reasons = [f"it has the worktree {path}" for path in repository.trees]
    known = [tip for tip in there if tip in world.commits]
    lost = [c for tip in repository.refs.values() for c in world.only_in(tip, *known)]
    return reasons + [f"the remote does not have {c[:7]}" for c in dict.fromkeys(lost)]


def _stand(world: MemoryWorld, repository: Repository, worktree: Worktree) -> Tree | None:
    tree = repository.trees.get(worktree.path)
    if worktree.path in world.foreign_paths or (tree is not None and not tree.known):
        raise refusals.foreign_path(worktree)
    return tree


def _branch_and_record(repository: Repository, worktree: Worktree) -> tuple[str, str]:
    branch, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
    return repository.refs.get(branch, ""), repository.refs.get(made, "")


def _kept_ignored(tree: Tree, keep: Sequence[str]) -> list[str]:
    return [
        path
        for path, text in sorted(tree.files.items())
        if is_ignored(path)
        and (
            any(_matches(path, pattern) for pattern in keep)
            or (_collapsed(path) == path and is_personal(path, len(text)))
        )
    ]


def _lost(tree: Tree, keep: Sequence[str]) -> list[str]:
    kept = set(_kept_ignored(tree, keep))
    return sorted({_collapsed(p) for p in tree.files if is_ignored(p) and p not in kept})


def _collapsed(path: str) -> str:
    """The outermost directory on the way that is ignored as a whole, with a slash; or the path."""
    parts = path.split("/")
    tops = (f"{'/'.join(parts[:count])}/" for count in range(1, len(parts)))
    return next((top for top in tops if is_ignored(top)), path)


def _matches(path: str, pattern: str) -> bool:
    wanted = pattern.rstrip("/")
    if "/" in wanted:
        return fnmatch.fnmatchcase(path, wanted)
    return any(fnmatch.fnmatchcase(part, wanted) for part in path.split("/"))


def _described(
    world: MemoryWorld,
    repository: Repository,
    worktree: Worktree,
    tree: Tree | None,
    keep: Sequence[str],
    *,
    key: str,
    at: float,
) -> Saved:
    tip, record = _branch_and_record(repository, worktree)
    head = world.head_of(repository, tree) if tree else tip
    files, changed = world.committed_files(head), []
    if tree is not None:
        changed = [*world.changed_paths(repository, tree), *_kept_ignored(tree, keep)]
        for path in changed:
            files.pop(path, None)
            if path in tree.files:
                files[path] = tree.files[path]
    parents = tuple(dict.fromkeys(commit for commit in (head, tip) if commit))
    message = f"Kept from the worktree {worktree.name}"
    commit = world.write_commit(Commit(files=files, parents=parents, message=message))
    return Saved(
        id="", ref="", commit=commit, key=key, at=at, worktree=worktree, tree=commit, head=head,
        on=tree.branch if tree else worktree.branch, tip=tip, changed=len(changed),
        unfinished=tree.unfinished if tree else "", ours=bool(record),
        directory=tree is not None,
    )  # fmt: skip
