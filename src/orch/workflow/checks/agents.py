"""Agents that a workflow names and that cannot be used here.

Invariant: only names that stand in the file are looked at, as planning a run does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.view import View
from orch.workflow.outline import entry_function

Problem = Callable[[str], str]
WORDS = frozenset({"agent", "type", "agent_type"})


def check(view: View, problem: Problem, *, entry_too: bool, wanted: str = "") -> Iterator[Finding]:
    """`entry_too` looks at the defaults of the run's parameters as well (`impl_agent="one"`)."""
    for node in ast.walk(view.tree):
        cls = view.effect(node) if isinstance(node, ast.Call) else None
        if cls is not None and isinstance(node, ast.Call) and "agent" in cls.__struct_fields__:
            place = cls.__struct_fields__.index("agent")
            given = [word.value for word in node.keywords if word.arg in WORDS]
            for value in given + node.args[place : place + 1]:
                yield from _named(view, value, problem)
    entry = entry_function(view.tree, view.file, wanted) if entry_too else None
    if entry is not None:
        for argument, default in _defaults(entry.args):
            if argument.arg.endswith("agent"):
                yield from _named(view, default, problem)


def _defaults(given: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    plain = [*given.posonlyargs, *given.args]
    yield from zip(plain[len(plain) - len(given.defaults) :], given.defaults, strict=True)
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if default is not None:
            yield argument, default


def _named(view: View, value: ast.expr, problem: Problem) -> Iterator[Finding]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        sentence = problem(value.value)
        if sentence:
            yield at(view.file, value, "unknown_agent", sentence, "orch doctor")
