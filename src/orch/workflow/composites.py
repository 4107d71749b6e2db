"""Effects that are carried out by other effects. A run stores this module like its own workflow.

Invariant: only effects, no clocks and no IO: these are workflows like any other.
"""

from __future__ import annotations

from typing import Any

from orch.model.effect import (
    AddWorktree,
    Commit,
    CreatePR,
    CreateWorktree,
    InstallDependencies,
    Log,
    Merge,
    MergeBranches,
    OpenPR,
    Push,
    ResolveBase,
)
from orch.model.errors import NoChange
from orch.workflow.program import Gather, do


@do
def create_worktree(effect: CreateWorktree) -> Any:
    base = yield ResolveBase(effect.base_branch)
    for warning in base.warnings:
        yield Log(warning, level="warning")
    env = yield AddWorktree(
        base_branch=base.branch,
        base_commit=base.commit,
        issue=effect.issue,
        suffix=effect.suffix,
        name=effect.name,
    )
    note = yield InstallDependencies(env=env)
    if note:
        yield Log(note)
    return env


@do
def merge_branches(effect: MergeBranches) -> Any:
    """Commit what is not committed, then merge everything into a fresh worktree on the same base."""
    if not effect.envs:
        raise ValueError("MergeBranches needs at least one worktree")
    yield Gather([Commit(env=env, message=f"Work of {env.name}") for env in effect.envs])
    first = effect.envs[0]
    merged = yield AddWorktree(
        base_branch=first.base_branch,
        base_commit=first.base_commit,
        suffix="merged",
        name=effect.name,
    )
    yield Merge(env=merged, branches=[env.branch for env in effect.envs], strategy=effect.strategy)
    return merged


@do
def create_pr(effect: CreatePR) -> Any:
    tip = yield Commit(env=effect.env, message=effect.title)
    if tip == effect.env.base_commit:
        raise NoChange(
            f"there is nothing to open a pull request for: {effect.env.branch} has no commit"
        )
    pushed = yield Push(env=effect.env)
    pull = yield OpenPR(
        env=effect.env,
        title=effect.title,
        head_sha=pushed,
        body=effect.body,
        target=effect.target,
        draft=effect.draft,
        labels=effect.labels,
    )
    return pull


EXPAND = {
    CreateWorktree: create_worktree,
    MergeBranches: merge_branches,
    CreatePR: create_pr,
}
