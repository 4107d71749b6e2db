"""The shape of an answer: what a workflow asks an agent for, as JSON Schema and as Python.

Invariant: what is journaled is the schema alone, so a replay compares data with data; the Python type
stays with the workflow's own code, which gets its instances back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from orch.model import typed
from orch.model.errors import UsageError


class Schema(dict[str, Any]):
    """A JSON Schema (2020-12). `shape` is the Python type it was made of, None for a plain one."""

    shape: Any = None


def schema_of(wanted: Any) -> Schema:
    """`wanted` as a schema: a mapping is one already; a msgspec Struct, dataclass, TypedDict or
    pydantic model says its own."""
    if isinstance(wanted, Schema):
        return wanted
    if isinstance(wanted, Mapping):
        return Schema(wanted)
    describe = getattr(wanted, "model_json_schema", None)
    try:
        found = Schema(describe() if describe is not None else msgspec.json.schema(wanted))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"RunAgent: output_format {wanted!r} is neither diff, text or result nor a shape"
            f" ({error})",
            code="bad_output_format",
            hint="give a msgspec Struct, a dataclass, a pydantic model or a JSON Schema",
        ) from error
    found.shape = wanted
    return found


def shaped(value: Any, schema: Schema) -> Any:
    """`value`, valid by `schema`, as an instance of the type that the schema was made of."""
    if schema.shape is None:
        return value
    validate = getattr(schema.shape, "model_validate", None)
    return validate(value) if validate is not None else typed.convert(value, schema.shape)


def asked(prompt: str, schema: Mapping[str, Any], complaint: str = "") -> str:
    """`prompt` with the words that ask for an answer of that shape; `complaint` is what was wrong
    with the answer before."""
    again = f"\n\nYour answer before was not accepted: {complaint}" if complaint else ""
    return (
        f"{prompt}\n\n---\nAnswer with one JSON value that fits this JSON Schema. Write it to the"
        " file that the environment variable ORCH_RESULT_FILE names, or print it last.\n\n"
        f"{json.dumps(schema, indent=2, ensure_ascii=False)}{again}\n"
    )
