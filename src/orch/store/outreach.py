"""Who was told what, on SQLite and in memory: see `orch.model.outreach.OutreachBooks`.

Invariant: each call is one transaction of its own; nothing here is read by a rule of the model, so it
needs no event and is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from orch.model import typed
from orch.model.outreach import Notice
from orch.store.statements import statement

if TYPE_CHECKING:
    import apsw

_CURSOR = "cursor:"
_encode = msgspec.json.Encoder().encode
_decoder = typed.decoder(Notice)
OPEN = ("waiting", "sending")


class SqliteOutreach:
    """`guarded` holds the connection's lock and translates its faults."""

    def __init__(
        self, db: apsw.Connection, guarded: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._db = db
        self._guarded = guarded

    def cursor(self, reader: str) -> int:
        with self._guarded():
            for key in (_CURSOR + reader, _CURSOR):
                for row in self._db.execute(statement("get_meta"), (key,)):
                    return int(row[0])
        return 0

    def put_cursor(self, reader: str, seq: int) -> None:
        with self._guarded():
            self._db.execute(statement("put_meta"), (_CURSOR + reader, str(seq)))

    def claim(self, notice: Notice) -> bool:
        row = (notice.hook, notice.event, notice.entity, notice.seq, notice.state, notice.due)
        with self._guarded():
            self._db.execute(statement("claim_notice"), (*row, _encode(notice).decode()))
            return bool(self._db.changes())

    def put_notice(self, notice: Notice) -> None:
        key = (notice.hook, notice.event, notice.entity)
        body = _encode(notice).decode()
        with self._guarded():
            self._db.execute(statement("put_notice"), (notice.state, notice.due, body, *key))

    def open_notices(self, limit: int = 100) -> list[Notice]:
        return self._notices("open_notices", limit)

    def notices(self, limit: int = 100) -> list[Notice]:
        return self._notices("list_notices", limit)

    def _notices(self, name: str, limit: int) -> list[Notice]:
        with self._guarded():
            rows = self._db.execute(statement(name), (limit,))
            return [_decoder.decode(str(row[0])) for row in rows]

    def forget_notices(self, before: int) -> None:
        with self._guarded():
            self._db.execute(statement("forget_notices"), (before,))


class MemoryOutreach:
    """The double: the same answers from dictionaries."""

    def __init__(self) -> None:
        self._cursors: dict[str, int] = {}
        self._rows: dict[tuple[str, str, str], Notice] = {}

    def cursor(self, reader: str) -> int:
        return self._cursors.get(reader, 0)

    def put_cursor(self, reader: str, seq: int) -> None:
        self._cursors[reader] = seq

    def claim(self, notice: Notice) -> bool:
        return self._rows.setdefault(_key(notice), notice) is notice

    def put_notice(self, notice: Notice) -> None:
        if _key(notice) in self._rows:
            self._rows[_key(notice)] = notice

    def open_notices(self, limit: int = 100) -> Sequence[Notice]:
        found = [notice for notice in self._rows.values() if notice.state in OPEN]
        return sorted(found, key=lambda notice: (notice.due, notice.seq))[:limit]

    def notices(self, limit: int = 100) -> Sequence[Notice]:
        return sorted(self._rows.values(), key=lambda n: (-n.seq, n.hook))[:limit]

    def forget_notices(self, before: int) -> None:
        gone = [k for k, n in self._rows.items() if n.seq < before and n.state not in OPEN]
        for key in gone:
            del self._rows[key]


def _key(notice: Notice) -> tuple[str, str, str]:
    return notice.hook, notice.event, notice.entity
