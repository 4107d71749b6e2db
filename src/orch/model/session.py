"""A person's work session: a stretch of a day with a name, notes and what came of it.

Invariant: one is open at most; an ended one never changes again. What happened in it is not copied:
it is the events between its first and its last number.
"""

from __future__ import annotations

import msgspec


class Note(msgspec.Struct, frozen=True):
    """What a person wrote down, and when (seconds since the epoch)."""

    at: float
    text: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """`id` counts from 1. `last_seq` and `ended_at` are 0 while it is open. Times are seconds since
    the epoch; `first_seq` and `last_seq` the numbers of the events that began and ended it."""

    id: int
    name: str
    started_at: float
    first_seq: int
    notes: tuple[Note, ...] = ()
    postmortem: str = ""
    ended_at: float = 0.0
    last_seq: int = 0

    @property
    def is_open(self) -> bool:
        return not self.last_seq
