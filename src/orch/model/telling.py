"""Which occasion an event is, and the sentence that tells it.

Invariant: an event gives one occasion at most, so nobody is told twice.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from orch.model import event as ev, typed
from orch.model.attempt import Attempt
from orch.model.occasion import Occasion
from orch.model.pull import PullRequest
from orch.model.run import Run
from orch.model.step import Step
from orch.model.task import Task

_MOVES = {
    "in_progress": "task.started", "in_review": "task.in_review", "done": "task.done",
    "blocked": "task.blocked", "cancelled": "task.cancelled",
}  # fmt: skip


class Lookup(Protocol):
    """The store, as far as an occasion is told with it."""

    def task(self, task: int) -> Task | None: ...
    def run(self, run: str) -> Run | None: ...
    def attempt(self, attempt: str) -> Attempt | None: ...
    def step(self, run: str, path: str) -> Step | None: ...


class _Told(msgspec.Struct, frozen=True):
    """`names`, the entity, the sentence, facts and branch."""

    names: tuple[str, ...]
    entity: str
    text: str
    facts: dict[str, Any] = {}
    branch: str = ""


def occasion(event: ev.Event, books: Lookup) -> Occasion | None:
    """What people may want to hear of this event."""
    task = books.task(event.task) if event.task else None
    run = books.run(event.run) if event.run else None
    told = _task_told(event, task) or _run_told(event, run, books) or _other_told(event)
    if told is None:
        return None
    about = {"task_title": task.title, "task_status": task.state} if task is not None else {}
    return Occasion(
        names=told.names, entity=told.entity, seq=event.seq, at=event.at, text=told.text,
        repo=event.repo, workflow=run.workflow if run is not None else "", branch=told.branch,
        labels=task.labels if task is not None else (),
        agent=(task.agent or task.pin) if task is not None else "",
        source=task.source if task is not None else "", task=event.task, run=event.run,
        facts={**about, **told.facts},
    )  # fmt: skip


def _task_told(event: ev.Event, task: Task | None) -> _Told | None:
    data, told = event.data, f"task {event.task}"
    named = f"{told} ({_short(task.title)})" if task is not None else told
    entity = f"task:{event.task}/{event.run or event.seq}"
    match data:
        case ev.TaskCreated():
            named = f"{told} ({_short(data.title)})"
            return _Told(("task.created",), f"task:{data.id}", f"{named} was asked for")
        case ev.TaskRouted():
            return _Told(
                ("task.routed",), entity, f"{named} goes to {data.agent}", {"agent": data.agent}
            )
        case ev.TaskMoved():
            names = _names_of_move(data)
            if not names:
                return None
            why = f": {_short(data.why)}" if data.why else ""
            text = f"{named} is {data.state.replace('_', ' ')}{why}"
            return _Told(names, entity, text, {"reason": data.why, "hint": data.hint})
    return None


def _names_of_move(data: ev.TaskMoved) -> tuple[str, ...]:
    """A task that waits for a person has failed, unless it only asks one something: then the command
    that lets it go on answers a gate. Told by the event alone: the run may have moved on since."""
    if data.state == "needs_review":
        asks = data.hint.startswith("orch gate ")
        return ("task.needs_review", "task.blocked" if asks else "task.failed")
    name = _MOVES.get(data.state, "")
    return (name,) if name else ()


def _run_told(event: ev.Event, run: Run | None, books: Lookup) -> _Told | None:
    data, entity = event.data, f"run:{event.run}"
    name = f"run {event.run} ({run.workflow})" if run is not None else f"run {event.run}"
    match data:
        case ev.RunFinished(status="done"):
            return _Told(("run.done",), entity, f"{name} is done")
        case ev.RunFinished(status="error"):
            why = data.error.message if data.error is not None else "it failed"
            return _Told(("run.failed",), entity, f"{name} failed: {_short(why)}", {"reason": why})
        case ev.RunBlocked():
            reason = data.reason
            return _Told(
                ("run.blocked",), f"{entity}@{event.seq}", f"{name} waits: {_short(reason.message)}",
                {"reason": reason.message, "hint": reason.hint},
            )  # fmt: skip
        case ev.StepPlanned() if data.effect.startswith("Gate/"):
            return _Told(
                ("gate.waiting",), f"gate:{event.run}/{data.path}", f"{name} asks a person"
            )
        case ev.QuestionAsked():
            return _Told(
                ("question.waiting",),
                f"question:{data.id}",
                f"an agent asks: {_short(data.text)}",
                {"question": data.id, "hint": f"orch inbox approve {data.id}"},
            )
        case ev.StepSettled(status="confirmed"):
            return _step_told(books.step(event.run, data.path), name)
        case ev.AttemptRunning():
            return _agent_told(books.attempt(data.id), "agent.started", "is at work")
        case ev.AttemptEnded():
            return _agent_told(books.attempt(data.id), "agent.ended", data.status)
    return None


def _step_told(step: Step | None, run: str) -> _Told | None:
    if step is None or step.outcome is None:
        return None
    if step.kind.startswith("OpenPR/"):  # records of it follow whenever it is looked at
        return _pull_told("pr.opened", typed.decode(step.outcome.value, PullRequest))
    if not step.kind.startswith("Push/"):
        return None
    branch = str(msgspec.json.decode(step.request).get("env", {}).get("branch", ""))
    facts = {"branch": branch, "commit": msgspec.json.decode(step.outcome.value)}
    text = f"{run} pushed {_short(branch)}"
    return _Told(("branch.pushed",), f"push:{step.run}/{step.path}", text, facts, branch)


def _agent_told(attempt: Attempt | None, name: str, what: str) -> _Told | None:
    if attempt is None or attempt.role == "command":
        return None
    facts = {
        "attempt": attempt.id, "role": attempt.role, "agent": attempt.agent,
        "status": attempt.status, "code": attempt.code, "reason": attempt.message,
        "worktree": attempt.worktree,
    }  # fmt: skip
    text = f"{attempt.agent} {what} (attempt {attempt.id})"
    return _Told((name,), f"attempt:{attempt.id}", text, facts, attempt.branch)


def _other_told(event: ev.Event) -> _Told | None:
    data = event.data
    match data:
        case ev.WorktreeRecorded():
            tree = data.worktree
            entity = f"worktree:{tree.repo}/{tree.name}"
            made = {"worktree": tree.path, "branch": tree.branch}
            return _Told(
                ("worktree.created",), entity, f"worktree {tree.name} of {tree.repo} is there",
                made, tree.branch,
            )  # fmt: skip
        case ev.PullRecorded() if data.pull.state != "open":
            name = "pr.merged" if data.pull.state == "merged" else "pr.closed"
            return _pull_told(name, data.pull)
        case ev.ServiceNoted():
            text = f"the service {'is up' if data.state == 'started' else 'has stopped'}"
            return _Told(
                (f"service.{data.state}",), f"service:{event.seq}", text, {"pid": data.pid}
            )
        case ev.JobFired():
            return _job_told("job.fired", data.id, data.slot, "fired")
        case ev.JobRan() if data.outcome != "done":
            return _job_told("job.failed", data.id, data.slot, f"failed: {_short(data.reason)}")
    return None


def _pull_told(name: str, pull: PullRequest) -> _Told:
    text = f"{pull.repo}#{pull.number} is {pull.state}: {_short(pull.title)}"
    facts = {
        "number": pull.number, "url": pull.url, "title": pull.title, "base": pull.base,
        "branch": pull.head,
    }  # fmt: skip
    return _Told((name,), f"pr:{pull.repo}#{pull.number}", text, facts, pull.head)


def _job_told(name: str, job: str, slot: int, what: str) -> _Told:
    facts = {"job": job, "slot": slot}
    return _Told((name,), f"job:{job}@{slot}", f"job {_short(job)} {what}", facts)


def _short(text: str, limit: int = 200) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
