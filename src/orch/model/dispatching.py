"""Which waiting task begins next: by urgency, fair between repositories, within the slots. Pure.

Invariant: never more at work than there are slots, of all and of one repository; the most urgent
first; among equals the repository with the least at work, then the one whose turn is longest ago,
then whoever asked first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from orch.model.task import Task
from orch.model.wall import put_back


class Slots(msgspec.Struct, frozen=True):
    """How much may be at work at once: in all, and in one repository (0: as in all)."""

    total: int
    of_repo: Mapping[str, int] = {}

    def free(self, repo: str, busy: Mapping[str, int]) -> bool:
        """Whether one more of `repo` may begin while `busy` counts what is at work of each."""
        if sum(busy.values()) >= self.total:
            return False
        limit = self.of_repo.get(repo, 0)
        return not limit or busy.get(repo, 0) < limit


def choose(
    waiting: Sequence[Task], busy: Mapping[str, int], slots: Slots, now: float,
    turns: Mapping[str, int] = {},
) -> Task | None:  # fmt: skip
    """The task that begins next; None where none may. `turns` counts up: when each repository had
    its last turn."""
    ready = [
        task for task in waiting if is_due(task, now) and slots.free(task.repo, busy)
    ]  # fmt: skip

    def rank(task: Task) -> tuple[int, int, int, int]:
        repo = task.repo
        return (-task.priority, busy.get(repo, 0), turns.get(repo, 0), task.id)

    return min(ready, key=rank, default=None)


def is_due(task: Task, now: float) -> bool:
    """Whether the time before which nothing was to be done is over."""
    return task.wake_at <= now or put_back(task.updated_at, now)


def why_waiting(task: Task, busy: Mapping[str, int], slots: Slots) -> str:
    """One sentence on why a new task has not begun; empty where nothing holds it back."""
    at_work = sum(busy.values())
    if at_work >= slots.total:
        return f"waits for a free slot: {at_work} of {slots.total} are taken"
    limit = slots.of_repo.get(task.repo, 0)
    if limit and busy.get(task.repo, 0) >= limit:
        return f"waits for a free slot of {task.repo}: {limit} of {limit} are taken"
    return ""
