"""Steps that can never be reached: what stands after the end of its block.

Invariant: only effects are told of; plain code that is never reached harms no run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.view import FUNCTIONS, View

LOOPS = (ast.While, ast.For, ast.AsyncFor)


def check(view: View) -> Iterator[Finding]:
    for node in ast.walk(view.tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield from _block(view, block)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Constant):
            never = node.orelse if node.test.value else node.body
            yield from _told(view, never, f"the condition is always {bool(node.test.value)}")


def _block(view: View, block: list[ast.stmt]) -> Iterator[Finding]:
    for number, statement in enumerate(block[:-1]):
        if ends(statement):
            what = {ast.Return: "return", ast.Raise: "raise", ast.Break: "break",
                    ast.Continue: "continue"}.get(type(statement), "line")  # fmt: skip
            why = f"the {what} in line {statement.lineno} always comes first"
            yield from _told(view, block[number + 1 :], why)
            return


def _told(view: View, block: list[ast.stmt], why: str) -> Iterator[Finding]:
    for statement in block:
        for node in ast.walk(statement):
            if what := view.asks(node):
                hint = "take it out, or move it up"
                yield at(view.file, node, "unreachable", f"{what} is never reached: {why}", hint)
                return


def ends(statement: ast.stmt) -> bool:
    """Nothing after the statement is ever run."""
    if isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue):
        return True
    if isinstance(statement, ast.If):
        return _all_end(statement.body) and _all_end(statement.orelse)
    if isinstance(statement, ast.While):
        always = isinstance(statement.test, ast.Constant) and bool(statement.test.value)
        return always and not has_break(statement)
    if isinstance(statement, ast.Try):
        through = _all_end(statement.body) or _all_end(statement.orelse)
        handled = all(_all_end(handler.body) for handler in statement.handlers)
        return _all_end(statement.finalbody) or (through and handled)
    return False


def _all_end(block: list[ast.stmt]) -> bool:
    return any(ends(statement) for statement in block)


def has_break(loop: ast.stmt) -> bool:
    """A `break` that belongs to this loop."""
    pending: list[ast.AST] = [*getattr(loop, "body", [])]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, LOOPS):
            pending.extend(node.orelse)
        elif not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))
    return False
