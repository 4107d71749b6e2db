"""Values held against a JSON Schema.

Invariant: the validator is the `jsonschema` library, loaded by those runs alone that ask for a shape
(it takes 60 ms).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orch.model.errors import UsageError

_MOST = 3
_LENGTH = 300


def refuse_broken(schema: Mapping[str, Any]) -> None:
    """`UsageError(bad_output_format)` for what is no JSON Schema."""
    import jsonschema

    try:
        _validator(schema).check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise UsageError(
            f"output_format is no JSON Schema: {_short(error.message)}", code="bad_output_format",
            hint="see json-schema.org, draft 2020-12",
        ) from error  # fmt: skip


def complaints(value: Any, schema: Mapping[str, Any]) -> str:
    """What of `value` does not fit, the first three of it; empty when all does."""
    errors = sorted(
        _validator(schema)(dict(schema)).iter_errors(value),
        key=lambda error: list(map(str, error.path)),
    )
    told = [f"{error.json_path}: {_short(error.message)}" for error in errors[:_MOST]]
    rest = f" (and {len(errors) - _MOST} more)" if len(errors) > _MOST else ""
    return "; ".join(told) + rest


def _validator(schema: Mapping[str, Any]) -> Any:
    import jsonschema

    return jsonschema.validators.validator_for(
        dict(schema), default=jsonschema.Draft202012Validator
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LENGTH else line[: _LENGTH - 1] + "…"
