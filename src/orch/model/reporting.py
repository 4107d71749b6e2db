"""What a ticket is told of its task: the words of our one comment there. Pure.

Invariant: made of what is in the books alone, so the same task always has the same words; texts of
others are on one line, without markup, marks and mentions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orch.model import outward
from orch.model.outward import Bounds
from orch.model.pull import PullRequest, spelled
from orch.model.task import Task, place_of
from orch.model.tracked import apart

NAME = "task-{}"
"""What the comment of a task is called in its mark."""
_LONGEST = 600
_NOWHERE = Bounds()
_SAID = {
    "new": "waits to be begun",
    "routed": "has an agent",
    "in_progress": "is being worked on",
    "in_review": "is in review",
    "done": "is done",
    "blocked": "waits",
    "needs_review": "needs a person",
    "cancelled": "was ended",
}


def plain(text: str, bounds: Bounds = _NOWHERE) -> str:
    """Text of anybody as one line of Markdown that shows it to the letter."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return outward.line(short, bounds)


def stands(task: Task) -> str:
    """How it stands, after its name: `is in review`."""
    return _SAID[task.state]


def comment_of(task: Task, pulls: Sequence[PullRequest]) -> str:
    """The whole comment."""
    place = place_of(task)
    bounds = Bounds(
        own=(apart(place)[1], *(str(pull.number) for pull in pulls)),
        hosts=tuple({outward.host_of(pull.url) for pull in pulls} - {""}),
    )
    asked = "" if place == task.issue else ", asked for here,"
    lines = [f"**Orch**: task {task.id}{asked} {stands(task)}.", "", "| | |", "|---|---|"]
    lines.append(f"| state | {task.state} |")
    agent = task.agent or task.pin
    if agent:
        model = f" ({plain(task.model)})" if task.model else ""
        lines.append(f"| agent | {plain(agent)}{model} |")
    lines += [f"| pull request | {_where(pull)} ({pull.state}) |" for pull in pulls]
    if task.complexity:
        lines.append(f"| complexity | {plain(task.complexity)} |")
    if task.reason:
        lines.append(f"| why | {plain(task.reason, bounds)} |")
    if task.hint and task.state in ("needs_review", "blocked"):
        lines.append(f"| helps | {plain(task.hint, bounds)} |")
    if task.state not in ("done", "cancelled") and not asked:
        turn = "/unblock" if task.state in ("blocked", "needs_review") else "/block"
        lines += ["", f"Commands in a comment: /status, /retry, {turn}, /close, /help."]
    return "\n".join(lines)


def _where(pull: PullRequest) -> str:
    """Its address, where others can go there; a path of this machine is nobody's business."""
    return pull.url if pull.url.startswith(("https://", "http://")) else plain(spelled(pull))


def labels_of(task: Task, theirs: Sequence[str]) -> tuple[str, ...]:
    """The labels that tell who works on it and how hard it is taken to be, unless people have said so
    themselves (`theirs` are the labels that are not ours)."""
    said = {label.lower().partition(":")[0] for label in theirs}
    ours = (("agent", task.agent), ("complexity", task.complexity))
    return tuple(f"{name}:{value}" for name, value in ours if value and name not in said)


def fingerprint(task: Task, body: str) -> str:
    """What stands for a state and words that were written."""
    return f"{task.state}:{hashlib.sha256(body.encode()).hexdigest()[:16]}"
