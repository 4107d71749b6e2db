"""How effects and workflows are called: their parameters, and texts that nobody fills.

Invariant: an effect's fields are read from its class, so this list never lags behind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from orch.model.effect import Effect
from orch.model.naming import nearest
from orch.workflow.checks.finding import Finding, at
from orch.workflow.checks.view import View
from orch.workflow.outline import parameters

TEXTS = frozenset({"prompt", "title", "body", "message", "question", "name", "suffix"})
_GAP = re.compile(
    r"(?<!\{)\{([A-Za-z_]\w*)((?:\.\w+|\[[^\]{}]*\])*)(?:![rsa])?(?::[^{}]*)?\}(?!\})"
)
_DOUBLE = re.compile(r"\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}")


class Shape(NamedTuple):
    """What a call may say: `names` in order (those after `positional` by name only), `required` of
    them, and whether any other name may be given."""

    what: str
    names: tuple[str, ...]
    required: frozenset[str]
    positional: int
    more: bool = False


def check(view: View) -> Iterator[Finding]:
    for node in ast.walk(view.tree):
        if isinstance(node, ast.Call):
            cls, function = view.effect(node), view.called(node)
            if cls is not None:
                yield from _fits(view, node, _of_effect(cls))
                yield from _texts(view, node, cls)
            elif function is not None and view.is_workflow(function):
                given = parameters(function)
                names = tuple(p.name for p in given if p.kind == "plain")
                yield from _fits(view, node, Shape(
                    f"the workflow {function.name}", names,
                    frozenset(p.name for p in given if p.required),
                    99 if function.args.vararg else len(names) - len(function.args.kwonlyargs),
                    function.args.kwarg is not None,
                ))  # fmt: skip


def _of_effect(cls: type[Effect[Any]]) -> Shape:
    fields = cls.__struct_fields__
    required = fields[: len(fields) - len(cls.__struct_defaults__)]
    return Shape(cls.__name__, fields, frozenset(required), len(fields))


def _fits(view: View, node: ast.Call, shape: Shape) -> Iterator[Finding]:
    takes = f"it takes {', '.join(shape.names) or 'nothing'}"
    given = [word.arg for word in node.keywords if word.arg is not None]
    for word in node.keywords:
        if word.arg is not None and word.arg not in shape.names and not shape.more:
            similar = nearest(word.arg, list(shape.names))
            meant = f"; did you mean {similar[0]!r}?" if similar else ""
            message = f"{shape.what} has no parameter {word.arg!r}{meant}"
            yield at(view.file, word, "unknown_parameter", message, takes)
    spread = any(isinstance(a, ast.Starred) for a in node.args)
    if not spread and len(node.args) > shape.positional:
        message = f"{shape.what} is given {len(node.args)} values without a name"
        yield at(view.file, node, "too_many_values", message, takes)
    if spread or any(word.arg is None for word in node.keywords):
        return
    missing = shape.required - {*given, *shape.names[: len(node.args)]}
    for name in shape.names:
        if name in missing:
            message = f"{shape.what} needs {name!r}"
            yield at(view.file, node, "missing_parameter", message, takes)


def _texts(view: View, node: ast.Call, cls: type[Effect[Any]]) -> Iterator[Finding]:
    named = zip(cls.__struct_fields__, node.args, strict=False)
    given = [*named, *((word.arg or "", word.value) for word in node.keywords)]
    for name, value in given:
        if name in TEXTS and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield from _unfilled(view, node, value, name)


def _unfilled(view: View, call: ast.Call, value: ast.Constant, field: str) -> Iterator[Finding]:
    """`"{issue.title}"` where an f was meant, and `{{NAME}}`, which `orch template` fills and a
    workflow does not."""
    text = str(value.value)
    around = {name for function in view.around(call) for name in view.bound(function)}
    for match in _GAP.finditer(text):
        if match[1] in around or match[1] in view.imports:
            message = f"the {field} says {match[0]} as it stands: nothing fills it"
            yield at(
                view.file, value, "unknown_placeholder", message, 'f"..." in front of the text'
            )
            return
    if double := _DOUBLE.search(text):
        message = f"the {field} says {double[0]} as it stands: only `orch template` fills that"
        yield at(view.file, value, "unknown_placeholder", message, 'f"{...}"', "warning")
