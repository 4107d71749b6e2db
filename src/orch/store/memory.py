"""The store in memory: the same commands, events and views, for the simulation and for tests.

Invariant: decides and applies through the very same rules as SQLite; a refused or failed command
leaves nothing behind. It can outlive an engine, as a disk would.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from orch.model import typed
from orch.model.attempt import FINAL, Attempt
from orch.model.command import Command, CreateRun
from orch.model.decide import decide
from orch.model.errors import OrchError
from orch.model.event import Actor, Event, EventData
from orch.model.figures import AttemptFigures, BookFigures
from orch.model.heard import Heard
from orch.model.job import Firing, Job
from orch.model.ledger import apply, envelope
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.retention import KEPT_KINDS, is_over
from orch.model.run import TERMINAL, Run, Source
from orch.model.session import Session
from orch.model.spending import AgentStats, Spending, Spent, spent_by, stats_of
from orch.model.standing import Standing
from orch.model.step import SETTLED, Step
from orch.model.task import Task, place_of
from orch.model.worktree import Worktree
from orch.store.deliveries import MemoryDeliveries
from orch.store.hearing import MemoryHearing
from orch.store.outreach import MemoryOutreach
from orch.store.ticket_books import MemoryTickets

Sent = list[Event] | OrchError


class MemoryTables:
    """`orch.model.ledger.Tables` on dictionaries that keep the order of insertion."""

    def __init__(self) -> None:
        self.epoch_number = 0
        self.repo_rows: dict[str, Repo] = {}
        self.run_rows: dict[str, Run] = {}
        self.task_rows: dict[int, Task] = {}
        self.step_rows: dict[tuple[str, str], Step] = {}
        self.attempt_rows: dict[str, Attempt] = {}
        self.worktree_rows: dict[tuple[str, str], Worktree] = {}
        self.pull_rows: dict[tuple[str, int], tuple[PullRequest, str]] = {}
        self.session_rows: dict[int, Session] = {}
        self.standing_rows: dict[str, Standing] = {}
        self.routed = ""
        self.heard_rows: dict[tuple[str, str], Heard] = {}
        self.job_rows: dict[str, Job] = {}
        self.firing_rows: dict[tuple[str, int], Firing] = {}
        self.source_rows: dict[str, tuple[Source, ...]] = {}

    def copy(self) -> MemoryTables:
        twin = MemoryTables()
        for name, rows in vars(self).items():
            setattr(twin, name, dict(rows) if isinstance(rows, dict) else rows)
        return twin

    def epoch(self) -> int:
        return self.epoch_number

    def next_task(self) -> int:
        return max(self.task_rows, default=0) + 1

    def repo(self, slug: str) -> Repo | None:
        return self.repo_rows.get(slug)

    def repos(self) -> list[Repo]:
        return sorted(self.repo_rows.values(), key=lambda repo: repo.slug)

    def run(self, run: str) -> Run | None:
        return self.run_rows.get(run)

    def task(self, task: int) -> Task | None:
        return self.task_rows.get(task)

    def task_of_issue(self, issue: str) -> Task | None:
        found = [task for task in self.task_rows.values() if task.issue == issue]
        return max(found, key=lambda task: task.id, default=None)

    def children(self, task: int) -> list[Task]:
        return [one for one in self.task_rows.values() if one.parent == task and task]

    def heard(self, source: str, remark: str) -> Heard | None:
        return self.heard_rows.get((source, remark))

    def put_heard(self, heard: Heard) -> None:
        self.heard_rows.setdefault((heard.source, heard.remark), heard)

    def standings(self) -> list[Standing]:
        return [self.standing_rows[subject] for subject in sorted(self.standing_rows)]

    def put_standing(self, standing: Standing) -> None:
        self.standing_rows[standing.subject] = standing

    def put_routed(self, agent: str) -> None:
        self.routed = agent

    def step(self, run: str, path: str) -> Step | None:
        return self.step_rows.get((run, path))

    def attempt(self, attempt: str) -> Attempt | None:
        return self.attempt_rows.get(attempt)

    def worktree(self, repo: str, name: str) -> Worktree | None:
        return self.worktree_rows.get((repo, name))

    def pull(self, repo: str, number: int) -> PullRequest | None:
        found = self.pull_rows.get((repo, number))
        return found[0] if found else None

    def pulls_beside(self, repo: str, number: int) -> tuple[str, list[PullRequest]]:
        _, run = self.pull_rows.get((repo, number), (None, ""))
        return run, [pull for pull, by in self.pull_rows.values() if run and by == run]

    def worktree_names(self, repo: str) -> list[str]:
        return sorted(name for owner, name in self.worktree_rows if owner == repo)

    def live_run_ids(self, repo: str) -> list[str]:
        rows = self.run_rows.values()
        return [run.id for run in rows if run.repo == repo and run.status not in TERMINAL]

    def session(self, session: int) -> Session | None:
        return self.session_rows.get(session)

    def open_session(self) -> Session | None:
        return next((s for s in self.session_rows.values() if s.is_open), None)

    def next_session(self) -> int:
        return max(self.session_rows, default=0) + 1

    def put_session(self, session: Session) -> None:
        self.session_rows[session.id] = session

    def job(self, job: str) -> Job | None:
        return self.job_rows.get(job)

    def firing(self, job: str, slot: int) -> Firing | None:
        return self.firing_rows.get((job, slot))

    def put_job(self, job: Job) -> None:
        self.job_rows[job.id] = job

    def drop_job(self, job: str) -> None:
        self.job_rows.pop(job, None)
        self.drop_firings(job, 2**62)

    def put_firing(self, firing: Firing) -> None:
        self.firing_rows[firing.job, firing.slot] = firing

    def drop_firings(self, job: str, before: int) -> None:
        for key in [key for key in self.firing_rows if key[0] == job and key[1] < before]:
            del self.firing_rows[key]

    def put_epoch(self, epoch: int) -> None:
        self.epoch_number = epoch

    def put_repo(self, repo: Repo) -> None:
        self.repo_rows[repo.slug] = repo

    def put_run(self, run: Run) -> None:
        # What a disk keeps is what the encoding keeps.
        self.run_rows[run.id] = typed.decode(msgspec.json.encode(run), Run)

    def put_task(self, task: Task) -> None:
        self.task_rows[task.id] = task

    def put_step(self, step: Step) -> None:
        self.step_rows[step.run, step.path] = step

    def put_attempt(self, attempt: Attempt) -> None:
        self.attempt_rows[attempt.id] = attempt

    def put_worktree(self, worktree: Worktree) -> None:
        self.worktree_rows[worktree.repo, worktree.name] = worktree

    def drop_worktree(self, repo: str, name: str) -> None:
        self.worktree_rows.pop((repo, name), None)

    def drop_repo(self, slug: str) -> None:
        self.repo_rows.pop(slug, None)

    def put_pull(self, pull: PullRequest, run: str) -> None:
        _, first = self.pull_rows.get((pull.repo, pull.number), (pull, run))
        self.pull_rows[pull.repo, pull.number] = (pull, first or run)

    def put_sources(self, run: str, sources: tuple[Source, ...]) -> None:
        self.source_rows.setdefault(run, sources)


class MemoryStore:
    """See `orch.ports.Store`."""

    def __init__(self, *, now: Callable[[], float], install: str = "memory") -> None:
        self.install = install
        self._now = now
        self._tables = MemoryTables()
        self._events: list[Event] = []
        self.outreach = MemoryOutreach()
        self.deliveries = MemoryDeliveries()
        self.tickets = MemoryTickets()
        self.hearing = MemoryHearing(lambda: self._tables.heard_rows)
        self._floor = 0

    def close(self) -> None:
        """Nothing to close: the data stays, as on a disk."""

    def send(self, command: Command, actor: Actor) -> list[Event]:
        answer = self.send_all([(command, actor)])[0]
        if isinstance(answer, OrchError):
            raise answer
        return answer

    def send_all(self, commands: Sequence[tuple[Command, Actor]]) -> list[Sent]:
        tables, events = self._tables.copy(), list(self._events)
        answers: list[Sent] = []
        for command, actor in commands:
            decision = decide(tables, command)
            if isinstance(decision, OrchError):
                answers.append(decision)
                continue
            run = command.id if isinstance(command, CreateRun) else getattr(command, "run", "")
            made: list[Event] = []
            for data in decision:
                cause = made[0].seq if made else 0
                event = self._event(
                    events[-1].seq + 1 if events else 1, data, actor, cause, tables, run
                )
                apply(tables, event)
                events.append(event)
                made.append(event)
            if isinstance(command, CreateRun):
                tables.put_sources(command.id, command.sources)
            answers.append(made)
        self._tables, self._events = tables, events
        return answers

    def _event(
        self, seq: int, data: EventData, actor: Actor, cause: int, tables: MemoryTables, run: str
    ) -> Event:
        repo, task, step = envelope(tables, data, tables.run(run))
        return Event(
            seq=seq, at=self._now(), actor=actor, cause=cause, data=data, run=run, repo=repo,
            task=task, step=step,
        )  # fmt: skip

    def repo(self, slug: str) -> Repo | None:
        return self._tables.repo(slug)

    def repos(self) -> list[Repo]:
        return self._tables.repos()

    def run(self, run: str) -> Run | None:
        return self._tables.run(run)

    def runs(self) -> list[Run]:
        return list(self._tables.run_rows.values())[::-1]

    def live_runs(self) -> list[Run]:
        return [run for run in self._tables.run_rows.values() if run.status not in TERMINAL]

    def find_runs(self, prefix: str) -> list[Run]:
        return [run for run in self.runs() if run.id.startswith(prefix)][:20]

    def last_run(self) -> Run | None:
        return next(iter(self.runs()), None)

    def task(self, task: int) -> Task | None:
        return self._tables.task(task)

    def steps(self, run: str) -> list[Step]:
        found = [step for (owner, _), step in self._tables.step_rows.items() if owner == run]
        return sorted(found, key=lambda step: step.planned_seq)

    def open_gates(self, run: str = "") -> list[Step]:
        rows = [step for step in self._tables.step_rows.values() if run in ("", step.run)]
        found = [s for s in rows if s.kind == "Gate/1" and s.status not in SETTLED]
        return sorted(found, key=lambda step: step.planned_seq)

    def step(self, run: str, path: str) -> Step | None:
        return self._tables.step(run, path)

    def attempt(self, attempt: str) -> Attempt | None:
        return self._tables.attempt(attempt)

    def attempts(self, run: str) -> list[Attempt]:
        return [a for a in self._tables.attempt_rows.values() if a.run == run]

    def attempts_since(self, at: float) -> list[tuple[Attempt, str]]:
        runs = self._tables.run_rows
        found = [
            (one, runs[one.run].repo) for one in self._tables.attempt_rows.values()
            if one.started_at >= at and one.run in runs
        ]  # fmt: skip
        return sorted(found, key=lambda pair: pair[0].started_at)

    def live_attempts(self) -> list[Attempt]:
        return [a for a in self._tables.attempt_rows.values() if a.status not in FINAL]

    def agent_stats(self, since: float) -> list[AgentStats]:
        found: dict[str, list[Attempt]] = {}
        for attempt in self._tables.attempt_rows.values():
            if attempt.agent and attempt.started_at >= since:
                found.setdefault(attempt.agent, []).append(attempt)
        return [stats_of(agent, found[agent]) for agent in sorted(found)]

    def spending(self, wanted: Spending) -> list[Spent]:
        found: dict[str, list[Attempt]] = {}
        for attempt in self._tables.attempt_rows.values():
            run = self._tables.run(attempt.run)
            if run is None or not attempt.agent or attempt.started_at < wanted.since:
                continue
            if wanted.run not in ("", run.id) or wanted.task not in (0, run.task):
                continue
            day = time.strftime("%Y-%m-%d", time.gmtime(attempt.started_at))
            names = {
                "task": str(run.task), "agent": attempt.agent, "model": attempt.model,
                "repo": run.repo, "day": day,
            }  # fmt: skip
            found.setdefault(names.get(wanted.by, ""), []).append(attempt)
        return [spent_by(name, found[name], self._now()) for name in sorted(found)]

    def worktrees(self) -> list[Worktree]:
        return list(self._tables.worktree_rows.values())[::-1]

    def sessions(self) -> list[Session]:
        return list(self._tables.session_rows.values())[::-1]

    def open_session(self) -> Session | None:
        return self._tables.open_session()

    def job(self, job: str) -> Job | None:
        return self._tables.job(job)

    def jobs(self) -> list[Job]:
        return sorted(self._tables.job_rows.values(), key=lambda job: job.id)

    def firings(self, job: str = "", *, limit: int = 100) -> list[Firing]:
        rows = [row for row in self._tables.firing_rows.values() if job in ("", row.job)]
        return sorted(rows, key=lambda row: (-row.slot, row.job))[:limit]

    def pulls(self, run: str = "") -> list[PullRequest]:
        rows = self._tables.pull_rows.values()
        if run:
            return [pull for pull, owner in rows if owner == run]
        return [pull for pull, _ in rows][::-1]

    def sources(self, run: str) -> list[Source]:
        return list(self._tables.source_rows.get(run, ()))

    def tasks(self, state: str = "", limit: int = 1000) -> list[Task]:
        found = [t for t in self._tables.task_rows.values() if not state or t.state == state]
        return sorted(found, key=lambda task: -task.id)[:limit]

    def task_of_issue(self, issue: str) -> Task | None:
        return self._tables.task_of_issue(issue)

    def tasks_of_sources(self) -> list[Task]:
        found = [task for task in self._tables.task_rows.values() if place_of(task)]
        return sorted(found, key=lambda task: task.id)

    def waiting_tasks(self, limit: int = 100) -> list[Task]:
        found = [t for t in self._tables.task_rows.values() if t.state == "new" and t.queued]
        found.sort(key=lambda task: (-task.priority, task.id))
        seen: Counter[str] = Counter()
        kept = []
        for task in found:
            seen[task.repo] += 1
            if seen[task.repo] <= limit:
                kept.append(task)
        return kept

    def children(self, task: int) -> list[Task]:
        return self._tables.children(task)

    def standings(self) -> list[Standing]:
        return self._tables.standings()

    def last_routed(self) -> str:
        return self._tables.routed

    def runs_of_source(self, source: str, since: float) -> int:
        tasks = self._tables.task_rows
        return sum(
            1 for run in self._tables.run_rows.values()
            if run.task in tasks and tasks[run.task].source == source
            and tasks[run.task].created_at >= since
        )  # fmt: skip

    def tasks_by_machine(self, since: float) -> int:
        return sum(
            1
            for task in self._tables.task_rows.values()
            if task.created_at >= since and task.source and not task.by_person
        )

    def task_counts(self) -> dict[str, int]:
        return dict(Counter(task.state for task in self._tables.task_rows.values()))

    def runs_of_task(self, task: int) -> list[Run]:
        return [run for run in self._tables.run_rows.values() if run.task == task and task]

    def pulls_of_task(self, task: int) -> list[PullRequest]:
        return [pull for run in self.runs_of_task(task) for pull in self.pulls(run.id)]

    def events(self, since: int, *, run: str = "", task: int = 0, limit: int = 1000) -> list[Event]:
        found = [
            event for event in self._events
            if event.seq > since and run in ("", event.run) and task in (0, event.task)
        ]  # fmt: skip
        return found[:limit]

    def last_event(self) -> int:
        return self._events[-1].seq if self._events else 0

    def changes(self) -> int:
        """Moves with every event: whoever shares this store in a simulation is another process."""
        return self.last_event()

    def figures(self) -> BookFigures:
        rows = self._tables
        groups: dict[tuple[str, str, str], list[Attempt]] = {}
        for attempt in rows.attempt_rows.values():
            groups.setdefault((attempt.agent, attempt.role, attempt.status), []).append(attempt)
        waiting = [t.created_at for t in rows.task_rows.values() if t.state == "new" and t.queued]
        runs = rows.run_rows.values()
        return BookFigures(
            tasks=dict(sorted(self.task_counts().items())),
            runs=dict(sorted(Counter(run.status for run in runs).items())),
            attempts=[_figures(key, found) for key, found in sorted(groups.items())],
            live_attempts=len(self.live_attempts()),
            waiting_since=min(waiting, default=0.0),
            events=self.last_event(),
            unresolved=sum(len(run.unresolved) for run in runs if run.status in TERMINAL),
            slots=dict(sorted(Counter(f.outcome for f in rows.firing_rows.values()).items())),
        )

    def forget_events(self, after: int, upto: int, before: float) -> int:
        gone = {
            event.seq for event in self._events
            if after < event.seq <= upto and event.at < before and event.kind not in KEPT_KINDS
            and self._is_over(event.run, before)
        }  # fmt: skip
        self._floor = max([self._floor, *gone])
        self._events = [event for event in self._events if event.seq not in gone]
        return len(gone)

    def _is_over(self, name: str, before: float) -> bool:
        run = self.run(name)
        return run is not None and run.updated_at < before and is_over(run, self.task(run.task))

    def events_floor(self) -> int:
        return self._floor

    def quick_check(self) -> list[str]:
        return []


def _figures(key: tuple[str, str, str], found: Sequence[Attempt]) -> AttemptFigures:
    took = (one.ended_at - one.started_at for one in found if one.ended_at)
    told = stats_of(key[0], found)
    return AttemptFigures(
        *key, len(found), sum(max(0.0, seconds) for seconds in took),
        told.tokens_in, told.tokens_out, told.usd,
        told.usd_unknown if key[0] else 0, told.tokens_unknown if key[0] else 0,
    )  # fmt: skip
