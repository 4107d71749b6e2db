"""The books: what each event changes, written once for every store.

Invariant: state changes only here, only by an event, and only through `Tables`, so that the SQLite
store and the memory double cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from orch.model import (
    event as ev,
    hearing,
    job_rules,
    session_rules,
    standing_rules,
    task_rules,
    task_wishes,
)
from orch.model.attempt import FINAL, Attempt
from orch.model.heard import Heard
from orch.model.job import Firing, Job
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import Run, Source
from orch.model.session import Session
from orch.model.standing import Standing
from orch.model.step import Step
from orch.model.task import Task
from orch.model.worktree import Worktree


class Reader(Protocol):
    """State as the current transaction sees it. Absent things are None."""

    def epoch(self) -> int: ...
    def next_task(self) -> int: ...
    def repo(self, slug: str) -> Repo | None: ...
    def repos(self) -> list[Repo]: ...
    def run(self, run: str) -> Run | None: ...
    def task(self, task: int) -> Task | None: ...
    def task_of_issue(self, issue: str) -> Task | None: ...
    def children(self, task: int) -> list[Task]: ...
    def standings(self) -> list[Standing]: ...
    def step(self, run: str, path: str) -> Step | None: ...
    def attempt(self, attempt: str) -> Attempt | None: ...
    def worktree(self, repo: str, name: str) -> Worktree | None: ...
    def pull(self, repo: str, number: int) -> PullRequest | None: ...
    def pulls_beside(self, repo: str, number: int) -> tuple[str, list[PullRequest]]:
        """The run that opened it (empty: none of ours), and all that this run has opened."""

    def worktree_names(self, repo: str) -> list[str]: ...
    def live_run_ids(self, repo: str) -> list[str]: ...

    def session(self, session: int) -> Session | None: ...
    def open_session(self) -> Session | None: ...
    def next_session(self) -> int: ...

    def heard(self, source: str, remark: str) -> Heard | None: ...
    def job(self, job: str) -> Job | None: ...
    def firing(self, job: str, slot: int) -> Firing | None: ...


class Tables(Reader, Protocol):
    """`Reader` with the writes that events make."""

    def put_epoch(self, epoch: int) -> None: ...
    def put_repo(self, repo: Repo) -> None: ...
    def put_run(self, run: Run) -> None: ...
    def put_task(self, task: Task) -> None: ...
    def put_step(self, step: Step) -> None: ...
    def put_attempt(self, attempt: Attempt) -> None: ...
    def put_worktree(self, worktree: Worktree) -> None: ...
    def drop_worktree(self, repo: str, name: str) -> None: ...
    def drop_repo(self, slug: str) -> None: ...
    def put_pull(self, pull: PullRequest, run: str) -> None: ...
    def put_standing(self, standing: Standing) -> None: ...
    def put_routed(self, agent: str) -> None:
        """The router's last choice."""

    def put_heard(self, heard: Heard) -> None: ...
    def put_session(self, session: Session) -> None: ...
    def put_job(self, job: Job) -> None: ...
    def drop_job(self, job: str) -> None:
        """With its firings."""

    def put_firing(self, firing: Firing) -> None: ...
    def drop_firings(self, job: str, before: int) -> None: ...
    def put_sources(self, run: str, sources: tuple[Source, ...]) -> None: ...


def envelope(reader: Reader, data: ev.EventData, run: Run | None) -> tuple[str, int, str]:
    """(repo, task, step) that an event of `run`'s command is about; empty and 0 mean none."""
    repo, task, step = (run.repo, run.task, "") if run is not None else ("", 0, "")
    match data:
        case ev.RepoAdded():
            repo = data.repo.slug
        case ev.TaskCreated():
            repo, task = data.repo, data.id
        case (
            ev.TaskMoved() | ev.TaskNoted() | ev.TaskRouted() | ev.TaskRerouted()
            | ev.TaskLinked() | ev.TaskNoteSet() | ev.TaskPlaced() | ev.RemarkHeard()
        ):  # fmt: skip
            known = reader.task(data.id)
            repo, task = known.repo if known is not None else repo, data.id
        case ev.RunCreated():
            repo, task = data.repo, data.task
        case ev.WorktreeRecorded() | ev.PullRecorded():
            made = data.pull if isinstance(data, ev.PullRecorded) else data.worktree
            repo = made.repo
        case ev.WorktreeForgotten():
            repo = data.repo
        case ev.RepoForgotten():
            repo = data.slug
        case ev.AttemptStarting():
            step = data.attempt.path
        case (
            ev.AttemptRunning() | ev.AttemptOver() | ev.AttemptEnded() | ev.AttemptStopRequested()
            | ev.MessageSent() | ev.QuestionAsked() | ev.QuestionAnswered()
        ):  # fmt: skip
            step = _path_of(reader, data)
        case ev.JobAdded() | ev.JobFired() | ev.JobSkipped() | ev.JobRan():
            repo, task = job_rules.about(reader, data)
        case ev.StepPlanned() | ev.StepIntended() | ev.StepSettled() | ev.GateAnswered():
            step = data.path
    return repo, task, step


