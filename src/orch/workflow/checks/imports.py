"""Names that mean nothing: imports that are not there, and words that nobody has defined.

Invariant: whether a library is installed is looked up by its name; none is imported.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path

import orch
from orch.model.naming import nearest
from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.view import View

OWN = frozenset({"__file__", "__name__", "__doc__", "__package__", "__builtins__", "__spec__"})


def check(view: View) -> Iterator[Finding]:
    for node in ast.walk(view.tree):
        if isinstance(node, ast.ImportFrom):
            yield from _from(view, node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(view, node, alias.name)
        elif isinstance(node, ast.Attribute) and view.dotted(node).startswith("orch."):
            yield from _attribute(view, node)
    yield from _undefined(view)


def _from(view: View, node: ast.ImportFrom) -> Iterator[Finding]:
    if node.level or not node.module:
        return
    if node.module != "orch":
        yield from _module(view, node, node.module)
        return
    for alias in node.names:
        if alias.name != "*" and not _in_orch(alias.name):
            yield _no_such(view, node, alias.name)


def _attribute(view: View, node: ast.Attribute) -> Iterator[Finding]:
    name = view.dotted(node).removeprefix("orch.")
    if isinstance(node.value, ast.Name) and "." not in name and not _in_orch(name):
        yield _no_such(view, node, name)


def _in_orch(name: str) -> bool:
    return name in orch.__all__ or importlib.util.find_spec(f"orch.{name}") is not None


def _no_such(view: View, node: ast.AST, name: str) -> Finding:
    similar = nearest(name, orch.__all__)
    meant = f"; did you mean {similar[0]}?" if similar else ""
    return at(
        view.file, node, "unknown_import", f"orch has no {name!r}{meant}", "orch help effects"
    )


def _module(view: View, node: ast.AST, name: str) -> Iterator[Finding]:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or _is_beside(view, top):
        return
    try:
        known = importlib.util.find_spec(name if top == "orch" else top) is not None
    except (ImportError, ValueError):
        known = False
    if not known:
        yield at(
            view.file, node, "unknown_module", f"there is no module {name!r}, installed or beside",
            f"install {top}, or put {top}.py beside the workflow",
        )  # fmt: skip


def _is_beside(view: View, top: str) -> bool:
    """In the module's folder or, for modules of a package, above it."""
    folders = list(Path(view.file).parents)[: view.source.module.count(".") + 2]
    return any((f / f"{top}.py").is_file() or (f / top).is_dir() for f in folders)


def _undefined(view: View) -> Iterator[Finding]:
    """Names that are read and that neither the file nor Python defines."""
    stars = [
        node
        for node in ast.walk(view.tree)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and node.module != "orch"
    ]
    if stars:
        return
    whole = symtable.symtable(view.source.text, view.file, "exec")
    known = OWN | set(dir(builtins)) | set(view.imports)
    known |= {symbol.get_name() for symbol in whole.get_symbols() if _is_defined(symbol)}
    tables = list(_tables(whole))
    known |= {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if symbol.is_declared_global() and symbol.is_assigned()
    }
    missing = {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or table is whole)
    } - known
    for node in ast.walk(view.tree):
        if isinstance(node, ast.Name) and node.id in missing and isinstance(node.ctx, ast.Load):
            around = view.around(node)
            if not any(node.id in view.bound(function) for function in around):
                yield _nobody(view, node)


def _is_defined(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _nobody(view: View, node: ast.Name) -> Finding:
    if node.id in orch.__all__:
        hint = f"from orch import {node.id}"
        message = f"{node.id} is used and not imported"
        return at(view.file, node, "unknown_name", message, hint)
    near = {name for function in view.around(node) for name in view.bound(function)}
    near |= view.bound(view.tree) | set(view.imports)
    similar = nearest(node.id, sorted(near))
    meant = f"; did you mean {similar[0]}?" if similar else ""
    message = f"nothing here is called {node.id!r}{meant}"
    return at(view.file, node, "unknown_name", message, "define it, or take it as a parameter")


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)
