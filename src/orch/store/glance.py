"""A glance at the books: names for the shell, without taking part.

Invariant: opened for reading alone, nothing is made, migrated or waited for; what cannot be read
gives no names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from orch.store.statements import statement

_WAIT_MS = 50


class Glance:
    """The names in the database `path`, which may be absent, older, newer or broken."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def runs(self, prefix: str = "") -> list[tuple[str, str]]:
        """(id, workflow and state), newest first."""
        return [(str(row[0]), str(row[1])) for row in self._rows("runs", prefix, prefix + "g")]

    def tasks(self) -> list[tuple[str, str]]:
        """(number, state and title), newest first."""
        return [(str(row[0]), str(row[1])) for row in self._rows("tasks")]

    def repos(self) -> list[str]:
        return [str(row[0]) for row in self._rows("repos")]

    def jobs(self) -> list[str]:
        return [str(row[0]) for row in self._rows("jobs")]

    def pulls(self) -> list[str]:
        """`REPO#N`, newest first."""
        return [f"{row[0]}#{row[1]}" for row in self._rows("pulls")]

    def worktrees(self, repo: str = "") -> list[tuple[str, str]]:
        """(name, repository), newest first."""
        return [(str(row[0]), str(row[1])) for row in self._rows("worktrees", repo)]

    def directories(self) -> list[str]:
        """Of the attempts at work."""
        return [str(row[0]) for row in self._rows("directories")]

    def _rows(self, name: str, *keys: str) -> Iterator[tuple[object, ...]]:
        if not self._path.exists():
            return
        with contextlib.suppress(apsw.Error):
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                connection.set_busy_timeout(_WAIT_MS)
                yield from list(connection.execute(statement(f"glance_{name}"), keys))
            finally:
                connection.close()
