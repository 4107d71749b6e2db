"""The effects MergePR and DeleteWorktree for real: what is merged, what is kept, what is refused."""

from __future__ import annotations

import pytest

from tests.acceptance.world import World

FLOW = """
@do
def workflow(issue, strategy="merge", more=False, force=False, delete=True):
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt=issue.title)
    pull = yield CreatePR(env=env, title=issue.title)
    if more:
        yield RunCommand(env=env, command=["sh", "-c", "echo more > more.txt"])
    else:
        pull = yield MergePR(pull, strategy=strategy, delete_branch=delete)
    saved = yield DeleteWorktree(env=env, force=force)
    return [pull.state, saved]
"""


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_pull_request_is_merged_and_tidied_up(world: World, strategy: str) -> None:
    record = world.run(
        world.flow(FLOW), "--issue", "1", "--params", f'{{"strategy": "{strategy}"}}'
    )
    state, saved = record["result"]
    assert state == "merged"
    # A squash says the same in another commit: the branch's own ones are kept for a while.
    assert len(saved) == (1 if strategy == "squash" else 0)
    assert world.git("show", "main:work.txt", where=world.remote).startswith("work of")
    assert "orch/" not in world.git("for-each-ref", where=world.remote)
    assert world.git("for-each-ref", "refs/heads/orch") == ""
    assert world.ask("worktree", "list") == []
    [pull] = world.ask("pr", "list")
    assert pull["state"] == "merged"


def test_the_head_branch_is_kept_where_that_is_asked(world: World) -> None:
    world.run(world.flow(FLOW), "--issue", "1", "--params", '{"delete": false}')
    assert "refs/heads/orch/" in world.git("for-each-ref", where=world.remote)


def test_unsaved_work_is_refused_and_with_force_rescued(world: World) -> None:
    params = '{"more": true}'
    record = world.run(world.flow(FLOW), "--issue", "1", "--params", params, code=1)
    assert record["error"]["code"] == "worktree_has_work"
    [tree] = world.ask("worktree", "list")
    assert tree["dirty"]
    record = world.run(
        world.flow(FLOW), "--issue", "1", "--params", '{"more": true, "force": true}'
    )
    state, [ref] = record["result"]
    assert (state, ref.startswith("refs/orch/trash/")) == ("open", True)
    assert world.git("show", f"{ref}:more.txt") == "more"


def test_a_head_that_moved_is_not_merged(world: World) -> None:
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt=issue.title)
    pull = yield CreatePR(env=env, title=issue.title)
    yield RunCommand(env=env, command=["sh", "-c", "echo more > more.txt"])
    yield Commit(env=env, message="more")
    yield Push(env=env)
    try:
        yield MergePR(pull)
    except StepError as error:
        return error.code
"""
    assert world.run(world.flow(flow), "--issue", "1")["result"] == "head_moved"
    assert world.git("rev-list", "--count", "main", where=world.remote) == "1"
