"""Which names and addresses cannot lead off this machine (RFC 6761, RFC 1122)."""

from __future__ import annotations

NAMES = frozenset({"localhost", "::1"})


def is_loopback(host: str) -> bool:
    """This machine, by a name or address that cannot lead elsewhere."""
    name = host.lower().rstrip(".")
    return name in NAMES or name.endswith(".localhost") or _is_127(name)


def _is_127(name: str) -> bool:
    parts = name.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(p.isascii() and p.isdigit() for p in parts)
