"""What is allowed: every command against every state a run can be in, and the rules in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from orch.model import command as cmd
from orch.model.attempt import Attempt
from orch.model.command import AttemptEnd, Command
from orch.model.delivery import Delivery
from orch.model.effect import Gate, GateAnswer
from orch.model.errors import Conflict, Failure, NotFound, OrchError, UsageError
from orch.model.run import Reason, Unresolved
from orch.model.step import Outcome
from orch.store.memory import MemoryStore
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

GATED = Reason("human", "gate", "waits for a person: Continue?", f"orch gate approve {RUN}")
STOPPED = Reason("stopped", "stopped", "stopped by a person", f"orch resume {RUN}")
YES = GateAnswer(decision="approve", by="ada")


def fresh() -> MemoryStore:
    """A repository and an engine with epoch 1; no run."""
    store = MemoryStore(now=lambda: 1_000.0)
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    return store


def running() -> MemoryStore:
    """A run with an agent at work (`0`, attempt a…), an open gate (`1`) and a settled step (`2`)."""
    store = fresh()
    store.send(create_run(owner=ME), PERSON)
    store.send(cmd.TakeRun(RUN, ME), ENGINE)
    store.send(
        advance(
            settled=(settle("2", plan=plan("2")),),
            planned=(agent_plan(attempt=an_attempt()), plan("1", Gate())),
        ),
        ENGINE,
    )
    return store


def pending() -> MemoryStore:
    store = fresh()
    store.send(create_run(owner=ME), PERSON)
    return store


def after(*commands: Command) -> Callable[[], MemoryStore]:
    def build() -> MemoryStore:
        store = running()
        for command in commands:
            store.send(command, ENGINE)
        return store

    return build


STATES: dict[str, Callable[[], MemoryStore]] = {
    "none": fresh,
    "pending": pending,
    "running": running,
    "gated": after(advance(blocked=GATED)),
    "stopped": after(cmd.RequestStop(RUN), advance(blocked=STOPPED)),
    "aborting": after(cmd.RequestStop(RUN, True), advance(cancel=True)),
    "done": after(advance(finish=cmd.Finish("done"))),
    "error": after(advance(finish=cmd.Finish("error", error=Failure("x", "broke")))),
    "aborted": after(advance(finish=cmd.Finish("aborted"))),
}
FINAL = {"done": "!run_is_final", "error": "!run_is_final", "aborted": "!run_is_final"}
NONE = {"none": "!unknown_run"}
SECOND = an_attempt("bbbbbbbbbbbb", n=2)
ENDED = AttemptEnd(id="aaaaaaaaaaaa", status="failed", exit_code=1, code="exit_nonzero")

COMMANDS: dict[str, Command] = {
    "plan": advance(planned=(plan("3"),)),
    "settle": advance(settled=(settle("0"),)),
    "block": advance(blocked=GATED),
    "finish": advance(finish=cmd.Finish("done")),
    "cancel": advance(cancel=True),
    "next attempt": cmd.NextAttempt(RUN, 1, "0", SECOND, ENDED),
    "end attempt": cmd.EndAttempt(RUN, 1, ENDED),
    "note attempt": cmd.NoteAttempt(RUN, 1, "aaaaaaaaaaaa"),
    "take": cmd.TakeRun(RUN, OTHER),
    "stop": cmd.RequestStop(RUN),
    "abort": cmd.RequestStop(RUN, True),
    "detach": cmd.DetachRun(RUN),
    "answer": cmd.AnswerGate(RUN, "1", YES),
    "create again": create_run(),
    "stop agents": cmd.StopAttempts(RUN, ("aaaaaaaaaaaa",)),
    "message": cmd.NoteMessage(RUN, "aaaaaaaaaaaa", 5, Delivery(delivered=True, proof="Seen.")),
}
LIVE = ("running", "gated", "stopped", "aborting")
# Kinds of the events that follow, or `!` and the code of the refusal. `pending` has no steps yet.
TABLE: dict[str, dict[str, str]] = {
    "plan": {"pending": "StepPlanned", **dict.fromkeys(LIVE, "StepPlanned"), **NONE, **FINAL},
    "settle": {
        "pending": "!unknown_step", **dict.fromkeys(LIVE, "StepSettled"), **NONE, **FINAL,
    },
    "block": {
        "pending": "RunBlocked TaskMoved", "running": "RunBlocked TaskMoved", "gated": "RunBlocked",
        "stopped": "RunBlocked TaskMoved", "aborting": "RunBlocked TaskMoved", **NONE, **FINAL,
    },
    "finish": {
        "pending": "RunFinished TaskMoved", **dict.fromkeys(LIVE, "RunFinished TaskMoved"),
        **NONE, **FINAL,
    },
    "cancel": {"pending": "RunCancelling", **dict.fromkeys(LIVE, "RunCancelling"), **NONE, **FINAL},
    "next attempt": {
        "pending": "!unknown_step",
        **dict.fromkeys(LIVE, "AttemptEnded StepIntended AttemptStarting"), **NONE, **FINAL,
    },
    "end attempt": {"pending": "", **dict.fromkeys(LIVE, "AttemptEnded"), **NONE, **FINAL},
    "note attempt": {"pending": "", **dict.fromkeys(LIVE, "AttemptRunning"), **NONE, **FINAL},
    "take": {
        "pending": "RunTaken", "running": "RunTaken", "gated": "RunTaken TaskMoved",
        "stopped": "RunTaken TaskMoved", "aborting": "RunTaken", **NONE, **FINAL,
    },
    "stop": {
        "pending": "StopRequested", "running": "StopRequested", "gated": "StopRequested",
        "stopped": "", "aborting": "", **NONE, **FINAL,
    },
    "abort": {
        "pending": "StopRequested", "running": "StopRequested", "gated": "StopRequested",
        "stopped": "StopRequested", "aborting": "", **NONE, **FINAL,
    },
    "detach": {
        "pending": "RunBlocked TaskMoved", "running": "RunBlocked TaskMoved", "gated": "",
        "stopped": "", "aborting": "RunBlocked TaskMoved", **NONE,
        "done": "", "error": "", "aborted": "",
    },
    "answer": {
        "pending": "!unknown_gate", **dict.fromkeys(LIVE, "GateAnswered"),
        "gated": "GateAnswered RunBlocked", **NONE, **FINAL,
    },
    "create again": {
        "none": "TaskCreated RunCreated TaskMoved",
        **dict.fromkeys(("pending", *LIVE, "done", "error", "aborted"), "!run_exists"),
    },
    "stop agents": {
        "pending": "!unknown_attempt", **dict.fromkeys(LIVE, "AttemptStopRequested"), **NONE,
        **FINAL,
    },
    "message": {
        **dict.fromkeys(("none", "pending"), "!unknown_attempt"),
        **dict.fromkeys((*LIVE, "done", "error", "aborted"), "MessageSent"),
    },
}  # fmt: skip
CELLS = [(state, word, TABLE[word][state]) for word in COMMANDS for state in STATES]


def tried(store: MemoryStore, command: Command) -> str:
    try:
        events = store.send(command, ENGINE)
    except OrchError as refusal:
        return f"!{refusal.code}"
    return " ".join(event.kind for event in events)


@pytest.mark.parametrize(
    ("state", "word", "expected"), CELLS, ids=[f"{word}-{state}" for state, word, _ in CELLS]
)
def test_every_command_in_every_state(state: str, word: str, expected: str) -> None:
    store = STATES[state]()
    before = (store.runs(), store.steps(RUN), store.attempts(RUN), store.last_event())
    assert tried(store, COMMANDS[word]) == expected
    if expected.startswith("!") or not expected:
        after = (store.runs(), store.steps(RUN), store.attempts(RUN), store.last_event())
        assert after == before, "a refusal changes nothing"


@pytest.mark.parametrize("state", ["done", "error", "aborted"])
@given(words=st.lists(st.sampled_from(sorted(COMMANDS)), max_size=12))
@settings(deadline=None, max_examples=60)
def test_h106_an_ended_run_never_changes_again(state: str, words: list[str]) -> None:
    store = STATES[state]()
    ended, task = store.run(RUN), store.task(1)
    for word in words:
        tried(store, COMMANDS[word])
    assert store.run(RUN) == ended
    assert store.task(1) == task


@pytest.mark.parametrize(
    "word", ["plan", "settle", "block", "finish", "next attempt", "end attempt", "note attempt"]
)
def test_h89_an_engine_that_was_replaced_can_move_nothing(word: str) -> None:
    store = running()
    store.send(cmd.TakeEngine(OTHER), ENGINE)
    before = (store.run(RUN), store.steps(RUN), store.attempts(RUN), store.last_event())
    with pytest.raises(Conflict) as caught:
        store.send(COMMANDS[word], ENGINE)
    assert caught.value.code == "engine_replaced"
    assert (store.run(RUN), store.steps(RUN), store.attempts(RUN), store.last_event()) == before


def test_h89_each_engine_gets_the_next_epoch() -> None:
    store = fresh()
    for epoch in (2, 3, 4):
        [taken] = store.send(cmd.TakeEngine(OTHER), ENGINE)
        assert taken.data.epoch == epoch  # type: ignore[union-attr]
    assert tried(store, create_run()) == "TaskCreated RunCreated TaskMoved"
    assert tried(store, advance(epoch=4, planned=(plan("0"),))) == "StepPlanned"
    assert tried(store, advance(epoch=5, planned=(plan("1"),))) == "!engine_replaced"


def test_h89_a_run_is_taken_from_a_dead_owner_once() -> None:
    store = pending()
    third = ME.__class__(pid=303, started=1, boot="boot-1")
    assert tried(store, cmd.TakeRun(RUN, OTHER, dead=ME)) == "RunTaken"
    assert tried(store, cmd.TakeRun(RUN, third, dead=ME)) == "!run_owned"
    run = store.run(RUN)
    assert run is not None
    assert run.owner == OTHER


# --- steps


TWICE = [
    ("settled twice in one move", advance(settled=(settle("0"), settle("0"))), "!step_settled"),
    ("settled already", advance(settled=(settle("2"),)), "!step_settled"),
    ("planned already", advance(planned=(plan("0"),)), "!step_exists"),
    ("planned twice in one move", advance(planned=(plan("3"), plan("3"))), "!step_exists"),
    ("settled and planned", advance(settled=(settle("0"),), planned=(plan("0"),)), "!step_exists"),
    ("settled as new, but known", advance(settled=(settle("0", plan=plan("0")),)), "!step_exists"),
    ("settled as new and planned",
     advance(settled=(settle("3", plan=plan("3")),), planned=(plan("3"),)), "!step_exists"),
    ("never planned", advance(settled=(settle("7"),)), "!unknown_step"),
    ("next attempt of nothing", cmd.NextAttempt(RUN, 1, "7", SECOND), "!unknown_step"),
    ("next attempt of a settled step", cmd.NextAttempt(RUN, 1, "2", SECOND), "!step_settled"),
    ("an attempt that exists", advance(planned=(agent_plan("3", attempt=an_attempt()),)),
     "!attempt_exists"),
    ("one attempt of two steps",
     advance(planned=(agent_plan("3", attempt=SECOND), agent_plan("4", attempt=SECOND))),
     "!attempt_exists"),
    ("the same attempt again", cmd.NextAttempt(RUN, 1, "0", an_attempt()), "!attempt_exists"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), [t[1:] for t in TWICE], ids=[t[0] for t in TWICE])
def test_h89_a_step_is_planned_once_and_settled_once(command: Command, expected: str) -> None:
    store = running()
    before = store.steps(RUN)
    assert tried(store, command) == expected
    assert store.steps(RUN) == before


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "confirmed"),
        ({"outcome": Outcome(failure=Failure("no_change", "nothing"))}, "refused"),
        ({"abandoned": True}, "abandoned"),
        ({"abandoned": True, "outcome": Outcome(failure=Failure("x", "y"))}, "abandoned"),
    ],
)
def test_an_outcome_decides_how_a_step_is_settled(changed: dict[str, Any], status: str) -> None:
    store = running()
    [event] = store.send(advance(settled=(settle("0", **changed),)), ENGINE)
    step = store.step(RUN, "0")
    assert step is not None
    assert (step.status, step.settled_seq) == (status, event.seq)


def test_the_end_of_an_attempt_is_recorded_once() -> None:
    """An attempt that was stopped stays stopped, whatever the settling of its step says later."""
    store = running()
    stopped = AttemptEnd(id="aaaaaaaaaaaa", status="stopped", exit_code=143, code="stopped")
    assert tried(store, cmd.EndAttempt(RUN, 1, stopped)) == "AttemptEnded"
    assert tried(store, cmd.EndAttempt(RUN, 1, ENDED)) == ""
    assert tried(store, advance(settled=(settle("0", end=ENDED),))) == "StepSettled"
    attempt = store.attempt("aaaaaaaaaaaa")
    assert attempt is not None
    assert (attempt.status, attempt.exit_code) == ("stopped", 143)


def test_the_end_of_an_unknown_attempt_is_not_recorded() -> None:
    store = running()
    unknown = AttemptEnd(id="ffffffffffff", status="lost")
    assert tried(store, advance(settled=(settle("0", end=unknown),))) == "StepSettled"
    assert [a.id for a in store.attempts(RUN)] == ["aaaaaaaaaaaa"]


def test_a_noted_attempt_runs_and_an_ended_one_does_not_run_again() -> None:
    store = running()
    note = cmd.NoteAttempt(RUN, 1, "aaaaaaaaaaaa")
    assert tried(store, note) == "AttemptRunning"
    assert tried(store, note) == ""
    assert tried(store, cmd.EndAttempt(RUN, 1, ENDED)) == "AttemptEnded"
    assert tried(store, note) == ""
    assert tried(store, cmd.NoteAttempt(RUN, 1, "ffffffffffff")) == ""
    assert _status(store.attempt("aaaaaaaaaaaa")) == "failed"


def test_an_attempt_is_asked_to_stop_once_and_only_while_it_is_live() -> None:
    store = running()
    stop = cmd.StopAttempts(RUN, ("aaaaaaaaaaaa",))
    assert tried(store, stop) == "AttemptStopRequested"
    assert tried(store, stop) == ""
    assert tried(store, cmd.StopAttempts(RUN, ("aaaaaaaaaaaa", "f" * 12))) == "!unknown_attempt"
    assert tried(store, cmd.EndAttempt(RUN, 1, ENDED)) == "AttemptEnded"
    assert tried(store, stop) == "!no_live_attempt"


@pytest.mark.parametrize("asked", [True, False])
def test_a_wish_to_stop_goes_over_to_the_attempt_that_follows(asked: bool) -> None:
    """It came while the first one ended: the person meant whoever is at work."""
    store = running()
    if asked:
        store.send(cmd.StopAttempts(RUN, ("aaaaaaaaaaaa",)), PERSON)
    store.send(cmd.NextAttempt(RUN, 1, "0", SECOND, ENDED), ENGINE)
    [first, second] = store.attempts(RUN)
    assert (first.status, second.status, second.stop) == ("failed", "starting", asked)


def _status(attempt: Attempt | None) -> str:
    assert attempt is not None
    return attempt.status


# --- what people ask


def test_an_abort_is_kept_through_a_block_and_through_a_takeover() -> None:
    store = running()
    store.send(cmd.RequestStop(RUN, True), PERSON)
    store.send(advance(blocked=GATED), ENGINE)
    assert _stop(store) == "abort"
    store.send(cmd.TakeRun(RUN, OTHER), ENGINE)
    assert _stop(store) == "abort"
    store.send(cmd.TakeRun(RUN, OTHER, resume=True), PERSON)
    assert _stop(store) == "abort"
    store.send(cmd.RequestStop(RUN), PERSON)
    assert _stop(store) == "abort", "the weaker wish does not replace the stronger one"
    store.send(cmd.DetachRun(RUN), PERSON)
    assert _stop(store) == "abort"


def test_a_stop_is_granted_by_the_block_and_kept_until_then() -> None:
    store = running()
    store.send(cmd.RequestStop(RUN), PERSON)
    store.send(cmd.TakeRun(RUN, OTHER, dead=ME), ENGINE)
    assert _stop(store) == "stop", "the next engine grants what the dead one was asked for"
    store.send(advance(blocked=STOPPED), ENGINE)
    assert _stop(store) == ""


def test_a_person_who_resumes_a_run_has_changed_their_mind_about_stopping_it() -> None:
    store = running()
    store.send(cmd.RequestStop(RUN), PERSON)
    store.send(cmd.TakeRun(RUN, ME, resume=True), PERSON)
    assert _stop(store) == ""


def _stop(store: MemoryStore) -> str:
    run = store.run(RUN)
    assert run is not None
    return run.stop


def test_h53_every_refusal_says_what_and_where_to_look() -> None:
    """A sentence that names the thing, and for what a person did a command to go on with."""
    for state, word, expected in CELLS:
        if not expected.startswith("!"):
            continue
        with pytest.raises(OrchError) as caught:
            STATES[state]().send(COMMANDS[word], PERSON)
        assert RUN in caught.value.message
        if expected == "!run_is_final":
            assert caught.value.hint == f"orch show {RUN}"


GATES = [
    ("1", YES, "GateAnswered"),
    ("1", GateAnswer(decision="reject"), "GateAnswered"),
    ("1", GateAnswer(decision="answer", text="42"), "GateAnswered"),
    ("1", GateAnswer(decision="aprove"), "!bad_decision"),
    ("1", GateAnswer(decision=""), "!bad_decision"),
    ("0", YES, "!unknown_gate"),
    ("9", YES, "!unknown_gate"),
]


@pytest.mark.parametrize(("path", "answer", "expected"), GATES)
def test_answers_to_a_gate(path: str, answer: GateAnswer, expected: str) -> None:
    assert tried(running(), cmd.AnswerGate(RUN, path, answer)) == expected


def test_a_gate_is_answered_once_even_before_the_engine_has_read_the_answer() -> None:
    store = running()
    assert tried(store, cmd.AnswerGate(RUN, "1", YES)) == "GateAnswered"
    no = GateAnswer(decision="reject")
    assert tried(store, cmd.AnswerGate(RUN, "1", no)) == "!gate_answered"
    step = store.step(RUN, "1")
    assert step is not None
    assert step.answer == YES
    store.send(advance(settled=(settle("1"),)), ENGINE)
    assert tried(store, cmd.AnswerGate(RUN, "1", no)) == "!gate_answered"


# --- repositories, worktrees, tasks


REPOS = [
    (a_repo(), ""),
    (a_repo(default_branch="trunk"), "RepoAdded"),
    (a_repo("other"), "RepoAdded"),
    (a_repo(common_dir="/elsewhere/.git"), "!repo_exists"),
]


@pytest.mark.parametrize(("repo", "expected"), REPOS)
def test_registering_a_repository_again(repo: Any, expected: str) -> None:
    assert tried(fresh(), cmd.RegisterRepo(repo)) == expected


def test_a_refused_repository_names_the_one_that_has_the_name() -> None:
    with pytest.raises(Conflict, match="/src/thing") as caught:
        fresh().send(cmd.RegisterRepo(a_repo(common_dir="/elsewhere/.git")), PERSON)
    assert caught.value.exit_code == 5
    assert "--slug" in caught.value.hint


def test_the_same_worktree_is_recorded_once() -> None:
    store = fresh()
    assert tried(store, cmd.RecordWorktree(a_worktree())) == "WorktreeRecorded"
    assert tried(store, cmd.RecordWorktree(a_worktree())) == ""
    moved = a_worktree(path="/elsewhere")
    assert tried(store, cmd.RecordWorktree(moved)) == "WorktreeRecorded"


def test_facts_are_recorded_in_front_of_the_outcome_they_belong_to() -> None:
    store = running()
    facts = (cmd.WorktreeMade(a_worktree()), cmd.PullOpened(a_pull()), cmd.Noted("done", "info"))
    events = store.send(advance(settled=(settle("0", facts=facts, end=ENDED),)), ENGINE)
    kinds = [event.kind for event in events]
    assert kinds == [
        "WorktreeRecorded", "PullRecorded", "Logged", "AttemptEnded", "StepSettled",
    ]  # fmt: skip
    assert store.worktrees() == [a_worktree()]
    assert store.pulls(RUN) == [a_pull()]


def test_a_cancel_stands_between_the_outcomes_before_and_the_plans_after_it() -> None:
    events = running().send(
        advance(settled=(settle("0"),), cancel=True, planned=(plan("3"),)), ENGINE
    )
    assert [event.kind for event in events] == ["StepSettled", "RunCancelling", "StepPlanned"]


TASKS: list[tuple[str, list[Command], str]] = [
    ("planned", [], "routed"),
    ("an agent works", [advance(planned=(agent_plan(),))], "in_progress"),
    ("only a log line", [advance(planned=(plan("0"),))], "routed"),
    ("waits for a person", [advance(blocked=GATED)], "needs_review"),
    ("stopped", [advance(blocked=STOPPED)], "blocked"),
    ("waits for a tool",
     [advance(blocked=Reason("dependency", "missing_tool", "no claude"))], "blocked"),
    ("taken up again", [advance(blocked=GATED), cmd.TakeRun(RUN, ME)], "in_progress"),
    ("detached", [cmd.DetachRun(RUN)], "needs_review"),
    ("done", [advance(finish=cmd.Finish("done", result={"n": 1}))], "done"),
    ("done with a pull request",
     [advance(finish=cmd.Finish("done", result={"number": 1, "head": "h", "base": "b", "url": "u"}))],
     "in_review"),
    ("failed", [advance(finish=cmd.Finish("error", error=Failure("x", "y")))], "needs_review"),
    ("aborted", [advance(finish=cmd.Finish("aborted"))], "cancelled"),
]  # fmt: skip


@pytest.mark.parametrize(("commands", "state"), [t[1:] for t in TASKS], ids=[t[0] for t in TASKS])
def test_a_task_is_where_its_run_is(commands: list[Command], state: str) -> None:
    store = pending()
    for command in commands:
        store.send(command, ENGINE)
    task = store.task(1)
    assert task is not None
    assert (task.state, task.run) == (state, RUN)


def test_a_run_remembers_what_was_unresolved_when_it_ended() -> None:
    store = running()
    left = (Unresolved("0", "Push/1", "its outcome was not known when the run ended"),)
    store.send(advance(finish=cmd.Finish("aborted", unresolved=left)), ENGINE)
    run = store.run(RUN)
    assert run is not None
    assert (run.status, run.unresolved, run.owner, run.stop) == ("aborted", left, None, "")


def test_h110_tasks_are_numbered_one_after_another() -> None:
    store = fresh()
    for number in (1, 2, 3):
        store.send(create_run(f"{number:012x}", issue=a_ticket(f"ISSUE-00{number}")), PERSON)
        task = store.task(number)
        assert task is not None
        assert task.issue == f"ISSUE-00{number}"


def test_errors_have_the_exit_codes_of_their_kind() -> None:
    assert (NotFound("x").exit_code, Conflict("x").exit_code, UsageError("x").exit_code) == (
        3,
        5,
        2,
    )
