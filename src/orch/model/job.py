"""A job: a schedule that makes tasks or runs a command; and its firings, one a slot.

Invariant: a slot of a job is taken once, by whoever wrote its firing first, before anything was
done about it (H37, H39). Which slot is due depends on the books and the wall clock alone, so that a
process that starts later takes up where another one ended.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from orch.model.run import Owner
from orch.model.task import TaskState

JobKind = Literal["task", "command"]
FiringOutcome = Literal["running", "fired", "skipped", "done", "failed", "lost"]
DAY_S = 86_400.0
KEPT_S = 32 * DAY_S
"""Firings are kept for so long."""
OUTPUT_KEPT = 500
"""Characters of a command's output that are kept."""
BUSY: frozenset[TaskState] = frozenset({"new", "routed", "in_progress"})
"""While its last task is in one of these a job makes no other; any other state, or a task that is
not there any more, releases it (H38)."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the slug of its title. A `task` job makes tasks for `repo` (its own, H40), a `command`
    job runs `argv` there (in the person's home without a repository). `precheck` is a command that is
    asked first: exit code 0 means go on. Slots up to `since` (when it was made or enabled) are not
    its own (H36). `last_*` tell of the last slot that was taken; `reason` says why nothing came of
    it, or why the job is disabled; `running` is the slot whose program is at work. Times are seconds
    since the epoch; 0 means never."""

    id: str
    title: str
    schedule: str
    zone: str = "UTC"
    kind: JobKind = "task"
    body: str = ""
    labels: tuple[str, ...] = ()
    repo: str = ""
    agent: str = ""
    workflow: str = ""
    argv: tuple[str, ...] = ()
    precheck: tuple[str, ...] = ()
    timeout_s: float = 600.0
    enabled: bool = True
    created_at: float = 0.0
    since: float = 0.0
    last_slot: int = 0
    last_at: float = 0.0
    last_task: int = 0
    last_outcome: str = ""
    running: int = 0
    reason: str = ""


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one slot. `running`: a command or pre-check of `owner` is at work; `lost`: it
    was, when that process died. `output` is the end of what the program wrote."""

    job: str
    slot: int
    at: float
    outcome: FiringOutcome
    task: int = 0
    owner: Owner | None = None
    reason: str = ""
    exit_code: int | None = None
    output: str = ""
    ended_at: float = 0.0


class Due(msgspec.Struct, frozen=True):
    """A job with the slot to fire now, if there is one, and the next one after that."""

    job: Job
    slot: int | None
    coming: int | None


TickOutcome = Literal["fired", "skipped", "done", "failed", "taken", "error"]


class Told(msgspec.Struct, frozen=True):
    """What came of a slot that was due: `taken` is what another process has done, `error` that it
    could not be recorded."""

    job: str
    slot: int
    outcome: TickOutcome
    task: int = 0
    reason: str = ""
    exit_code: int | None = None
    output: str = ""


class JobViews(Protocol):
    """What `orch.ports.Store` tells of jobs."""

    def job(self, job: str) -> Job | None: ...
    def jobs(self) -> list[Job]: ...
    def firings(self, job: str = "", *, limit: int = 100) -> list[Firing]:
        """Of one job or of all, the last slot first."""


def due_slot(job: Job, now: float) -> int | None:
    """The one slot to fire now: the last of those that were missed within 24 hours, so that all of
    them are made up for once. None while there is none. `UsageError` for a schedule or zone that
    cannot be used (any more): it concerns this job alone (H35)."""
    from orch.model.cron import last_missed

    return last_missed(job.schedule, _baseline(job, now), now, job.zone)


def coming_slot(job: Job, now: float) -> int | None:
    """The next slot that will be due, if there is one. Errors as `due_slot`."""
    from orch.model.cron import next_slots

    found = next_slots(job.schedule, max(now, _baseline(job, now)), job.zone, 1)
    return found[0] if found else None


def _baseline(job: Job, now: float) -> float:
    """Slots up to here are over. A clock that jumped back fires nothing twice; what a clock wrote
    that was days ahead would silence the job, and does not count."""
    told = (job.since, float(job.last_slot), now - DAY_S)
    return max((at for at in told if at <= now + DAY_S), default=now)
