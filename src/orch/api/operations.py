"""Named operations: what every face can ask for, in process or over the socket.

Invariant: one table serves both, so that the answer is the same. Parameters are checked against the
operation's Struct before anything is done; the answer is plain JSON data, an error is an `OrchError`.

A new noun adds a module with its own table (name -> `Operation`) and one line to `TABLES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from orch.model import typed
from orch.model.errors import NotFound, UsageError

if TYPE_CHECKING:
    from orch.api.facade import Orch

TABLES = ("orch.api.operations_core", "orch.api.operations_figures")
"""Modules with a `TABLE`; read when the first operation is asked for."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operation takes. A key that it does not know is refused, never dropped."""


class Operation(NamedTuple):
    """`run` gets the facade and the checked parameters."""

    params: type[Params]
    run: Callable[[Orch, Any], Any]


class Caller(Protocol):
    """Whoever carries operations out: this process (`Operations`) or the service (`orch.client`)."""

    def call(self, name: str, params: Mapping[str, Any] | None = None) -> Any:
        """The answer as plain JSON data; errors as `OrchError`."""


class Operations:
    """The operations on a home that this process has opened."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._table: dict[str, Operation] = {}
        for module in TABLES:
            self._table |= importlib.import_module(module).TABLE

    def names(self) -> list[str]:
        return sorted(self._table)

    def call(self, name: str, params: Mapping[str, Any] | None = None) -> Any:
        operation = self._table.get(name)
        if operation is None:
            raise unknown(name)
        checked = checked_params(name, operation.params, params or {})
        answer = operation.run(self._orch, checked)
        return msgspec.to_builtins(answer, str_keys=True, enc_hook=str)


def unknown(name: str) -> NotFound:
    return NotFound(f"there is no operation {name[:80]!r}", code="unknown_method", hint="orch help")


def checked_params(name: str, wanted: type[Params], given: Mapping[str, Any]) -> Any:
    """`given` as the operation's Struct; `UsageError(bad_params)` names what is wrong."""
    try:
        return typed.convert(dict(given), wanted)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {error}", code="bad_params", hint="orch help") from error
