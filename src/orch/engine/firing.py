"""Firing what is due: the one way in which slots become tasks or commands, for the service's
scheduler and for `orch job tick`.

Invariant: the slot is in the books before anything is run (H37); an error of one job is told as that
job's, and concerns no other (H35). Synchronous; safe to be used by many processes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orch.engine.job_program import Ended, run_program
from orch.model.command import DisableJob, FireJob, SettleFiring
from orch.model.errors import OrchError, UsageError
from orch.model.event import Actor, JobDisabled, JobFired, JobSkipped
from orch.model.job import Due, Job, TickOutcome, Told, coming_slot, due_slot
from orch.model.naming import moment
from orch.model.run import Owner
from orch.ports import Store


@dataclass
class Firings:
    """`alive` tells whether an owner's process still lives; `environ` is what programs get; `person`
    the directory of command jobs without a repository."""

    store: Store
    actor: Actor
    owner: Owner
    alive: Callable[[Owner], bool]
    environ: Mapping[str, str]
    person: Path
    _unsettled: list[SettleFiring] = field(default_factory=list)
    _coming: dict[Job, int] = field(default_factory=dict)
    _looked: float = 0.0

    def look(self, now: float, *, dry_run: bool = False) -> list[Due]:
        """All enabled jobs. One whose schedule cannot be used any more (its zone is gone) is
        disabled with the reason. Cheap where nothing has come about: see `_coming`."""
        if now < self._looked:  # the clock was put back: what was reckoned may be due again
            self._coming.clear()
        self._looked = now
        found = []
        for job in self.store.jobs():
            if not job.enabled:
                continue
            try:
                found.append(self._due(job, now))
            except UsageError as error:
                if not dry_run:
                    self.store.send(DisableJob(job.id, error.message), self.actor)
        self._coming = {due.job: due.coming for due in found if due.coming is not None}
        return found

    def _due(self, job: Job, now: float) -> Due:
        known = self._coming.get(job)
        if known is not None and now < known:
            return Due(job, None, known)
        return Due(job, due_slot(job, now), coming_slot(job, now))

    def fire(self, job: Job, slot: int) -> Told:
        """Take the slot and do what is to be done, to its end."""
        try:
            events = self.store.send(FireJob(job.id, slot, self.owner), self.actor)
        except OrchError as error:
            taken = error.code in ("slot_taken", "job_disabled", "unknown_job")
            return Told(job.id, slot, "taken" if taken else "error", reason=error.message)
        told = events[0].data
        if isinstance(told, JobSkipped):
            return Told(job.id, slot, "skipped", reason=told.reason)
        if isinstance(told, JobFired) and told.task:
            return Told(job.id, slot, "fired", told.task)
        return self._settled(self._carried_out(job, slot))

    def recover(self) -> None:
        """Settle what was begun and never settled: by a process that died, or by this one when the
        books could not be written. Nothing is run a second time."""
        for command in list(self._unsettled):
            if self._settled(command).outcome == "error":
                return
            self._unsettled.remove(command)
        for firing in self.store.firings(limit=1000):
            owner = firing.owner
            if firing.outcome == "running" and (owner is None or not self.alive(owner)):
                self._settled(
                    SettleFiring(
                        id=firing.job, slot=firing.slot, outcome="lost",
                        reason="the process that ran it died; how it ended is not known",
                    )
                )  # fmt: skip

    def _carried_out(self, job: Job, slot: int) -> SettleFiring:
        repo = self.store.repo(job.repo) if job.repo else None
        place = Path(repo.local_path) if repo is not None else self.person
        if not place.is_dir():
            reason = f"its directory {place} is not there"
            return SettleFiring(
                id=job.id, slot=slot, outcome="skipped", reason=reason, disable=True
            )
        environ = {**self.environ, "ORCH_JOB": job.id, "ORCH_SLOT": moment(slot)}

        def run(argv: tuple[str, ...]) -> Ended:
            return run_program(argv, cwd=place, environ=environ, timeout_s=job.timeout_s)

        if job.precheck:
            ended = run(job.precheck)
            if ended.exit_code != 0:
                why = ended.reason or f"it ended with {ended.exit_code}"
                return SettleFiring(
                    id=job.id, slot=slot, outcome="skipped", reason=f"its pre-check said no: {why}"
                )
        if job.kind == "task":
            return SettleFiring(id=job.id, slot=slot, outcome="passed")
        ended = run(job.argv)
        reason = ended.reason or (f"it ended with {ended.exit_code}" if ended.exit_code else "")
        return SettleFiring(
            id=job.id, slot=slot, outcome="failed" if reason else "done", reason=reason,
            exit_code=ended.exit_code, output=ended.output,
        )  # fmt: skip

    def _settled(self, command: SettleFiring) -> Told:
        try:
            events = self.store.send(command, self.actor)
        except OrchError as error:
            if error.code not in ("slot_settled", "unknown_job") and command not in self._unsettled:
                self._unsettled.append(command)
            return Told(command.id, command.slot, "error", reason=error.message)
        told = events[0].data
        if isinstance(told, JobFired):
            return Told(command.id, command.slot, "fired", told.task)
        reason = told.reason if isinstance(told, JobSkipped) else command.reason
        if any(isinstance(event.data, JobDisabled) for event in events):
            reason += "; the job is disabled"
        outcome: TickOutcome = "skipped" if isinstance(told, JobSkipped) else "failed"
        if command.outcome == "done":
            outcome = "done"
        return Told(command.id, command.slot, outcome, 0, reason, command.exit_code, command.output)
