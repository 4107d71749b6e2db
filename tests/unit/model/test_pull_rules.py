"""What is news about a pull request, and what follows from it for the task."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model import command as cmd
from orch.model.pull import Check
from orch.model.pull_effects import WaitForPR
from orch.model.pull_rules import IN_REVIEW, news_of, reason_of
from orch.model.run import Reason
from orch.store.memory import MemoryStore
from tests.records import ENGINE, ME, PERSON, RUN, a_pull, a_repo, advance, create_run, plan, settle

SEEN = a_pull(head_sha="a" * 40)
PENDING, GREEN, RED = (
    Check(name=state, state=state) for state in ("pending", "success", "failure")
)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("until", "changed", "checks", "now", "asked", "news"),
    [
        ("merge", {}, [], 0, False, None),
        ("merge", {}, [RED], 0, True, None),
        ("merge", {"state": "merged"}, [], 0, False, "merged"),
        ("person", {"state": "merged", "head_sha": "b" * 40}, [], 0, True, "merged"),
        ("green", {"state": "closed"}, [PENDING], 0, False, "closed"),
        ("merge", {"head_sha": "b" * 40}, [], 0, False, "moved"),
        ("green", {}, [], 0, False, "green"),
        ("green", {}, [GREEN], 0, False, "green"),
        ("green", {}, [GREEN, PENDING], 109, False, None),
        ("green", {}, [GREEN, PENDING], 110, False, "late"),
        ("green", {}, [RED, PENDING], 999, False, "failing"),
        ("person", {}, [RED], 0, False, None),
        ("person", {}, [RED], 0, True, "asked"),
    ],
)
def test_the_table_of_news(
    until: Any, changed: dict[str, Any], checks: list[Check], now: float, asked: bool, news: str
) -> None:
    """H79: how long checks may be pending counts from the first time that they were asked about."""
    wait = WaitForPR(SEEN, until=until, timeout=60)
    pull = a_pull(**{"head_sha": SEEN.head_sha, **changed})
    assert news_of(wait, pull, checks, since=50, now=now, asked=asked) == news


def test_a_person_is_told_what_is_wrong_and_what_helps() -> None:
    asked = reason_of(WaitForPR(SEEN, until="person", why="it fails", code="checks_failed"), 7)
    assert (asked.kind, asked.code, asked.message) == ("human", "checks_failed", "it fails")
    assert "orch task retry 7" in asked.hint
    assert reason_of(WaitForPR(SEEN), 7).code == IN_REVIEW


def reviewed(**pull: Any) -> MemoryStore:
    """A task whose run has opened a pull request."""
    store = MemoryStore(now=lambda: 1_000.0)
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    store.send(create_run(owner=ME), PERSON)
    store.send(cmd.TakeRun(RUN, ME), ENGINE)
    facts = (cmd.PullOpened(a_pull(**pull)),)
    store.send(advance(settled=(settle("0", plan=plan("0"), facts=facts),)), ENGINE)
    return store


def state(store: MemoryStore) -> str:
    task = store.task(1)
    assert task is not None
    return task.state


PUT_AWAY = reason_of(WaitForPR(SEEN), 1)
FOR_A_PERSON = Reason("human", "changes_requested", "it is not good", "orch task retry 1")


@pytest.mark.parametrize(
    ("waits", "before", "becomes", "after"),
    [
        (PUT_AWAY, "in_review", "merged", "done"),
        (PUT_AWAY, "in_review", "closed", "cancelled"),
        (FOR_A_PERSON, "needs_review", "merged", "done"),
        (FOR_A_PERSON, "needs_review", "closed", "cancelled"),
    ],
)
def test_a_pull_request_that_ended_ends_the_task_that_waits_for_it(
    waits: Reason, before: str, becomes: str, after: str
) -> None:
    """H76: where a task stands is read off its run, and off what became of its pull request."""
    store = reviewed()
    store.send(advance(blocked=waits), ENGINE)
    assert state(store) == before
    store.send(cmd.RecordPull(a_pull(state=becomes)), PERSON)
    assert state(store) == after
    store.send(cmd.TakeRun(RUN, ME), ENGINE)
    store.send(advance(finish=cmd.Finish("aborted")), ENGINE)
    assert state(store) == after, "what its run tidies up changes nothing any more"


@pytest.mark.parametrize("over", [False, True], ids=["waits", "over"])
def test_one_that_is_open_again_brings_its_task_back(over: bool) -> None:
    store = reviewed()
    store.send(advance(blocked=PUT_AWAY), ENGINE)
    store.send(cmd.RecordPull(a_pull(state="closed")), PERSON)
    if over:
        store.send(cmd.TakeRun(RUN, ME), ENGINE)
        store.send(advance(finish=cmd.Finish("done")), ENGINE)
    store.send(cmd.RecordPull(a_pull()), PERSON)
    task = store.task(1)
    assert task is not None
    assert (task.state, task.hint) == ("in_review", "orch pr merge thing#1")
    assert task.reason.endswith("is open again")
    store.send(cmd.RecordPull(a_pull(state="merged")), PERSON)
    assert state(store) == "done"


def test_what_a_person_closed_stays_closed_when_its_pull_request_is_open_again() -> None:
    store = reviewed()
    result = {"repo": "thing", "number": 1, "head": "h", "base": "main", "url": "u"}
    store.send(advance(finish=cmd.Finish("done", result)), ENGINE)
    store.send(cmd.CloseTask(1, "not wanted"), PERSON)
    store.send(cmd.RecordPull(a_pull(state="closed")), PERSON)
    store.send(cmd.RecordPull(a_pull()), PERSON)
    assert state(store) == "cancelled"


@pytest.mark.parametrize(("was", "after"), [("open", "in_review"), ("merged", "done")])
def test_a_run_at_work_says_itself_what_its_pull_request_means(was: str, after: str) -> None:
    store = reviewed()
    store.send(cmd.RecordPull(a_pull(state=was)), PERSON)
    assert state(store) == "routed"
    result = {"repo": "thing", "number": 1, "head": "h", "base": "main", "url": "u"}
    store.send(advance(finish=cmd.Finish("done", result)), ENGINE)
    assert state(store) == after
