"""The store on SQLite: commands in, events out, one transaction; plain SQL to read.

Invariant: events, state and planned steps of a command are written together or not at all, and a
batch of commands shares one commit (group commit) without sharing its refusals. One connection per
process, guarded by one lock.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from orch.model.attempt import Attempt
from orch.model.errors import OrchError
from orch.model.job import Firing, Job
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import Run, Source
from orch.model.session import Session
from orch.model.standing import Standing
from orch.model.step import Step
from orch.model.task import Task
from orch.model.worktree import Worktree
from orch.store.connection import (
    DatabaseCorrupt,
    check_version,
    open_database,
    transaction,
    translated,
    value,
)
from orch.store.statements import statement
from orch.store.tables import SqliteTables, decoded, source_of, step_of

if TYPE_CHECKING:
    from orch.model.command import Command
    from orch.model.event import Actor, Event
    from orch.model.figures import BookFigures
    from orch.model.spending import AgentStats, Spending, Spent
    from orch.store.deliveries import SqliteDeliveries
    from orch.store.hearing import SqliteHearing
    from orch.store.outreach import SqliteOutreach
    from orch.store.ticket_books import SqliteTickets


class Facts(NamedTuple):
    """SQLite's version and journal mode, the bytes of the file and of its write-ahead log."""

    sqlite: str
    journal: str
    size: int
    log_size: int


