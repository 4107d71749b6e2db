"""Events in the words of hooks, rules and notifications."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orch.model import event as ev
from orch.model.errors import Failure
from orch.model.event import Actor, Event
from orch.model.occasion import (
    ERRORS,
    FINALS,
    HOOKS,
    NAMES,
    Occasion,
    fits,
    unheard,
    wanted,
)
from orch.model.rules import chosen, made_already, source_of
from orch.model.run import Reason, Run
from orch.model.step import Outcome, Step
from orch.model.task import Task
from orch.model.telling import occasion
from tests.records import RUN, a_pull, a_worktree, an_attempt


class Books:
    """A `Lookup` of one task, one run, one attempt and one step."""

    def __init__(self, kind: str = "Push/1", role: str = "work") -> None:
        self.run_row: Any = Run(id=RUN, workflow="flow", status="running", repo="thing", task=7,
                           entry="x", params={})  # type: ignore[arg-type]  # fmt: skip
        self.attempt_row = an_attempt(role=role, branch="orch/x")
        self.step_row = Step(
            run=RUN, path="1", kind=kind, status="confirmed",
            request=b'{"effect":"Push/1","env":{"branch":"orch/x"}}',
            outcome=Outcome(value=msgspec.Raw(b'"abc"')),
        )  # fmt: skip

    @staticmethod
    def of_a_pull() -> Books:
        made = Books(kind="OpenPR/1")
        outcome = Outcome(value=msgspec.Raw(msgspec.json.encode(a_pull())))
        made.step_row = msgspec.structs.replace(made.step_row, outcome=outcome)
        return made

    def task(self, task: int) -> Task:
        return Task(id=task, title="T\x1b]0;x", state="new", labels=("bug",), source="person:pat")

    def run(self, run: str) -> Any:
        return self.run_row

    def attempt(self, attempt: str) -> Any:
        return self.attempt_row

    def step(self, run: str, path: str) -> Any:
        return self.step_row


def told(data: Any, books: Books | None = None, **envelope: Any) -> Occasion | None:
    given = {"task": 7, "run": RUN, "repo": "thing", **envelope}
    event = Event(seq=5, at=1.0, actor=Actor("engine"), data=data, **given)
    return occasion(event, books or Books())


CASES = [
    (ev.ServiceNoted("started", 1), "service.started"),
    (ev.ServiceNoted("stopped", 1), "service.stopped"),
    (ev.TaskCreated(id=7, title="T", repo="", issue=""), "task.created"),
    (ev.TaskRouted(id=7, agent="one"), "task.routed"),
    (ev.TaskMoved(7, "in_progress"), "task.started"),
    (ev.TaskMoved(7, "in_review"), "task.in_review"),
    (ev.TaskMoved(7, "done"), "task.done"),
    (ev.TaskMoved(7, "blocked"), "task.blocked"),
    (ev.TaskMoved(7, "cancelled"), "task.cancelled"),
    (ev.TaskMoved(7, "needs_review"), "task.needs_review"),
    (ev.WorktreeRecorded(a_worktree()), "worktree.created"),
    (ev.AttemptRunning("aaaaaaaaaaaa"), "agent.started"),
    (ev.AttemptEnded(id="aaaaaaaaaaaa", status="failed"), "agent.ended"),
    (ev.StepSettled("1", "", "confirmed", Outcome()), "branch.pushed"),
    (ev.StepPlanned("1", "Gate/1", "{}", intended=True), "gate.waiting"),
    (ev.QuestionAsked(attempt="aaaaaaaaaaaa", id="3f2a91c0", text="Bash: rm"), "question.waiting"),
    (ev.PullRecorded(a_pull(state="merged")), "pr.merged"),
    (ev.PullRecorded(a_pull(state="closed")), "pr.closed"),
    (ev.RunFinished("done"), "run.done"),
    (ev.RunFinished("error", error=Failure("X", "x", "broke")), "run.failed"),
    (ev.RunBlocked(Reason("human", "gate", "waits")), "run.blocked"),
    (ev.JobFired("nightly", 60), "job.fired"),
    (ev.JobRan(id="nightly", slot=60, outcome="failed"), "job.failed"),
]


@pytest.mark.parametrize(("data", "name"), CASES, ids=[name for _, name in CASES])
def test_each_event_is_told_under_its_name(data: Any, name: str) -> None:
    found = told(data)
    assert found is not None
    assert found.name == name
    assert set(found.names) <= set(NAMES)
    assert found.text
    assert found.text.isprintable()
    assert found.data()["event"] == name
    msgspec.json.encode(found.data())


def test_every_name_but_those_of_trackers_is_told_of_something() -> None:
    """A hook that the contract names and nothing sets off would be a promise not kept."""
    opened = told(ev.StepSettled("1", "", "confirmed", Outcome()), Books.of_a_pull())
    assert opened is not None
    assert (opened.names, opened.branch) == (("pr.opened",), a_pull().head)
    heard = set(opened.names) | {
        name for data, _ in CASES for name in (told(data) or Occasion).names
    }  # type: ignore[union-attr]
    assert set(NAMES) - heard == {"ticket.assigned", "ticket.created"}
    assert len(HOOKS) == 14
    assert set(NAMES) >= ERRORS | FINALS


@pytest.mark.parametrize(
    ("data", "books"),
    [
        (ev.TaskMoved(7, "routed"), Books()),
        (ev.AttemptRunning("a"), Books(role="command")),
        (ev.StepSettled("1", "", "confirmed", Outcome()), Books(kind="Commit/1")),
        (ev.StepSettled("1", "", "refused", Outcome()), Books()),
        (ev.JobRan(id="nightly", slot=60, outcome="done"), Books()),
        (ev.Logged("x"), Books()),
    ],
)
def test_what_nobody_asked_to_hear_is_not_told(data: Any, books: Books) -> None:
    assert told(data, books) is None


def test_a_pull_request_that_was_only_looked_at_is_not_opened() -> None:
    """Whoever watches it records it again and again."""
    assert told(ev.PullRecorded(a_pull(state="open"))) is None


@pytest.mark.parametrize(
    ("hint", "wide"),
    [("orch task retry 7", "task.failed"), ("", "task.failed"),
     (f"orch gate approve {RUN}", "task.blocked")],
)  # fmt: skip
def test_a_task_that_waits_for_a_person_failed_unless_it_asks_one(hint: str, wide: str) -> None:
    found = told(ev.TaskMoved(7, "needs_review", "why", hint))
    assert found is not None
    assert found.names == ("task.needs_review", wide)


def test_the_push_names_its_branch() -> None:
    found = told(ev.StepSettled("1", "", "confirmed", Outcome()))
    assert found is not None
    assert (found.branch, found.facts["commit"]) == ("orch/x", "abc")


def test_globs_and_the_comma() -> None:
    assert fits("task.*, run.failed", "run.failed")
    assert fits("task.*", "task.done")
    assert not fits("task.*", "run.done")
    assert not fits(",", "x")
    assert unheard("task.*, tsk.done") == ["tsk.done"]


class Wanted(msgspec.Struct):
    on: str = "*"
    repo: str = ""
    workflow: str = ""
    branch: str = ""
    label: str = ""
    agent: str = ""
    do: str = "task"


def test_filters_narrow() -> None:
    found = told(ev.TaskMoved(7, "done"))
    assert found is not None
    assert wanted(Wanted(repo="th*", workflow="fl?w"), found)
    for other in (Wanted(on="run.*"), Wanted(repo="x"), Wanted(workflow="x"), Wanted(branch="x")):
        assert not wanted(other, found)
    assert chosen([Wanted(label="bug"), Wanted(label="feat*")], found)[0][0] == 1
    assert len(chosen([Wanted(label="bug"), Wanted(label="feat*")], found)) == 1


def test_what_a_rule_made_sets_off_no_rule_that_makes_work() -> None:
    found = told(ev.TaskMoved(7, "done"))
    assert found is not None
    source = source_of(1, found)
    again = msgspec.structs.replace(found, source=source)
    assert [rule.do for _, rule in chosen([Wanted(), Wanted(do="notify")], again)] == ["notify"]
    task = Task(id=9, title="x", state="new", source=source)
    assert made_already(source, [task])
    assert not made_already(source_of(2, found), [task])
