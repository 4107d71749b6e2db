"""Jobs for every face: added, listed, switched on and off, fired when one asks, looked back at.

Invariant: what a job says of its agent, workflow, repository, schedule and zone is checked when it is
added, by the rules that its firings will meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from orch.api.moments import told_in
from orch.model import command as cmd, event as ev, job_rules
from orch.model.errors import OrchError, UsageError
from orch.model.job import Due, Firing, Job, Told, coming_slot
from orch.model.naming import moment

if TYPE_CHECKING:
    from orch.api.facade import Orch


class Firings(Protocol):
    """How slots are fired; see `orch.compose.make_firings`."""

    def recover(self) -> None: ...
    def look(self, now: float, *, dry_run: bool = False) -> list[Due]: ...
    def fire(self, job: Job, slot: int) -> Told: ...


def add(orch: Orch, job: Job, *, dry_run: bool = False) -> Job:
    """Add one; its id is made from its title. `Conflict(job_exists)`, `UsageError(bad_schedule,
    unknown_zone, ...)`, `NotFound(unknown_repo, unknown_workflow)`."""
    if job.repo:
        orch.repo(job.repo)  # refused with the nearest names
    if job.agent:
        orch.rooms.choose_agent(job.agent, "", orch.store.repo(job.repo))
    if job.workflow:
        _needs_workflow(orch, job)
    if dry_run:
        decided = job_rules.add(orch.store, cmd.AddJob(job))
        if isinstance(decided, OrchError):
            raise decided
        [told] = decided
        assert isinstance(told, ev.JobAdded)
        return told.job
    [event] = orch.store.send(cmd.AddJob(job), orch.rooms.person)
    assert isinstance(event.data, ev.JobAdded)
    return get(orch, event.data.job.id)


def _needs_workflow(orch: Orch, job: Job) -> None:
    from orch.api.planning import find_workflow
    from orch.api.workflows import Workflows

    repo = orch.store.repo(job.repo) if job.repo else None
    find_workflow(job.workflow, orch.rooms.cwd, Workflows(orch.home, repo))


def get(orch: Orch, job: str) -> Job:
    """By id; `NotFound(unknown_job)`."""
    found = orch.store.job(job)
    if found is None:
        raise job_rules.unknown(job)
    return found


def remove(orch: Orch, job: str) -> None:
    orch.store.send(cmd.RemoveJob(job), orch.rooms.person)


def enable(orch: Orch, job: str) -> Job:
    """It fires again, at its next slot; harmless when it is enabled."""
    orch.store.send(cmd.EnableJob(job), orch.rooms.person)
    return get(orch, job)


def disable(orch: Orch, job: str) -> Job:
    """It fires no more until it is enabled; harmless when it is disabled."""
    orch.store.send(cmd.DisableJob(job, "disabled by a person"), orch.rooms.person)
    return get(orch, job)


def tick(orch: Orch, firings: Firings, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Fire what is due now, once: `job, slot, outcome, task, reason, exit_code, output, next` of
    every enabled job, those that are not due too."""
    now = orch.rooms.clock.now()
    if not dry_run:
        firings.recover()
    told = []
    for due in firings.look(now, dry_run=dry_run):
        if due.slot is None:
            said = _nothing(due.job, "not_due", "no slot is due")
        elif dry_run:
            said = {**_nothing(due.job, "due", ""), "slot": moment(due.slot)}
        else:
            said = _told(firings.fire(due.job, due.slot))
        told.append({**said, "next": moment(due.coming or 0)})
    return told


def _nothing(job: Job, outcome: str, reason: str) -> dict[str, Any]:
    return {
        "job": job.id, "slot": "", "outcome": outcome, "task": None, "reason": reason,
        "exit_code": None, "output": "",
    }  # fmt: skip


def _told(told: Told) -> dict[str, Any]:
    return {
        "job": told.job, "slot": moment(told.slot), "outcome": told.outcome,
        "task": told.task or None, "reason": told.reason, "exit_code": told.exit_code,
        "output": told.output,
    }  # fmt: skip


def job_record(job: Job, now: float) -> dict[str, Any]:
    """`id, title, schedule, zone, kind, body, labels, repo, agent, workflow, command, precheck,
    timeout_s, enabled, reason, created_at, next, next_local, last{slot, at, outcome, task}`. `next`
    is empty while it is disabled, and where its day never comes."""
    coming, reason = 0, job.reason
    try:
        coming = (coming_slot(job, now) or 0) if job.enabled else 0
    except UsageError as error:  # of this job alone (H35)
        reason = error.message
    return {
        "id": job.id, "title": job.title, "schedule": job.schedule, "zone": job.zone,
        "kind": job.kind, "body": job.body, "labels": list(job.labels), "repo": job.repo,
        "agent": job.agent, "workflow": job.workflow, "command": list(job.argv),
        "precheck": list(job.precheck), "timeout_s": job.timeout_s, "enabled": job.enabled,
        "reason": reason, "created_at": moment(job.created_at), "next": moment(coming),
        "next_local": told_in(coming, job.zone) if coming else "",
        "last": {
            "slot": moment(job.last_slot), "at": moment(job.last_at),
            "outcome": job.last_outcome, "task": job.last_task or None,
        },
    }  # fmt: skip


def next_jobs(orch: Orch, limit: int = 5) -> list[dict[str, Any]]:
    """`name, title, at` of those that fire next, the soonest first."""
    now = orch.rooms.clock.now()
    told = [job_record(job, now) for job in orch.store.jobs()]
    coming = sorted((one["next"], one["id"], one["title"]) for one in told if one["next"])
    return [{"name": name, "title": title, "at": at} for at, name, title in coming[:limit]]


def firing_record(firing: Firing) -> dict[str, Any]:
    """`job, slot, at, outcome, task, reason, exit_code, output, ended_at`."""
    return {
        "job": firing.job, "slot": moment(firing.slot), "at": moment(firing.at),
        "outcome": firing.outcome, "task": firing.task or None, "reason": firing.reason,
        "exit_code": firing.exit_code, "output": firing.output,
        "ended_at": moment(firing.ended_at),
    }  # fmt: skip
