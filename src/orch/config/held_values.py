"""The secret values that this process knows: what must never be seen in a text that goes outward.

Invariant: looks and never asks: no program is run for it, and what cannot be read now is passed over
(whoever needs the value is told then).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orch.config.loading import Config
from orch.config.secret import Secret, resolve
from orch.model.errors import OrchError

_NAMES = re.compile(
    r"token|secret|passw|pwd|passphrase|credential|private|api_?key|access_?key|auth", re.IGNORECASE
)
_SHORTEST = 8
_PATHS = ("/", "./", "~", "unix:")
"""How values begin that name a place (`SSH_AUTH_SOCK`, `XAUTHORITY`) and are no secrets."""


def held_values(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Every value of at least eight characters: of variables that are called like secrets, and of
    the configuration's references and literals."""
    found = {value for name, value in environ.items() if _NAMES.search(name)}
    for name, secret in _secrets("", config):
        if secret.kind() == "cmd" or (secret.kind() == "literal" and not _NAMES.search(name)):
            continue
        try:
            found.add(resolve(secret, environ, purpose=name).reveal())
        except OrchError:
            continue  # not there now, so it cannot be given away either
    fit = {value for value in found if len(value) >= _SHORTEST and not value.startswith(_PATHS)}
    return tuple(sorted(fit))


def _secrets(name: str, value: Any) -> Iterator[tuple[str, Secret]]:
    """Every secret below a value, with the name of its key."""
    if isinstance(value, Secret):
        yield name, value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _secrets(field, getattr(value, field))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(str(key), inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _secrets(name, inner)
