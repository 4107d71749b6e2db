"""What the shipped templates and the Quick Start programs ask for, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.effect import (
    AddWorktree,
    CommandResult,
    Commit,
    DeleteWorktree,
    InstallDependencies,
    Merge,
    OpenPR,
    Push,
    ResolveBase,
    RunAgent,
    RunCommand,
)
from orch.model.errors import CommandFailed, NoChange, StepError
from orch.model.step import Outcome
from orch.model.worktree import Base
from orch.workflow.driver import Request
from orch.workflow.sources import Modules, builtin_source, collect
from tests.records import a_pull, a_ticket, a_worktree
from tests.unit.workflow.quickstart import basic_pr, multi_agent_pr
from tests.unit.workflow.stage import Stage, fails, gives

ISSUE = a_ticket(title="Add a --json flag", body="It should print JSON.")
BASE = Base(branch="trunk", commit="b" * 40)


def tree(suffix: str = "") -> Any:
    return a_worktree(f"issue-001-{suffix or 'plain'}", base_branch="trunk", base_commit="b" * 40)


def world(request: Request) -> Outcome:
    """Plausible answers."""
    match request.effect:
        case ResolveBase():
            return gives(BASE)
        case AddWorktree() as effect:
            return gives(tree(effect.suffix or ""))
        case InstallDependencies():
            return gives("")
        case RunAgent():
            return gives("did it")
        case RunCommand():
            return gives(CommandResult(exit_code=0))
        case Commit() | Push() | Merge():
            return gives("c" * 40)
        case DeleteWorktree():
            return gives([])
        case OpenPR() as effect:
            return gives(a_pull(head=effect.env.branch, title=effect.title))
    raise AssertionError(request)


def told(stage: Stage) -> list[str]:
    return [f"{r.path} {r.kind.removesuffix('/1')}" for r in stage.requests.values()]


def asked(stage: Stage, path: str) -> Any:
    return stage.requests[path].effect


NEW_TREE = ["ResolveBase", "AddWorktree", "InstallDependencies"]
NEW_PR = ["Commit", "Push", "OpenPR"]


def inside(path: str, name: str, kinds: list[str]) -> list[str]:
    return [f"{path}/{name}/{n} {kind}" for n, kind in enumerate(kinds)]


def test_quick_start_basic_pr_runs_with_only_its_imports_changed() -> None:
    stage = Stage(basic_pr(ISSUE))
    assert stage.run(world) == a_pull(head=tree().branch, title=ISSUE.title)
    assert told(stage) == [
        "0 CreateWorktree", *inside("0", "create_worktree", NEW_TREE),
        "1 RunAgent",
        "2 CreatePR", *inside("2", "create_pr", NEW_PR),
    ]  # fmt: skip
    assert asked(stage, "0").issue == ISSUE
    assert asked(stage, "0/create_worktree/1").base_commit == BASE.commit
    assert (asked(stage, "1").prompt, asked(stage, "1").env) == (ISSUE.body, tree())
    assert asked(stage, "2/create_pr/2").head_sha == "c" * 40


def test_quick_start_multi_agent_runs_with_only_its_imports_changed() -> None:
    stage = Stage(multi_agent_pr(ISSUE))
    assert stage.run(world) is None
    assert sorted(told(stage)) == sorted([
        "0/gather.0/0 CreateWorktree", *inside("0/gather.0/0", "create_worktree", NEW_TREE),
        "0/gather.1/0 CreateWorktree", *inside("0/gather.1/0", "create_worktree", NEW_TREE),
        "1/gather.0/0 RunAgent", "1/gather.1/0 RunAgent",
        "2 MergeBranches",
        "2/merge_branches/0/gather.0/0 Commit", "2/merge_branches/0/gather.1/0 Commit",
        "2/merge_branches/1 AddWorktree", "2/merge_branches/2 Merge",
        "3 RunAgent",
    ])  # fmt: skip
    assert asked(stage, "1/gather.0/0").env == tree("impl")
    assert asked(stage, "1/gather.1/0").env == tree("tests")
    assert asked(stage, "1/gather.1/0").prompt == f"Write tests for: {ISSUE.body}"
    merge = asked(stage, "2/merge_branches/2")
    assert merge.branches == [tree("impl").branch, tree("tests").branch]
    assert (merge.env, asked(stage, "3").env) == (tree("merged"), tree("merged"))


def program_of(name: str, **arguments: Any) -> Any:
    entry = builtin_source(name)
    return getattr(Modules(collect(entry, None)).load(entry.module), name)(**arguments)


def shipped(name: str, **arguments: Any) -> Stage:
    return Stage(program_of(name, **arguments))


def test_h102_the_agents_of_a_multi_agent_run_work_at_the_same_time() -> None:
    stage = shipped("multi_agent", issue=ISSUE)
    while not any(path.startswith("1/") for path in stage.open):
        path = next(iter(stage.open))
        stage.settle(path, world(stage.open[path]))
    assert list(stage.open) == ["1/gather.0/0", "1/gather.1/0"]


def test_basic_pr_opens_a_pull_request_that_names_the_issue() -> None:
    stage = shipped("basic_pr", issue=ISSUE)
    assert stage.run(world).title == ISSUE.title
    assert asked(stage, "1").prompt == f"{ISSUE.title}\n\n{ISSUE.body}"
    assert "ISSUE-001" in asked(stage, "2").body


def test_basic_pr_takes_a_base_and_a_prompt() -> None:
    stage = shipped("basic_pr", issue=ISSUE, base_branch="release/1", prompt="Just this.")
    stage.run(world)
    assert asked(stage, "0/create_worktree/0").base_branch == "release/1"
    assert asked(stage, "1").prompt == "Just this."


def test_h75_no_change_ends_basic_pr_without_a_pull_request() -> None:
    stage = shipped("basic_pr", issue=ISSUE)
    with pytest.raises(NoChange):
        stage.run(lambda r: fails("no_change", NoChange) if r.kind == "RunAgent/1" else world(r))
    assert not any("CreatePR" in line for line in told(stage))


def test_multi_agent_merges_tests_and_opens_one_pull_request() -> None:
    stage = shipped(
        "multi_agent", issue=ISSUE, impl_agent="codex", test_agent="claude",
        test_command=["pytest", "-q"], strategy="squash",
    )  # fmt: skip
    answers = {"Log/1": gives(None)}
    pull = stage.run(lambda r: answers.get(r.kind) or world(r))
    assert pull.head == tree("merged").branch
    assert [asked(stage, f"1/gather.{n}/0").agent for n in (0, 1)] == ["codex", "claude"]
    assert asked(stage, "2").strategy == "squash"
    assert (asked(stage, "3").command, asked(stage, "3").check) == (["pytest", "-q"], True)


def test_multi_agent_opens_no_pull_request_when_the_tests_fail() -> None:
    stage = shipped("multi_agent", issue=ISSUE, test_command="pytest")
    with pytest.raises(CommandFailed):
        stage.run(lambda r: fails("red", CommandFailed) if r.kind == "RunCommand/1" else world(r))
    assert not any("CreatePR" in line for line in told(stage))


def test_multi_agent_lets_one_agent_finish_when_the_other_failed() -> None:
    stage = shipped("multi_agent", issue=ISSUE)
    with pytest.raises(StepError, match="impl_failed"):
        stage.run(
            lambda r: fails("impl_failed") if r.path == "1/gather.0/0" else world(r)
        )  # fmt: skip
    assert stage.interrupted == []


def test_h64_a_worktree_warns_about_its_base_and_reports_dependencies() -> None:
    warned = Base(branch="trunk", commit="b" * 40, warnings=("cannot reach origin",))
    special = {
        "ResolveBase/1": gives(warned), "Log/1": gives(None),
        "InstallDependencies/1": gives("npm ci failed: no network"),
    }  # fmt: skip
    stage = Stage(basic_pr(ISSUE))
    stage.run(lambda r: special.get(r.kind) or world(r))
    lines = [(e.message, e.level) for e in _effects(stage, "Log/1")]
    assert lines == [("cannot reach origin", "warning"), ("npm ci failed: no network", "info")]


def _effects(stage: Stage, kind: str) -> list[Any]:
    return [r.effect for r in stage.requests.values() if r.kind == kind]
