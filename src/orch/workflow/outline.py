"""What a workflow file says about itself, read without running it.

Invariant: works on the syntax tree alone, so it may be asked of a file that nobody trusts yet. Which
function is run is decided as `orch.workflow.sources.entry_workflow` decides it on the loaded module.
"""

from __future__ import annotations

import ast
from pathlib import PurePath

import msgspec

from orch.model.errors import NotFound
from orch.model.run import Source
from orch.workflow.sources import ENTRY_NAMES, parse

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Parameter(msgspec.Struct, frozen=True):
    """`default` is the text that stands in the file, None where there is none. `kind` is `plain`,
    `star` (`*words`) or `stars` (`**words`)."""

    name: str
    default: str | None = None
    kind: str = "plain"

    @property
    def required(self) -> bool:
        return self.default is None and self.kind == "plain"


class Outline(msgspec.Struct, frozen=True):
    """`summary` is the first line of the function's docstring, else of the file's."""

    function: str
    summary: str
    parameters: tuple[Parameter, ...]


def outline(source: Source) -> Outline:
    """Of the function a file is run by. `UsageError` for a syntax error, `NotFound` (`no_entry`)
    where the file does not say which function that is."""
    tree = parse(source)
    entry = entry_function(tree, source.filename)
    if entry is None:
        raise NotFound(
            f"{source.filename} does not say which workflow to run",
            code="no_entry",
            hint="put @do above the function to run, and name it `workflow` or `main`",
        )
    words = ast.get_docstring(entry) or ast.get_docstring(tree) or ""
    return Outline(entry.name, words.strip().partition("\n")[0], parameters(entry))


def entry_function(tree: ast.Module, filename: str, wanted: str = "") -> Function | None:
    """`wanted`, or `workflow` or `main`, else the one named like the file, else the only one with
    `@do`."""
    own = workflows(tree)
    for name in (wanted,) if wanted else (*ENTRY_NAMES, PurePath(filename).stem):
        if name in own:
            return own[name]
    return next(iter(own.values())) if len(own) == 1 and not wanted else None


def workflows(tree: ast.Module) -> dict[str, Function]:
    """The functions with `@do` that the module defines at its top, by name."""
    do = do_names(tree)
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, Function) and any(is_do(word, do) for word in node.decorator_list)
    }


def do_names(tree: ast.Module) -> frozenset[str]:
    """What `do` is called in this file: `from orch import do as workflow` makes it `workflow`."""
    found = {"do"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "orch":
            found |= {alias.asname for alias in node.names if alias.name == "do" and alias.asname}
    return frozenset(found)


def is_do(decorator: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(decorator, ast.Attribute):
        return decorator.attr == "do"
    return isinstance(decorator, ast.Name) and decorator.id in names


def parameters(function: Function) -> tuple[Parameter, ...]:
    """In the order written."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    gaps: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    found = [_parameter(a, d) for a, d in zip(plain, [*gaps, *given.defaults], strict=True)]
    if given.vararg is not None:
        found.append(Parameter(given.vararg.arg, kind="star"))
    named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found += [_parameter(argument, default) for argument, default in named]
    if given.kwarg is not None:
        found.append(Parameter(given.kwarg.arg, kind="stars"))
    return tuple(found)


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    return Parameter(argument.arg, None if default is None else ast.unparse(default))
