"""Marks that tell our own words from others': an HTML comment, unseen by those who read.

Invariant: a mark counts only with its code, which nobody can make who does not have the home's key;
copied to another ticket it is worth nothing there.
"""

from __future__ import annotations

import hashlib
import hmac
import re

_MARK = re.compile(r"<!-- orch:v1:([A-Za-z0-9._/#:]+(?:-[A-Za-z0-9._/#:]+)*) -->")
_OWN = re.compile(
    r"<!-- orch:[^\n]{0,300}?-->|via Orchestrator|\A\s*\[\d{4}-\d\d-\d\dT\d\d:\d\d", re.IGNORECASE
)


def key_of(secret: bytes, place: str, name: str) -> str:
    """The key of what is called `name` at `place` (`thing:12`): `NAME.CODE`, safe within a mark."""
    told = f"{place}\0{name}".encode()
    return f"{name}.{hmac.new(secret, told, hashlib.sha256).hexdigest()[:20]}"


def mark(key: str) -> str:
    """`<!-- orch:v1:KEY -->`."""
    return f"<!-- orch:v1:{key} -->"


def marked(body: str, key: str) -> str:
    """`body` with the mark as its last line."""
    return f"{body.rstrip()}\n\n{mark(key)}"


def has(body: str, key: str) -> bool:
    return mark(key) in body


def keys_in(body: str) -> list[str]:
    """Every key that a text carries, whoever wrote it."""
    return _MARK.findall(body)


def own_voice(body: str) -> bool:
    """Whether a text looks like a tool's own words (H42): it is never input, whoever wrote it."""
    return _OWN.search(body) is not None
