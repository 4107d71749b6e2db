"""What is remembered of tickets that live elsewhere, and of what was written back to them.

Invariant: none of it is the truth. A ticket's own tracker is, and a task is in the events; what is
remembered here may be read again from there, so it is written beside the events and is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from orch.model.ticket import Ticket
from orch.model.tracked import Tracked

OWN_PREFIXES = ("status:", "agent:", "complexity:")
"""Labels of ours: they follow the task, so a change of them is no news (an echo of ourselves)."""


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ticket as it was last seen (`raw` is kept beside it, see `TicketBooks.raw`). `decided` is the
    stamp that was last looked at for what follows from it, `why` what that was in one sentence.
    `pr_url` is a person's own link. `gone`: the tracker does not know it any more. `synced_at` in
    seconds since the epoch."""

    ticket: Tracked
    synced_at: float
    decided: str = ""
    why: str = ""
    pr_url: str = ""
    gone: bool = False

    @property
    def open(self) -> bool:
        return not self.gone and self.ticket.state != "closed"


class SourceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a source was read. `what` tells its project: once it differs, everything is read anew.
    `due` is when it is looked at next, `whole_at` when all of it was read last, `delivered_at` when a
    webhook of it came last. `error` is why the last look failed, `tries` how often in a row."""

    name: str
    what: str = ""
    cursor: str = ""
    looked_at: float = 0.0
    whole_at: float = 0.0
    due: float = 0.0
    delivered_at: float = 0.0
    error: str = ""
    tries: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was written to the ticket of a task: `done` stands for the words and state that are there,
    `comment` is the id of our comment, `labels` those of ours that may be there. `begun_at` is set
    while a first comment may be on its way (then the tracker is looked at after a pause, never
    written to at once), `written_at` when something was written last. `swept`: what is there was
    counted once more after the end. Times in seconds since the epoch."""

    task: int
    ticket: str
    done: str = ""
    comment: str = ""
    labels: tuple[str, ...] = ()
    begun_at: float = 0.0
    written_at: float = 0.0
    due: float = 0.0
    tries: int = 0
    error: str = ""
    swept: bool = False


class TicketBooks(Protocol):
    """Each call is one transaction of its own, durable when it returns."""

    def ticket(self, id: str) -> Known | None:
        """By `SOURCE:ID`."""

    def tickets(self, source: str = "", limit: int = 100_000) -> list[Known]:
        """By source, then the highest number first; those without a number last."""

    def open_tickets(self, source: str) -> list[Known]:
        """Those that are not over and not gone, ordered as `tickets`."""

    def count_open(self, source: str) -> int: ...
    def with_source_id(self, source_id: str) -> list[Known]:
        """Of all sources."""

    def undecided(self, source: str, limit: int = 1000) -> list[Known]:
        """Those that have changed since they were last looked at for what follows."""

    def put(self, found: Sequence[Known], state: SourceState | None = None) -> int:
        """Remember them, and how far their source was read. An older ticket (by `updated`) never
        takes the place of a newer one; what was decided stays. Gives how many were news."""

    def decide(self, id: str, stamp: str, why: str) -> None:
        """What followed from a ticket as `stamp` says it was."""

    def decide_all(self, decided: Sequence[tuple[str, str, str]]) -> None:
        """The same (id, stamp, why) of many."""

    def change(self, known: Known) -> None:
        """Put this row in the place of the one of its id, whatever it says."""

    def raw(self, id: str) -> str:
        """The tracker's own answer; empty when there is none."""

    def forget(self, source: str) -> int:
        """Drop a source with its tickets; gives how many those were."""

    def state(self, source: str) -> SourceState | None: ...
    def states(self) -> list[SourceState]:
        """By name."""

    def put_state(self, state: SourceState) -> None: ...
    def report(self, task: int) -> Report | None: ...
    def reports(self) -> list[Report]:
        """By task."""

    def put_report(self, report: Report) -> None: ...


class HasTickets(Protocol):
    """Of `orch.ports.Store`."""

    @property
    def tickets(self) -> TicketBooks: ...


def stamp_of(ticket: Tracked) -> str:
    """What of a ticket matters, in a few characters: two that differ only in what we write ourselves
    (labels `status:…`, comments, the time of the last change) have the same."""
    labels = sorted(label for label in ticket.labels if not label.lower().startswith(OWN_PREFIXES))
    told = [
        ticket.title, ticket.body, ticket.state == "closed", labels, ticket.author.id,
        ticket.assignee, ticket.milestone, ticket.parent, sorted(ticket.blocked_by), ticket.edited,
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]


def number_of(source_id: str) -> int:
    """For the order of a listing: the number at its end, -1 without one."""
    digits = source_id.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else -1


def as_ticket(known: Known, kind: str = "") -> Ticket:
    """The ticket as workflows and listings have it; `kind` names its tracker."""
    of = known.ticket
    return Ticket(
        id=of.id, title=of.title, body=of.body, status=of.state, labels=of.labels, repo=of.repo,
        created=of.created, pr_url=known.pr_url, tracker=kind or "source",
    )  # fmt: skip
