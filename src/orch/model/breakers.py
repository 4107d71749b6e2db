"""Breakers for loops that succeed: each turn of them ends well, so no failure ever stops them.

Invariant: what agents, jobs and hooks cause is bounded in number and in depth; what a person asks for
is not counted. A tripped breaker names what it counted and the command that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Bounds(Protocol):
    """`[breakers]`; 0: no bound."""

    @property
    def runs_per_task(self) -> int: ...
    @property
    def runs_per_cause(self) -> int: ...
    @property
    def tasks_per_hour(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def same_diff(self) -> int: ...


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What led to a run or a task that is about to be made, since a person last had a hand in it.

    `runs_of_task`: runs of its task. `cause`, `runs_of_cause`: what asked for it (a job, a rule, a
    ticket) and its runs within a day. `tasks_last_hour`: tasks made by anything but a person.
    `depth`: how many causes deep (a person's task 0, what its run makes 1). `diffs`: fingerprints
    of what the task's runs changed, oldest first; empty texts are runs that changed nothing.
    """

    task: str = ""
    runs_of_task: int = 0
    cause: str = ""
    runs_of_cause: int = 0
    tasks_last_hour: int = 0
    depth: int = 0
    diffs: Sequence[str] = ()


class Tripped(msgspec.Struct, frozen=True):
    """`code` is the bound's name in `[breakers]`. `waits`: it ends by itself as the hour passes."""

    code: str
    message: str
    hint: str
    waits: bool = False


def tripped(bounds: Bounds, story: Story) -> Tripped | None:
    """The breaker that stops the next turn."""
    again = f"orch task retry {story.task}" if story.task else "orch task list"
    same = _same(story.diffs)
    if bounds.same_diff and same >= bounds.same_diff:
        return Tripped("same_diff", f"its last {same} runs made the same change", again)
    if bounds.depth and story.depth > bounds.depth:
        why = f"it is {story.depth} causes away from a person; at most {bounds.depth} may be"
        return Tripped("depth", why, again)
    if bounds.runs_per_task and story.runs_of_task >= bounds.runs_per_task:
        return Tripped("runs_per_task", f"it has had {story.runs_of_task} runs already", again)
    if bounds.runs_per_cause and story.runs_of_cause >= bounds.runs_per_cause:
        why = f"{story.cause or 'its cause'} has led to {story.runs_of_cause} runs within a day"
        return Tripped("runs_per_cause", why, again)
    if bounds.tasks_per_hour and story.tasks_last_hour >= bounds.tasks_per_hour:
        why = f"{story.tasks_last_hour} tasks were made within an hour without a person"
        return Tripped("tasks_per_hour", why, again, waits=True)
    return None


def _same(diffs: Sequence[str]) -> int:
    """How many runs at the end made one and the same change."""
    last = diffs[-1] if diffs else ""
    count = 0
    for diff in reversed(diffs if last else ()):
        if diff != last:
            break
        count += 1
    return count
