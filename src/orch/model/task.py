"""A unit of work for agents, from the moment somebody asks for it to its end.

Invariant: a task's state is read off its run's current step; what is not at work has a reason in one
sentence and, where a person must act, the command that helps. `needs_review` waits for a human and
is never resumed by itself (H22); `done` and `cancelled` have an exit too: a retry by a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from orch.model.profile import Profile

if TYPE_CHECKING:
    from orch.model.attempt import Attempt
    from orch.model.pull import PullRequest
    from orch.model.run import Run
    from orch.model.standing import Standing

TaskState = Literal[
    "new", "routed", "in_progress", "in_review", "done", "blocked", "needs_review", "cancelled"
]
STATES: tuple[TaskState, ...] = (
    "new", "routed", "in_progress", "in_review", "done", "blocked", "needs_review", "cancelled",
)  # fmt: skip
CLOSED: frozenset[str] = frozenset({"done", "cancelled"})
MENTION = "mention"
"""The source of a task that was asked for in a comment: `mention:SOURCE:ID`."""
AT_WORK: frozenset[str] = frozenset({"routed", "in_progress"})


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id` is a whole number; `issue` the ticket's id or empty (internal); `repo` a slug or empty
    (then its agent works without a repository). `pin` is the agent asked for with `--agent`; `agent`,
    `model`, `complexity` and `profile` are the router's choice. `source` says who asked:
    `person:NAME`, `job:ID`, `agent:TASK`, `ticket:ID`. `depth` counts the tasks above it. `run` is
    its last run.
    `reason` and `hint` stand for the present state; `wake_at` is the time before which nothing will
    happen by itself, 0 for none; `asked_at` when somebody last asked for it. `notes`
    are JSON values that scripts keep with it. Times are seconds since the epoch."""

    id: int
    title: str
    state: TaskState
    repo: str = ""
    issue: str = ""
    run: str = ""
    body: str = ""
    labels: tuple[str, ...] = ()
    workflow: str = ""
    pin: str = ""
    agent: str = ""
    model: str = ""
    complexity: str = ""
    profile: Profile | None = None
    parent: int = 0
    depth: int = 0
    priority: int = 0
    source: str = ""
    reason: str = ""
    hint: str = ""
    wake_at: float = 0.0
    queued: bool = False
    notes: dict[str, Any] = {}
    created_at: float = 0.0
    updated_at: float = 0.0
    asked_at: float = 0.0

    @property
    def by_person(self) -> bool:
        """A person asked for it: here, or by a label or words at a ticket (who that was, the tracker
        was asked)."""
        return self.source.startswith(("person:", "ticket:"))


def place_of(task: Task) -> str:
    """`SOURCE:ID` of the ticket below which people read how a task stands: its own, or the one where
    it was asked for; empty for none."""
    if ":" in task.issue:
        return task.issue
    word, _, place = task.source.partition(":")
    return place if word == MENTION and ":" in place else ""


class TaskViews(Protocol):
    """What a store tells about the queue."""

    def task(self, task: int) -> Task | None: ...
    def tasks(self, state: str = "", limit: int = 1000) -> list[Task]:
        """Newest first."""

    def waiting_tasks(self, limit: int = 100) -> list[Task]:
        """New ones of the queue, at most `limit` of each repository, the most urgent first."""

    def task_of_issue(self, issue: str) -> Task | None:
        """The newest one for that ticket."""

    def tasks_of_sources(self) -> list[Task]:
        """Those for a ticket that lives elsewhere (`SOURCE:ID`), or asked for below one, oldest
        first."""

    def children(self, task: int) -> list[Task]: ...
    def task_counts(self) -> dict[str, int]: ...
    def runs_of_source(self, source: str, since: float) -> int: ...
    def tasks_by_machine(self, since: float) -> int: ...
    def attempts_since(self, at: float) -> list[tuple[Attempt, str]]:
        """With each run's repository, oldest first."""

    def standings(self) -> list[Standing]: ...
    def last_routed(self) -> str: ...
    def runs_of_task(self, task: int) -> list[Run]:
        """Oldest first."""

    def pulls_of_task(self, task: int) -> list[PullRequest]:
        """Of all its runs, oldest first."""
