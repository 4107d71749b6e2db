"""Databases of tests: opened as a program of ours does, and as somebody with another program does."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from orch.store.sqlite import SqliteStore

# The beginning of a program for `tests.processes`: `opened()` is the store of its first argument.
OPEN = """
import sys, time
from pathlib import Path
from orch.store.sqlite import SqliteStore
from tests.records import *
def opened(path=sys.argv[1], install="install-1"):
    return SqliteStore(Path(path), now=time.time, install=install)
"""


def a_store(path: Path, install: str = "install-1") -> SqliteStore:
    return SqliteStore(path, now=time.time, install=install)


def outside(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """What somebody with the SQLite shell does; gives the rows of the last statement."""
    connection = apsw.Connection(str(path))
    try:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = list(connection.execute(statement))
        return rows
    finally:
        connection.close()
