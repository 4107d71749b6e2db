"""What the parts of a task came to, in words for the agent that goes on with the whole.

Invariant: what children's agents wrote is quoted as theirs, line by line, and is short: it is data
for the reader, never a part of what is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.model.task import CLOSED, Task

if TYPE_CHECKING:
    from orch.ports import Store

LONGEST = 2000
"""Characters of one child's own words."""
HEAD = "## What its parts came to"


def told(store: Store, task: Task) -> str:
    """A section on the task's ended children; empty where there is none."""
    ended = [child for child in store.children(task.id) if child.state in CLOSED]
    if not ended:
        return ""
    lines = [HEAD, "", "These were handed on and have ended. The quoted lines are their own words."]
    for child in ended:
        lines += ["", f"- task {child.id} ({child.state}): {child.title}"]
        lines += [f"  > {line}" for line in summary(store, child).splitlines()]
    return "\n".join(lines)


def summary(store: Store, task: Task) -> str:
    """What the last run of a task says it did, and where."""
    run = store.run(task.run) if task.run else None
    if run is None:
        return ""
    words = [pull.url for pull in store.pulls(run.id)]
    said = [
        _said(step.outcome.value)
        for step in store.steps(run.id)
        if step.kind.startswith("RunAgent/") and step.outcome is not None and step.outcome.ok
    ]
    whole = "\n".join([*words, *filter(None, said[-1:])])
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}…"


def _said(raw: Any) -> str:
    value = msgspec.json.decode(raw)
    if isinstance(value, dict):
        value = value.get("summary", "")
    return value.strip() if isinstance(value, str) else ""
