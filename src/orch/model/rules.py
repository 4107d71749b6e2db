"""`[[rules]]`: when something happens, what is to be done about it. Pure.

Invariant: what a rule made starts no rule that makes work again, so rules cannot go round; whoever
made a task is written in its `source`, which also tells that it was made already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from orch.model.occasion import Occasion, Wish, fits, wanted
from orch.model.task import Task

WORK = frozenset({"task", "plan"})
PLAN_LABEL = "plan"
SOURCE = "rule:"


class Rule(Wish, Protocol):
    """`do` is `task`, `plan` (a task that may be cut into children) or `notify`."""

    @property
    def do(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def agent(self) -> str: ...


R = TypeVar("R", bound=Rule)


def chosen(rules: Sequence[R], found: Occasion) -> list[tuple[int, R]]:
    """The rules that an occasion sets off, with their numbers (from 1), in their order."""
    made_by_rule = found.source.startswith(SOURCE)
    return [
        (number, rule)
        for number, rule in enumerate(rules, 1)
        if wanted(rule, found)
        and (not rule.label or any(fits(rule.label, label) for label in found.labels))
        and not (made_by_rule and rule.do in WORK)
    ]


def source_of(number: int, found: Occasion) -> str:
    """Who asks for the task, the rule and what happened: the same is never asked for twice."""
    return f"{SOURCE}{number}@{found.name}:{found.entity}"


def made_already(source: str, tasks: Sequence[Task]) -> bool:
    return any(task.source == source for task in tasks)


def words(found: Occasion) -> Mapping[str, str]:
    """What the placeholders of a rule's texts stand for."""
    plain = {
        "event": found.name, "text": found.text, "repo": found.repo, "run": found.run,
        "workflow": found.workflow, "branch": found.branch, "agent": found.agent,
        "task": str(found.task or ""), "labels": ", ".join(found.labels),
    }  # fmt: skip
    facts = {name: str(value) for name, value in found.facts.items() if value is not None}
    return {**facts, **plain}
