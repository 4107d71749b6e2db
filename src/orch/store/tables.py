"""The state tables as `orch.model.ledger.Tables`: every row is one frozen Struct.

Invariant: used only inside the transaction of the connection it was made for.
"""

from __future__ import annotations

from typing import Any, TypeVar

import apsw
import msgspec

from orch.model import typed
from orch.model.attempt import Attempt
from orch.model.gate import GateAnswer
from orch.model.heard import Heard
from orch.model.job import Firing, Job
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import Run, Source
from orch.model.session import Session
from orch.model.standing import Standing
from orch.model.step import OUTCOME_DECODER, Step
from orch.model.task import Task
from orch.model.worktree import Worktree
from orch.store.connection import value
from orch.store.statements import statement

S = TypeVar("S", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode


def encoded(struct: msgspec.Struct) -> str:
    return _encode(struct).decode()


def decoded(cls: type[S], body: object) -> S:
    result: S = typed.decode(text_of(body), cls)
    return result


def text_of(column: object) -> str:
    """H105: a column that never holds anything but text; in a damaged file it may."""
    if not isinstance(column, str):
        raise msgspec.DecodeError(f"a row holds {type(column).__name__} where it must hold text")
    return column


def step_of(row: tuple[Any, ...]) -> Step:
    outcome, answer = row[7], row[8]
    return Step(
        run=row[0], path=row[1], kind=row[2], status=row[3], attempt=row[4], looks=row[5],
        request=row[6], outcome=OUTCOME_DECODER.decode(text_of(outcome)) if outcome else None,
        answer=decoded(GateAnswer, answer) if answer else None, planned_seq=row[9],
        settled_seq=row[10], planned_at=row[11], intended_at=row[12], settled_at=row[13],
    )  # fmt: skip


def source_of(row: tuple[Any, ...]) -> Source:
    """H105: what a run executes is what it was planned with, to the letter, or an error."""
    import hashlib  # a listing does without

    source = Source(*map(text_of, row))
    if hashlib.sha256(source.text.encode()).hexdigest() != source.digest:
        raise msgspec.DecodeError(f"the source of {source.module} is not what was stored")
    return source


class SqliteTables:
    """See `orch.model.ledger.Tables`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def _one(self, cls: type[S], name: str, *keys: Any) -> S | None:
        for row in self._db.execute(statement(name), keys):
            return decoded(cls, row[0])
        return None

    def epoch(self) -> int:
        return int(value(self._db, statement("get_meta"), ("epoch",)) or 0)

    def next_task(self) -> int:
        return int(value(self._db, statement("next_task")))

    def repo(self, slug: str) -> Repo | None:
        return self._one(Repo, "get_repo", slug)

    def repos(self) -> list[Repo]:
        return [decoded(Repo, row[0]) for row in self._db.execute(statement("list_repos"))]

    def run(self, run: str) -> Run | None:
        return self._one(Run, "get_run", run)

    def task(self, task: int) -> Task | None:
        return self._one(Task, "get_task", task)

    def task_of_issue(self, issue: str) -> Task | None:
        return self._one(Task, "task_of_issue", issue)

    def children(self, task: int) -> list[Task]:
        rows = self._db.execute(statement("children_of_task"), (task,))
        return [decoded(Task, row[0]) for row in rows]

    def heard(self, source: str, remark: str) -> Heard | None:
        return self._one(Heard, "get_heard", source, remark)

    def put_heard(self, heard: Heard) -> None:
        self._db.execute(statement("put_heard"), (heard.source, heard.remark, encoded(heard)))

    def standings(self) -> list[Standing]:
        return [decoded(Standing, row[0]) for row in self._db.execute(statement("list_standings"))]

    def put_standing(self, standing: Standing) -> None:
        self._db.execute(statement("put_standing"), (standing.subject, encoded(standing)))

    def put_routed(self, agent: str) -> None:
        self._db.execute(statement("put_meta"), ("routed", agent))

    def attempt(self, attempt: str) -> Attempt | None:
        return self._one(Attempt, "get_attempt", attempt)

    def worktree(self, repo: str, name: str) -> Worktree | None:
        return self._one(Worktree, "get_worktree", repo, name)

    def pull(self, repo: str, number: int) -> PullRequest | None:
        return self._one(PullRequest, "get_pull", repo, number)

    def pulls_beside(self, repo: str, number: int) -> tuple[str, list[PullRequest]]:
        row = self._db.execute(statement("run_of_pull"), (repo, number)).fetchone()
        run = text_of(row[0]) if row else ""
        rows = self._db.execute(statement("pulls_of_run"), (run,)) if run else ()
        return run, [decoded(PullRequest, row[0]) for row in rows]

    def worktree_names(self, repo: str) -> list[str]:
        return [text_of(row[0]) for row in self._db.execute(statement("worktree_names"), (repo,))]

    def live_run_ids(self, repo: str) -> list[str]:
        return [text_of(row[0]) for row in self._db.execute(statement("live_run_ids"), (repo,))]

    def session(self, session: int) -> Session | None:
        return self._one(Session, "get_session", session)

    def open_session(self) -> Session | None:
        return self._one(Session, "open_session")

    def next_session(self) -> int:
        return int(value(self._db, statement("next_session")))

    def put_session(self, session: Session) -> None:
        self._db.execute(statement("put_session"), (session.id, session.last_seq, encoded(session)))

    def job(self, job: str) -> Job | None:
        return self._one(Job, "get_job", job)

    def firing(self, job: str, slot: int) -> Firing | None:
        return self._one(Firing, "get_firing", job, slot)

    def put_job(self, job: Job) -> None:
        self._db.execute(statement("put_job"), (job.id, encoded(job)))

    def drop_job(self, job: str) -> None:
        self._db.execute(statement("drop_job"), (job,))
        self.drop_firings(job, 2**62)

    def put_firing(self, firing: Firing) -> None:
        self._db.execute(statement("put_firing"), (firing.job, firing.slot, encoded(firing)))

    def drop_firings(self, job: str, before: int) -> None:
        self._db.execute(statement("drop_firings"), (job, before))

    def step(self, run: str, path: str) -> Step | None:
        for row in self._db.execute(statement("get_step"), (run, path)):
            return step_of(row)
        return None

    def put_epoch(self, epoch: int) -> None:
        self._db.execute(statement("put_meta"), ("epoch", str(epoch)))

    def put_repo(self, repo: Repo) -> None:
        self._db.execute(statement("put_repo"), (repo.slug, repo.common_dir, encoded(repo)))

    def put_run(self, run: Run) -> None:
        self._db.execute(
            statement("put_run"),
            (
                run.id, run.status, run.repo, run.workflow, run.stop, run.updated_at, run.task,
                encoded(run),
            ),
        )  # fmt: skip

    def put_task(self, task: Task) -> None:
        self._db.execute(
            statement("put_task"),
            (
                task.id, task.state, task.repo, task.issue, task.run, task.parent, task.priority,
                task.queued, task.source, task.created_at, encoded(task),
            ),
        )  # fmt: skip

    def put_step(self, step: Step) -> None:
        self._db.execute(
            statement("put_step"),
            (
                step.run, step.path, step.kind, step.status, step.attempt, step.looks,
                step.request, encoded(step.outcome) if step.outcome else None,
                encoded(step.answer) if step.answer else None, step.planned_seq,
                step.settled_seq, step.planned_at, step.intended_at, step.settled_at,
            ),
        )  # fmt: skip

    def put_attempt(self, attempt: Attempt) -> None:
        from orch.model import spending

        self._db.execute(
            statement("put_attempt"),
            (
                attempt.id, attempt.run, attempt.path, attempt.n, attempt.status,
                attempt.started_at, attempt.agent, attempt.model, attempt.ended_at,
                *spending.reported(attempt.usage), encoded(attempt),
            ),
        )  # fmt: skip

    def put_worktree(self, worktree: Worktree) -> None:
        self._db.execute(
            statement("put_worktree"),
            (worktree.repo, worktree.name, worktree.path, worktree.run, encoded(worktree)),
        )

    def drop_worktree(self, repo: str, name: str) -> None:
        self._db.execute(statement("drop_worktree"), (repo, name))

    def drop_repo(self, slug: str) -> None:
        self._db.execute(statement("drop_repo"), (slug,))

    def put_pull(self, pull: PullRequest, run: str) -> None:
        self._db.execute(statement("put_pull"), (pull.repo, pull.number, run, encoded(pull)))

    def put_sources(self, run: str, sources: tuple[Source, ...]) -> None:
        for position, source in enumerate(sources):
            self._db.execute(
                statement("put_source"),
                (source.digest, source.module, source.filename, source.text),
            )
            self._db.execute(
                statement("link_source"),
                (run, position, source.digest, source.module, source.filename),
            )
