"""What is news about a pull request that somebody waits for. Pure.

Invariant: the step that waits and the loop that wakes it ask the same rule, so a run is woken exactly
when its step goes on. How long checks may be pending counts from when the step was first asked for,
never from the last look (H79).
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.model.pull import Check, PullRequest, spelled
from orch.model.pull_effects import WaitForPR, What
from orch.model.run import Reason
from orch.model.task import TaskState

IN_REVIEW = "pr_waits"
"""The reason's code of a run that waits for its pull request to be merged."""
KIND = "WaitForPR/1"


def news_of(
    wait: WaitForPR, pull: PullRequest, checks: Sequence[Check], *, since: float, now: float,
    asked: bool,
) -> What | None:  # fmt: skip
    """Why the wait is over, None while it goes on. `since` is when it was first asked for, `asked`
    whether a person has let the run go on after that."""
    if pull.state == "merged":
        return "merged"
    if pull.state == "closed":
        return "closed"
    if pull.head_sha != wait.pr.head_sha:
        return "moved"
    if wait.until == "green":
        states = {check.state for check in checks}
        if "failure" in states:
            return "failing"
        if "pending" not in states:
            return "green"
        return "late" if now >= since + wait.timeout else None
    return "asked" if asked and wait.until == "person" else None


def closing(state: str) -> TaskState | None:
    """What a task becomes with a pull request that stands like that, None while it is open."""
    return "done" if state == "merged" else "cancelled" if state == "closed" else None


def reason_of(wait: WaitForPR, task: int) -> Reason:
    """Why the run is put away, for whoever looks at its task."""
    name = spelled(wait.pr)
    if wait.until == "person":
        hint = f"orch task retry {task} (or: orch pr merge {name}, orch pr close {name})"
        return Reason("human", wait.code, wait.why, hint)
    told = f"pull request {wait.pr.url} is open"
    if wait.until == "green":
        told = f"{told}; its checks have not ended"
    return Reason("dependency", IN_REVIEW, told, f"orch pr merge {name}")
