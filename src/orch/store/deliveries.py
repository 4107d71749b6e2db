"""Webhook deliveries, on SQLite and in memory: see `orch.model.deliveries.DeliveryBooks`.

Invariant: each call is one transaction of its own, durable when it returns; a delivery's row is
unique by (source, id), whoever writes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from orch.model import typed
from orch.model.deliveries import SAME_S, Delivery, DeliveryState, Hint, Refusals
from orch.store.connection import transaction
from orch.store.statements import statement

if TYPE_CHECKING:
    import apsw

_encode = msgspec.json.Encoder().encode
_decoder = typed.decoder(tuple[Hint, ...])
Key = tuple[str, str]


class SqliteDeliveries:
    """`guarded` holds the connection's lock and translates its faults."""

    def __init__(
        self, db: apsw.Connection, guarded: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._db = db
        self._guarded = guarded

    def take_in(self, rows: Sequence[Delivery]) -> list[bool]:
        packed = [(*_columns(row), row.received_at - SAME_S) for row in rows]
        found, insert = [], statement("insert_delivery")
        with self._guarded(), transaction(self._db):
            for values in packed:
                self._db.execute(insert, values)
                found.append(bool(self._db.changes()))
        return found

    def waiting_sources(self) -> Sequence[str]:
        with self._guarded():
            return [str(row[0]) for row in self._db.execute(statement("waiting_sources"))]

    def waiting(self, source: str, limit: int = 1000) -> Sequence[Delivery]:
        return self._rows("waiting_deliveries", source, limit)

    def settle(self, keys: Iterable[Key], state: DeliveryState, error: str = "") -> None:
        self._each("settle_delivery", [(state, error, int(bool(error)), *key) for key in keys])

    def again(self, keys: Iterable[Key]) -> int:
        return self._each("repeat_delivery", list(keys))

    def _each(self, name: str, rows: Sequence[tuple[Any, ...]]) -> int:
        changed = 0
        with self._guarded(), transaction(self._db):
            for row in rows:
                self._db.execute(statement(name), row)
                changed += self._db.changes()
        return changed

    def find(
        self, source: str = "", *, since: float = 0.0, failed: bool = False, limit: int = 100
    ) -> Sequence[Delivery]:
        return self._rows("list_deliveries", source, since, int(failed), limit)

    def one(self, source: str, id: str) -> Delivery | None:
        found = self._rows("get_delivery", source, id)
        return found[0] if found else None

    def _rows(self, name: str, *values: Any) -> list[Delivery]:
        with self._guarded():
            return [_delivery(row) for row in self._db.execute(statement(name), values)]

    def last_at(self, source: str) -> float:
        with self._guarded():
            for (at,) in self._db.execute(statement("last_delivery"), (source,)):
                return float(at or 0.0)
        return 0.0

    def count(self, refused: Mapping[Key, int], at: float) -> None:
        self._each("count_refusals", [(*key, number, at) for key, number in refused.items()])

    def refusals(self, source: str = "") -> Sequence[Refusals]:
        with self._guarded():
            rows = self._db.execute(statement("list_refusals"), (source,))
            return [Refusals(*row) for row in rows]

    def forget(self, before: float, bodies_before: float) -> int:
        with self._guarded(), transaction(self._db):
            self._db.execute(statement("forget_bodies"), (bodies_before,))
            self._db.execute(statement("forget_deliveries"), (before,))
            return self._db.changes()


def _columns(row: Delivery) -> tuple[Any, ...]:
    return (
        row.source, row.id, row.event, _encode(row.hints).decode(), row.received_at, row.digest,
        row.body or None, row.state, row.error, row.tries,
    )  # fmt: skip


def _delivery(row: Sequence[Any]) -> Delivery:
    source, identifier, event, hints, received_at, digest, body, state, error, tries = row
    return Delivery(
        source=source, id=identifier, event=event, hints=_decoder.decode(hints),
        received_at=received_at, digest=digest, body=body or b"", state=state, error=error,
        tries=tries,
    )  # fmt: skip


class MemoryDeliveries:
    """The double: the same answers from dictionaries."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Delivery] = {}
        self._refused: dict[Key, Refusals] = {}

    def take_in(self, rows: Sequence[Delivery]) -> list[bool]:
        return [self._take(row) for row in rows]

    def _take(self, row: Delivery) -> bool:
        replayed = any(
            old.source == row.source and old.digest == row.digest != ""
            and old.received_at < row.received_at - SAME_S
            for old in self._by_key.values()
        )  # fmt: skip
        if replayed or row.key in self._by_key:
            return False
        self._by_key[row.key] = row
        return True

    def waiting_sources(self) -> Sequence[str]:
        return sorted({row.source for row in self._by_key.values() if row.state != "done"})

    def waiting(self, source: str, limit: int = 1000) -> Sequence[Delivery]:
        mine = [row for row in self._by_key.values() if row.source == source]
        return [_bare(row) for row in mine if row.state != "done"][:limit]

    def settle(self, keys: Iterable[Key], state: DeliveryState, error: str = "") -> None:
        for row in [self._by_key[key] for key in keys if key in self._by_key]:
            self._by_key[row.key] = msgspec.structs.replace(
                row, state=state, error=error, tries=row.tries + bool(error)
            )

    def again(self, keys: Iterable[Key]) -> int:
        known = [key for key in keys if key in self._by_key]
        for key in known:
            row = self._by_key[key]
            self._by_key[key] = msgspec.structs.replace(row, state="new", error="", tries=0)
        return len(known)

    def find(
        self, source: str = "", *, since: float = 0.0, failed: bool = False, limit: int = 100
    ) -> Sequence[Delivery]:
        found = [
            _bare(row) for row in reversed(self._by_key.values())
            if source in ("", row.source) and row.received_at >= since and (row.error or not failed)
        ]  # fmt: skip
        return found[:limit]

    def one(self, source: str, id: str) -> Delivery | None:
        return self._by_key.get((source, id))

    def last_at(self, source: str) -> float:
        times = [row.received_at for row in self._by_key.values() if row.source == source]
        return max(times, default=0.0)

    def count(self, refused: Mapping[Key, int], at: float) -> None:
        for key, number in refused.items():
            known = self._refused.get(key)
            self._refused[key] = Refusals(*key, number + (known.times if known else 0), at)

    def refusals(self, source: str = "") -> Sequence[Refusals]:
        return [row for key, row in sorted(self._refused.items()) if source in ("", row.source)]

    def forget(self, before: float, bodies_before: float) -> int:
        over = [row for row in self._by_key.values() if row.state == "done"]
        for row in over:
            if row.received_at < bodies_before:
                self._by_key[row.key] = _bare(row)
        gone = [row.key for row in over if row.received_at < before]
        for key in gone:
            del self._by_key[key]
        return len(gone)


def _bare(row: Delivery) -> Delivery:
    return msgspec.structs.replace(row, body=b"")
