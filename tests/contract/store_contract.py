"""The contract of `orch.ports.Store`, for ours and for anybody's.

A third party proves a store with:

    class TestMine(StoreContract):
        def open(self, folder, now): return MyStore(folder / "books", now=now, install="install-1")

`open` is called again with the same folder for "the same books, found by another process"; a store
that cannot be opened twice overrides `reopened`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orch.model import command as cmd
from orch.model.attempt import FINAL
from orch.model.command import AttemptEnd, Command
from orch.model.effect import Gate, GateAnswer
from orch.model.errors import Conflict, Failure, NotFound, OrchError
from orch.model.event import Actor, Event
from orch.model.run import Reason, Run, Unresolved
from orch.model.step import Outcome
from orch.ports import Store
from orch.store.memory import MemoryStore
from tests.records import (
    ENGINE,
    ME,
    OTHER,
    PERSON,
    RUN,
    a_pull,
    a_repo,
    a_source,
    a_ticket,
    a_worktree,
    advance,
    agent_plan,
    an_attempt,
    create_run,
    plan,
    settle,
)

WORDS = "Ünïcödé 日本語 🦄 \u202e \x00 \u2028 'quoted' \"double\" ; drop table runs; --"
GATED = Reason("human", "gate", "waits for a person: Continue?", f"orch gate approve {RUN}")


class Ticking:
    """A wall clock that moves a second with each look, unless it stands still."""

    def __init__(self, step: float = 1.0) -> None:
        self.at = 1_763_697_600.0  # 2025-11-21T04:00:00Z
        self.step = step

    def __call__(self) -> float:
        self.at += self.step
        return self.at


def refused(store: Store, command: Command, code: str) -> OrchError:
    with pytest.raises(OrchError) as caught:
        store.send(command, PERSON)
    assert caught.value.code == code
    return caught.value


def prepared(store: Store) -> Store:
    """A repository, an engine with epoch 1 and one run that is under way."""
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    store.send(create_run(owner=ME, issue=a_ticket()), PERSON)
    store.send(cmd.TakeRun(RUN, ME), ENGINE)
    return store


def run_of(store: Store, run: str = RUN) -> Run:
    found = store.run(run)
    assert found is not None
    return found


def everything(store: Store) -> dict[str, Any]:
    """All that the views tell."""
    runs = store.runs()
    return {
        "repos": store.repos(),
        "runs": runs,
        "live runs": store.live_runs(),
        "last run": store.last_run(),
        "tasks": [store.task(n) for n in range(1, len(runs) + 2)],
        "steps": {run.id: store.steps(run.id) for run in runs},
        "gates": store.open_gates(),
        "attempts": {run.id: store.attempts(run.id) for run in runs},
        "live attempts": store.live_attempts(),
        "worktrees": store.worktrees(),
        "pulls": store.pulls(),
        "sessions": store.sessions(),
        "pulls of runs": {run.id: store.pulls(run.id) for run in runs},
        "sources": {run.id: store.sources(run.id) for run in runs},
        "events": store.events(0),
        "events of runs": {run.id: store.events(0, run=run.id) for run in runs},
        "last event": store.last_event(),
        "what is wrong": store.quick_check(),
    }


class StoreContract:
    """Subclass as `TestX` and give `open`."""

    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        raise NotImplementedError("give `open(folder, now)`: a store that keeps its books there")

    def reopened(self, store: Store, folder: Path, now: Callable[[], float]) -> Store:
        """The same books, as another process would find them after this one is gone."""
        store.close()
        return self.open(folder, now)

    @pytest.fixture
    def clock(self) -> Ticking:
        return Ticking()

    @pytest.fixture
    def store(self, tmp_path: Path, clock: Ticking) -> Iterator[Store]:
        store = self.open(tmp_path, clock)
        yield store
        store.close()

    @pytest.fixture
    def books(self, store: Store) -> Store:
        return prepared(store)

    # --- an empty store

    def test_a_new_store_is_empty(self, store: Store) -> None:
        assert everything(store) == {
            "repos": [], "runs": [], "live runs": [], "last run": None, "tasks": [None], "steps": {},
            "gates": [], "attempts": {}, "live attempts": [], "worktrees": [], "pulls": [],
            "pulls of runs": {}, "sources": {}, "events": [], "events of runs": {}, "last event": 0,
            "sessions": [], "what is wrong": [],
        }  # fmt: skip

    def test_h87_what_is_not_there_is_none_or_empty_and_no_error(self, store: Store) -> None:
        absent = (
            store.repo("x"), store.run("x"), store.task(1), store.step("x", "0"), store.attempt("x"),
        )  # fmt: skip
        assert absent == (None,) * 5
        assert (store.steps("x"), store.attempts("x"), store.pulls("x"), store.sources("x")) == (
            [], [], [], [],
        )  # fmt: skip
        assert (store.find_runs("0"), store.events(0, run="x"), store.events(99)) == ([], [], [])

    def test_every_store_has_an_install_id(self, store: Store) -> None:
        assert store.install
        assert store.install == store.install

    # --- repositories, worktrees, pull requests

    def test_repositories_are_listed_by_name(self, store: Store) -> None:
        for slug in ("zoo", "ape", "mid"):
            store.send(cmd.RegisterRepo(a_repo(slug)), PERSON)
        assert [repo.slug for repo in store.repos()] == ["ape", "mid", "zoo"]
        assert store.repo("mid") == a_repo("mid")

    def test_a_repository_can_be_described_anew(self, store: Store) -> None:
        store.send(cmd.RegisterRepo(a_repo()), PERSON)
        store.send(cmd.RegisterRepo(a_repo(default_branch="trunk")), PERSON)
        assert store.repos() == [a_repo(default_branch="trunk")]
        refused(store, cmd.RegisterRepo(a_repo(common_dir="/other/.git")), "repo_exists")

    def test_worktrees_are_listed_newest_first(self, books: Store) -> None:
        first, second = a_worktree("first"), a_worktree("second", run=RUN)
        books.send(cmd.RecordWorktree(first), PERSON)
        made = settle("0", plan=plan("0"), facts=(cmd.WorktreeMade(second),))
        books.send(advance(settled=(made,)), ENGINE)
        assert books.worktrees() == [second, first]
        again = a_worktree("first", path="/moved")
        books.send(cmd.RecordWorktree(again), PERSON)
        assert books.worktrees() == [second, again], "an old one keeps its place"

    def test_h94_worktrees_of_two_repositories_may_have_one_name(self, books: Store) -> None:
        for repo in ("thing", "other"):
            books.send(cmd.RecordWorktree(a_worktree("same", repo=repo)), PERSON)
        assert [w.repo for w in books.worktrees()] == ["other", "thing"]

    def test_worktrees_and_repositories_are_forgotten_when_nothing_needs_them(
        self, books: Store
    ) -> None:
        for name in ("mine", "runs"):
            books.send(
                cmd.RecordWorktree(a_worktree(name, run=RUN if name == "runs" else "")), PERSON
            )
        refused(books, cmd.ForgetWorktree("thing", "runs"), "worktree_in_use")
        refused(books, cmd.ForgetRepo("thing"), "repo_in_use")
        gone = settle("0", plan=plan("0"), facts=(cmd.WorktreeGone("thing", "runs"),))
        books.send(advance(settled=(gone,)), ENGINE)
        books.send(cmd.ForgetWorktree("thing", "mine"), PERSON)
        assert books.worktrees() == []
        refused(books, cmd.ForgetRepo("thing"), "repo_in_use")
        books.send(advance(finish=cmd.Finish("done")), ENGINE)
        books.send(cmd.ForgetRepo("thing"), PERSON)
        assert books.repo("thing") is None
        assert books.run(RUN) is not None

    def test_pull_requests_are_listed_newest_first_and_of_a_run_oldest_first(
        self, books: Store
    ) -> None:
        other = "b" * 12
        books.send(create_run(other), PERSON)
        for run, path, number in ((RUN, "0", 1), (other, "0", 2), (RUN, "1", 3)):
            opened = settle(path, plan=plan(path), facts=(cmd.PullOpened(a_pull(number)),))
            books.send(advance(run=run, settled=(opened,)), ENGINE)
        assert [p.number for p in books.pulls()] == [3, 2, 1]
        assert [p.number for p in books.pulls(RUN)] == [1, 3]
        assert [p.number for p in books.pulls(other)] == [2]

    def test_a_pull_request_seen_again_is_brought_up_to_date(self, books: Store) -> None:
        for path, state in (("0", "open"), ("1", "merged")):
            seen = settle(path, plan=plan(path), facts=(cmd.PullOpened(a_pull(state=state)),))
            books.send(advance(settled=(seen,)), ENGINE)
        assert books.pulls() == books.pulls(RUN) == [a_pull(state="merged")]

    def test_a_pull_request_leads_to_the_task_that_it_closes(self, books: Store) -> None:
        """Merged, it is done in whatever state it is; its run is over."""
        for number in (1, 2):
            seen = settle(
                f"{number}", plan=plan(f"{number}"), facts=(cmd.PullOpened(a_pull(number)),)
            )
            books.send(advance(settled=(seen,)), ENGINE)
        books.send(advance(finish=cmd.Finish("done", "text")), ENGINE)
        run = books.run(RUN)
        assert run is not None
        books.send(cmd.QueueTask(run.task, "again"), PERSON)
        books.send(cmd.RecordPull(a_pull(1, state="merged")), PERSON)
        waiting = books.task(run.task)
        assert waiting is not None
        assert waiting.state == "new", "another one is open"
        books.send(cmd.RecordPull(a_pull(2, state="merged")), PERSON)
        closed = books.task(run.task)
        assert closed is not None
        assert closed.state == "done"
        assert "merged" in closed.reason

    def test_a_pull_request_that_a_person_looked_at_follows_and_stays_with_its_run(
        self, books: Store
    ) -> None:
        books.send(cmd.RecordPull(a_pull()), PERSON)
        assert (books.pulls(), books.pulls(RUN)) == ([a_pull()], [])
        assert [e.repo for e in books.events(0)][-1] == "thing"
        seen = settle("0", plan=plan("0"), facts=(cmd.PullOpened(a_pull()),))
        books.send(advance(settled=(seen,)), ENGINE)
        assert books.pulls(RUN) == [a_pull()]
        for pull in (a_pull(head_sha="b" * 40), a_pull(state="merged")):
            kinds = [event.kind for event in books.send(cmd.RecordPull(pull), PERSON)]
            assert kinds == ["PullRecorded"]
            assert books.send(cmd.RecordPull(pull), PERSON) == []
            assert books.pulls() == books.pulls(RUN) == [pull]

    def test_h81_a_late_look_does_not_take_a_merge_back(self, books: Store) -> None:
        books.send(cmd.RecordPull(a_pull(state="merged", merged_sha="b" * 40)), PERSON)
        assert books.send(cmd.RecordPull(a_pull()), PERSON) == []
        assert [pull.state for pull in books.pulls()] == ["merged"]

    def test_one_session_is_open_at_most(self, books: Store) -> None:
        refused(books, cmd.EndSession(), "no_session")
        refused(books, cmd.NoteSession("x"), "no_session")
        books.send(cmd.StartSession(f"  {WORDS}\n"), PERSON)
        found = books.open_session()
        assert found is not None
        assert (found.id, found.name, found.is_open) == (1, " ".join(WORDS.split()), True)
        assert refused(books, cmd.StartSession("two"), "session_open").hint == "orch session end"
        books.send(cmd.NoteSession(WORDS), PERSON)
        refused(books, cmd.NoteSession(" \n"), "empty_note")
        refused(books, cmd.NoteSession("x" * 70_000), "too_large")
        refused(books, cmd.NoteSession("\udcff"), "not_utf8")
        [event] = books.send(cmd.EndSession("It was good.\n\nMostly."), PERSON)
        assert books.open_session() is None
        books.send(cmd.StartSession(""), PERSON)
        assert [session.id for session in books.sessions()] == [2, 1], "newest first"
        ended = books.sessions()[1]
        assert ended.postmortem == "It was good.\n\nMostly."
        assert (ended.last_seq, ended.ended_at) == (event.seq, event.at)
        assert [note.text for note in ended.notes] == [WORDS]
        assert ended.first_seq < ended.last_seq
        assert ended.started_at < ended.notes[0].at < ended.ended_at
        assert books.sessions()[0].name == "session 2"

    def test_h94_pull_requests_of_two_repositories_may_have_one_number(self, books: Store) -> None:
        for path, repo in (("0", "thing"), ("1", "other")):
            seen = settle(path, plan=plan(path), facts=(cmd.PullOpened(a_pull(repo=repo)),))
            books.send(advance(settled=(seen,)), ENGINE)
        assert [p.repo for p in books.pulls()] == ["other", "thing"]

    # --- runs

    def test_a_run_is_created_with_its_task_and_sources(self, store: Store) -> None:
        store.send(cmd.RegisterRepo(a_repo()), PERSON)
        sources = (a_source("flow"), a_source("helper", "y = 2\n"), a_source("flow2"))
        command = create_run(
            issue=a_ticket(),
            params={"n": [1, {"a": None}]},
            agent="claude",
            owner=ME,
            sources=sources,
        )
        kinds = [event.kind for event in store.send(command, PERSON)]
        assert kinds == ["TaskCreated", "RunCreated", "TaskMoved"]
        run = run_of(store)
        assert (run.status, run.workflow, run.entry, run.repo, run.task) == (
            "pending", "basic_pr", "flow:basic_pr", "thing", 1,
        )  # fmt: skip
        assert (run.issue, run.params, run.agent, run.owner) == (
            a_ticket(), {"n": [1, {"a": None}]}, "claude", ME,
        )  # fmt: skip
        assert store.sources(RUN) == list(sources), "in the order given: the entry first"
        task = store.task(1)
        assert task is not None
        assert (task.state, task.title, task.issue, task.run) == (
            "routed", command.title, "ISSUE-001", RUN,
        )  # fmt: skip

    def test_runs_share_sources_but_not_snapshots(self, store: Store) -> None:
        store.send(create_run("a" * 12, sources=(a_source(), a_source("x"))), PERSON)
        store.send(create_run("b" * 12, sources=(a_source(),)), PERSON)
        store.send(create_run("c" * 12, sources=()), PERSON)
        assert [len(store.sources(letter * 12)) for letter in "abc"] == [2, 1, 0]

    def test_runs_are_listed_newest_first_and_live_ones_oldest_first(self, store: Store) -> None:
        store.send(cmd.TakeEngine(ME), ENGINE)
        ids = [f"{n:012x}" for n in (5, 3, 9, 1)]
        for run in ids:
            store.send(create_run(run), PERSON)
        store.send(advance(run=ids[1], finish=cmd.Finish("done")), ENGINE)
        assert [run.id for run in store.runs()] == ids[::-1]
        assert [run.id for run in store.live_runs()] == [ids[0], ids[2], ids[3]]
        last = store.last_run()
        assert last is not None
        assert last.id == ids[3]

    def test_runs_are_found_by_the_beginning_of_their_id(self, store: Store) -> None:
        for run in ("abc000000000", "abcd00000000", "abf000000000", "fff000000000"):
            store.send(create_run(run), PERSON)

        def found(prefix: str) -> list[str]:
            return [run.id for run in store.find_runs(prefix)]

        assert found("abc") == ["abcd00000000", "abc000000000"]
        assert found("f") == ["fff000000000"]
        assert found("abc000000000") == ["abc000000000"]
        assert found("e") == found("abc0000000001") == []
        assert len(found("")) == 4

    def test_a_run_from_start_to_end(self, books: Store) -> None:
        assert run_of(books).status == "running"
        books.send(cmd.RequestStop(RUN), PERSON)
        assert run_of(books).stop == "stop"
        books.send(advance(blocked=GATED), ENGINE)
        assert (run_of(books).status, run_of(books).reason, run_of(books).owner) == (
            "blocked", GATED, None,
        )  # fmt: skip
        books.send(cmd.TakeRun(RUN, OTHER), PERSON)
        assert (run_of(books).status, run_of(books).owner) == ("running", OTHER)
        books.send(cmd.RequestStop(RUN, True), PERSON)
        [cancelling] = books.send(advance(cancel=True), ENGINE)
        assert run_of(books).cancel_seq == cancelling.seq
        left = (Unresolved("0", "Push/1", "not known"),)
        error = Failure("cancelled", "ended", "", "Cancelled", {"at": "flow.py line 3"})
        books.send(advance(finish=cmd.Finish("aborted", None, error, left)), ENGINE)
        run = run_of(books)
        assert (run.status, run.error, run.unresolved) == ("aborted", error, left)
        assert books.live_runs() == []

    @pytest.mark.parametrize(
        "result",
        [None, 0, "text", [1, [2]], {"a": {"b": [None, True, 1.5]}}, {"number": 1, "ü": WORDS}],
    )
    def test_a_result_comes_back_as_json_keeps_it(self, books: Store, result: Any) -> None:
        books.send(advance(finish=cmd.Finish("done", result=result)), ENGINE)
        assert run_of(books).result == result

    def test_detach_and_gates(self, books: Store) -> None:
        books.send(advance(planned=(plan("0", Gate("First?")), plan("1", Gate("Second?")))), ENGINE)
        assert [step.path for step in books.open_gates()] == ["0", "1"]
        books.send(cmd.DetachRun(RUN), PERSON)
        reason = run_of(books).reason
        assert reason is not None
        assert (reason.kind, reason.code) == ("human", "detached")
        answer = GateAnswer(decision="answer", text=WORDS, by="ada")
        books.send(cmd.AnswerGate(RUN, "1", answer), PERSON)
        step = books.step(RUN, "1")
        assert step is not None
        assert step.answer == answer
        assert [step.path for step in books.open_gates()] == ["0", "1"], "open until it is settled"
        books.send(advance(settled=(settle("1"),)), ENGINE)
        assert [step.path for step in books.open_gates()] == ["0"]

    # --- steps and attempts

    def test_steps_are_listed_as_planned_even_when_the_clock_stands_still(
        self, books: Store, clock: Ticking
    ) -> None:
        clock.step = 0.0
        paths = [str(n) for n in range(12)]
        for path in paths[:6]:
            books.send(advance(planned=(plan(path),)), ENGINE)
        books.send(advance(planned=tuple(plan(path) for path in paths[6:])), ENGINE)
        assert [step.path for step in books.steps(RUN)] == paths
        clock.step = -1.0
        books.send(advance(planned=(plan("12"),)), ENGINE)
        assert books.steps(RUN)[-1].path == "12"

    def test_a_step_keeps_its_request_to_the_byte(self, books: Store) -> None:
        requests = [b'{"effect":"Log/1"}', '{"m":"ü\\u0000"}'.encode(), b""]
        plans = tuple(cmd.Plan(str(n), "Log/1", raw) for n, raw in enumerate(requests))
        books.send(advance(planned=plans), ENGINE)
        assert [step.request for step in books.steps(RUN)] == requests

    def test_outcomes_come_back(self, books: Store) -> None:
        outcomes = [
            Outcome(),
            Outcome(msgspec.Raw(b'{"a": [1, 2]}')),
            Outcome(msgspec.Raw(msgspec.json.encode(WORDS))),
            Outcome(
                failure=Failure("merge_conflict", WORDS, "hint", "MergeConflict", {"files": ["ü"]})
            ),
        ]
        books.send(advance(planned=tuple(plan(str(n)) for n in range(4))), ENGINE)
        order = [2, 0, 3, 1]
        settled = tuple(settle(str(n), outcome=outcomes[n]) for n in order)
        books.send(advance(settled=settled), ENGINE)
        steps = books.steps(RUN)
        assert [step.outcome for step in steps] == outcomes
        assert [step.status for step in steps] == ["confirmed"] * 3 + ["refused"]
        delivered = sorted(steps, key=lambda step: step.settled_seq)
        assert [int(step.path) for step in delivered] == order, "a replay's order"

    def test_attempts_of_a_step(self, books: Store) -> None:
        one = an_attempt("a" * 12, started_at=10.0)
        two = an_attempt("b" * 12, n=2, started_at=5.0)  # the clock was put back
        books.send(advance(planned=(agent_plan(attempt=one),)), ENGINE)
        books.send(cmd.NoteAttempt(RUN, 1, one.id), ENGINE)
        assert [a.status for a in books.attempts(RUN)] == ["running"]
        end = AttemptEnd(
            id=one.id, status="failed", exit_code=3, code="exit_nonzero", message=WORDS,
            usage={"input_tokens": 5, "cost": 0.25},
        )  # fmt: skip
        books.send(cmd.NextAttempt(RUN, 1, "0", two, end), ENGINE)
        first, second = books.attempts(RUN)
        assert (first.status, first.exit_code, first.code, first.message, first.usage) == (
            "failed", 3, "exit_nonzero", WORDS, {"input_tokens": 5, "cost": 0.25},
        )  # fmt: skip
        assert (second.status, second.n) == ("starting", 2)
        assert [a.id for a in books.live_attempts()] == [two.id]
        assert books.attempt(two.id) == second
        stopped = AttemptEnd(id=two.id, status="stopped")
        books.send(cmd.EndAttempt(RUN, 1, stopped), ENGINE)
        assert books.live_attempts() == []
        assert all(a.status in FINAL for a in books.attempts(RUN))

    # --- refusals and batches

    def test_a_refusal_changes_nothing(self, books: Store) -> None:
        books.send(advance(planned=(plan("0"),)), ENGINE)
        before = everything(books)
        refused(books, create_run(), "run_exists")
        refused(books, advance(planned=(plan("1"), plan("0"))), "step_exists")
        refused(books, advance(settled=(settle("0"), settle("9"))), "unknown_step")
        refused(books, advance(epoch=7, planned=(plan("1"),)), "engine_replaced")
        refused(books, cmd.TakeRun("f" * 12, ME), "unknown_run")
        refused(books, cmd.AnswerGate(RUN, "0", GateAnswer(decision="approve")), "unknown_gate")
        assert everything(books) == before

    def test_a_refusal_is_an_error_of_its_kind(self, books: Store) -> None:
        assert isinstance(refused(books, create_run(), "run_exists"), Conflict)
        assert isinstance(refused(books, cmd.TakeRun("f" * 12, ME), "unknown_run"), NotFound)

    def test_a_batch_answers_in_order_with_refusals_in_their_place(self, books: Store) -> None:
        answers = books.send_all([
            (advance(planned=(plan("0"),)), ENGINE),
            (advance(planned=(plan("0"),)), ENGINE),
            (advance(settled=(settle("0"),)), ENGINE),
            (create_run("b" * 12), PERSON),
            (cmd.TakeRun("c" * 12, ME), PERSON),
        ])  # fmt: skip
        words = [a.code if isinstance(a, OrchError) else [e.kind for e in a] for a in answers]
        assert words == [
            ["StepPlanned"], "step_exists", ["StepSettled"],
            ["TaskCreated", "RunCreated", "TaskMoved"], "unknown_run",
        ]  # fmt: skip
        assert [e.seq for a in answers if isinstance(a, list) for e in a] == [
            e.seq for e in books.events(books.last_event() - 5)
        ]
        step = books.step(RUN, "0")
        assert step is not None
        assert step.status == "confirmed", (
            "a later command of the batch sees what an earlier one did"
        )

    def test_an_empty_batch_does_nothing(self, books: Store) -> None:
        before = everything(books)
        assert books.send_all([]) == []
        assert everything(books) == before

    def test_h85_a_fault_undoes_the_whole_batch(self, books: Store) -> None:
        """Something that cannot be written is no refusal: nothing of the batch is kept."""
        before = everything(books)
        unwritable = cmd.Finish("done", result=object())
        with pytest.raises(TypeError):
            books.send_all([
                (advance(planned=(plan("0"),)), ENGINE), (advance(finish=unwritable), ENGINE),
            ])  # fmt: skip
        assert everything(books) == before
        books.send(advance(planned=(plan("0"),)), ENGINE)
        assert len(books.steps(RUN)) == 1, "and the store goes on"

    # --- events

    def test_events_are_numbered_from_one_without_a_gap(self, books: Store) -> None:
        for path in "0123":
            books.send(advance(planned=(plan(path),)), ENGINE)
            refused(books, advance(planned=(plan(path),)), "step_exists")
        events = books.events(0)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert books.last_event() == len(events)

    def test_a_follower_reads_on_from_its_number(self, books: Store) -> None:
        seen: list[Event] = []
        since = 0
        while page := books.events(since, limit=2):
            assert len(page) <= 2
            seen += page
            since = page[-1].seq
        assert seen == books.events(0)
        assert books.events(books.last_event()) == []

    def test_events_of_one_run(self, books: Store) -> None:
        other = "b" * 12
        books.send(create_run(other), PERSON)
        books.send(advance(planned=(plan("0"),)), ENGINE)
        of_run = books.events(0, run=RUN)
        assert {event.run for event in of_run} == {RUN}
        assert [e for e in books.events(0) if e.run == RUN] == of_run
        assert len(books.events(0, run=RUN, limit=1)) == 1
        assert books.events(of_run[-1].seq - 1, run=RUN) == of_run[-1:]

    def test_what_send_gives_is_what_followers_read(self, books: Store) -> None:
        before = books.last_event()
        facts = (
            cmd.WorktreeMade(a_worktree()),
            cmd.PullOpened(a_pull()),
            cmd.Noted(WORDS, "warning"),
        )
        end = AttemptEnd(id="a" * 12, status="succeeded", exit_code=0)
        sent = [
            *books.send(advance(planned=(agent_plan(attempt=an_attempt("a" * 12)),)), ENGINE),
            *books.send(advance(settled=(settle("0", facts=facts, end=end),)), ENGINE),
            *books.send(cmd.RequestStop(RUN, True), Actor("person", "ü")),
        ]  # fmt: skip
        assert books.events(before) == sent

    def test_h40_the_envelope_of_every_event(self, books: Store) -> None:
        attempt = an_attempt("a" * 12, path="0")
        books.send(advance(planned=(agent_plan(attempt=attempt),)), ENGINE)
        books.send(cmd.NoteAttempt(RUN, 1, attempt.id), ENGINE)
        books.send(cmd.RecordWorktree(a_worktree(repo="other")), Actor("person", "bo"))
        told = [(e.kind, e.actor.kind, e.repo, e.task, e.run, e.step) for e in books.events(0)]
        assert told == [
            ("RepoAdded", "person", "thing", 0, "", ""),
            ("EngineTaken", "engine", "", 0, "", ""),
            ("TaskCreated", "person", "thing", 1, RUN, ""),
            ("RunCreated", "person", "thing", 1, RUN, ""),
            ("TaskMoved", "person", "thing", 1, RUN, ""),
            ("RunTaken", "engine", "thing", 1, RUN, ""),
            ("StepPlanned", "engine", "thing", 1, RUN, "0"),
            ("AttemptStarting", "engine", "thing", 1, RUN, "0"),
            ("TaskMoved", "engine", "thing", 1, RUN, ""),
            ("AttemptRunning", "engine", "thing", 1, RUN, "0"),
            ("WorktreeRecorded", "person", "other", 0, "", ""),
        ]  # fmt: skip
        events = books.events(0)
        assert [e.at for e in events] == sorted({e.at for e in events}), (
            "from the clock, each its own"
        )
        assert {e.v for e in events} == {1}

    # --- content

    def test_any_text_comes_back(self, store: Store) -> None:
        ticket = a_ticket(title=WORDS, body=WORDS * 50, labels=(WORDS,))
        source = a_source("flow", f"x = {WORDS!r}\n")
        store.send(
            create_run(issue=ticket, title=WORDS, params={WORDS: WORDS}, sources=(source,)), PERSON
        )
        run, task = run_of(store), store.task(1)
        assert task is not None
        assert (run.issue, run.params, task.title) == (ticket, {WORDS: WORDS}, WORDS)
        assert store.sources(RUN) == [source]
        assert store.events(0)[0].data.title == WORDS  # type: ignore[union-attr]

    def test_big_payloads_come_back(self, books: Store) -> None:
        """A prompt of 2 MB, an answer of 5 MB, a source of 1 MB, a thousand steps in one move."""
        prompt, answer = "p" * 2_000_000, msgspec.json.encode("ä" * 2_500_000)
        request = msgspec.json.encode({"prompt": prompt})
        books.send(advance(planned=(cmd.Plan("0", "RunAgent/1", request),)), ENGINE)
        books.send(advance(settled=(settle("0", outcome=Outcome(msgspec.Raw(answer))),)), ENGINE)
        step = books.step(RUN, "0")
        assert step is not None
        assert step.outcome is not None
        assert (step.request, bytes(step.outcome.value)) == (request, answer)
        source = a_source("flow", "# " + "ö" * 500_000)
        books.send(create_run("b" * 12, sources=(source,)), PERSON)
        assert books.sources("b" * 12) == [source]
        many = tuple(plan(f"1/gather.{n}/0") for n in range(1_000))
        books.send(advance(planned=many), ENGINE)
        assert len(books.steps(RUN)) == 1_001

    def test_numbers_keep_their_value(self, books: Store) -> None:
        usage = {"tokens": 2**53, "cost": 0.1, "share": 1e-300, "huge": 2**62}
        attempt = an_attempt("a" * 12, started_at=1_763_697_600.123456)
        books.send(advance(planned=(agent_plan(attempt=attempt),)), ENGINE)
        end = AttemptEnd(id=attempt.id, status="failed", exit_code=-11, usage=usage)
        books.send(cmd.EndAttempt(RUN, 1, end), ENGINE)
        [kept] = books.attempts(RUN)
        assert (kept.usage, kept.exit_code, kept.started_at) == (usage, -11, attempt.started_at)
        assert not math.isnan(kept.ended_at)

    # --- another process

    def test_everything_is_there_for_the_next_process(
        self, books: Store, tmp_path: Path, clock: Ticking
    ) -> None:
        books.send(advance(planned=(plan("0"), plan("1", Gate()))), ENGINE)
        books.send(advance(settled=(settle("0"),)), ENGINE)
        before, install = everything(books), books.install
        again = self.reopened(books, tmp_path, clock)
        try:
            assert everything(again) == before
            assert again.install == install, "keys of effects rest on it"
            [taken] = again.send(cmd.TakeEngine(OTHER), ENGINE)
            assert taken.data.epoch == 2  # type: ignore[union-attr]
            assert taken.seq == before["last event"] + 1
        finally:
            again.close()

    def test_looking_for_changes_is_no_change(self, books: Store) -> None:
        before = books.changes()
        everything(books)
        refused(books, create_run(), "run_exists")
        assert books.changes() == before

    # --- all together

    @settings(
        deadline=None, max_examples=100,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )  # fmt: skip
    @given(data=st.data())
    def test_it_behaves_like_the_store_in_memory(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Any commands in any grouping: the same answers, the same events, the same views."""
        batches = data.draw(st.lists(st.lists(COMMANDS, max_size=5), max_size=14))
        real = self.open(tmp_path_factory.mktemp("books"), Ticking())
        double = MemoryStore(now=Ticking(), install="install-1")
        try:
            for store in (prepared(real), prepared(double)):
                store.send(create_run("b" * 12), PERSON)
                store.send(
                    advance(planned=(_plan("0", "a" * 12, False), _plan("1", None, True))), ENGINE
                )
            for batch in batches:
                sent = [(command, ENGINE) for command in batch]
                answers = [_plain(store.send_all(sent)) for store in (real, double)]
                assert answers[0] == answers[1]
            for store in (real, double):
                store.send(cmd.TakeEngine(OTHER), ENGINE)
            assert everything(real) == everything(double)
        finally:
            real.close()


