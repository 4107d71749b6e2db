"""The books follow events, and nothing but events."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from orch.model import command as cmd, event as ev
from orch.model.command import AttemptEnd
from orch.model.effect import Gate, GateAnswer
from orch.model.errors import Failure
from orch.model.ledger import apply, envelope
from orch.model.run import Reason
from orch.model.step import Outcome
from orch.store.memory import MemoryStore, MemoryTables
from tests.records import (
    ENGINE,
    ME,
    OTHER,
    PERSON,
    RUN,
    a_pull,
    a_repo,
    a_ticket,
    a_worktree,
    advance,
    agent_plan,
    an_attempt,
    create_run,
    plan,
    settle,
)


class Ticking:
    """A clock that moves one second with each look."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        self.at += 1.0
        return self.at


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(now=Ticking())
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    return store


def an_event(data: ev.EventData, run: str = RUN) -> ev.Event:
    return ev.Event(seq=99, at=5.0, actor=ENGINE, data=data, run=run)


ABSENT = [
    ev.RunTaken(ME, "running"),
    ev.RunCancelling(),
    ev.RunBlocked(Reason("human", "gate", "waits")),
    ev.RunFinished("done"),
    ev.StopRequested("stop"),
    ev.StepIntended("0", 1),
    ev.StepSettled("0", "", "confirmed", Outcome()),
    ev.AttemptEnded(id="aaaaaaaaaaaa", status="lost"),
    ev.GateAnswered("0", GateAnswer(decision="approve")),
]


@pytest.mark.parametrize("data", ABSENT, ids=lambda data: type(data).__name__)
def test_h105_an_event_about_something_unknown_is_a_fault(data: ev.EventData) -> None:
    """It aborts the transaction instead of inventing a row."""
    tables = MemoryTables()
    with pytest.raises(LookupError, match="event 99"):
        apply(tables, an_event(data))
    assert vars(tables) == vars(MemoryTables())


def test_every_kind_of_event_is_known_to_the_books_or_only_told() -> None:
    only_told = {ev.Logged, ev.MessageSent, ev.ServiceNoted}
    from orch.model.ledger import _APPLY

    assert set(get_args(ev.EventData)) - set(_APPLY) == only_told


def test_a_run_from_its_creation_to_its_end(store: MemoryStore) -> None:
    ticket = a_ticket()
    store.send(create_run(issue=ticket, params={"n": 1}, agent="claude", owner=ME), PERSON)
    run = _run(store)
    assert (run.status, run.task, run.issue, run.params, run.agent, run.owner) == (
        "pending", 1, ticket, {"n": 1}, "claude", ME,
    )  # fmt: skip
    assert run.created_at == run.updated_at > 0
    store.send(cmd.TakeRun(RUN, OTHER), ENGINE)
    assert (_run(store).status, _run(store).owner) == ("running", OTHER)
    reason = Reason("dependency", "unreachable", "no answer", "orch resume")
    store.send(advance(blocked=reason), ENGINE)
    assert (_run(store).status, _run(store).reason, _run(store).owner) == ("blocked", reason, None)
    store.send(cmd.TakeRun(RUN, ME), PERSON)
    assert (_run(store).status, _run(store).reason) == ("running", None)
    store.send(advance(finish=cmd.Finish("done", result=["a", 1])), ENGINE)
    run = _run(store)
    assert (run.status, run.result, run.owner, run.reason, run.error) == (
        "done", ["a", 1], None, None, None,
    )  # fmt: skip
    assert run.ended_at == run.updated_at > run.created_at


def test_a_failed_run_keeps_its_error(store: MemoryStore) -> None:
    store.send(create_run(), PERSON)
    error = Failure("no_change", "nothing changed", "look", "NoChange", {"files": ["a"]})
    store.send(advance(finish=cmd.Finish("error", error=error)), ENGINE)
    assert (_run(store).status, _run(store).error) == ("error", error)


def test_a_step_is_intended_with_its_plan_and_settled_with_its_outcome(store: MemoryStore) -> None:
    store.send(create_run(), PERSON)
    later = cmd.Plan("1", "Log/1", b"{}", intend=False)
    planned = store.send(advance(planned=(plan("0"), later)), ENGINE)
    first, second = store.steps(RUN)
    assert (first.status, first.intended_at) == ("intended", first.planned_at)
    assert (second.status, second.intended_at) == ("planned", 0.0)
    assert [s.planned_seq for s in (first, second)] == [event.seq for event in planned[:2]]
    outcome = Outcome(failure=Failure("x", "broke"))
    [event] = store.send(advance(settled=(settle("0", outcome=outcome),)), ENGINE)
    step = store.step(RUN, "0")
    assert step is not None
    assert (step.status, step.outcome, step.settled_seq, step.settled_at) == (
        "refused", outcome, event.seq, event.at,
    )  # fmt: skip
    assert step.planned_at == first.planned_at


