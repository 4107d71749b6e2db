"""Whether parameters fit what a workflow's function says of its own parameters.

Invariant: refuses only what can be judged. An annotation that does not resolve, or means more than
the plain types that JSON has, is left alone, and so is a value that is the parameter's own default.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orch.model import typed
from orch.model.errors import UsageError

_PLAIN = frozenset({
    "AnyType", "NoneType", "BoolType", "IntType", "FloatType", "StrType", "LiteralType", "ListType",
    "VarTupleType", "TupleType", "SetType", "FrozenSetType", "DictType", "UnionType",
})  # fmt: skip
"""What `msgspec.inspect` calls the types whose values are the same in JSON and in Python."""
_PARTS = ("item_type", "key_type", "value_type")


def needs_fitting(function: Callable[..., Any], params: Mapping[str, Any]) -> None:
    """Refuse the first of `params` whose value is not what `function` says that it takes."""
    for name, parameter in inspect.signature(function).parameters.items():
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if not named or name not in params or parameter.annotation is parameter.empty:
            continue
        value = params[name]
        if value is parameter.default or value == parameter.default:
            continue
        wanted = _resolved(function, name, parameter.annotation)
        if not _is_plain(wanted):
            continue
        try:
            typed.convert(value, wanted)
        except msgspec.ValidationError as error:
            raise UsageError(
                f"the parameter {name!r} of the workflow {function.__name__} is {_shown(value)}:"
                f" {_lower(str(error))}",
                code="bad_params",
                hint=f"--params '{{\"{name}\": ...}}', a value of the type {_said(wanted)}",
            ) from error


def _resolved(function: Callable[..., Any], name: str, annotation: Any) -> Any:
    """The type that an annotation means; None, which no check follows, where it cannot be told."""

    def alone() -> None: ...

    alone.__annotations__ = {name: annotation}
    try:
        return typing.get_type_hints(alone, function.__globals__)[name]
    except Exception:  # noqa: BLE001 - a person's own words, which may do anything
        return None


def _is_plain(wanted: Any) -> bool:
    if wanted is None:
        return False
    from msgspec import inspect as types

    try:
        return _plain(types.type_info(wanted))
    except Exception:  # noqa: BLE001 - msgspec does not know it, or not together with the others
        return False


def _plain(kind: Any) -> bool:
    if type(kind).__name__ not in _PLAIN:
        return False
    parts = [getattr(kind, part) for part in _PARTS if hasattr(kind, part)]
    parts += getattr(kind, "types", ()) or getattr(kind, "item_types", ())
    return all(_plain(part) for part in parts)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].replace("`", "").replace(" - at ", " at ")


def _said(wanted: Any) -> str:
    return wanted.__name__ if isinstance(wanted, type) else str(wanted).replace("typing.", "")
