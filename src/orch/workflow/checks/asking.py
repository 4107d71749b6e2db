"""Effects that are made and never asked for, and things that are asked for and are no effects.

Invariant: an effect is a request; until it is yielded, awaited or gathered nothing happens.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.reach import ends
from orch.workflow.checks.view import View, inside
from orch.workflow.outline import Function

NO_EFFECTS = (
    ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.Compare, ast.Lambda, ast.BinOp, ast.UnaryOp,
)  # fmt: skip
PLAIN_BUILTINS = frozenset({
    "print", "open", "len", "str", "int", "float", "bool", "input", "range", "list", "tuple", "set",
    "sum", "sorted", "enumerate", "zip", "map", "filter", "repr",
})  # fmt: skip


def check(view: View) -> Iterator[Finding]:
    for node in ast.walk(view.tree):
        if isinstance(node, ast.Expr) and (what := view.asks(node.value)):
            yield _unasked(view, node.value, what)
    for function in view.functions:
        yield from _kept(view, function)
        if view.is_workflow(function):
            yield from _returned(view, function)
            yield from _asked(view, function)


def _unasked(view: View, node: ast.AST, what: str) -> Finding:
    word = "await" if _is_async(view, node) else "yield"
    return at(
        view.file, node, "not_asked",
        f"{what} is made here and never asked for: without {word} nothing happens",
        f"{word} {ast.unparse(node):.60}",
    )  # fmt: skip


def _is_async(view: View, node: ast.AST) -> bool:
    around = view.around(node)
    return bool(around) and isinstance(around[-1], ast.AsyncFunctionDef)


def _kept(view: View, function: Function) -> Iterator[Finding]:
    """`x = RunAgent(...)` and `x` is never used again."""
    used = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    for node in inside(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            what = view.asks(node.value)
            if what and isinstance(target, ast.Name) and target.id not in used:
                yield _unasked(view, node.value, what)


def _returned(view: View, function: Function) -> Iterator[Finding]:
    word = "await" if isinstance(function, ast.AsyncFunctionDef) else "yield"
    for node in inside(function):
        if isinstance(node, ast.Return) and (what := view.asks(node.value)):
            yield at(
                view.file, node, "returned",
                f"{what} is returned, not asked for: the workflow would end without it",
                f"return ({word} {what.split()[-1]}(...))",
            )  # fmt: skip


def _asked(view: View, function: Function) -> Iterator[Finding]:
    is_async = isinstance(function, ast.AsyncFunctionDef)
    idle = set(_never_run(function))
    for node in inside(function):
        if node in idle:
            continue
        if isinstance(node, ast.Yield | ast.YieldFrom) and is_async:
            yield at(
                view.file, node, "yield_in_async", "an async def awaits its effects, it never yields",
                "result = await RunAgent(...)",
            )  # fmt: skip
        elif isinstance(node, ast.YieldFrom):
            if view.effect(node.value) is not None or view.is_gather(node.value):
                what = view.asks(node.value)
                message = f"yield from {what}: an effect is yielded itself"
                yield at(view.file, node, "yield_from", message, f"yield {what}(...)")
        elif isinstance(node, ast.Yield | ast.Await):
            yield from _no_effect(view, node)


def _no_effect(view: View, node: ast.Yield | ast.Await) -> Iterator[Finding]:
    value, word = node.value, "await" if isinstance(node, ast.Await) else "yield"
    what, hint = "", "orch help effects"
    if value is None:
        what = "nothing"
    elif isinstance(value, NO_EFFECTS):
        what = f"`{ast.unparse(value):.50}`"
        if isinstance(value, ast.List | ast.Tuple | ast.ListComp):
            hint = f"{word} Gather([...])"
    elif isinstance(value, ast.Call):
        dotted = view.dotted(value.func)
        if dotted and dotted.partition(".")[0] in sys.stdlib_module_names:
            what = f"{dotted}()"
        elif view.builtin(value.func) in PLAIN_BUILTINS:
            what = f"{view.builtin(value.func)}()"
        elif (function := view.called(value)) is not None and _lacks_do(view, function, word):
            what, hint = f"{function.name}(), a function without @do", f"@do above {function.name}"
    if what:
        message = f"{word} asks for {what}, which is no effect"
        yield at(view.file, node, "not_an_effect", message, hint)


def _lacks_do(view: View, function: Function, word: str) -> bool:
    """A generator that is yielded, or an `async def` that is: only @do makes them workflows."""
    if view.is_workflow(function) or function.decorator_list:
        return False
    if isinstance(function, ast.AsyncFunctionDef):
        return word == "yield"
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in inside(function))


def _never_run(function: Function) -> Iterator[ast.AST]:
    """What stands after the function's end: the idiom `return; yield` makes an empty workflow."""
    for number, statement in enumerate(function.body):
        if ends(statement):
            for after in function.body[number + 1 :]:
                yield from ast.walk(after)
            return
