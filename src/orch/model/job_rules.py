"""What may be asked of jobs, and what their events change. Pure.

Invariant: that a slot is taken and the task that comes of it are written in one transaction; a
refused or skipped slot says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from orch.model import command as cmd, event as ev, task_rules
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.job import BUSY, DAY_S, KEPT_S, OUTPUT_KEPT, Firing, Job
from orch.model.naming import moment, slug

if TYPE_CHECKING:
    from orch.model.ledger import Reader, Tables
    from orch.model.repo import Repo

_LONGEST = 64 * 1024
_LONGEST_TITLE = 200


class Known(Protocol):
    """What has to be known to judge a new job."""

    def job(self, job: str) -> Job | None: ...
    def repo(self, slug: str) -> Repo | None: ...


def add(state: Known, command: cmd.AddJob) -> list[ev.EventData] | OrchError:
    job = command.job
    title = " ".join(job.title.split())
    job = replace(
        job, id=slug(title), title=title, enabled=True, created_at=0.0, since=0.0, last_slot=0,
        last_at=0.0, last_task=0, last_outcome="", running=0, reason="",
    )  # fmt: skip
    if (refusal := _unfit(job) or _unplaced(state, job)) is not None:
        return refusal
    return [ev.JobAdded(job)]


def _unplaced(state: Known, job: Job) -> OrchError | None:
    if state.job(job.id) is not None:
        return Conflict(
            f"there is a job {job.id} already", code="job_exists", hint=f"orch job remove {job.id}"
        )
    if job.repo and state.repo(job.repo) is None:
        return NotFound(
            f"there is no repository {job.repo!r}", code="unknown_repo", hint="orch repo list"
        )
    return None


def _unfit(job: Job) -> OrchError | None:
    """Why such a job cannot be, if it cannot."""
    from orch.model.cron import next_slots  # only whoever adds a job needs a calendar

    if not job.id:
        return UsageError(
            "a job needs a title with letters or digits: its name is made of them",
            code="bad_title", hint='orch job add "0 9 * * mon" "Weekly report"',
        )  # fmt: skip
    texts = (job.title, job.body, *job.labels, job.agent, job.workflow, *job.argv, *job.precheck)
    if len(job.title) > _LONGEST_TITLE or sum(map(len, texts)) > _LONGEST:
        return UsageError(
            f"the job's texts are too long; {_LONGEST_TITLE} characters of title and {_LONGEST:,}"
            " in all are the most", code="too_large", hint="orch job add --help",
        )  # fmt: skip
    if any("\0" in text or not _encodable(text) for text in texts):
        return UsageError(
            "the job's texts hold characters that no program can be given", code="not_utf8",
            hint="orch job add --help",
        )  # fmt: skip
    if (job.kind == "command") != bool(job.argv):
        return UsageError(
            "a command job needs a command, and a task job has none", code="bad_job",
            hint='orch job add @daily "Tidy up" --command -- PROGRAM ARGS',
        )  # fmt: skip
    if not 0 < job.timeout_s <= DAY_S:
        return UsageError(
            "the time limit is not within a second and a day", code="bad_job",
            hint="orch job add --help",
        )  # fmt: skip
    try:
        next_slots(job.schedule, 0.0, job.zone, 1)
    except UsageError as error:
        return error
    return None


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def remove(state: Reader, command: cmd.RemoveJob) -> list[ev.EventData] | OrchError:
    job = state.job(command.id)
    return unknown(command.id) if job is None else [ev.JobRemoved(job.id)]


def enable(state: Reader, command: cmd.EnableJob) -> list[ev.EventData] | OrchError:
    job = state.job(command.id)
    if job is None:
        return unknown(command.id)
    return [] if job.enabled else [ev.JobEnabled(job.id)]


def disable(state: Reader, command: cmd.DisableJob) -> list[ev.EventData] | OrchError:
    job = state.job(command.id)
    if job is None:
        return unknown(command.id)
    return [ev.JobDisabled(job.id, command.reason)] if job.enabled else []


def unknown(job: str) -> NotFound:
    return NotFound(f"there is no job {job!r}", code="unknown_job", hint="orch job list")


def fire(state: Reader, command: cmd.FireJob) -> list[ev.EventData] | OrchError:
    job = state.job(command.id)
    if job is None:
        return unknown(command.id)
    if not job.enabled:
        return Conflict(
            f"the job {job.id} is disabled", code="job_disabled", hint=f"orch job enable {job.id}"
        )
    # A later slot that was taken stands for this one too: all that was missed is made up for once.
    passed = 0 <= job.last_slot - command.slot <= DAY_S
    if passed or state.firing(job.id, command.slot) is not None:
        return Conflict(
            f"the slot {moment(command.slot)} of the job {job.id} was taken already",
            code="slot_taken", hint=f"orch job runs {job.id}",
        )  # fmt: skip
    if job.repo and state.repo(job.repo) is None:
        reason = f"its repository {job.repo} is not registered any more"
        return [ev.JobSkipped(job.id, command.slot, reason), ev.JobDisabled(job.id, reason)]
    if reason := busy(state, job):
        return [ev.JobSkipped(job.id, command.slot, reason)]
    if job.kind == "command" or job.precheck:
        return [ev.JobFired(job.id, command.slot, owner=command.owner)]
    return _task(state, job, command.slot)


def busy(state: Reader, job: Job) -> str:
    """Why nothing new may come of the job yet; empty when it may."""
    task = state.task(job.last_task) if job.last_task else None
    if task is not None and task.state in BUSY:
        return f"its last task {task.id} is {task.state}"
    if job.running:
        return f"what the slot {moment(job.running)} began is not over"
    return ""


def _task(state: Reader, job: Job, slot: int) -> list[ev.EventData]:
    """The slot's task, by the very rules of a task that a person asks for."""
    asked = cmd.AddTask(
        title=job.title, body=job.body, repo=job.repo, workflow=job.workflow, pin=job.agent,
        labels=(*job.labels, "scheduled", f"job:{job.id}"), source=f"job:{job.id}",
    )  # fmt: skip
    made = task_rules.add(state, asked)
    if isinstance(made, OrchError):
        return [ev.JobSkipped(job.id, slot, f"no task could be made: {made.message}")]
    number = next(event.id for event in made if isinstance(event, ev.TaskCreated))
    return [ev.JobFired(job.id, slot, task=number), *made]