def _path_of(
    reader: Reader,
    data: ev.AttemptRunning
    | ev.AttemptOver
    | ev.AttemptEnded
    | ev.AttemptStopRequested
    | ev.MessageSent
    | ev.QuestionAsked
    | ev.QuestionAnswered,
) -> str:
    told = isinstance(data, ev.MessageSent | ev.QuestionAsked | ev.QuestionAnswered)
    found = reader.attempt(str(getattr(data, "attempt" if told else "id")))
    return found.path if found is not None else ""


def apply(tables: Tables, event: ev.Event) -> None:
    """Make the state follow one event. Faults here are bugs: they abort the transaction."""
    handler = _APPLY.get(type(event.data))
    if handler is not None:
        handler(tables, event, event.data)


def _run(tables: Tables, event: ev.Event) -> Run:
    run = tables.run(event.run)
    if run is None:
        raise LookupError(f"event {event.seq} names the unknown run {event.run}")
    return run


def _step(tables: Tables, event: ev.Event, path: str) -> Step:
    step = tables.step(event.run, path)
    if step is None:
        raise LookupError(f"event {event.seq} names the unknown step {event.run}/{path}")
    return step


def _engine_taken(tables: Tables, event: ev.Event, data: ev.EngineTaken) -> None:
    tables.put_epoch(data.epoch)


def _repo_added(tables: Tables, event: ev.Event, data: ev.RepoAdded) -> None:
    tables.put_repo(data.repo)


def _run_created(tables: Tables, event: ev.Event, data: ev.RunCreated) -> None:
    run = Run(
        id=data.id, workflow=data.workflow, status="pending", repo=data.repo, task=data.task,
        entry=data.entry, params=data.params, issue=data.issue, agent=data.agent, owner=data.owner,
        created_at=event.at, updated_at=event.at, unattended=data.unattended,
    )  # fmt: skip
    tables.put_run(run)


def _run_taken(tables: Tables, event: ev.Event, data: ev.RunTaken) -> None:
    run = _run(tables, event)
    stop = "" if data.resumed and run.stop == "stop" else run.stop
    tables.put_run(
        replace(
            run, owner=data.owner, status=data.status, reason=None, stop=stop, stop_why="",
            updated_at=event.at,
            resumed_at=event.at if data.resumed else run.resumed_at,
            resumed=run.resumed + data.resumed,
            converses=data.converses if data.resumed else run.converses,
        )
    )  # fmt: skip


def _run_cancelling(tables: Tables, event: ev.Event, data: ev.RunCancelling) -> None:
    run = _run(tables, event)
    tables.put_run(replace(run, stop="abort", cancel_seq=event.seq, updated_at=event.at))


def _run_blocked(tables: Tables, event: ev.Event, data: ev.RunBlocked) -> None:
    run = _run(tables, event)
    stop = run.stop if run.stop == "abort" else ""  # an abort asked for meanwhile still stands
    tables.put_run(
        replace(
            run, status="blocked", reason=data.reason, owner=None, stop=stop, stop_why="",
            updated_at=event.at,
        )
    )  # fmt: skip


def _run_finished(tables: Tables, event: ev.Event, data: ev.RunFinished) -> None:
    run = _run(tables, event)
    tables.put_run(
        replace(
            run, status=data.status, result=data.result, error=data.error, reason=None, stop="",
            stop_why="", owner=None, unresolved=data.unresolved, updated_at=event.at,
            ended_at=event.at,
        )
    )  # fmt: skip


def _stop_requested(tables: Tables, event: ev.Event, data: ev.StopRequested) -> None:
    run = _run(tables, event)
    tables.put_run(replace(run, stop=data.mode, stop_why=data.why, updated_at=event.at))


def _step_planned(tables: Tables, event: ev.Event, data: ev.StepPlanned) -> None:
    tables.put_step(
        Step(
            run=event.run, path=data.path, kind=data.effect, request=data.request.encode(),
            status="intended" if data.intended else "planned", planned_seq=event.seq,
            planned_at=event.at, intended_at=event.at if data.intended else 0.0,
        )
    )  # fmt: skip


def _step_intended(tables: Tables, event: ev.Event, data: ev.StepIntended) -> None:
    step = _step(tables, event, data.path)
    tables.put_step(
        replace(
            step, status="intended", attempt=data.attempt,
            intended_at=step.intended_at or event.at,
        )
    )  # fmt: skip


def _step_settled(tables: Tables, event: ev.Event, data: ev.StepSettled) -> None:
    if data.request is not None:
        step = Step(
            run=event.run, path=data.path, kind=data.effect, request=data.request.encode(),
            status="intended", planned_seq=event.seq, planned_at=event.at, intended_at=event.at,
        )  # fmt: skip
    else:
        step = _step(tables, event, data.path)
    tables.put_step(
        replace(
            step, status=data.status, outcome=data.outcome, settled_seq=event.seq,
            settled_at=event.at,
        )
    )  # fmt: skip


