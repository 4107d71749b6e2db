"""Taking worktrees and repositories out of the books: when it is allowed, and what it changes."""

from __future__ import annotations

import pytest

from orch.model import command as cmd, event as ev
from orch.model.errors import Conflict
from orch.store.memory import MemoryStore
from tests.records import (
    ENGINE,
    ME,
    PERSON,
    RUN,
    a_pull,
    a_repo,
    a_worktree,
    advance,
    create_run,
    plan,
    settle,
)


@pytest.fixture
def store() -> MemoryStore:
    """A repository, a run that is not over, its worktree and a person's."""
    store = MemoryStore(now=lambda: 1_000.0)
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    store.send(create_run(owner=ME), PERSON)
    store.send(cmd.RecordWorktree(a_worktree("runs", run=RUN)), PERSON)
    store.send(cmd.RecordWorktree(a_worktree("mine")), PERSON)
    return store


def names(store: MemoryStore) -> set[str]:
    return {worktree.name for worktree in store.worktrees()}


def test_a_persons_worktree_is_forgotten_once(store: MemoryStore) -> None:
    [event] = store.send(cmd.ForgetWorktree("thing", "mine"), PERSON)
    assert (event.data, event.repo) == (ev.WorktreeForgotten("thing", "mine"), "thing")
    assert names(store) == {"runs"}
    assert store.send(cmd.ForgetWorktree("thing", "mine"), PERSON) == []


def test_h74_the_worktree_of_a_live_run_is_not_forgotten(store: MemoryStore) -> None:
    with pytest.raises(Conflict) as caught:
        store.send(cmd.ForgetWorktree("thing", "runs"), PERSON)
    assert (caught.value.code, caught.value.hint) == (
        "worktree_in_use", f"orch stop {RUN} --abort",
    )  # fmt: skip
    store.send(advance(finish=cmd.Finish("error")), ENGINE)
    store.send(cmd.ForgetWorktree("thing", "runs"), PERSON)
    assert names(store) == {"mine"}


def test_a_run_may_give_up_its_own_worktree(store: MemoryStore) -> None:
    store.send(advance(planned=(plan("0"),)), ENGINE)
    gone = settle("0", facts=(cmd.WorktreeGone("thing", "runs"),))
    events = store.send(advance(settled=(gone,)), ENGINE)
    assert events[0].data == ev.WorktreeForgotten("thing", "runs")
    assert names(store) == {"mine"}


def test_a_repository_in_use_is_not_forgotten(store: MemoryStore) -> None:
    def refused() -> str:
        with pytest.raises(Conflict) as caught:
            store.send(cmd.ForgetRepo("thing"), PERSON)
        assert caught.value.code == "repo_in_use"
        return caught.value.message

    assert RUN in refused()
    store.send(advance(finish=cmd.Finish("done")), ENGINE)
    assert "2 worktrees" in refused()
    for name in ("runs", "mine"):
        store.send(cmd.ForgetWorktree("thing", name), PERSON)
    [event] = store.send(cmd.ForgetRepo("thing"), PERSON)
    assert (event.data, event.repo) == (ev.RepoForgotten("thing"), "thing")
    assert store.repos() == []
    assert store.send(cmd.ForgetRepo("thing"), PERSON) == []


def test_a_persons_pull_request_is_recorded(store: MemoryStore) -> None:
    [event] = store.send(cmd.RecordPull(a_pull()), PERSON)
    assert (event.run, event.repo) == ("", "thing")
    assert [pull.number for pull in store.pulls()] == [1]
