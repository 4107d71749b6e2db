"""The auditor of the queue: reads the events, looks at the doubles, says what is not as promised.

Invariants: no acknowledged task is lost; only legal edges; every task that is not closed has a reason
and a way out; one live run a task; nothing is left over (H21 to H26, H31, H35, H41).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orch.model import event as ev
from orch.model.run import TERMINAL
from orch.model.task import CLOSED
from tests.sim.queue_universe import QueueUniverse

EDGES: dict[str, set[str]] = {
    "": {"new"},
    "new": {"routed", "blocked", "needs_review", "done", "cancelled"},
    "routed": {"in_progress", "blocked", "needs_review", "cancelled", "routed"},
    "in_progress": {"in_progress", "in_review", "done", "blocked", "needs_review", "cancelled"},
    "in_review": {
        "in_review", "in_progress", "new", "needs_review", "done", "cancelled", "blocked",
    },
    "blocked": {
        "blocked", "new", "routed", "in_progress", "in_review", "needs_review", "done", "cancelled",
    },
    "needs_review": {"in_progress", "routed", "new", "done", "cancelled", "blocked"},
    "done": {"new", "blocked", "cancelled"},
    "cancelled": {"new", "blocked", "done"},
}  # fmt: skip
"""From a state to those that may follow. What is closed is only opened by a person's retry."""


def complaints(universe: QueueUniverse) -> list[str]:
    """Everything that is wrong, one sentence each."""
    return [
        *universe.wrong, *_edges(universe), *_tasks(universe), *_runs(universe),
        *_left_over(universe),
    ]  # fmt: skip


def _edges(universe: QueueUniverse) -> Iterator[str]:
    states: dict[int, str] = {}
    open_runs: dict[int, str] = {}
    for event in universe.store.events(0, limit=10**6):
        data = event.data
        if isinstance(data, ev.TaskCreated):
            states[data.id] = "new"
        elif isinstance(data, ev.TaskMoved):
            before = states[data.id]
            if data.state not in EDGES[before]:
                yield f"task {data.id} went from {before} to {data.state} (event {event.seq})"
            states[data.id] = data.state
        elif isinstance(data, ev.RunCreated) and event.task:
            if event.task in open_runs:
                yield f"task {event.task} got a second run while {open_runs[event.task]} lives"
            open_runs[event.task] = event.run
        elif isinstance(data, ev.RunFinished):
            ended = [task for task, run in open_runs.items() if run == event.run]
            for task in ended:
                del open_runs[task]
    for task in universe.store.tasks():
        if states.get(task.id) != task.state:
            yield f"task {task.id} is {task.state}, its events say {states.get(task.id)}"


def _tasks(universe: QueueUniverse) -> Iterator[str]:
    known = {task.id: task for task in universe.store.tasks()}
    for number in universe.acknowledged:
        if number not in known:
            yield f"task {number} was acknowledged and is lost"
    for task in known.values():
        if task.state in CLOSED:
            continue
        if task.state not in ("in_review", "needs_review"):
            yield f"task {task.id} rests as {task.state}: {task.reason}"
        if not task.reason:
            yield f"task {task.id} is {task.state} without a reason"
        if task.state == "needs_review" and "orch " not in task.hint:
            yield f"task {task.id} needs a person and names no command: {task.hint!r}"


def _runs(universe: QueueUniverse) -> Iterator[str]:
    store = universe.store
    for run in store.runs():
        if run.status not in TERMINAL and run.status != "blocked":
            yield f"run {run.id} of task {run.task} rests as {run.status}"
        task = store.task(run.task)
        if task is not None and task.state in CLOSED and run.status == "blocked":
            yield f"task {task.id} is {task.state}, and its run {run.id} waits"
        for attempt in store.attempts(run.id):
            if attempt.status in ("starting", "running"):
                yield f"attempt {attempt.id} is {attempt.status} in a run that is {run.status}"


def _left_over(universe: QueueUniverse) -> Iterator[str]:
    alive = list(universe.terminals.names())
    if alive:
        yield f"terminals left over: {alive}"
    for what, counted in (
        ("starts of attempt", universe.terminals.starts),
        ("effects of attempt", universe.done_prompts),
        ("commits with the key", Counter(universe.commit_keys())),
        ("pull requests of", Counter(pull.head for pull in universe.forge.list_prs())),
    ):
        for name, count in counted.items():
            if count > 1:
                yield f"{count} {what} {name}"