class SqliteStore:
    """See `orch.ports.Store`. `now` gives seconds since the epoch; `install` is a fresh random id
    that is used only if the database is new."""

    def __init__(self, path: Path, *, now: Callable[[], float], install: str) -> None:
        self._path = str(path)
        self._now = now
        self._lock = threading.RLock()
        self._db = open_database(path)
        self._tables = SqliteTables(self._db)
        try:
            self._install = self._first_install(install)
        except BaseException:
            self._db.close()
            raise

    @property
    def install(self) -> str:
        """The random id of this database: part of every key of an effect."""
        return self._install

    @property
    def outreach(self) -> SqliteOutreach:
        """Who was told what of the events."""
        from orch.store.outreach import SqliteOutreach

        return SqliteOutreach(self._db, self._guarded)

    @property
    def deliveries(self) -> SqliteDeliveries:
        """What webhooks delivered."""
        from orch.store.deliveries import SqliteDeliveries

        return SqliteDeliveries(self._db, self._guarded)

    @property
    def hearing(self) -> SqliteHearing:
        """What people said below tickets."""
        from orch.store.hearing import SqliteHearing

        return SqliteHearing(self._db, self._guarded)

    @property
    def tickets(self) -> SqliteTickets:
        """What is remembered of tickets that live elsewhere."""
        from orch.store.ticket_books import SqliteTickets

        return SqliteTickets(self._db, self._guarded)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock, translated(self._path):
            yield

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _first_install(self, fresh: str) -> str:
        with self._lock, translated(self._path):
            known = value(self._db, statement("get_meta"), ("install",))
            if known is None:
                self._db.execute(statement("first_install"), (fresh,))
                known = value(self._db, statement("get_meta"), ("install",))
            return str(known)

    # --- writing

    def send(self, command: Command, actor: Actor) -> list[Event]:
        """Carry out one command. A refusal is raised."""
        answer = self.send_all([(command, actor)])[0]
        if isinstance(answer, OrchError):
            raise answer
        return answer

    def send_all(self, commands: Sequence[tuple[Command, Actor]]) -> list[list[Event] | OrchError]:
        """Carry out commands in order in one commit. A refused one changes nothing and its refusal
        stands in its place; a fault undoes all and is raised."""
        from orch.store.writing import carry_out

        with self._lock, translated(self._path), transaction(self._db):
            check_version(self._db, self._path)
            return [
                carry_out(self._db, self._tables, command, actor, self._now)
                for command, actor in commands
            ]

    # --- reading

    def _all(self, cls: Any, name: str, *keys: Any) -> list[Any]:
        with self._lock, translated(self._path):
            return [decoded(cls, row[0]) for row in self._db.execute(statement(name), keys)]

    def _first(self, cls: Any, name: str, *keys: Any) -> Any:
        found = self._all(cls, name, *keys)
        return found[0] if found else None

    def repo(self, slug: str) -> Repo | None:
        found: Repo | None = self._first(Repo, "get_repo", slug)
        return found

    def repos(self) -> list[Repo]:
        """By slug."""
        return self._all(Repo, "list_repos")

    def run(self, run: str) -> Run | None:
        found: Run | None = self._first(Run, "get_run", run)
        return found

    def runs(self) -> list[Run]:
        """Newest first."""
        return self._all(Run, "list_runs")

    def live_runs(self) -> list[Run]:
        """Runs that have not ended, oldest first."""
        return self._all(Run, "live_runs")

    def find_runs(self, prefix: str) -> list[Run]:
        """Runs whose id begins with `prefix` (hex digits), newest first."""
        return self._all(Run, "find_runs", prefix, prefix + "g")

    def last_run(self) -> Run | None:
        found: Run | None = self._first(Run, "last_run")
        return found

    def task(self, task: int) -> Task | None:
        found: Task | None = self._first(Task, "get_task", task)
        return found

    def tasks(self, state: str = "", limit: int = 1000) -> list[Task]:
        """Newest first; of one state or of all."""
        if state:
            return self._all(Task, "tasks_in_state", state, limit)
        return self._all(Task, "list_tasks", limit)

    def task_of_issue(self, issue: str) -> Task | None:
        """The newest one for that ticket."""
        found: Task | None = self._first(Task, "task_of_issue", issue)
        return found

    def tasks_of_sources(self) -> list[Task]:
        """Those for a ticket that lives elsewhere, or asked for below one, oldest first."""
        return self._all(Task, "tasks_of_issues")

    def waiting_tasks(self, limit: int = 100) -> list[Task]:
        """New ones of the queue, at most `limit` of each repository, the most urgent first, then in
        the order they were asked for."""
        return self._all(Task, "waiting_tasks", limit)

    def children(self, task: int) -> list[Task]:
        """In the order they were asked for."""
        return self._all(Task, "children_of_task", task)

    def standings(self) -> list[Standing]:
        """How agents stand, by subject."""
        return self._all(Standing, "list_standings")

    def last_routed(self) -> str:
        """The router's last choice; empty before the first."""
        with self._lock, translated(self._path):
            return str(value(self._db, statement("get_meta"), ("routed",)) or "")

    def runs_of_source(self, source: str, since: float) -> int:
        """Runs of the tasks that `source` has asked for since then."""
        return self._count("runs_of_source", source, since)

    def tasks_by_machine(self, since: float) -> int:
        """Tasks that were asked for since then by anything but a person."""
        return self._count("tasks_by_machine", since)

    def _count(self, name: str, *keys: Any) -> int:
        with self._lock, translated(self._path):
            return int(value(self._db, statement(name), keys))

    def task_counts(self) -> dict[str, int]:
        """How many tasks are in each state that occurs."""
        with self._lock, translated(self._path):
            return {str(row[0]): int(row[1]) for row in self._db.execute(statement("count_tasks"))}

    def runs_of_task(self, task: int) -> list[Run]:
        """Oldest first."""
        return self._all(Run, "runs_of_task", task)

    def pulls_of_task(self, task: int) -> list[PullRequest]:
        return self._all(PullRequest, "pulls_of_task", task)

    def steps(self, run: str) -> list[Step]:
        """In the order in which they were planned."""
        return self._steps("list_steps", run)

    def open_gates(self, run: str = "") -> list[Step]:
        """Gates that are not settled, of one run or of all, oldest first."""
        return self._steps("gates_of_run", run) if run else self._steps("open_gates")

    def step(self, run: str, path: str) -> Step | None:
        found = self._steps("get_step", run, path)
        return found[0] if found else None

    def _steps(self, name: str, *keys: Any) -> list[Step]:
        with self._lock, translated(self._path):
            return [step_of(row) for row in self._db.execute(statement(name), keys)]

    def attempt(self, attempt: str) -> Attempt | None:
        found: Attempt | None = self._first(Attempt, "get_attempt", attempt)
        return found

    def attempts(self, run: str) -> list[Attempt]:
        return self._all(Attempt, "list_attempts", run)

    def attempts_since(self, at: float) -> list[tuple[Attempt, str]]:
        """Those that began then or later, each with its run's repository, oldest first."""
        with self._lock, translated(self._path):
            rows = self._db.execute(statement("attempts_since"), (at,))
            return [(decoded(Attempt, row[0]), str(row[1])) for row in rows]

    def live_attempts(self) -> list[Attempt]:
        return self._all(Attempt, "live_attempts")

    def agent_stats(self, since: float) -> list[AgentStats]:
        """How each agent did in attempts that began since then, by name."""
        from orch.model.spending import AgentStats

        with self._lock, translated(self._path):
            rows = self._db.execute(statement("agent_stats"), (since,))
            return [AgentStats(*row) for row in rows]

    def spending(self, wanted: Spending) -> list[Spent]:
        """What was used, by name of the dimension asked for (one row without one)."""
        from orch.model.spending import Spent

        with self._lock, translated(self._path):
            keys = {**wanted._asdict(), "now": self._now()}
            return [Spent(*row) for row in self._db.execute(statement("spending"), keys)]

    def worktrees(self) -> list[Worktree]:
        """Newest first."""
        return self._all(Worktree, "list_worktrees")

    def sessions(self) -> list[Session]:
        """Newest first."""
        return self._all(Session, "list_sessions")

    def open_session(self) -> Session | None:
        found: Session | None = self._first(Session, "open_session")
        return found

    def job(self, job: str) -> Job | None:
        found: Job | None = self._first(Job, "get_job", job)
        return found

    def jobs(self) -> list[Job]:
        """By id."""
        return self._all(Job, "list_jobs")

    def firings(self, job: str = "", *, limit: int = 100) -> list[Firing]:
        """Of one job or of all, the last slot first."""
        return self._all(Firing, "list_firings", job, limit)

    def pulls(self, run: str = "") -> list[PullRequest]:
        """Newest first; those of one run oldest first."""
        if run:
            return self._all(PullRequest, "pulls_of_run", run)
        return self._all(PullRequest, "list_pulls")

    def sources(self, run: str) -> list[Source]:
        """The snapshot of a run, its entry module first."""
        with self._lock, translated(self._path):
            rows = self._db.execute(statement("sources_of_run"), (run,))
            return [source_of(row) for row in rows]

    def events(self, since: int, *, run: str = "", task: int = 0, limit: int = 1000) -> list[Event]:
        """Events with a number above `since`, oldest first."""
        from orch.store.writing import event_of

        with self._lock, translated(self._path):
            if run:
                rows = self._db.execute(statement("events_of_run_since"), (run, since, limit))
            elif task:
                rows = self._db.execute(statement("events_of_task_since"), (task, since, limit))
            else:
                rows = self._db.execute(statement("events_since"), (since, limit))
            return [event_of(row) for row in rows]

    def last_event(self) -> int:
        with self._lock, translated(self._path):
            return int(value(self._db, statement("last_event")))

    def changes(self) -> int:
        """A number that changes when another process has committed (a 3 µs look)."""
        with self._lock, translated(self._path):
            return int(self._db.pragma("data_version"))

    # --- care

    def figures(self) -> BookFigures:
        """See `orch.ports.Store`."""
        from orch.store import figures

        with self._lock, translated(self._path):
            return figures.counted(self._db)

    def forget_events(self, after: int, upto: int, before: float) -> int:
        """See `orch.ports.Store`."""
        from orch.store import forgetting

        with self._lock, translated(self._path), transaction(self._db):
            check_version(self._db, self._path)
            return forgetting.forget(self._db, after, upto, before)

    def events_floor(self) -> int:
        """See `orch.ports.Store`."""
        from orch.store import forgetting

        with self._lock, translated(self._path):
            return forgetting.floor(self._db)

    def quick_check(self) -> list[str]:
        """What is wrong with the file, one sentence each; empty when all is well."""
        try:
            with self._lock, translated(self._path):
                found = [str(row[0]) for row in self._db.execute("pragma quick_check")]
        except DatabaseCorrupt as error:
            return [error.message]
        return [] if found == ["ok"] else found

    def facts(self) -> Facts:
        """About the library and the file."""
        with self._lock, translated(self._path):
            log = Path(f"{self._path}-wal")
            return Facts(
                sqlite=apsw.sqlite_lib_version(),
                journal=str(self._db.pragma("journal_mode")),
                size=Path(self._path).stat().st_size,
                log_size=log.stat().st_size if log.exists() else 0,
            )

    def backup(self, target: Path) -> None:
        """A consistent copy through SQLite's backup API, mode 0600, checked before it gets its
        name. `target` is replaced; a copy that fails leaves nothing behind."""
        partial = target.with_name(target.name + ".partial")
        with self._lock, translated(str(target)):
            partial.unlink(missing_ok=True)
            try:
                self._copy(partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)

    def _copy(self, partial: Path) -> None:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        copy = apsw.Connection(str(partial))
        try:
            with copy.backup("main", self._db, "main") as backup:
                backup.step(-1)
            copy.pragma("journal_mode", "delete")
            if value(copy, "pragma quick_check") != "ok":
                raise DatabaseCorrupt(
                    f"the copy of {self._path} is damaged: {partial}", hint="orch doctor"
                )
        finally:
            copy.close()
