"""What is known of one commit: check runs and commit statuses, as one list.

Invariant: what cannot be read as good is not good. A word that is new to us is pending, and so is a
check that asks for an action (H84); a name stands for one check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from orch.hosts.failures import Forbidden, Unknown
from orch.hosts.github.address import repository
from orch.hosts.github.shapes import RunShape, StatusShape
from orch.model.pull import Check, CheckState

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

Rollup = Literal["none", "pending", "failing", "passing"]
_OF_RUN: dict[str, CheckState] = {
    "success": "success", "neutral": "neutral", "skipped": "neutral", "failure": "failure",
    "timed_out": "failure", "cancelled": "failure", "startup_failure": "failure",
}  # fmt: skip
_OF_STATUS: dict[str, CheckState] = {"success": "success", "failure": "failure", "error": "failure"}
_TO_STATUS = {"success": "success", "neutral": "success", "failure": "failure"}
LONGEST = 140
"""Characters of what a status says."""
_WORST: tuple[CheckState, ...] = ("failure", "pending", "neutral", "success")


class Checks:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def of(self, repo: str, sha: str) -> list[Check]:
        """By name; the newest of each check run and of each status."""
        commit = f"/repos/{repository(repo)}/commits/{sha}"
        try:
            runs = self._caller.pages(
                f"{commit}/check-runs", RunShape, {"filter": "latest"}, inside="check_runs"
            )
        except Forbidden as error:  # no fine-grained token has this right in a private repository
            error.hint = "gh auth login, a classic token (repo), or a GitHub App (Checks: read)"
            raise
        statuses = self._caller.pages(f"{commit}/status", StatusShape, inside="statuses")
        newest = {shape.context: shape for shape in sorted(statuses, key=lambda one: one.id)}
        latest: dict[tuple[str, str], RunShape] = {}
        for run in sorted(runs, key=lambda one: one.id):
            latest[(run.app.slug or "" if run.app else "", run.name)] = run
        found = [_of_run(run) for run in latest.values()]
        found += [_of_status(status) for status in newest.values()]
        return _one_for_each_name(found)

    def set_status(
        self, repo: str, sha: str, check: Check, *, description: str = ""
    ) -> Check | Unknown:
        """Say of a commit what we found, as a status; GitHub keeps all and shows the newest. Gives
        it as GitHub shows it: with no more than `LONGEST` characters, and good where it is
        neutral."""
        wanted = {
            "context": check.name,
            "state": _TO_STATUS.get(check.state, "pending"),
            "target_url": check.url or None,
            "description": (description or check.summary)[:LONGEST],
        }
        path = f"/repos/{repository(repo)}/statuses/{sha}"
        made = self._caller.write("POST", path, StatusShape, wanted)
        return made if isinstance(made, Unknown) else _of_status(made)


def rollup(checks: Iterable[Check]) -> Rollup:
    """All of them as one word. One that failed outweighs those that are pending."""
    states = {check.state for check in checks}
    if not states:
        return "none"
    if "failure" in states:
        return "failing"
    return "pending" if "pending" in states else "passing"


def _of_run(run: RunShape) -> Check:
    told = (run.output.title or run.output.summary or "") if run.output else ""
    state: CheckState = "pending"
    if run.status == "completed":
        state = _OF_RUN.get(run.conclusion or "", "pending")
        told = told or (run.conclusion or "") if state in ("pending", "failure") else told
    return Check(
        name=run.name, state=state, url=run.html_url or run.details_url or "",
        summary=told, at=run.completed_at or run.started_at or "",
    )  # fmt: skip


def _of_status(status: StatusShape) -> Check:
    return Check(
        name=status.context, state=_OF_STATUS.get(status.state, "pending"),
        url=status.target_url or "", summary=status.description or "",
        at=status.updated_at or status.created_at or "",
    )  # fmt: skip


def _one_for_each_name(checks: Iterable[Check]) -> list[Check]:
    """Two apps, or a check and a status, may share a name: the worse one stands for both."""
    found: dict[str, Check] = {}
    for check in checks:
        known = found.get(check.name)
        if known is None or _WORST.index(check.state) < _WORST.index(known.state):
            found[check.name] = check
    return [found[name] for name in sorted(found)]
