"""What is remembered of comments that were heard; the rules stand in `orch.model.hearing`.

Invariant: data and a protocol only.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

HELD = "held"
"""The reason's code of a run that a person has put aside: no news lets it go on."""


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A comment that was heard: who said what in short (`/retry`), for which task (0: none), why
    nothing came of it, and what it is answered where nothing else shows that it was heard."""

    source: str
    remark: str
    ticket: str
    who: str
    said: str
    task: int = 0
    refused: str = ""
    told: str = ""


class HearingBooks(Protocol):
    """Each call is one transaction of its own, durable when it returns."""

    def cursor(self, source: str) -> str:
        """How far a source's comments were read; empty before the first time."""

    def put_cursor(self, source: str, cursor: str) -> None: ...
    def heard(self, source: str, remark: str) -> Heard | None: ...
    def answered(self, source: str, remark: str) -> bool:
        """Whether our reply to a comment is there for certain."""

    def put_answered(self, source: str, remark: str) -> None: ...


class HasHearing(Protocol):
    """Of `orch.ports.Store`."""

    @property
    def hearing(self) -> HearingBooks: ...
