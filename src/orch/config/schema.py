"""The configuration's JSON Schema (2020-12), for editors and for whoever writes it by program.

Invariant: made from the fields that `tree` lists and the kinds they have, so it cannot name a key
that is not read. What one key alone cannot tell (an agent without a program, a default agent that
is not there) only `load` knows.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from orch.config.kinds import (
    Argv,
    Choice,
    EnvTable,
    Kind,
    Names,
    Options,
    PassEnv,
    Paths,
    Script,
    Seconds,
    Text,
    Whole,
    YesNo,
)
from orch.config.outreach_kinds import HEADER, Address, Headers, Occasions, Rows, Switch, When
from orch.config.reading import kinds_of
from orch.config.service_kinds import MODEL_NAME, AgentModels, Amount
from orch.config.source_kinds import Credential, Credentials, Server, Words
from orch.config.tokens import NAME
from orch.config.tree import AGENT_NAME, LISTS, NAMED, SECTIONS

_YEAR_S = 31_536_000
_TEXTS = {"type": "array", "items": {"type": "string"}}


def schema() -> dict[str, Any]:
    """The schema of `config.toml`."""
    tables: dict[str, Any] = {name: _table(struct) for name, struct in SECTIONS.items()}
    for name, (struct, pattern, words) in NAMED.items():
        tables[name] = {
            "type": "object",
            "description": f"Tables by name ({words}).",
            "propertyNames": {"pattern": _whole(pattern)},
            "additionalProperties": _table(struct),
        }
    tables |= {name: _of_kind(rows) for name, rows in LISTS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Orch: config.toml",
        "type": "object",
        "properties": tables,
        "additionalProperties": False,
    }


def _table(struct: type[msgspec.Struct]) -> dict[str, Any]:
    built_in = struct()
    properties = {
        key: {
            **_of_kind(kind),
            "default": msgspec.to_builtins(getattr(built_in, key), enc_hook=_revealed),
        }
        for key, kind in kinds_of(struct).items()
    }
    return {
        "type": "object",
        "description": " ".join((struct.__doc__ or "").split()),
        "properties": properties,
        "additionalProperties": False,
    }


def _revealed(secret: Any) -> str:
    """Of a built-in value: there is nothing secret about it."""
    text: str = secret.reveal()
    return text


@functools.singledispatch
def _of_kind(kind: Kind) -> dict[str, Any]:
    raise NotImplementedError(f"the schema does not know {type(kind).__name__}")


@_of_kind.register
def _text(kind: Text) -> dict[str, Any]:
    said = {"type": "string", "description": f"Expected: {kind.what}."}
    return {**said, "pattern": _whole(kind.pattern)} if kind.pattern else said


@_of_kind.register
def _choice(kind: Choice) -> dict[str, Any]:
    return {"enum": list(kind.words)}


@_of_kind.register
def _yes_no(kind: YesNo) -> dict[str, Any]:
    return {"type": "boolean"}


@_of_kind.register
def _number(kind: Whole) -> dict[str, Any]:
    return {"type": "integer", "minimum": kind.low, "maximum": kind.high}


@_of_kind.register
def _seconds(kind: Seconds) -> dict[str, Any]:
    least = {"minimum": 0} if kind.zero else {"exclusiveMinimum": 0}
    return {"type": "number", **least, "maximum": _YEAR_S, "description": "Seconds."}


@_of_kind.register
def _amount(kind: Amount) -> dict[str, Any]:
    return {"type": "number", "minimum": 0, "maximum": kind.high}


@_of_kind.register
def _agent_models(kind: AgentModels) -> dict[str, Any]:
    model = {"type": "string", "pattern": _whole(MODEL_NAME)}
    return {
        "type": "object",
        "description": "Agent = model, or a list of models.",
        "propertyNames": {"pattern": _whole(AGENT_NAME)},
        "additionalProperties": {
            "anyOf": [model, {"type": "array", "minItems": 1, "items": model}]
        },
    }


@_of_kind.register
def _argv(kind: Argv) -> dict[str, Any]:
    words = {**_TEXTS, "minItems": 1, "description": "A program and its arguments."}
    return {"anyOf": [words, {"type": "string", "minLength": 1}]} if kind.words else words


@_of_kind.register
def _names(kind: Names) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "pattern": _whole(kind.pattern)}}


@_of_kind.register
def _pass_env(kind: PassEnv) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "pattern": _whole(NAME)}}


@_of_kind.register
def _env(kind: EnvTable) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Variable = value, or a reference: env:NAME, file:PATH, cmd:WORDS.",
        "propertyNames": {"pattern": _whole(NAME)},
        "additionalProperties": {"type": "string"},
    }


@_of_kind.register
def _paths(kind: Paths) -> dict[str, Any]:
    return {**_TEXTS, "description": "Paths; relative ones are relative to the file."}


@_of_kind.register
def _script(kind: Script) -> dict[str, Any]:
    actions = {"type": "array", "items": {"type": "object"}}
    return {"anyOf": [{"type": "string", "minLength": 1}, actions]}


@_of_kind.register
def _options(kind: Options) -> dict[str, Any]:
    return {"type": "object", "description": "What the agent's kind itself understands."}


@_of_kind.register
def _rows(kind: Rows) -> dict[str, Any]:
    return {"type": "array", "items": _table(kind.row)}


@_of_kind.register
def _occasions(kind: Occasions) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": "Names of events, as globs."}


@_of_kind.register
def _address(kind: Address) -> dict[str, Any]:
    return {"type": "string", "description": "An address, env:NAME or file:PATH."}


@_of_kind.register
def _headers(kind: Headers) -> dict[str, Any]:
    return {
        "type": "object", "propertyNames": {"pattern": _whole(HEADER)},
        "additionalProperties": {"type": "string"},
    }  # fmt: skip


@_of_kind.register
def _switch(kind: Switch) -> dict[str, Any]:
    return {"type": "boolean"}


@_of_kind.register
def _when(kind: When) -> dict[str, Any]:
    said = {"type": "string", "minLength": 1}
    return {
        "type": "object", "properties": dict.fromkeys(kind.KEYS, said),
        "additionalProperties": False,
    }  # fmt: skip


def _whole(pattern: str) -> str:
    """JSON Schema searches; ours match as a whole."""
    return f"^(?:{pattern})$"


_REFERENCE = {"type": "string", "description": "env:NAME, file:PATH, cmd:WORDS, or the value."}


@_of_kind.register
def _credential(kind: Credential) -> dict[str, Any]:
    return _REFERENCE


@_of_kind.register
def _credentials(kind: Credentials) -> dict[str, Any]:
    return {"type": "array", "items": _REFERENCE, "maxItems": 2}


@_of_kind.register
def _server(kind: Server) -> dict[str, Any]:
    return {"type": "string", "description": "https://..., or plain http on loopback."}


@_of_kind.register
def _words(kind: Words) -> dict[str, Any]:
    meaning: dict[str, Any] = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "additionalProperties": {"enum": list(kind.allowed)} if kind.allowed else meaning,
    }
