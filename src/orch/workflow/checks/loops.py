"""Loops that nothing ends, and loops that only the mood of an agent ends.

Invariant: an error where no way out stands in the loop; a warning where the way out depends on
results alone and each round costs something. A count, a shrinking list or a Gate is a bound.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.reach import has_break
from orch.workflow.checks.view import FUNCTIONS, View

Loop = ast.While | ast.For | ast.AsyncFor
ENDLESS = frozenset({"itertools.count", "itertools.cycle", "itertools.repeat"})
MUTATORS = frozenset({"append", "extend", "insert", "add", "update", "pop", "popleft", "popitem",
                      "remove", "discard", "clear"})  # fmt: skip
CHEAP = frozenset({"Log", "Now", "Random", "Sleep", "WaitForStatus", "CaptureOutput", "GetIssue",
                   "ListIssues"})  # fmt: skip
HINT = "for attempt in range(3): ... (then raise)"


def check(view: View) -> Iterator[Finding]:
    for node in ast.walk(view.tree):
        if isinstance(node, Loop) and view.around(node):
            finding = _judged(view, node)
            if finding is not None:
                yield finding


def _judged(view: View, loop: Loop) -> Finding | None:
    if isinstance(loop, ast.While):
        endless = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
        if isinstance(loop.test, ast.Constant) and not endless:
            return None
    else:
        endless = _is_endless(view, loop.iter)
        if not endless:
            return None
    nodes = list(_inside(loop))
    asked = {what for node in nodes if (what := view.asks(node))}
    if "Gate" in asked:
        return None
    leaves = has_break(loop) or any(isinstance(n, ast.Return | ast.Raise) for n in nodes)
    changing = _changing(loop, nodes)
    if not leaves and (endless or _never_changes(loop, nodes)):
        what = "nothing in it ends this loop"
        return at(view.file, loop, "endless_loop", what, HINT)
    costly = asked - CHEAP
    if not costly or _counted(loop, nodes, changing):
        return None
    return at(
        view.file, loop, "unbounded_loop",
        f"each round asks for {', '.join(sorted(costly))}, and only results end the loop:"
        " it can go on, and cost, for ever", HINT, "warning",
    )  # fmt: skip


def _is_endless(view: View, iterated: ast.expr) -> bool:
    if not isinstance(iterated, ast.Call):
        return False
    dotted = view.dotted(iterated.func)
    if dotted == "itertools.repeat" and len(iterated.args) + len(iterated.keywords) > 1:
        return False
    return dotted in ENDLESS or (view.builtin(iterated.func) == "iter" and len(iterated.args) == 2)


def _inside(loop: Loop) -> Iterator[ast.AST]:
    """The loop's condition and body, without functions defined in it."""
    pending: list[ast.AST] = [*loop.body]
    if isinstance(loop, ast.While):
        pending.append(loop.test)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def _changing(loop: Loop, nodes: list[ast.AST]) -> set[str]:
    """Names that move on by themselves in each round: counters, and lists that grow or shrink."""
    found: set[str] = set()
    if isinstance(loop, ast.For | ast.AsyncFor):
        found |= _names(loop.target)
    for node in nodes:
        if isinstance(node, ast.AugAssign):
            found |= _names(node.target)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp | ast.Subscript):
            found |= {n for t in node.targets for n in _names(t)} & _names(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in MUTATORS:
                found |= _names(node.func.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "next":
            found |= {name for argument in node.args for name in _names(argument)}
        elif isinstance(node, ast.Delete):
            found |= {name for target in node.targets for name in _names(target)}
    return found


def _counted(loop: Loop, nodes: list[ast.AST], changing: set[str]) -> bool:
    """A way out depends on what moves on by itself."""
    tests = [loop.test] if isinstance(loop, ast.While) else []
    tests += [
        node.test
        for node in nodes
        if isinstance(node, ast.If)
        if any(
            isinstance(inner, ast.Break | ast.Return | ast.Raise)
            for statement in [*node.body, *node.orelse]
            for inner in ast.walk(statement)
        )
    ]
    return any(_names(test) & changing for test in tests)


def _never_changes(loop: Loop, nodes: list[ast.AST]) -> bool:
    """The condition is made of plain names, none of which the loop touches."""
    if not isinstance(loop, ast.While):
        return False
    plain = (ast.Name, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Constant, ast.Load, ast.operator,
             ast.unaryop, ast.boolop, ast.cmpop, ast.BinOp)  # fmt: skip
    if not all(isinstance(node, plain) for node in ast.walk(loop.test)):
        return False
    wanted = _names(loop.test)
    touched = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    used = {name for n in nodes if isinstance(n, ast.Call) for name in _names(n)}
    return not wanted & (touched | used)


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
