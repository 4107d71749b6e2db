"""One line a change, numbers as in the run record, a heartbeat while it is quiet."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orch.cli.narrate import HEARTBEAT_S, Narrator
from orch.cli.output import Output
from orch.cli.spans import elapsed
from orch.model import command as cmd
from orch.model.effect import (
    AddWorktree,
    Commit,
    CreateWorktree,
    Gate,
    GateAnswer,
    encode_result,
)
from orch.model.errors import Failure
from orch.model.event import Event
from orch.model.run import Reason
from orch.model.step import Outcome
from orch.store.memory import MemoryStore
from tests.records import (
    ENGINE,
    ME,
    PERSON,
    RUN,
    a_pull,
    a_ticket,
    a_worktree,
    advance,
    agent_plan,
    an_attempt,
    create_run,
    plan,
    settle,
)

WORKTREE = "/trees/thing/issue-001-add-0123456"
OTHER_RUN = "ba9876543210"


class Watched:
    """A run in real books, and what its narrator says."""

    def __init__(self, *runs: str) -> None:
        self.time = 100.0
        self.store = MemoryStore(now=lambda: 0.0)
        self.store.send(cmd.TakeEngine(ME), ENGINE)
        for run in runs or (RUN,):
            self.store.send(create_run(run), PERSON)
        self.narrator = self.again(*(runs or (RUN,)))

    def again(self, *runs: str) -> Narrator:
        out = Output(json=False, quiet=False, colour=False)
        return Narrator(out, self.store, runs, now=lambda: self.time)

    def after(self, seconds: float) -> Watched:
        self.time += seconds
        return self

    def moved(self, run: str = RUN, **move: Any) -> list[Event]:
        events = self.store.send(advance(run=run, **move), ENGINE)
        self.narrator.show(events)
        return events


def value(result: Any) -> Outcome:
    return Outcome(value=msgspec.Raw(encode_result(result)))


@pytest.fixture
def watched() -> Watched:
    return Watched()


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    return [line.split("s  ", 1)[1] for line in err.splitlines()]


def test_a_run_from_its_issue_to_its_pull_request(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.narrator.show(watched.store.events(0))
    watched.moved(planned=(plan("0", CreateWorktree()), plan("0/0", AddWorktree("main", "a"))))
    made = settle("0/0", outcome=value(a_worktree()), facts=(cmd.WorktreeMade(a_worktree()),))
    watched.moved(settled=(made,))
    attempt = an_attempt(path="1", worktree=WORKTREE, name="impl")
    watched.moved(settled=(settle("0"),), planned=(agent_plan("1", attempt=attempt),))
    end = cmd.AttemptEnd(id=attempt.id, status="succeeded", exit_code=0)
    watched.moved(settled=(settle("1", end=end),))
    watched.moved(planned=(plan("2", Commit(a_worktree(), "work")),))
    watched.moved(settled=(settle("2", outcome=value("abcdef0123456789")),))
    pulled = settle("3", plan=plan("3"), facts=(cmd.Noted("pushed"), cmd.PullOpened(a_pull())))
    watched.moved(settled=(pulled,), finish=cmd.Finish("done"))
    assert said(capsys) == [
        f"run {RUN} (basic_pr) in thing",
        "step  2  worktree orch/issue-001-add-0123456",
        "step  3  impl (claude) starts in issue-001-add-0123456",
        "step  3  impl (claude) succeeded",
        "step  4  commit abcdef012",
        "pushed",
        "pull request thing#1: Add a --json flag",
        f"run {RUN} is done",
    ]


def test_the_issue_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    watched = Watched()
    run = "a" * 12
    watched.again(run).show(watched.store.send(create_run(run, issue=a_ticket()), PERSON))
    assert said(capsys) == [f"run {run} (basic_pr) in thing for ISSUE-001: Add a --json flag"]


def test_runs_that_nobody_here_watches_are_not_told(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever drives gets everybody's events."""
    watched.narrator.show(watched.store.send(create_run(OTHER_RUN), PERSON))
    assert said(capsys) == []


