"""What people and scripts say about a task beside its life: who is to do it, its ticket, small notes,
its place in the tree. Pure.

Invariant: none of it moves a task to another state; what it decides counts from the next attempt on.
A task never stands below itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.model import command as cmd, event as ev, task_rules
from orch.model.errors import Conflict, OrchError, UsageError
from orch.model.run import Run
from orch.model.task import CLOSED, Task

if TYPE_CHECKING:
    from orch.model.ledger import Reader, Tables

Decision = list[ev.EventData] | OrchError
LONGEST_KEY = 100
"""Characters of a note's key."""
LARGEST_NOTE = 16 * 1024
"""Bytes of one note as JSON."""
MOST_NOTES = 100


def reroute(state: Reader, command: cmd.RerouteTask) -> Decision:
    """Another agent, or whoever is chosen anew. Not under a working agent's hands."""
    task = state.task(command.task)
    if task is None:
        return task_rules.unknown(command.task)
    if task.state in CLOSED:
        return Conflict(
            f"task {task.id} is {task.state}: nobody works on it any more",
            code="task_closed", hint=f"orch task retry {task.id}",
        )  # fmt: skip
    run = state.run(task.run) if task.run else None
    if run is not None and run.status in ("pending", "running"):
        return Conflict(
            f"task {task.id} is {task.state}: its agent is chosen", code="task_at_work",
            hint=f"orch task kill {task.id}",
        )  # fmt: skip
    if task.pin == command.agent and not (task.agent and task.agent != command.agent):
        return []
    return [ev.TaskRerouted(task.id, command.agent)]


def link(state: Reader, command: cmd.LinkTask) -> Decision:
    task = state.task(command.task)
    if task is None:
        return task_rules.unknown(command.task)
    if task.issue and task.issue != command.issue:
        return published(task)
    return [] if task.issue else [ev.TaskLinked(task.id, command.issue)]


def published(task: Task) -> Conflict:
    """The refusal for a task that has a ticket already."""
    return Conflict(
        f"task {task.id} is {task.issue} already", code="task_published",
        hint=f"orch issue show {task.issue}",
    )  # fmt: skip


def keep_note(state: Reader, command: cmd.SetTaskNote) -> Decision:
    task = state.task(command.task)
    if task is None:
        return task_rules.unknown(command.task)
    again = f"orch task sidecar set {task.id} KEY VALUE"
    if not command.key or len(command.key) > LONGEST_KEY or not command.key.isprintable():
        told = f"a key is 1 to {LONGEST_KEY} printable characters"
        return UsageError(told, code="bad_key", hint=again)
    size = len(msgspec.json.encode(command.value))
    if size > LARGEST_NOTE:
        told = f"the value has {size} bytes as JSON, at most {LARGEST_NOTE} are kept"
        return UsageError(told, code="note_too_large", hint="keep the name of a file instead")
    if task.notes.get(command.key) == command.value:
        return []
    if command.key not in task.notes and len(task.notes) >= MOST_NOTES:
        told = f"task {task.id} has {MOST_NOTES} notes already"
        hint = f"orch task sidecar set {task.id} {next(iter(task.notes))} null"
        return Conflict(told, code="too_many_notes", hint=hint)
    return [ev.TaskNoteSet(task.id, command.key, command.value)]


def move(state: Reader, command: cmd.MoveTask) -> Decision:
    """Below another task, or (0) to the top."""
    task = state.task(command.task)
    if task is None:
        return task_rules.unknown(command.task)
    if task.parent == command.parent:
        return []
    depth = 0
    if command.parent:
        parent = state.task(command.parent)
        refusal = task_rules.may_have_child(state, command.parent, parent)
        if refusal is not None:
            return refusal
        assert parent is not None
        if task.id in _above(state, parent):
            return Conflict(
                f"task {task.id} cannot be below task {parent.id}, which is part of it",
                code="task_cycle", hint=f"orch task tree {task.id}",
            )  # fmt: skip
        depth = parent.depth + 1
    below = list(_below(state, task, depth))
    deepest = max(level for _, level in below)
    if deepest > task_rules.DEEPEST:
        return Conflict(
            f"a task below task {task.id} would have {deepest} tasks above it: deeper than"
            f" {task_rules.DEEPEST} is not allowed",
            code="too_deep", hint=f"orch task tree {task.id}",
        )  # fmt: skip
    moved = ev.TaskPlaced(task.id, command.parent, depth)
    lower = [ev.TaskPlaced(one.id, one.parent, level) for one, level in below if one.id != task.id]
    return [moved, *lower]


def _above(state: Reader, task: Task | None) -> Iterator[int]:
    """The task and all above it."""
    seen: set[int] = set()
    while task is not None and task.id not in seen:
        seen.add(task.id)
        yield task.id
        task = state.task(task.parent) if task.parent else None


def _below(state: Reader, task: Task, depth: int) -> Iterator[tuple[Task, int]]:
    """The task and all below it, with the depth that each would have."""
    yield task, depth
    for child in state.children(task.id):
        yield from _below(state, child, depth + 1)


# --- what the events change


def rerouted(tables: Tables, event: ev.Event, data: ev.TaskRerouted) -> None:
    task = tables.task(data.id)
    if task is None:
        return
    run: Run | None = tables.run(task.run) if task.run else None
    held = run is not None and run.status in task_rules.LIVE
    tables.put_task(
        replace(
            task, pin=data.agent, agent=data.agent if held else "", model="", updated_at=event.at
        )
    )


def linked(tables: Tables, event: ev.Event, data: ev.TaskLinked) -> None:
    task = tables.task(data.id)
    if task is not None:
        tables.put_task(replace(task, issue=data.issue, updated_at=event.at))


def note_kept(tables: Tables, event: ev.Event, data: ev.TaskNoteSet) -> None:
    task = tables.task(data.id)
    if task is None:
        return
    notes = {key: value for key, value in task.notes.items() if key != data.key}
    if data.value is not None:
        notes[data.key] = data.value
    tables.put_task(replace(task, notes=notes, updated_at=event.at))


def placed(tables: Tables, event: ev.Event, data: ev.TaskPlaced) -> None:
    task = tables.task(data.id)
    if task is not None:
        tables.put_task(replace(task, parent=data.parent, depth=data.depth, updated_at=event.at))
