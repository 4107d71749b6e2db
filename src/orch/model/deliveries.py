"""What trackers and forges deliver by webhook: hints that something of theirs has changed.

Invariant: a hint says where to look again and nothing more; what is there is read from the service
itself. A delivery is in the books before it is answered, once for its (source, id), and stays `new`
until somebody has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

HintKind = Literal["ticket", "pull", "comment", "check", "ping", "other"]
DeliveryState = Literal["new", "taken", "done"]
SAME_S = 60.0
"""Seconds in which a service may tell the same twice, byte for byte, under two ids (a label that is
put on, off and on within its clock's second); what comes later is a replay."""
BODIES_S = 3 * 86_400.0
"""How long bodies are kept: as long as GitHub can be asked for a delivery again."""
ROWS_S = 30 * 86_400.0
"""How long it is remembered which deliveries there were."""
BODY_LIMIT = 256 * 1024
"""A body that is larger even when packed is not kept."""
SILENT_S = 3600.0


class Hint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Look again at `id`: a ticket's or pull request's (`12`, `PROJ-12`); of a `comment` the one that
    it is below; of a `check` a pull request's, or a commit. Empty: at the whole source. `project` is
    what the sender calls the place that it speaks of, where it says so (`owner/name`)."""

    kind: HintKind
    id: str = ""
    project: str = ""

    @property
    def wakes(self) -> bool:
        """Whether there is anything to look at."""
        return self.kind not in ("ping", "other")


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One that was let in. `id` is the sender's, `event` its word for what happened, `digest` the
    SHA-256 of the body (hex), `body` the body packed by zlib or nothing, `error` why looking failed
    the last time. Times in seconds since the epoch."""

    source: str
    id: str
    event: str
    hints: tuple[Hint, ...] = ()
    received_at: float
    digest: str = ""
    body: bytes = b""
    state: DeliveryState = "new"
    error: str = ""
    tries: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.id


class Refusals(NamedTuple):
    """How often a source's deliveries were refused for `reason`; `last_at` is the last time."""

    source: str
    reason: str
    times: int
    last_at: float


class DeliveryBooks(Protocol):
    """Deliveries in the store. Each call is one durable transaction."""

    def take_in(self, rows: Sequence[Delivery]) -> list[bool]:
        """Write down those that are new, in order; for each whether it was: one whose id is known,
        or whose body came under another id more than `SAME_S` before, is not."""

    def waiting_sources(self) -> Sequence[str]:
        """Of which anything waits, in the order of their names."""

    def waiting(self, source: str, limit: int = 1000) -> Sequence[Delivery]:
        """Those nobody has looked at, and those that somebody had begun with; oldest first,
        without their bodies."""

    def settle(
        self, keys: Iterable[tuple[str, str]], state: DeliveryState, error: str = ""
    ) -> None:
        """What became of them. An `error` counts as a try."""

    def again(self, keys: Iterable[tuple[str, str]]) -> int:
        """Back to `new`, as if they had just come; how many there were."""

    def find(self, source: str = "", *, since: float = 0.0, failed: bool = False,
             limit: int = 100) -> Sequence[Delivery]:  # fmt: skip
        """The latest first, without their bodies. `failed`: those that have an error."""

    def one(self, source: str, id: str) -> Delivery | None:
        """With its body."""

    def last_at(self, source: str) -> float:
        """When the last one of `source` came, 0 for never."""

    def count(self, refused: Mapping[tuple[str, str], int], at: float) -> None:
        """Add up refusals, by (source, reason)."""

    def refusals(self, source: str = "") -> Sequence[Refusals]: ...

    def forget(self, before: float, bodies_before: float) -> int:
        """Drop settled ones, and bodies, that are older; how many rows went."""


class HasDeliveries(Protocol):
    """Of `orch.ports.Store`."""

    @property
    def deliveries(self) -> DeliveryBooks: ...


def gathered(rows: Iterable[Delivery]) -> dict[str, tuple[Hint, ...]]:
    """What there is to look at, source by source, each thing once, in the order of the first hint."""
    found: dict[str, dict[Hint, None]] = {}
    for row in rows:
        for hint in row.hints:
            if hint.wakes:
                found.setdefault(row.source, {})[hint] = None
    return {source: tuple(hints) for source, hints in found.items()}


def silent(last_delivery_at: float, last_change_seen_by_polling_at: float, now: float) -> str:
    """A sentence when webhooks seem to be dead: polling saw a change, and an hour later nothing has
    been delivered since shortly before it. Empty while all is well, or nothing can be said. Seconds
    since the epoch; 0 for never."""
    seen, last = last_change_seen_by_polling_at, last_delivery_at
    if not seen or now - seen < SILENT_S or last >= seen - SILENT_S:
        return ""
    hours = max(1, round((now - last) / 3600))
    since = f"for {hours} h" if last else "ever"
    return f"no webhook has arrived {since}, though there were changes: its hook may be dead"
