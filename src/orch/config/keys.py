"""How keys are named: as a path, and as a person writes it.

Invariant: a path and its dotted form stand for the same key; `agents.x.command[0]` is
`("agents", "x", "command", 0)`. Numbers count the elements of arrays and of `[[tables]]`.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """`agents.x.command[2]`; a part that is no bare key stands in quotes."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            shown += ("." if shown else "") + (part if bare else f'"{_printable(part)}"')
    return shown


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:60])
