"""The tracker's double: tickets in memory, words and errors as the vault has them, no disk.

Invariant: deterministic; equal calls in equal order give equal tickets. It passes the contract
suite that the vault passes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from orch.model.errors import UsageError
from orch.model.ticket import Ticket
from orch.trackers import rules


class MemoryTracker:
    """A `Tracker` without files. Safe to call from several threads."""

    name = "memory"

    def __init__(self) -> None:
        self._tickets: dict[int, Ticket] = {}
        self._keys: dict[str, int] = {}
        self._broken: dict[int, str] = {}
        self._last = 0
        self._lock = threading.Lock()

    def create(
        self, title: str, *, body: str = "", labels: Sequence[str] = (), repo: str = "",
        created: str, key: str = "",
    ) -> Ticket:  # fmt: skip
        """As `Vault.create`."""
        ticket = Ticket(
            id="",
            title=rules.title(title),
            body=rules.body(body),
            labels=rules.labels(labels),
            repo=rules.line("repo", repo),
            created=rules.line("created", created),
            tracker=self.name,
        )
        with self._lock:
            if rules.key(key) and (number := self._keys.get(key)) in self._tickets:
                return self._whole(number or 0)
            self._last += 1
            ticket = msgspec.structs.replace(ticket, id=rules.issue_id(self._last))
            self._tickets[self._last] = ticket
            if key:
                self._keys[key] = self._last
        return ticket

    def get(self, identifier: str) -> Ticket:
        """As `Vault.get`."""
        with self._lock:
            return self._whole(self._number(identifier))

    def list(self) -> tuple[Sequence[Ticket], Sequence[str]]:
        """As `Vault.list`."""
        with self._lock:
            numbers = sorted(self._tickets, reverse=True)
            whole = tuple(self._tickets[number] for number in numbers if number not in self._broken)
            return whole, tuple(self._error(number).message for number in sorted(self._broken))

    def update(self, identifier: str, **fields: Any) -> Ticket:
        """As `Vault.update`."""
        wanted = rules.changes(fields)
        with self._lock:
            number = self._number(identifier)
            ticket = msgspec.structs.replace(self._whole(number), **wanted)
            self._tickets[number] = ticket
        return ticket

    def delete(self, identifier: str) -> None:
        """What a person does who deletes the issue: it is gone, its number stays taken."""
        with self._lock:
            number = self._number(identifier)
            self._broken.pop(number, None)
            del self._tickets[number]

    def damage(self, identifier: str, reason: str = "this line is not `key: value`") -> None:
        """What a person does who leaves an issue unreadable."""
        with self._lock:
            self._broken[self._number(identifier)] = reason

    def _number(self, identifier: str) -> int:
        number = rules.number_of(identifier)
        if number is None or number not in self._tickets:
            raise rules.unknown(identifier, self._tickets)
        return number

    def _whole(self, number: int) -> Ticket:
        if number in self._broken:
            raise self._error(number)
        return self._tickets[number]

    def _error(self, number: int) -> UsageError:
        name = rules.issue_id(number)
        return UsageError(
            f"{name}, line 1: {self._broken[number]}.",
            code="issue_broken",
            hint=f"Mend {name}, then run `orch issue list`.",
            file=name,
            line=1,
        )