def settle(state: Reader, command: cmd.SettleFiring) -> list[ev.EventData] | OrchError:
    job, firing = state.job(command.id), state.firing(command.id, command.slot)
    if job is None or firing is None:
        return unknown(command.id)
    if firing.outcome != "running":
        return Conflict(
            f"the slot {moment(command.slot)} of the job {job.id} is settled already",
            code="slot_settled", hint=f"orch job runs {job.id}",
        )  # fmt: skip
    if command.outcome == "passed":
        if job.enabled:
            return _task(state, job, command.slot)
        return [ev.JobSkipped(job.id, command.slot, "it was disabled meanwhile")]
    if command.outcome == "skipped":
        events: list[ev.EventData] = [ev.JobSkipped(job.id, command.slot, command.reason)]
    else:
        events = [
            ev.JobRan(
                id=job.id, slot=command.slot, outcome=command.outcome, reason=command.reason,
                exit_code=command.exit_code, output=command.output[-OUTPUT_KEPT:],
            )
        ]  # fmt: skip
    if command.disable and job.enabled:
        events.append(ev.JobDisabled(job.id, command.reason))
    return events


# --- what the events change


def about(
    reader: Reader, data: ev.JobAdded | ev.JobFired | ev.JobSkipped | ev.JobRan
) -> tuple[str, int]:
    """The repository and task of an event; empty and 0 mean none."""
    if isinstance(data, ev.JobAdded):
        return data.job.repo, 0
    job = reader.job(data.id)
    task = data.task if isinstance(data, ev.JobFired) else 0
    return job.repo if job is not None else "", task


def added(tables: Tables, event: ev.Event, data: ev.JobAdded) -> None:
    tables.put_job(replace(data.job, created_at=event.at, since=event.at))


def removed(tables: Tables, event: ev.Event, data: ev.JobRemoved) -> None:
    tables.drop_job(data.id)


def enabled(tables: Tables, event: ev.Event, data: ev.JobEnabled) -> None:
    job = _job(tables, event, data.id)
    tables.put_job(replace(job, enabled=True, since=event.at, reason=""))


def disabled(tables: Tables, event: ev.Event, data: ev.JobDisabled) -> None:
    tables.put_job(replace(_job(tables, event, data.id), enabled=False, reason=data.reason))


def fired(tables: Tables, event: ev.Event, data: ev.JobFired) -> None:
    job, known = _job(tables, event, data.id), tables.firing(data.id, data.slot)
    made = Firing(
        job=job.id, slot=data.slot, at=known.at if known else event.at, task=data.task,
        outcome="fired" if data.task else "running", owner=data.owner,
        ended_at=event.at if data.task else 0.0,
    )  # fmt: skip
    _put(tables, job, made, event)


def skipped(tables: Tables, event: ev.Event, data: ev.JobSkipped) -> None:
    job, known = _job(tables, event, data.id), tables.firing(data.id, data.slot)
    made = Firing(
        job=job.id, slot=data.slot, at=known.at if known else event.at, outcome="skipped",
        reason=data.reason, ended_at=event.at,
    )  # fmt: skip
    _put(tables, job, made, event)


def ran(tables: Tables, event: ev.Event, data: ev.JobRan) -> None:
    job, known = _job(tables, event, data.id), tables.firing(data.id, data.slot)
    if known is None:
        raise LookupError(f"event {event.seq} names the unknown slot {data.id}/{data.slot}")
    made = replace(
        known, outcome=data.outcome, reason=data.reason, exit_code=data.exit_code,
        output=data.output, ended_at=event.at,
    )  # fmt: skip
    _put(tables, job, made, event)


def _put(tables: Tables, job: Job, firing: Firing, event: ev.Event) -> None:
    """Write a firing, and what the job says of its last one."""
    tables.put_firing(firing)
    tables.drop_firings(job.id, int(firing.slot - KEPT_S))
    if firing.outcome == "running":
        job = replace(job, running=firing.slot)
    elif job.running == firing.slot:
        job = replace(job, running=0)
        if firing.slot < job.last_slot <= firing.slot + DAY_S:
            # A long program ended after later slots were skipped: those are the last ones.
            tables.put_job(replace(job, last_task=firing.task or job.last_task))
            return
    tables.put_job(
        replace(
            job, last_slot=firing.slot, last_at=event.at, last_task=firing.task or job.last_task,
            last_outcome=firing.outcome, reason=firing.reason,
        )
    )  # fmt: skip


def _job(tables: Tables, event: ev.Event, job: str) -> Job:
    known = tables.job(job)
    if known is None:
        raise LookupError(f"event {event.seq} names the unknown job {job}")
    return known