def _attempt_starting(tables: Tables, event: ev.Event, data: ev.AttemptStarting) -> None:
    tables.put_attempt(data.attempt)


def _attempt_running(tables: Tables, event: ev.Event, data: ev.AttemptRunning) -> None:
    attempt = tables.attempt(data.id)
    if attempt is not None and attempt.status == "starting":
        tables.put_attempt(replace(attempt, status="running"))


def _attempt_over(tables: Tables, event: ev.Event, data: ev.AttemptOver) -> None:
    attempt = tables.attempt(data.id)
    if attempt is not None and attempt.status not in FINAL:
        tables.put_attempt(replace(attempt, status="ended", ended_at=event.at))


def _attempt_ended(tables: Tables, event: ev.Event, data: ev.AttemptEnded) -> None:
    attempt = tables.attempt(data.id)
    if attempt is None:
        raise LookupError(f"event {event.seq} names the unknown attempt {data.id}")
    tables.put_attempt(
        replace(
            attempt, status=data.status, exit_code=data.exit_code, code=data.code,
            message=data.message, usage=data.usage, ended_at=attempt.ended_at or event.at,
            reset_at=data.reset_at,
        )
    )  # fmt: skip


def _attempt_stop_requested(tables: Tables, event: ev.Event, data: ev.AttemptStopRequested) -> None:
    attempt = tables.attempt(data.id)
    if attempt is not None:
        tables.put_attempt(replace(attempt, stop=True))


def _question_asked(tables: Tables, event: ev.Event, data: ev.QuestionAsked) -> None:
    attempt = tables.attempt(data.attempt)
    if attempt is not None:
        tables.put_attempt(replace(attempt, asked={**attempt.asked, data.id: ""}))


def _question_answered(tables: Tables, event: ev.Event, data: ev.QuestionAnswered) -> None:
    attempt = tables.attempt(data.attempt)
    if attempt is not None:
        tables.put_attempt(replace(attempt, asked={**attempt.asked, data.id: data.decision}))


def _gate_answered(tables: Tables, event: ev.Event, data: ev.GateAnswered) -> None:
    tables.put_step(replace(_step(tables, event, data.path), answer=data.answer))


def _worktree_recorded(tables: Tables, event: ev.Event, data: ev.WorktreeRecorded) -> None:
    tables.put_worktree(data.worktree)


def _worktree_forgotten(tables: Tables, event: ev.Event, data: ev.WorktreeForgotten) -> None:
    tables.drop_worktree(data.repo, data.name)


def _repo_forgotten(tables: Tables, event: ev.Event, data: ev.RepoForgotten) -> None:
    tables.drop_repo(data.slug)


def _pull_recorded(tables: Tables, event: ev.Event, data: ev.PullRecorded) -> None:
    tables.put_pull(data.pull, event.run)


_APPLY: dict[type, Callable[[Tables, ev.Event, Any], None]] = {
    ev.EngineTaken: _engine_taken,
    ev.RepoAdded: _repo_added,
    ev.TaskCreated: task_rules.created,
    ev.TaskMoved: task_rules.moved,
    ev.TaskNoted: task_rules.noted,
    ev.AgentStood: standing_rules.stood,
    ev.TaskRouted: task_rules.routed,
    ev.TaskRerouted: task_wishes.rerouted,
    ev.TaskLinked: task_wishes.linked,
    ev.TaskNoteSet: task_wishes.note_kept,
    ev.TaskPlaced: task_wishes.placed,
    ev.RemarkHeard: hearing.kept,
    ev.RunCreated: _run_created,
    ev.RunTaken: _run_taken,
    ev.RunCancelling: _run_cancelling,
    ev.RunBlocked: _run_blocked,
    ev.RunFinished: _run_finished,
    ev.StopRequested: _stop_requested,
    ev.StepPlanned: _step_planned,
    ev.StepIntended: _step_intended,
    ev.StepSettled: _step_settled,
    ev.AttemptStarting: _attempt_starting,
    ev.AttemptRunning: _attempt_running,
    ev.AttemptOver: _attempt_over,
    ev.AttemptEnded: _attempt_ended,
    ev.AttemptStopRequested: _attempt_stop_requested,
    ev.QuestionAsked: _question_asked,
    ev.QuestionAnswered: _question_answered,
    ev.GateAnswered: _gate_answered,
    ev.WorktreeRecorded: _worktree_recorded,
    ev.WorktreeForgotten: _worktree_forgotten,
    ev.RepoForgotten: _repo_forgotten,
    ev.PullRecorded: _pull_recorded,
    ev.SessionStarted: session_rules.started,
    ev.SessionNoted: session_rules.noted,
    ev.SessionEnded: session_rules.ended,
    ev.JobAdded: job_rules.added,
    ev.JobRemoved: job_rules.removed,
    ev.JobEnabled: job_rules.enabled,
    ev.JobDisabled: job_rules.disabled,
    ev.JobFired: job_rules.fired,
    ev.JobSkipped: job_rules.skipped,
    ev.JobRan: job_rules.ran,
}
