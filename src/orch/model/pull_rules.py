"""What is news about a pull request that somebody waits for. Pure.

Invariant: the step that waits and the loop that wakes it ask the same rule, so a run is woken exactly
when its step goes on. What people want comes before what checks say. How long checks may be pending
counts from when the step was first asked for, never from the last look (H79).
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.model import review_rules
from orch.model.pull import Check, PullRequest, Verdict, spelled
from orch.model.pull_effects import WaitForPR, What
from orch.model.run import Reason
from orch.model.task import TaskState

IN_REVIEW = "pr_waits"
"""The reason's code of a run that waits for its pull request to be merged."""
KIND = "WaitForPR/1"


def news_of(
    wait: WaitForPR, pull: PullRequest, checks: Sequence[Check], *, since: float, now: float,
    asked: bool, verdicts: Sequence[Verdict] = (),
) -> What | None:  # fmt: skip
    """Why the wait is over, None while it goes on. `since` is when it was first asked for, `asked`
    whether a person has let the run go on after that. `verdicts` are told where `asks_people`."""
    if pull.state in ("merged", "closed"):
        return "merged" if pull.state == "merged" else "closed"
    if pull.head_sha != wait.pr.head_sha:
        return "moved"
    if wait.until == "person":
        return _of_a_person(wait, verdicts, asked=asked)
    if wait.reviews and review_rules.unanswered(verdicts, wait.answered):
        return "changes"
    if wait.failing and any(check.state == "failure" for check in checks):
        return "failing"
    if wait.until == "review":
        head, approved = wait.pr.head_sha, wait.approval
        return "approved" if review_rules.settled(verdicts, head, approved=approved) else None
    return _of_checks(wait, checks, since, now) if wait.until == "green" else None


def _of_checks(wait: WaitForPR, checks: Sequence[Check], since: float, now: float) -> What | None:
    states = {check.state for check in checks}
    if "failure" in states:
        return "failing"
    if "pending" not in states:
        return "green" if not wait.begin or now >= since + wait.begin else None
    return "late" if now >= since + wait.timeout else None


def _of_a_person(wait: WaitForPR, verdicts: Sequence[Verdict], *, asked: bool) -> What | None:
    if asked:
        return "asked"
    approved = wait.reviews and review_rules.settled(verdicts, wait.pr.head_sha, approved=True)
    return "approved" if approved else None


def asks_checks(wait: WaitForPR) -> bool:
    """Whether what checks say may be news."""
    return wait.failing or wait.until == "green"


def asks_people(wait: WaitForPR) -> bool:
    """Whether what reviewers say may be news."""
    return wait.reviews or wait.until == "review"


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
    if wait.until == "review":
        told = f"{told}; {wait.why}"
    return Reason("dependency", IN_REVIEW, told, f"orch pr merge {name}")
