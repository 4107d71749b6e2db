"""`orch run --dry-run`: the workflow played in three scenarios, on stubs.

Invariant: no port is touched. The workflow's own code runs as it would in a run: from its sources,
on a thread of its own, with a deadline; code that does not come back is left there and told of.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orch.api.planning import RunPlan, arguments
from orch.model.errors import OrchError, failure_of
from orch.model.ticket import Ticket
from orch.workflow.program import Workflow
from orch.workflow.rehearsal import SCENARIOS, Rehearsed, Scenario, rehearse
from orch.workflow.sources import COMPOSITES, Modules


def scenarios(
    plan: RunPlan, issue: Ticket | None, params: Mapping[str, Any],
    choose: Callable[[str | None], str], *, deadline_s: float,
) -> list[dict[str, Any]]:  # fmt: skip
    """Each of `SCENARIOS`: {name, title, steps, end, result | error}; see `Rehearsed`."""
    told: list[Rehearsed] = []
    for name in SCENARIOS:
        if told and told[-1].end == "stuck":  # it would be again: nobody waits for that twice
            told.append(Rehearsed(name, end="stuck", error=told[-1].error))
            continue
        checks = any(played.checked for played in told)
        told.append(_played(plan, issue, params, choose, name, checks, deadline_s))
    return [_record(played) for played in told]


def _played(
    plan: RunPlan, issue: Ticket | None, params: Mapping[str, Any],
    choose: Callable[[str | None], str], name: Scenario, checks: bool, deadline_s: float,
) -> Rehearsed:  # fmt: skip
    answer: list[Rehearsed] = []

    def play() -> None:
        modules = Modules(plan.sources)
        expand = modules.load(COMPOSITES).EXPAND
        module, _, function = plan.entry.rpartition(":")
        workflow: Workflow[Any] = getattr(modules.load(module), function)
        program = workflow(**arguments(workflow, issue, params))
        try:
            answer.append(
                rehearse(
                    program, lambda e: expand[type(e)](e), name, choose, issue=issue, checks=checks
                )
            )
        except OrchError as error:  # a made-up answer that its own type does not fit
            answer.append(Rehearsed(name, end="error", error=failure_of(error)))

    thread = threading.Thread(target=play, name="rehearsal", daemon=True)
    thread.start()
    thread.join(deadline_s)
    return answer[0] if answer else Rehearsed(name, end="stuck", error=failure_of(_stuck(plan)))


def _stuck(plan: RunPlan) -> OrchError:
    return OrchError(
        f"the workflow {plan.name}'s own code did not come back in time; it may only ask for effects",
        code="workflow_stuck", hint=f"orch validate {plan.name}",
    )  # fmt: skip


def _record(played: Rehearsed) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": played.name,
        "title": SCENARIOS[played.name],
        "steps": played.steps,
        "end": played.end,
    }
    if played.error is not None:
        record["error"] = msgspec.to_builtins(played.error)
    elif played.end == "done":
        record["result"] = played.result
    return record
