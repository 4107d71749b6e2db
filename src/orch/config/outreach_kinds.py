"""Kinds of values of `[hooks]`, `[notify]` and `[[rules]]`.

Invariant: as in `kinds`: the value in the form the tree holds, or `Wrong`.
"""

from __future__ import annotations

import re
import typing
from typing import Any

import msgspec

from orch.config.keys import Path
from orch.config.kinds import Kind, Place, Wrong, described
from orch.config.secret import Secret
from orch.model.naming import nearest

HEADER = r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}"
_HOST = r"https?://[^\s/?#@]+(?:[/?#][^\s]*)?"


class Rows(msgspec.Struct, frozen=True):
    """Tables in a row (`[[name]]`), each of which holds the keys of `row`."""

    row: type[msgspec.Struct]

    def read(self, value: Any, place: Place) -> tuple[msgspec.Struct, ...]:
        if not isinstance(value, list):
            raise Wrong(f"expected tables in a row ([[...]]), found {described(value)}")
        return tuple(self._one(item, index, place) for index, item in enumerate(value))

    def _one(self, item: Any, index: int, place: Place) -> msgspec.Struct:
        if not isinstance(item, dict):
            raise Wrong(f"expected a table, found {described(item)}", index)
        kinds, read = self.kinds(), {}
        for key, raw in item.items():
            if key not in kinds:
                near = nearest(key, list(kinds))
                hint = "" if near else f"known here: {', '.join(kinds)}"
                meant = f"; did you mean {' or '.join(near)}?" if near else ""
                raise Wrong(f"unknown key{meant}", index, key, hint=hint)
            try:
                read[key] = kinds[key].read(raw, place)
            except Wrong as wrong:
                inner: Path = (index, key, *wrong.inner)
                raise Wrong(wrong.message, *inner, hint=wrong.hint) from wrong
        made = self.row(**read)
        complaint = getattr(made, "complaint", None)
        told = complaint() if complaint is not None else ""
        if told:
            raise Wrong(told, index)
        return made

    def kinds(self) -> dict[str, Kind]:
        hints = typing.get_type_hints(self.row, include_extras=True)
        return {name: hints[name].__metadata__[0] for name in self.row.__struct_fields__}


class Occasions:
    """Names of occasions, as globs; a comma stands for "or"."""

    def read(self, value: Any, place: Place) -> str:
        if not isinstance(value, str) or not value.strip():
            raise Wrong(f'expected names of events ("task.done, run.*"), found {described(value)}')
        from orch.model.occasion import NAMES, unheard

        for pattern in unheard(value):
            near = nearest(pattern, list(NAMES))
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            told = described(pattern)
            raise Wrong(f"nothing is called {told}{meant}", hint=f"known: {', '.join(NAMES)}")
        return value


class Address:
    """An http or https address, or a reference to one (`env:NAME`, `file:PATH`); masked."""

    def read(self, value: Any, place: Place) -> Secret:
        if not isinstance(value, str):
            raise Wrong(f"expected an http or https address, found {described(value, masked=True)}")
        reference = re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+", value)
        if value and not reference and not re.fullmatch(_HOST, value):
            raise Wrong(
                "expected an http or https address without a password, env:NAME or file:PATH"
            )
        return Secret(value)


class Headers:
    """HTTP header -> value or reference (`env:NAME`, `file:PATH`, `cmd:WORDS`), masked."""

    def read(self, value: Any, place: Place) -> dict[str, Secret]:
        if not isinstance(value, dict):
            raise Wrong(f'expected a table (NAME = "value"), found {described(value)}')
        for name, text in value.items():
            if not re.fullmatch(HEADER, name):
                raise Wrong(f"{described(name)} is not the name of a header", name)
            if not isinstance(text, str) or not text.isprintable():
                raise Wrong("expected one line of text", name)
        return {name: Secret(text) for name, text in value.items()}


class Switch:
    def read(self, value: Any, place: Place) -> bool:
        if not isinstance(value, bool):
            raise Wrong(f"expected true or false, found {described(value)}")
        return value


class When:
    """What a rule asks for beside its event: `repo`, `label`, `workflow`, `branch`, as globs."""

    KEYS = ("repo", "label", "workflow", "branch")

    def read(self, value: Any, place: Place) -> dict[str, str]:
        if not isinstance(value, dict):
            raise Wrong(f'expected a table ({{repo = "thing"}}), found {described(value)}')
        for key, text in value.items():
            if key not in self.KEYS:
                raise Wrong("unknown key", key, hint=f"known here: {', '.join(self.KEYS)}")
            if not isinstance(text, str) or not text:
                raise Wrong(f"expected text in quotes, found {described(text)}", key)
        return value
