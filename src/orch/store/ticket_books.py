"""Tickets that live elsewhere, on SQLite and in memory: see `orch.model.ticket_books.TicketBooks`.

Invariant: each call is one transaction of its own; an older ticket never takes a newer one's place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from orch.model import typed
from orch.model.ticket_books import Known, Report, SourceState, number_of, stamp_of
from orch.model.tracked import apart
from orch.store.connection import transaction, value
from orch.store.statements import statement

if TYPE_CHECKING:
    import apsw

S = TypeVar("S", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode
_known = typed.decoder(Known)
_state = typed.decoder(SourceState)
_report = typed.decoder(Report)


def merged(before: Known | None, found: Known) -> Known | None:
    """The row once `found` was seen; None where it is older than what is there."""
    if before is None:
        return found
    if found.ticket.updated < before.ticket.updated:
        return None
    decided = "" if before.gone else before.decided  # one that is back is looked at anew
    return replace(found, decided=decided, why=before.why, pr_url=before.pr_url)


class SqliteTickets:
    """`guarded` holds the connection's lock and translates its faults."""

    def __init__(
        self, db: apsw.Connection, guarded: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._db = db
        self._guarded = guarded

    def ticket(self, id: str) -> Known | None:
        source, source_id = apart(id)
        found = self._all(_known, "get_ticket", source, source_id)
        return found[0] if found else None

    def tickets(self, source: str = "", limit: int = 100_000) -> list[Known]:
        return self._all(_known, "list_tickets", source, limit)

    def open_tickets(self, source: str) -> list[Known]:
        return self._all(_known, "open_tickets", source)

    def count_open(self, source: str) -> int:
        with self._guarded():
            return int(value(self._db, statement("count_open_tickets"), (source,)))

    def with_source_id(self, source_id: str) -> list[Known]:
        return self._all(_known, "tickets_with_source_id", source_id)

    def undecided(self, source: str, limit: int = 1000) -> list[Known]:
        return self._all(_known, "undecided_tickets", source, limit)

    def put(self, found: Sequence[Known], state: SourceState | None = None) -> int:
        news = 0
        with self._guarded(), transaction(self._db):
            for one in found:
                before = self.ticket(one.ticket.id)
                row = merged(before, one)
                if row is None:
                    continue
                news += before is None or stamp_of(before.ticket) != stamp_of(row.ticket)
                self._write(row, one.ticket.raw)
            if state is not None:
                self._put("put_ticket_source", state.name, state)
        return news

    def decide(self, id: str, stamp: str, why: str) -> None:
        self.decide_all([(id, stamp, why)])

    def decide_all(self, decided: Sequence[tuple[str, str, str]]) -> None:
        with self._guarded(), transaction(self._db):
            for id, stamp, why in decided:
                known = self.ticket(id)
                if known is not None:
                    self._write(replace(known, decided=stamp, why=why), self.raw(id))

    def change(self, known: Known) -> None:
        with self._guarded(), transaction(self._db):
            self._write(known, known.ticket.raw or self.raw(known.ticket.id))

    def raw(self, id: str) -> str:
        source, source_id = apart(id)
        with self._guarded():
            for row in self._db.execute(statement("raw_ticket"), (source, source_id)):
                return str(row[0])
        return ""

    def forget(self, source: str) -> int:
        with self._guarded(), transaction(self._db):
            self._db.execute(statement("drop_tickets"), (source,))
            gone = self._db.changes()
            self._db.execute(statement("drop_source"), (source,))
        return gone

    def state(self, source: str) -> SourceState | None:
        found = self._all(_state, "get_source", source)
        return found[0] if found else None

    def states(self) -> list[SourceState]:
        return self._all(_state, "list_ticket_sources")

    def put_state(self, state: SourceState) -> None:
        with self._guarded():
            self._put("put_ticket_source", state.name, state)

    def report(self, task: int) -> Report | None:
        found = self._all(_report, "get_report", task)
        return found[0] if found else None

    def reports(self) -> list[Report]:
        return self._all(_report, "list_reports")

    def put_report(self, report: Report) -> None:
        with self._guarded():
            self._put("put_report", report.task, report)

    def _write(self, row: Known, raw: str) -> None:
        ticket = replace(row.ticket, raw="")
        body = _encode(replace(row, ticket=ticket)).decode()
        self._db.execute(
            statement("put_ticket"),
            (
                ticket.source, ticket.source_id, number_of(ticket.source_id), ticket.updated,
                stamp_of(ticket), row.decided, body, raw,
            ),
        )  # fmt: skip

    def _put(self, name: str, key: object, row: msgspec.Struct) -> None:
        self._db.execute(statement(name), (key, _encode(row).decode()))

    def _all(self, decoder: msgspec.json.Decoder[S], name: str, *keys: Any) -> list[S]:
        with self._guarded():
            return [decoder.decode(str(row[0])) for row in self._db.execute(statement(name), keys)]


class MemoryTickets:
    """The double: the same answers from dictionaries."""

    def __init__(self) -> None:
        self._rows: dict[str, Known] = {}
        self._raws: dict[str, str] = {}
        self._states: dict[str, SourceState] = {}
        self._reports: dict[int, Report] = {}

    def ticket(self, id: str) -> Known | None:
        return self._rows.get(id)

    def tickets(self, source: str = "", limit: int = 100_000) -> list[Known]:
        found = [row for row in self._rows.values() if source in ("", row.ticket.source)]
        return sorted(found, key=_order)[:limit]

    def open_tickets(self, source: str) -> list[Known]:
        return [row for row in self.tickets(source) if row.open]

    def count_open(self, source: str) -> int:
        return len(self.open_tickets(source))

    def with_source_id(self, source_id: str) -> list[Known]:
        return [row for row in self.tickets() if row.ticket.source_id == source_id]

    def undecided(self, source: str, limit: int = 1000) -> list[Known]:
        found = [
            row for row in self._rows.values()
            if row.ticket.source == source and row.decided != stamp_of(row.ticket)
        ]  # fmt: skip
        return sorted(found, key=lambda r: (number_of(r.ticket.source_id), r.ticket.source_id))[
            :limit
        ]

    def put(self, found: Sequence[Known], state: SourceState | None = None) -> int:
        news = 0
        for one in found:
            before = self._rows.get(one.ticket.id)
            row = merged(before, one)
            if row is not None:
                news += before is None or stamp_of(before.ticket) != stamp_of(row.ticket)
                self._write(row, one.ticket.raw)
        if state is not None:
            self._states[state.name] = state
        return news

    def decide(self, id: str, stamp: str, why: str) -> None:
        if id in self._rows:
            self._rows[id] = replace(self._rows[id], decided=stamp, why=why)

    def decide_all(self, decided: Sequence[tuple[str, str, str]]) -> None:
        for one in decided:
            self.decide(*one)

    def change(self, known: Known) -> None:
        self._write(known, known.ticket.raw or self.raw(known.ticket.id))

    def raw(self, id: str) -> str:
        return self._raws.get(id, "")

    def forget(self, source: str) -> int:
        gone = [id for id, row in self._rows.items() if row.ticket.source == source]
        for id in gone:
            del self._rows[id]
        self._states.pop(source, None)
        return len(gone)

    def state(self, source: str) -> SourceState | None:
        return self._states.get(source)

    def states(self) -> list[SourceState]:
        return [self._states[name] for name in sorted(self._states)]

    def put_state(self, state: SourceState) -> None:
        self._states[state.name] = state

    def report(self, task: int) -> Report | None:
        return self._reports.get(task)

    def reports(self) -> list[Report]:
        return [self._reports[task] for task in sorted(self._reports)]

    def put_report(self, report: Report) -> None:
        self._reports[report.task] = report

    def _write(self, row: Known, raw: str) -> None:
        self._rows[row.ticket.id] = replace(row, ticket=replace(row.ticket, raw=""))
        self._raws[row.ticket.id] = raw


def _order(row: Known) -> tuple[str, int, str]:
    return row.ticket.source, -number_of(row.ticket.source_id), row.ticket.source_id