def _plain(answers: list[list[Event] | OrchError]) -> list[Any]:
    return [a.as_dict() if isinstance(a, OrchError) else a for a in answers]


RUNS = st.sampled_from([RUN, RUN, RUN, "b" * 12])
PATHS = st.sampled_from(["0", "1", "2", "10", "1/gather.0/0", "1/gather.1/0"])
ATTEMPTS = st.sampled_from(["a" * 12, "b" * 12, "c" * 12])
ENDS = st.builds(
    AttemptEnd, id=ATTEMPTS, status=st.sampled_from(sorted(FINAL)), exit_code=st.integers(0, 3)
)
OUTCOMES = st.sampled_from(
    [Outcome(), Outcome(msgspec.Raw(b'"v"')), Outcome(failure=Failure("x", "y"))]
)
FACTS = st.lists(
    st.one_of(
        st.builds(lambda n: cmd.WorktreeMade(a_worktree(f"w{n}")), st.integers(0, 2)),
        st.builds(
            lambda n, state: cmd.PullOpened(a_pull(n, state=state)),
            st.integers(1, 2), st.sampled_from(["open", "merged"]),
        ),
        st.just(cmd.Noted("hello")),
    ),
    max_size=2,
).map(tuple)  # fmt: skip


def _plan(path: str, attempt: str | None, gate: bool) -> cmd.Plan:
    if gate:
        return plan(path, Gate())
    made = an_attempt(attempt, path=path, started_at=1.0) if attempt else None
    return agent_plan(path, attempt=made)


