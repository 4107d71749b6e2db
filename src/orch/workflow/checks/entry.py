"""The function a file is run by: that there is one, and what it is given.

Invariant: what is said about `issue` and about results is read from the classes they are of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, get_args, get_origin

import msgspec

from orch.model.effect import Effect
from orch.model.naming import nearest
from orch.model.ticket import Ticket
from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.view import View, inside
from orch.workflow.outline import Function, entry_function


def check(view: View, wanted: str = "") -> Iterator[Finding]:
    """`wanted` is the function that a person named, empty where the file itself says which."""
    entry = entry_function(view.tree, view.file, wanted)
    if entry is None:
        named = f"it {wanted}" if wanted else f"it workflow, main or {PurePath(view.file).stem}"
        yield at(
            view.file, view.tree, "no_entry", "no function here is the workflow to run",
            f"@do above it, and name {named}",
        )  # fmt: skip
        return
    for argument in entry.args.posonlyargs:
        message = f"{argument.arg!r} cannot be given by name, and workflows are called by names"
        yield at(view.file, argument, "positional_only", message, "take out the /")
    yield from _attributes(view, entry)


def _attributes(view: View, entry: Function) -> Iterator[Finding]:
    """`issue.titel`, `env.pth`: attributes that a ticket or a result does not have."""
    types = _types(view, entry)
    for node in ast.walk(entry):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        cls = types.get(node.value.id)
        if cls is None or view.around(node) != (entry,) or hasattr(cls, node.attr):
            continue
        known = [name for name in dir(cls) if not name.startswith("_")]
        similar = nearest(node.attr, known)
        meant = f"; did you mean {similar[0]!r}?" if similar else ""
        message = f"{node.value.id} (a {cls.__name__}) has no {node.attr!r}{meant}"
        yield at(view.file, node, "unknown_attribute", message, f"it has {', '.join(known)}")


def _types(view: View, entry: Function) -> dict[str, type]:
    """The class of each name that is bound exactly once: by being `issue`, or to a result."""
    bound: dict[str, list[type | None]] = {}
    if any(argument.arg == "issue" for argument in [*entry.args.args, *entry.args.kwonlyargs]):
        bound["issue"] = [Ticket]
    results = {
        node.targets[0]: _result(view.effect(node.value.value))
        for node in inside(entry)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Yield | ast.Await)
        if node.value.value is not None
    }
    for node in inside(entry):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.setdefault(node.id, []).append(results.get(node))
    return {name: c[0] for name, c in bound.items() if len(c) == 1 and c[0] is not None}


def _result(cls: type[Effect[Any]] | None) -> type | None:
    """The struct that an effect gives, None where it gives anything else."""
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) is Effect:
            (result,) = get_args(base)
            if isinstance(result, type) and issubclass(result, msgspec.Struct):
                return result
    return None
