"""What surrounds the workflow of a queued task. A run stores this module like its own workflow.

Invariant: only effects, no clocks and no IO: this is a workflow like any other.
"""

from __future__ import annotations

from typing import Any

from orch.model.effect import CreatePR, FindWork, Route, TaskPolicy
from orch.model.pull import PullRequest
from orch.workflow.program import Program, do
from orch.workflow.shepherd import see_through


@do
def unattended(body: Program[Any]) -> Any:
    """Choose who is to work, let the workflow itself go on, then see to what it leaves: a pull
    request, or branches that were pushed without one."""
    yield Route()
    result = yield body
    policy = yield TaskPolicy()
    if not policy.repo:
        return result
    if not isinstance(result, PullRequest):
        claimed = yield claim(policy)
        result = claimed or result
    if not isinstance(result, PullRequest) or result.state != "open" or not policy.cares:
        return result
    return (yield see_through(result, policy))


@do
def claim(policy: Any) -> Any:
    """A pull request for every branch that was pushed without one; gives the last."""
    made = None
    for work in (yield FindWork()):
        if work.unclaimed:
            body = f"Pushed for the task: {policy.title}"
            made = yield CreatePR(env=work.env, title=policy.title, body=body)
    return made
