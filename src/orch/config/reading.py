"""A layer's raw values checked against the tree, and the layers laid over one another.

Invariant: what comes out holds known keys only, each in the form the tree holds, each with its
origin. Tables merge by key; a list or a single value of a higher layer replaces the lower one.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orch.config.keys import Path, dotted
from orch.config.kinds import Kind, Place, Wrong, described
from orch.config.layers import Layer, Origin
from orch.config.tree import LISTS, NAMED, SECTIONS
from orch.model.naming import nearest


class Value(msgspec.Struct, frozen=True):
    """A checked value with its origin; `inner` has the origins below it (list elements, variables)
    by dotted key."""

    value: Any
    origin: Origin
    inner: Mapping[str, Origin]


Flat = dict[Path, Value]
"""Path of a key (`("agents", "x", "command")`) -> its value."""


def read(layer: Layer, user_home: str) -> Flat:
    """All values of `layer`. `user_home` stands for `~`. Raises `ConfigError` at the first fault."""
    place = Place(layer.folder, user_home)
    flat: Flat = {}
    known = [*SECTIONS, *NAMED, *LISTS]
    for section, content in layer.raw.items():
        path: Path = (section,)
        if section in SECTIONS:
            flat.update(_table(layer, path, content, SECTIONS[section], place))
        elif section in NAMED:
            struct, pattern, words = NAMED[section]
            for name, inner in _items(layer, path, content):
                if not re.fullmatch(pattern, name):
                    raise layer.error((*path, name), f"not a usable name: {words}")
                flat.update(_table(layer, (*path, name), inner, struct, place))
        elif section in LISTS:
            flat[path] = _value(layer, path, content, LISTS[section], place)
        else:
            raise _unknown(layer, path, known, "table" if isinstance(content, dict) else "key")
    return flat


def named(layer: Layer, section: str) -> Iterator[str]:
    """The names of a table of named tables, also of those without a key."""
    yield from layer.raw.get(section, {})


def overlay(layers: list[Flat]) -> Flat:
    """The values of all layers, lowest first."""
    merged: Flat = {}
    for flat in layers:
        merged.update(flat)
    return merged


def filled(struct: type[msgspec.Struct], flat: Flat, path: Path) -> dict[str, Any]:
    """The fields of `struct` that `flat` has below `path`."""
    names = struct.__struct_fields__
    return {name: flat[*path, name].value for name in names if (*path, name) in flat}


def _table(
    layer: Layer, path: Path, content: Any, struct: type[msgspec.Struct], place: Place
) -> Flat:
    kinds = kinds_of(struct)
    flat: Flat = {}
    for key, raw in _items(layer, path, content):
        below = (*path, key)
        kind = kinds.get(key)
        if kind is None:
            raise _unknown(layer, below, list(kinds), "key")
        flat[below] = _value(layer, below, raw, kind, place)
    return flat


def _value(layer: Layer, path: Path, raw: Any, kind: Kind, place: Place) -> Value:
    try:
        value = kind.read(raw, place)
    except Wrong as error:
        at = (*path, *error.inner)
        raise layer.error(at, error.message, hint=error.hint) from error
    return Value(value, layer.origin(path), _inner(layer, path))


def _items(layer: Layer, path: Path, content: Any) -> list[tuple[str, Any]]:
    if not isinstance(content, dict):
        raise layer.error(path, f"expected a table ([{dotted(path)}]), found {described(content)}")
    return list(content.items())


def kinds_of(struct: type[msgspec.Struct]) -> dict[str, Kind]:
    """What each field may hold."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return {name: hints[name].__metadata__[0] for name in struct.__struct_fields__}


def _inner(layer: Layer, path: Path) -> dict[str, Origin]:
    return {dotted(other): layer.origin(other) for other in layer.below(path)}


def _unknown(layer: Layer, path: Path, known: list[str], what: str) -> Exception:
    word = str(path[-1])
    near = nearest(word, known)
    message = f"unknown {what}" + (f"; did you mean {' or '.join(near)}?" if near else "")
    return layer.error(
        path, message, code="config_unknown_key",
        hint="" if near else f"known here: {', '.join(known)}",
    )  # fmt: skip
