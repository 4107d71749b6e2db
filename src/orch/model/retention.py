"""What is over, and for how long: what may be given up. Pure.

Invariant: nothing of a run or task that is not over is ever old; a limit of 0 days keeps for ever.
"""

from __future__ import annotations

from orch.model.attempt import FINAL, Attempt
from orch.model.run import TERMINAL, Run
from orch.model.task import CLOSED, Task

DAY_S = 86_400.0
KEPT_KINDS = ("TaskCreated", "TaskMoved")
"""Events that stay: a task's history is told from them, and there are few."""


def is_over(run: Run | None, task: Task | None) -> bool:
    """The run has ended, and so has its task, if it has one."""
    return run is not None and run.status in TERMINAL and (task is None or task.state in CLOSED)


def is_old(ended_at: float, now: float, days: int) -> bool:
    """It ended `days` ago or longer. What has no time of its end, or one to come, is not old."""
    return bool(days) and 0 < ended_at <= now - days * DAY_S


def attempt_is_old(
    attempt: Attempt, run: Run | None, task: Task | None, now: float, days: int
) -> bool:
    """Whether its files may go: how it ended is in the books, and nothing asks for them again."""
    if attempt.status not in FINAL or run is None or not is_over(run, task):
        return False
    return is_old(max(attempt.ended_at, run.ended_at), now, days)


def folder_is_old(run: Run, task: Task | None, now: float, days: int) -> bool:
    """Whether the folder of a run without a repository may go: its task is done."""
    if run.repo or task is None or task.state != "done" or not is_over(run, task):
        return False
    return is_old(max(run.ended_at, task.updated_at), now, days)


def terminal_is_stray(attempt: Attempt, now: float, grace_s: float) -> bool:
    """Whether nobody waits for its terminal any more: it ended, and not just now."""
    return attempt.status in FINAL and 0 < attempt.ended_at <= now - grace_s
