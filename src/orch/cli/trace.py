"""`orch show --trace`: everything that happened in a run, in order. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orch.cli.narrate import called
from orch.cli.output import Output
from orch.cli.spans import elapsed
from orch.model import event as ev
from orch.model.delivery import undelivered
from orch.model.naming import moment

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.model.errors import Failure


def show_trace(orch: Orch, run: str, export: str, out: Output) -> None:
    """On stdout, or into the file `export`."""
    from orch.api import trace

    if export:
        count = trace.export(orch.store, run, Path(export).expanduser())
        if out.json:
            out.data({"run": run, "file": export, "events": count})
        else:
            out.line(export if out.quiet else f"{count} events of run {run} in {export}")
        return
    events = list(trace.events_of(orch.store, run))
    if out.json:
        out.data([trace.event_record(event) for event in events])
    elif out.quiet:
        for event in events:
            out.line(str(event.seq))
    else:
        began = events[0].at if events else 0.0
        kinds = {e.step: e.data.effect for e in events if isinstance(e.data, ev.StepPlanned)}
        rows = [
            [moment(e.at)[11:23], elapsed(max(0.0, e.at - began)), e.step, told(e, kinds)]
            for e in events
        ]
        out.table(["time (utc)", "elapsed", "step", "what"], rows)


def told(event: ev.Event, kinds: Mapping[str, str]) -> str:
    """One line on an event; every kind has one. `kinds` are those of the steps, by path."""
    found = _about_a_step(event, kinds) or _about_an_attempt(event) or _about_the_run(event)
    return found or event.kind


def _about_a_step(event: ev.Event, kinds: Mapping[str, str]) -> str:
    data = event.data
    match data:
        case ev.StepPlanned():
            return f"{data.effect} {'intended' if data.intended else 'planned'}"
        case ev.StepIntended():
            return f"{kinds.get(data.path, '')} intended, attempt {data.attempt}".lstrip()
        case ev.StepSettled():
            kind = data.effect or kinds.get(data.path, "")
            return f"{kind} {data.status}".lstrip() + _why(data.outcome.failure)
        case ev.GateAnswered():
            return f"{data.answer.decision} by {data.answer.by}: {data.answer.text}".rstrip(": ")
        case ev.WorktreeRecorded():
            return f"worktree {data.worktree.branch}"
        case ev.PullRecorded():
            return f"pull request {data.pull.repo}#{data.pull.number}: {data.pull.title}"
        case ev.Logged():
            return f"{data.level}: {data.message}"
    return ""


def _about_an_attempt(event: ev.Event) -> str:
    data = event.data
    match data:
        case ev.AttemptStarting():
            return f"{called(data.attempt)} starts: attempt {data.attempt.id}"
        case ev.AttemptRunning():
            return f"attempt {data.id} runs"
        case ev.AttemptEnded():
            code = "" if data.exit_code is None else f", exit code {data.exit_code}"
            why = f": {data.message}" if data.message else ""
            return f"attempt {data.id} {data.status}{code}{why}"
        case ev.AttemptStopRequested():
            return f"attempt {data.id}: a stop was asked for by {event.actor.id}"
        case ev.MessageSent():
            how = "delivered" if data.delivered else undelivered(data.code, data.reason)
            return f"message to attempt {data.attempt} ({data.size} bytes) {how}"
        case ev.QuestionAsked():
            return f"attempt {data.attempt} asks a person: {data.text}"
        case ev.QuestionAnswered():
            return (
                f"attempt {data.attempt}: question {data.id} answered by {data.by}: {data.decision}"
            )
    return ""


def _about_the_run(event: ev.Event) -> str:
    data = event.data
    match data:
        case ev.RunCreated():
            return f"run of {data.workflow} in {data.repo}"
        case ev.RunTaken():
            return f"{'resumed' if data.resumed else 'taken'} by process {data.owner.pid}"
        case ev.RunCancelling():
            return "the workflow is told to end"
        case ev.RunBlocked():
            return f"run blocked: {data.reason.message} [{data.reason.code}]"
        case ev.RunFinished():
            return f"run {data.status}{_why(data.error)}"
        case ev.StopRequested():
            return f"{data.mode} asked for by {event.actor.id}"
        case ev.TaskCreated():
            return f"task {data.id}: {data.title}"
        case ev.TaskMoved():
            return f"task {data.id} is {data.state}"
    return ""


def _why(failure: Failure | None) -> str:
    return f": {failure.message} [{failure.code}]" if failure is not None else ""
