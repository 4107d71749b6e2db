"""Agents that hand parts of their work on: a task's delegations become its children. Pure.

Invariant: only tasks labelled `plan` get children this way; at most `MOST_AT_ONCE` of one step, and
as many and as deep as for everybody (`orch.model.task_rules`). What is not taken is told, never
dropped in silence. A step hands on once: its children stand in the transaction that settles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from orch.model import command as cmd, event as ev, task_rules
from orch.model.task import CLOSED, Task

if TYPE_CHECKING:
    from orch.model.ledger import Reader
    from orch.model.run import Run

LABEL = "plan"
"""What a task must carry for its agents' delegations to become children."""
MOST_AT_ONCE = 10
"""Children out of one step."""


class Part(NamedTuple):
    title: str
    body: str
    labels: tuple[str, ...]


def wished(delegations: Sequence[dict[str, Any]]) -> cmd.Delegated | None:
    """The fact that an agent's answer makes; None where it hands nothing on."""
    return cmd.Delegated(tuple(delegations)) if delegations else None


def parts_of(items: Sequence[dict[str, Any]]) -> tuple[list[Part], int]:
    """What can be a task, and how many can not: a part needs a title."""
    found = [_part(item) for item in items]
    kept = [part for part in found if part is not None]
    return kept, len(found) - len(kept)


def _part(item: dict[str, Any]) -> Part | None:
    title = _text(item.get("title"))
    body = next((text for word in ("body", "description") if (text := _text(item.get(word)))), "")
    labels = item.get("labels")
    words = (
        [one.strip() for one in labels if isinstance(one, str)]
        if isinstance(labels, list | tuple)
        else []
    )
    title = " ".join(title.split())
    if not title:
        return None
    if len(title) > task_rules.LONGEST_TITLE:
        body = f"{title}\n\n{body}".rstrip()
        title = title[: task_rules.LONGEST_TITLE - 1] + "…"
    return Part(title, body[: task_rules.LONGEST_BODY], tuple(dict.fromkeys(filter(None, words))))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def handed_on(
    state: Reader, run: Run, settle: cmd.Settle, before: Sequence[ev.EventData]
) -> Iterator[ev.EventData]:
    """The children that a settled step gives its task, and what became of the rest. `before` are
    the events of the same move so far: what they made counts."""
    for fact in settle.facts:
        if isinstance(fact, cmd.Delegated):
            siblings = len(task_rules.children_in(run.task, before))
            yield from _taken(state, run, fact, siblings, _made(before))


def _taken(
    state: Reader, run: Run, fact: cmd.Delegated, siblings: int, made: int
) -> Iterator[ev.EventData]:
    task = state.task(run.task)
    parts, untitled = parts_of(fact.items)
    why_none = _why_none(task)
    if task is None or why_none:
        yield _told(len(fact.items), why_none)
        return
    room = task_rules.MOST_CHILDREN - len(state.children(task.id)) - siblings
    fit = max(0, min(MOST_AT_ONCE, room))
    first = state.next_task() + made
    for number, part in enumerate(parts[:fit], first):
        yield ev.TaskCreated(
            id=number, title=part.title, repo=task.repo, issue="", body=part.body,
            labels=part.labels, parent=task.id, depth=task.depth + 1, priority=task.priority,
            source=f"agent:{task.id}", queued=True,
        )  # fmt: skip
    if untitled:
        yield _told(untitled, "it has no title" if untitled == 1 else "they have no title")
    if len(parts) > fit:
        most = f"a step hands on {MOST_AT_ONCE} at most"
        if room < MOST_AT_ONCE:
            most = f"task {task.id} may have {task_rules.MOST_CHILDREN} children at most"
        yield _told(len(parts) - fit, most)


def _why_none(task: Task | None) -> str:
    """Why nothing of it is taken; empty where it is."""
    if task is None:
        return "its run is for no task"
    if LABEL not in task.labels:
        return f"the task is not labelled {LABEL}"
    if task.state in CLOSED:
        return f"the task is {task.state}"
    if task.depth >= task_rules.DEEPEST:
        return f"the task has {task.depth} tasks above it already"
    return ""


def _told(count: int, why: str) -> ev.Logged:
    what = "1 delegation was" if count == 1 else f"{count} delegations were"
    return ev.Logged(f"{what} ignored: {why}", "warning")


def _made(events: Sequence[ev.EventData]) -> int:
    return sum(isinstance(one, ev.TaskCreated) for one in events)