def test_a_pure_step_is_planned_and_settled_by_one_event(store: MemoryStore) -> None:
    store.send(create_run(), PERSON)
    [event] = store.send(advance(settled=(settle("0", plan=plan("0")),)), ENGINE)
    step = store.step(RUN, "0")
    assert step is not None
    assert (step.status, step.kind, step.planned_seq, step.settled_seq) == (
        "confirmed", "Log/1", event.seq, event.seq,
    )  # fmt: skip
    assert step.request == plan("0").request


def test_the_next_attempt_keeps_when_the_step_was_first_intended(store: MemoryStore) -> None:
    store.send(create_run(), PERSON)
    store.send(advance(planned=(agent_plan(attempt=an_attempt()),)), ENGINE)
    before = store.step(RUN, "0")
    assert before is not None
    end = AttemptEnd(id="aaaaaaaaaaaa", status="lost", code="lost", message="gone", usage={"n": 1})
    store.send(cmd.NextAttempt(RUN, 1, "0", an_attempt("bbbbbbbbbbbb", n=2), end), ENGINE)
    after = store.step(RUN, "0")
    assert after is not None
    assert (after.attempt, after.intended_at) == (2, before.intended_at)
    one, two = store.attempts(RUN)
    assert (one.status, one.code, one.message, one.usage) == ("lost", "lost", "gone", {"n": 1})
    assert (two.status, two.n, two.ended_at) == ("starting", 2, 0.0)


def test_the_epoch_is_the_last_engines(store: MemoryStore) -> None:
    tables = MemoryTables()
    apply(tables, an_event(ev.EngineTaken(7, ME), run=""))
    assert tables.epoch() == 7


ABOUT: list[tuple[str, ev.EventData, tuple[str, int, str]]] = [
    ("repository", ev.RepoAdded(a_repo("other")), ("other", 0, "")),
    ("engine", ev.EngineTaken(1, ME), ("", 0, "")),
    ("task", ev.TaskCreated(4, "t", "other", ""), ("other", 4, "")),
    ("person's worktree", ev.WorktreeRecorded(a_worktree(repo="other")), ("other", 0, "")),
]


@pytest.mark.parametrize(("data", "expected"), [a[1:] for a in ABOUT], ids=[a[0] for a in ABOUT])
def test_h40_an_event_of_no_run_says_what_it_is_about(data: Any, expected: Any) -> None:
    assert envelope(MemoryTables(), data, None) == expected


OF_A_RUN: list[tuple[ev.EventData, str]] = [
    (ev.RunTaken(ME, "running"), ""),
    (ev.TaskMoved(1, "routed"), ""),
    (ev.StepPlanned("2/gather.1/0", "Log/1", "{}", True), "2/gather.1/0"),
    (ev.StepIntended("0", 2), "0"),
    (ev.StepSettled("0", "", "confirmed", Outcome()), "0"),
    (ev.GateAnswered("1", GateAnswer(decision="approve")), "1"),
    (ev.AttemptStarting(an_attempt(path="3/x/0")), "3/x/0"),
    (ev.AttemptRunning("aaaaaaaaaaaa"), "0"),
    (ev.AttemptEnded(id="aaaaaaaaaaaa", status="lost"), "0"),
    (ev.AttemptStopRequested("aaaaaaaaaaaa"), "0"),
    (ev.MessageSent(attempt="aaaaaaaaaaaa", size=5, delivered=True), "0"),
    (ev.PullRecorded(a_pull()), ""),
    (ev.Logged("hello"), ""),
]


@pytest.mark.parametrize(("data", "step"), OF_A_RUN, ids=lambda x: type(x).__name__)
def test_h40_every_event_of_a_run_names_repository_task_and_step(
    store: MemoryStore, data: ev.EventData, step: str
) -> None:
    store.send(create_run(), PERSON)
    store.send(advance(planned=(agent_plan(attempt=an_attempt()), plan("1", Gate()))), ENGINE)
    assert envelope(store._tables, data, store.run(RUN)) == ("thing", 1, step)


def _run(store: MemoryStore) -> Any:
    run = store.run(RUN)
    assert run is not None
    return run
