"""Kinds of values of `[sources.NAME]` and `[forges.NAME]`.

Invariant: as in `kinds`: the value in the form the tree holds, or `Wrong`. A literal credential is
taken and masked; a reference is better.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from orch.config.kinds import Place, Wrong, described
from orch.config.secret import Secret
from orch.model.loopback import is_loopback

_NONE = "expected one line of text: env:NAME, file:PATH, cmd:WORDS, or the value itself"


class Credential:
    """A reference (`env:NAME`, `file:PATH`, `cmd:WORDS`) or the value itself; masked."""

    def read(self, value: Any, place: Place) -> Secret:
        if not isinstance(value, str) or not (value.isprintable() or value == ""):
            raise Wrong(f"{_NONE}, found {described(value, masked=True)}")
        kind, colon, rest = value.partition(":")
        if colon and kind == "file" and rest.startswith("~/"):
            return Secret(f"file:{place.user_home}/{rest[2:]}")
        if colon and kind in ("env", "file", "cmd") and not rest.strip():
            raise Wrong(_NONE)
        return Secret(value)


class Credentials:
    """One or two credentials, as `Credential`: the one in use, then the one before."""

    def read(self, value: Any, place: Place) -> tuple[Secret, ...]:
        if not isinstance(value, list) or len(value) > 2:
            raise Wrong(f"expected a list of one or two, found {described(value, masked=True)}")
        return tuple(Credential().read(one, place) for one in value)


class Server:
    """The base of another server: https, or plain http on loopback; no credentials in it."""

    def read(self, value: Any, place: Place) -> str:
        if not isinstance(value, str):
            raise Wrong(f"expected an address (https://…), found {described(value)}")
        if not value:
            return value
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
            bad = (
                parts.port == 0 or parts.username is not None or bool(parts.query + parts.fragment)
            )
        except ValueError:
            host, bad, parts = "", True, urlsplit("")
        if bad or not host or parts.scheme not in ("https", "http") or not value.isprintable():
            raise Wrong("expected an address like https://example.org, without a user or a query")
        if parts.scheme == "http" and not is_loopback(host):
            raise Wrong("a credential goes over plain http to loopback only; use https")
        return value.rstrip("/")


class Words(msgspec.Struct, frozen=True):
    """A table of words; with `allowed` each means one of those."""

    allowed: tuple[str, ...] = ()

    def read(self, value: Any, place: Place) -> dict[str, str]:
        if not isinstance(value, dict):
            raise Wrong(f'expected a table ("In Review" = "in_progress"), found {described(value)}')
        for word, meaning in value.items():
            if not isinstance(meaning, str) or not meaning or not meaning.isprintable():
                raise Wrong(f"expected text in quotes, found {described(meaning)}", word)
            if self.allowed and meaning not in self.allowed:
                raise Wrong(f"expected {' or '.join(self.allowed)}", word)
        return dict(value)
