"""A tracker that keeps its tickets in one JSON file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orch.model.errors import UsageError
from orch.model.ticket import Ticket
from orch.plugins import Premises
from orch.trackers import rules

PLUGIN_API = 1


def make(premises: Premises) -> BookTracker:
    return BookTracker(premises.directory, premises.name)


class Book(msgspec.Struct):
    """All of it. `last` is the highest number ever given, `keys` has the number made for a key."""

    last: int = 0
    tickets: dict[int, Ticket] = {}
    keys: dict[str, int] = {}


class BookTracker:
    """`orch.ports.Tracker` of a directory, which need not exist until there is a ticket."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._path = directory / "book.json"

    def create(
        self, title: str, *, body: str = "", labels: Sequence[str] = (), repo: str = "",
        created: str, key: str = "",
    ) -> Ticket:  # fmt: skip
        ticket = Ticket(
            id="", title=rules.title(title), body=rules.body(body), labels=rules.labels(labels),
            repo=rules.line("repo", repo), created=rules.line("created", created), tracker=self.name,
        )  # fmt: skip
        rules.key(key)
        with self._changed() as book:
            if made := book.tickets.get(book.keys.get(key, 0)):
                return made
            book.last += 1
            ticket = msgspec.structs.replace(ticket, id=rules.issue_id(book.last))
            book.tickets[book.last] = ticket
            if key:
                book.keys[key] = book.last
        return ticket

    def get(self, identifier: str) -> Ticket:
        book = self._read()
        return book.tickets[_number(book, identifier)]

    def list(self) -> tuple[Sequence[Ticket], Sequence[str]]:
        book = self._read()
        return tuple(book.tickets[number] for number in sorted(book.tickets, reverse=True)), ()

    def update(self, identifier: str, **fields: Any) -> Ticket:
        wanted = rules.changes(fields)
        with self._changed() as book:
            number = _number(book, identifier)
            book.tickets[number] = msgspec.structs.replace(book.tickets[number], **wanted)
        return book.tickets[number]

    def delete(self, identifier: str) -> None:
        """What a person does who takes a ticket out of the book; its number stays taken."""
        with self._changed() as book:
            del book.tickets[_number(book, identifier)]

    def _read(self) -> Book:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Book)
        except FileNotFoundError:
            return Book()
        except msgspec.DecodeError as error:
            raise UsageError(
                f"{self._path}, line 1: {error}.", code="issue_broken", hint=f"Mend {self._path}.",
                file=str(self._path), line=1,
            ) from error  # fmt: skip

    @contextlib.contextmanager
    def _changed(self) -> Iterator[Book]:
        """One at a time; whole or not at all."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._path.with_suffix(".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            book = self._read()
            yield book
            fresh = self._path.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(book))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)


def _number(book: Book, identifier: str) -> int:
    number = rules.number_of(identifier)
    if number is None or number not in book.tickets:
        raise rules.unknown(identifier, book.tickets)
    return number
