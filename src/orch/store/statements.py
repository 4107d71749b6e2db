"""The SQL of this room: one file per statement, read once when first needed."""

from __future__ import annotations

import functools
from pathlib import Path

_ROOT = Path(__file__).parent


@functools.cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (_ROOT / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@functools.cache
def migrations() -> tuple[tuple[int, str], ...]:
    """(version, text) of every migration, oldest first. The last version is this program's."""
    found = sorted((_ROOT / "migrations").glob("*.sql"))
    return tuple((int(path.name[:4]), path.read_text(encoding="utf-8")) for path in found)
