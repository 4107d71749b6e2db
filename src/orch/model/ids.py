"""Identifiers: made from randomness that is handed in, never from time or text.

A run id is 12 hex digits, an attempt id 12, a task id a whole number given by the store. Short forms
are the first 7 digits. A step has no id of its own: it is its run and its path.
"""

from __future__ import annotations

import hashlib
import re

RUN_ID = re.compile(r"^[0-9a-f]{12}$")
SHORT = 7


def short(identifier: str) -> str:
    """The form people type and branches carry: the first seven digits."""
    return identifier[:SHORT]


def step_key(install: str, run: str, path: str, attempt: int = 1) -> str:
    """The key of an effect on the world: 20 base32 characters over install, run, path and attempt.

    Deterministic, so that a restarted engine looks for exactly what its predecessor did.
    """
    text = "\0".join((install, run, path, str(attempt)))
    return _base32(hashlib.sha256(text.encode()).digest())[:20]


def attempt_id(install: str, run: str, path: str, attempt: int) -> str:
    """The id of the n-th attempt of a step: 12 hex digits, the same after every restart."""
    text = "\0".join(("attempt", install, run, path, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _base32(raw: bytes) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    number = int.from_bytes(raw, "big")
    digits = []
    for _ in range(len(raw) * 8 // 5):
        number, rest = divmod(number, 32)
        digits.append(alphabet[rest])
    return "".join(digits)
