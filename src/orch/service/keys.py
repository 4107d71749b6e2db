"""The secrets of sources, as their webhooks are checked with them: resolved late, held for a while.

Invariant: what the configuration names now is what holds; a secret is never shown or logged. Calls
may block (a file, a program).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from orch.config.secret import Secret, SecretUnavailable, resolve

HELD_S = 60.0
"""A program is asked for a secret no more often than so."""
FILES_S = 1.0
"""A file is read again after so long, when a signature did not hold: it may have been exchanged."""


class _Held(NamedTuple):
    references: tuple[Secret, ...]
    values: tuple[bytes, ...]
    at: float


class Keys:
    """`environ` is the service's own. Safe for threads."""

    def __init__(self, environ: Mapping[str, str], monotonic: Callable[[], float]) -> None:
        self._environ = environ
        self._monotonic = monotonic
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def held(self, source: str, references: tuple[Secret, ...]) -> tuple[bytes, ...] | None:
        """What is known without a look; None where one is needed."""
        held = self._held.get(source)
        fresh = held and held.references == references
        return held.values if held and fresh and self._age(held) < HELD_S else None

    def read(self, source: str, references: tuple[Secret, ...]) -> tuple[bytes, ...]:
        """The secrets. One of two that cannot be had (the old one is gone) is left out;
        `SecretUnavailable` where none can."""
        with self._lock:
            known = self.held(source, references)
            if known is not None:
                return known
            values, refusal = [], None
            for reference in references:
                try:
                    found = resolve(reference, self._environ, purpose=f"sources.{source}.secrets")
                    values.append(found.reveal().encode())
                except SecretUnavailable as unavailable:
                    refusal = refusal or unavailable
            if refusal is not None and not values:
                raise refusal
            self._held[source] = _Held(references, tuple(values), self._monotonic())
            return tuple(values)

    def outdated(self, source: str) -> bool:
        """Whether another look may give something else now; then the next `read` looks."""
        held = self._held.get(source)
        if held is None or self._age(held) < FILES_S:
            return False
        if not any(reference.kind() == "file" for reference in held.references):
            return False
        self._held.pop(source, None)
        return True

    def _age(self, held: _Held) -> float:
        return self._monotonic() - held.at
