"""What people said below tickets, on SQLite and in memory: see `orch.model.heard.HearingBooks`.

Invariant: a comment's row is written by its event alone; that it was answered, and how far was read,
is no event: it may be found out again at the tracker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from orch.model import typed
from orch.model.heard import Heard
from orch.store.statements import statement

if TYPE_CHECKING:
    import apsw

_CURSOR = "remarks:"
_decoder = typed.decoder(Heard)


class SqliteHearing:
    """`guarded` holds the connection's lock and translates its faults."""

    def __init__(
        self, db: apsw.Connection, guarded: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._db = db
        self._guarded = guarded

    def cursor(self, source: str) -> str:
        with self._guarded():
            for row in self._db.execute(statement("get_meta"), (_CURSOR + source,)):
                return str(row[0])
        return ""

    def put_cursor(self, source: str, cursor: str) -> None:
        with self._guarded():
            self._db.execute(statement("put_meta"), (_CURSOR + source, cursor))

    def heard(self, source: str, remark: str) -> Heard | None:
        with self._guarded():
            for row in self._db.execute(statement("get_heard"), (source, remark)):
                return _decoder.decode(str(row[0]))
        return None

    def answered(self, source: str, remark: str) -> bool:
        with self._guarded():
            for row in self._db.execute(statement("get_heard"), (source, remark)):
                return bool(row[1])
        return False

    def put_answered(self, source: str, remark: str) -> None:
        with self._guarded():
            self._db.execute(statement("put_answered"), (source, remark))


class MemoryHearing:
    """The double; `rows` gives what the events have written."""

    def __init__(self, rows: Callable[[], dict[tuple[str, str], Heard]]) -> None:
        self._rows = rows
        self._cursors: dict[str, str] = {}
        self._answered: set[tuple[str, str]] = set()

    def cursor(self, source: str) -> str:
        return self._cursors.get(source, "")

    def put_cursor(self, source: str, cursor: str) -> None:
        self._cursors[source] = cursor

    def heard(self, source: str, remark: str) -> Heard | None:
        return self._rows().get((source, remark))

    def answered(self, source: str, remark: str) -> bool:
        return (source, remark) in self._answered

    def put_answered(self, source: str, remark: str) -> None:
        if (source, remark) in self._rows():
            self._answered.add((source, remark))