PLANS = st.builds(_plan, PATHS, st.none() | ATTEMPTS, st.booleans())
SETTLES = st.builds(
    lambda path, outcome, facts, end, new: settle(
        path, outcome=outcome, facts=facts, end=end, plan=plan(path) if new else None
    ),
    PATHS, OUTCOMES, FACTS, st.none() | ENDS, st.booleans(),
)  # fmt: skip
FINISHES = st.builds(cmd.Finish, st.sampled_from(["done", "error", "aborted"]))
MOVES = st.one_of(
    st.builds(lambda run, made: advance(1, run, planned=(made,)), RUNS, PLANS),
    st.builds(lambda run, made: advance(1, run, planned=(made,)), RUNS, PLANS),
    st.builds(lambda run, ended: advance(1, run, settled=(ended,)), RUNS, SETTLES),
    st.builds(
        lambda run, settled, planned, cancel: advance(
            1, run, settled=tuple(settled), planned=tuple(planned), cancel=cancel
        ),
        RUNS, st.lists(SETTLES, max_size=2), st.lists(PLANS, max_size=3), st.booleans(),
    ),
    st.builds(
        lambda path, attempt, n, end: cmd.NextAttempt(
            RUN, 1, path, an_attempt(attempt, path=path, n=n, started_at=float(n)), end
        ),
        st.sampled_from(["0", "0", "2"]), ATTEMPTS, st.integers(1, 3), st.none() | ENDS,
    ),
    st.builds(lambda run, end: cmd.EndAttempt(run, 1, end), RUNS, ENDS),
    st.builds(lambda run, attempt: cmd.NoteAttempt(run, 1, attempt), RUNS, ATTEMPTS),
    st.builds(lambda run: advance(1, run, blocked=GATED), RUNS),
)  # fmt: skip
WISHES = st.one_of(
    st.builds(create_run, st.sampled_from([RUN, "c" * 12])),
    st.builds(cmd.TakeRun, RUNS, st.sampled_from([ME, OTHER]), st.sampled_from([None, ME])),
    st.builds(cmd.RequestStop, RUNS, st.booleans()),
    st.builds(cmd.DetachRun, RUNS),
    st.builds(
        lambda run, path, word: cmd.AnswerGate(run, path, GateAnswer(decision=word)),
        RUNS, PATHS, st.sampled_from(["approve", "reject", "maybe"]),
    ),
    st.builds(lambda n: cmd.RecordWorktree(a_worktree(f"w{n}")), st.integers(0, 2)),
    st.builds(lambda n: cmd.ForgetWorktree("thing", f"w{n}"), st.integers(0, 2)),
    st.builds(cmd.ForgetRepo, st.sampled_from(["thing", "other"])),
    st.builds(lambda n: cmd.RecordPull(a_pull(n)), st.integers(1, 2)),
    st.sampled_from([cmd.StartSession("day"), cmd.NoteSession("x"), cmd.EndSession("done")]),
    st.builds(
        lambda slug, where: cmd.RegisterRepo(a_repo(slug, common_dir=f"/{where}/.git")),
        st.sampled_from(["thing", "other"]), st.sampled_from(["src/thing", "elsewhere"]),
    ),
    st.builds(lambda run, finish: advance(1, run, finish=finish), RUNS, FINISHES),
    st.builds(lambda run: advance(2, run, planned=(plan("9"),)), RUNS),
)  # fmt: skip
COMMANDS: st.SearchStrategy[Command] = st.one_of(MOVES, MOVES, MOVES, WISHES)