def test_numbers_are_those_of_the_record_when_one_comes_later(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt = an_attempt(path="1", worktree=WORKTREE)
    watched.moved(planned=(plan("0"), agent_plan("1", attempt=attempt)))
    said(capsys)
    late = watched.narrator = watched.again(RUN)
    watched.moved(settled=(settle("0"),), planned=(plan("2", Commit(a_worktree(), "x")),))
    watched.moved(settled=(settle("2", outcome=value("0" * 40)),))
    late.show([])
    end = cmd.AttemptEnd(
        id=attempt.id, status="failed", message="it ended with exit code 3", exit_code=3
    )
    failure = Failure("exit_nonzero", "claude ended with exit code 3")
    watched.moved(settled=(settle("1", end=end, outcome=Outcome(failure=failure)),))
    numbers = [step.path for step in watched.store.steps(RUN)]
    assert numbers == ["0", "1", "2"]
    assert said(capsys) == [
        "step  3  commit 000000000",
        "step  2  claude failed: it ended with exit code 3",
        "step  2  agent refused: claude ended with exit code 3 [exit_nonzero]",
    ]


def test_steps_that_are_done_at_once_are_counted_too(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.moved(settled=(settle("0", plan=plan("0")),))
    watched.moved(planned=(plan("1", Commit(a_worktree(), "x")),))
    watched.moved(settled=(settle("1", outcome=value("f" * 40)),))
    assert said(capsys) == ["step  2  commit fffffffff"]


def test_a_second_attempt_says_so(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = an_attempt("aaaaaaaaaaaa"), an_attempt("bbbbbbbbbbbb", n=2, worktree=WORKTREE)
    watched.moved(planned=(agent_plan("0", attempt=first),))
    said(capsys)
    end = cmd.AttemptEnd(id=first.id, status="lost", message="its terminal went away")
    watched.narrator.show(watched.store.send(cmd.NextAttempt(RUN, 1, "0", second, end=end), ENGINE))
    assert said(capsys) == [
        "step  1  claude lost: its terminal went away",
        "step  1  claude starts in issue-001-add-0123456, attempt 2",
    ]


def test_a_gate_asks_and_names_the_command(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.moved(planned=(plan("0", Gate("Ship \x1b[31mit?")),))
    watched.moved(blocked=Reason("human", "gate", "waits for an answer: Ship it?"))
    answer = GateAnswer(decision="approve", by="ada")
    watched.narrator.show(watched.store.send(cmd.AnswerGate(RUN, "0", answer), PERSON))
    watched.narrator.show(watched.store.send(cmd.TakeRun(RUN, ME, resume=True), PERSON))
    watched.moved(settled=(settle("0", outcome=value(answer)),))
    assert said(capsys) == [
        "step  1  asks: Ship it? (orch gate approve 0123456)",
        f"run {RUN} is blocked: waits for an answer: Ship it?",
        "gate 0: approve",
        f"run {RUN} goes on",
        "step  1  gate answered: approve",
    ]


def test_a_heartbeat_names_what_is_under_way(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt = an_attempt(path="1", worktree=WORKTREE, name="impl")
    watched.moved(planned=(plan("0", CreateWorktree()), agent_plan("1", attempt=attempt)))
    said(capsys)
    watched.after(HEARTBEAT_S - 1).narrator.show([])
    assert said(capsys) == []
    watched.after(1).narrator.show([])
    assert said(capsys) == ["still at work: step 2 impl (claude) (30.0s)"]
    watched.after(HEARTBEAT_S - 1).narrator.show([])
    assert said(capsys) == []
    watched.after(60).narrator.show([])
    assert capsys.readouterr().err == "   1:59  still at work: step 2 impl (claude) (1:59)\n"


def test_events_without_a_line_do_not_stop_the_heartbeat(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.after(HEARTBEAT_S).moved(planned=(plan("0", Commit(a_worktree(), "x")),))
    assert said(capsys) == ["still at work: step 1 commit (0.0s)"]


def test_several_runs_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    watched = Watched(RUN, OTHER_RUN)
    watched.moved(OTHER_RUN, settled=(settle("0", plan=plan("0"), facts=(cmd.Noted("hello"),)),))
    assert said(capsys) == ["ba98765  hello"]


def test_warnings_of_a_workflow_are_marked(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = (cmd.Noted("fine"), cmd.Noted("the fetch failed", "warning"))
    watched.moved(settled=(settle("0", plan=plan("0"), facts=facts),))
    assert said(capsys) == ["fine", "warning: the fetch failed"]


def test_a_value_that_cannot_be_read_is_passed_over(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.moved(planned=(plan("0", Commit(a_worktree(), "x")),))
    broken = Outcome(value=msgspec.Raw(b"[1"))
    watched.moved(settled=(settle("0", outcome=broken),))
    assert said(capsys) == []


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0s"), (59.94, "59.9s"), (60, "1:00"), (3599, "59:59"), (3725, "1:02:05")],
)
def test_elapsed(seconds: float, shown: str) -> None:
    assert elapsed(seconds) == shown
