"""Breakers, asked before a waiting task gets its run: loops that succeed are stopped too.

Invariant: what a person asks for is counted from the moment they asked; a breaker names what it
counted, and a person's retry resets it.
"""

from __future__ import annotations

from collections.abc import Callable

from orch.config import Config
from orch.model.breakers import Story, Tripped, tripped
from orch.model.task import Task
from orch.ports import Store

HOUR_S = 3600.0
DAY_S = 86_400.0


class Breakers:
    """`config` gives what is configured now, for a repository."""

    def __init__(self, store: Store, config: Callable[[str], Config]) -> None:
        self._store = store
        self._config = config

    def __call__(self, task: Task, now: float) -> Tripped | None:
        """What forbids the task's next run."""
        bounds = self._config(task.repo).breakers
        since = [
            run for run in self._store.runs_of_task(task.id) if run.created_at >= task.asked_at
        ]
        story = Story(task=str(task.id), runs_of_task=len(since))
        if not task.by_person:
            story = Story(
                task=str(task.id), runs_of_task=len(since), cause=task.source,
                runs_of_cause=self._store.runs_of_source(task.source, now - DAY_S),
                tasks_last_hour=self._store.tasks_by_machine(now - HOUR_S), depth=task.depth,
            )  # fmt: skip
        return tripped(bounds, story)
