"""Every key with its value, its place, and what it hides.

Invariant: told from the very layers that `load` reads, after `load` has found them sound; secrets
are masked here, so that no caller can forget it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec

from orch.config.keys import Path, dotted
from orch.config.layers import BUILT_IN, Layer, Origin, from_file
from orch.config.loading import FILE, REPOSITORY_FILE, Config, load
from orch.config.reading import Flat, named, read
from orch.config.secret import MASK, Secret
from orch.config.tree import LISTS, NAMED, SECTIONS
from orch.model.errors import NotFound
from orch.model.naming import nearest

_PART = re.compile(r'([A-Za-z0-9_-]+)|"([^"]*)"|\[([0-9]+)\]')


class Said(msgspec.Struct, frozen=True):
    """What one layer says: a plain value (secrets masked) and where."""

    value: Any
    origin: Origin


class Explained(msgspec.Struct, frozen=True):
    """A key: what is in force, and below it what that hides, nearest first."""

    key: str
    said: Said
    hidden: tuple[Said, ...]


class Settings:
    """The configuration of one home, for the repository `slug` at `folder` or for none.

    Raises `ConfigError` at once when it is broken.
    """

    def __init__(
        self, home: FilePath, environ: Mapping[str, str], *, slug: str = "",
        folder: FilePath | None = None,
    ) -> None:  # fmt: skip
        self.slug = slug
        self.config: Config = load(home, folder, {}, environ)
        user_home = environ.get("HOME", "")
        own = from_file(home / FILE)
        repository = from_file(folder / REPOSITORY_FILE, repository=True) if folder else None
        self._own = (own, read(own, user_home) if own else {})
        self._repository = (repository, read(repository, user_home) if repository else {})

    def all_keys(self) -> list[str]:
        """Every key that can be set now, tables of named tables by the names there are."""
        found = [dotted((s, key)) for s, struct in SECTIONS.items() for key in _fields(struct)]
        for section, (struct, _, _) in NAMED.items():
            for name in self._names(section):
                found += [dotted((section, name, key)) for key in _fields(struct)]
        return [*found, *LISTS]

    def below(self, key: str) -> list[str]:
        """The keys of a table; empty when `key` is none."""
        head = f"{key}."
        return [other for other in self.all_keys() if other.startswith(head)]

    def explain(self, key: str) -> Explained:
        """`NotFound(unknown_config_key)` for what is no key, or has no such element."""
        path = parsed(key)
        leaf = _leaf(path)
        known = self._own[0] is not None and path[:2] in self._tables()
        if leaf is None or (leaf[0] in NAMED and not known):
            raise self.unknown(key)
        chain = [
            Said(plain(value), origin)
            for layer, flat, at in self._layers(leaf)
            if (value := _within(flat, at, path[len(leaf) :])) is not _ABSENT
            for origin in [layer.origin((*at, *path[len(leaf) :]))]
        ]
        if (value := _walked(_default(leaf), path[len(leaf) :])) is not _ABSENT:
            chain.append(Said(plain(value), Origin(BUILT_IN)))
        if not chain:
            raise self.unknown(key)
        return Explained(dotted(path), chain[0], tuple(chain[1:]))

    def unknown(self, key: str) -> NotFound:
        near = nearest(key, [*self.all_keys(), *SECTIONS, *(dotted(t) for t in self._tables())])
        return NotFound(
            f"there is no configuration key {key}",
            code="unknown_config_key",
            hint=f"did you mean {' or '.join(near)}?" if near else "orch config list",
        )

    def _names(self, section: str) -> list[str]:
        own = self._own[0]
        return list(named(own, section)) if own else []

    def _tables(self) -> list[Path]:
        return [(section, name) for section in NAMED for name in self._names(section)]

    def _layers(self, leaf: Path) -> list[tuple[Layer, Flat, Path]]:
        """(layer, its values, the path that counts there), highest first."""
        own, repository = self._own, self._repository
        places: list[tuple[tuple[Layer | None, Flat], Path]] = [(repository, leaf), (own, leaf)]
        if leaf[0] == "defaults" and self.slug:
            places.insert(1, (own, ("repos", self.slug, *leaf[1:])))
        if leaf[0] == "repos":
            general: Path = ("defaults", *leaf[2:])
            ours = [(repository, general)] if leaf[1] == self.slug else []
            places = [*ours, (own, leaf), (own, general)]
        return [(layer, flat, at) for (layer, flat), at in places if layer is not None]


_ABSENT: Any = object()


def parsed(key: str) -> Path:
    """The path that `keys.dotted` wrote; what is no key gives a path that nothing has."""
    path: list[str | int] = []
    at = 0
    while at < len(key):
        if path and key[at] == ".":
            at += 1
        found = _PART.match(key, at)
        if found is None:
            return (key,)
        path.append(int(found[3]) if found[3] else found[1] or found[2] or "")
        at = found.end()
    return tuple(path)


def plain(value: Any) -> Any:
    """As JSON has it. A literal secret is masked; of a reference to one it is told where it leads,
    of a command the program only: its words may be secret themselves."""
    match value:
        case Secret():
            return _masked(value)
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case tuple() | list():
            return [plain(item) for item in value]
        case _:
            return value


def _masked(secret: Secret) -> str:
    kind = secret.kind()
    if kind == "cmd":
        words = secret.reveal().removeprefix("cmd:").split()
        return f"cmd:{os.path.basename(words[0])} {MASK}"
    return secret.reveal() if kind in ("env", "file") else MASK


def struct_of(section: str) -> type[msgspec.Struct] | None:
    """What a table, or each of a table of tables, holds."""
    return SECTIONS.get(section) or (NAMED[section][0] if section in NAMED else None)


def _leaf(path: Path) -> Path | None:
    """The path of the key that `path` names or lies within; None when there is none."""
    if path and path[0] in LISTS:
        return path[:1]
    struct = struct_of(str(path[0])) if path else None
    length = 2 if path and path[0] in SECTIONS else 3
    if struct is None or len(path) < length or path[length - 1] not in _fields(struct):
        return None
    return path[:length]


def _fields(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_fields__


def _default(leaf: Path) -> Any:
    if leaf[0] in LISTS:
        return ()
    struct = struct_of(str(leaf[0]))
    assert struct is not None
    return getattr(struct(), str(leaf[-1]))


def _within(flat: Flat, at: Path, inner: Path) -> Any:
    return _walked(flat[at].value, inner) if at in flat else _ABSENT


def _walked(value: Any, inner: Path) -> Any:
    for part in inner:
        try:
            named = isinstance(value, msgspec.Struct) and isinstance(part, str)
            value = getattr(value, str(part)) if named else value[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            return _ABSENT
    return value
