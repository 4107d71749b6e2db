"""What can be known about a workflow without running it.

Invariant: reads syntax trees and nothing else: no module of a workflow is imported or executed, so a
file that nobody trusts may be checked. A finding is an error only where the run could not go well
for anybody; what depends on what happens is a warning. False alarms are the worse fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orch.model.run import Source
from orch.workflow.checks import agents, asking, calls, entry, imports, loops, outside, reach
from orch.workflow.checks.finding import Finding
from orch.workflow.checks.view import View

__all__ = ["Finding", "check"]

RULES: tuple[Callable[[View], Iterable[Finding]], ...] = (
    imports.check, outside.check, loops.check, reach.check, asking.check, calls.check,
)  # fmt: skip


def check(
    sources: Iterable[Source],
    main: str,
    agent_problem: agents.Problem | None = None,
    wanted: str = "",
) -> list[Finding]:
    """Everything that is wrong with the modules of one workflow, in the order of their lines.

    `main` is the module that is run, `wanted` the function in it that a person named. `agent_problem`
    gives a sentence for an agent's name that
    cannot be used here, empty for one that can.
    """
    found: list[Finding] = []
    for source in sources:
        view = View(source)
        found.extend(finding for rule in RULES for finding in rule(view))
        is_main = source.module == main
        if is_main:
            found.extend(entry.check(view, wanted))
        if agent_problem is not None:
            found.extend(agents.check(view, agent_problem, entry_too=is_main, wanted=wanted))
        found = [item for item in found if not view.silenced(item)]
    return sorted(set(found), key=lambda item: (item.file, item.line, item.column, item.code))
