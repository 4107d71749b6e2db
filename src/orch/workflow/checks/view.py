"""A workflow's file as the checks see it: what its names mean, and which function a line is in.

Invariant: a name means an import only where nothing nearer takes it, so a parameter called `time` is
no clock.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import orch
from orch.model import effect as effects
from orch.model.effect import Effect
from orch.model.run import Source
from orch.workflow.checks.finding import Finding
from orch.workflow.outline import Function, do_names, is_do
from orch.workflow.sources import parse

GATHER = "orch.Gather"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
NAMED = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs,
    ast.MatchStar,
)  # fmt: skip
_SILENT = re.compile(r"#\s*orch:\s*ignore(?:\[([a-z_, ]+)\])?")


class View:
    """One module. `functions` are all that it defines, however deep, with those around them."""

    def __init__(self, source: Source) -> None:
        self.file = source.filename
        self.source = source
        self.tree = parse(source)
        self._lines = source.text.splitlines()
        self._around = dict(_scopes(self.tree, ()))
        self._do = do_names(self.tree)
        self._bound: dict[ast.AST, frozenset[str]] = {}

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: `{"dt": "datetime"}`."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    if alias.name == "*" and node.module == "orch":
                        found.update({name: f"orch.{name}" for name in orch.__all__})
                    elif alias.name != "*":
                        found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return found

    @cached_property
    def functions(self) -> list[Function]:
        return [n for n in ast.walk(self.tree) if isinstance(n, Function)]

    @cached_property
    def top(self) -> dict[str, Function]:
        """The functions defined at the module's top."""
        return {node.name: node for node in self.tree.body if isinstance(node, Function)}

    def is_workflow(self, function: Function) -> bool:
        return any(is_do(decorator, self._do) for decorator in function.decorator_list)

    def around(self, node: ast.AST) -> tuple[ast.AST, ...]:
        """The functions that `node` stands in, outermost first."""
        return self._around.get(node, ())

    def dotted(self, expression: ast.AST) -> str:
        """`datetime.datetime.now` for what an expression names by way of imports, else empty."""
        words: list[str] = []
        while isinstance(expression, ast.Attribute):
            words.append(expression.attr)
            expression = expression.value
        if not isinstance(expression, ast.Name):
            return ""
        name = expression.id
        if name not in self.imports or self._is_taken(name, expression):
            return ""
        return ".".join([self.imports[name], *reversed(words)])

    def builtin(self, expression: ast.AST) -> str:
        """The name of a Python built-in that an expression means, else empty."""
        if not isinstance(expression, ast.Name):
            return ""
        taken = expression.id in self.imports or expression.id in self.bound(self.tree)
        return "" if taken or self._is_taken(expression.id, expression) else expression.id

    def effect(self, node: ast.AST | None) -> type[Effect[Any]] | None:
        """The effect that a call makes, by whatever name it was imported."""
        if not isinstance(node, ast.Call):
            return None
        dotted = self.dotted(node.func)
        home, _, name = dotted.rpartition(".")
        if home not in ("orch", "orch.model.effect"):
            return None
        cls = getattr(effects, name, None)
        is_effect = isinstance(cls, type) and issubclass(cls, Effect) and cls is not Effect
        return cls if is_effect else None

    def is_gather(self, node: ast.AST | None) -> bool:
        return isinstance(node, ast.Call) and self.dotted(node.func) in (
            GATHER, "orch.workflow.program.Gather",
        )  # fmt: skip

    def called(self, node: ast.AST | None) -> Function | None:
        """The module's own function that a call names."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return None
        function = self.top.get(node.func.id)
        return None if function is None or self._is_taken(node.func.id, node.func) else function

    def asks(self, node: ast.AST | None) -> str:
        """What a call asks for once it is yielded, in words; empty where it asks for nothing."""
        cls = self.effect(node)
        if cls is not None:
            return cls.__name__
        if self.is_gather(node):
            return "Gather"
        function = self.called(node)
        return f"the workflow {function.name}" if function and self.is_workflow(function) else ""

    def silenced(self, finding: Finding) -> bool:
        """Its line says `# orch: ignore` or `# orch: ignore[code]`."""
        if finding.file != self.file or not 0 < finding.line <= len(self._lines):
            return False
        said = _SILENT.search(self._lines[finding.line - 1])
        if said is None:
            return False
        return said[1] is None or finding.code in re.split(r"[,\s]+", said[1])

    def _is_taken(self, name: str, node: ast.AST) -> bool:
        return any(name in self.bound(function) for function in self.around(node))

    def bound(self, scope: ast.AST) -> frozenset[str]:
        """The names that a function (or the module) binds itself, other than by an import."""
        if scope not in self._bound:
            self._bound[scope] = _bound_in(scope)
        return self._bound[scope]


def _scopes(
    node: ast.AST, around: tuple[ast.AST, ...]
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Every node with the functions around it; without recursion into what is deep by accident."""
    pending = [(node, around)]
    while pending:
        current, inside = pending.pop()
        yield current, inside
        within = (*inside, current) if isinstance(current, FUNCTIONS) else inside
        pending.extend((child, within) for child in ast.iter_child_nodes(current))


def _bound_in(scope: ast.AST) -> frozenset[str]:
    found: set[str] = set()
    if isinstance(scope, FUNCTIONS):
        given = scope.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        found = {argument.arg for argument in every if argument is not None}
    for node in inside(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, NAMED) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
    return frozenset(found)


def inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without what the functions and classes in it hold."""
    pending: list[ast.AST] = list(_children(scope))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def _children(scope: ast.AST) -> Iterable[ast.AST]:
    body = getattr(scope, "body", None)
    if isinstance(body, list):
        return body
    return ast.iter_child_nodes(scope)
