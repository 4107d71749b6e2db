"""What is told to the outside: notices to a person's hooks; how far each reader of events came.

Invariant: a notice is claimed, once for its (hook, event, entity), before anything is sent; what
became of it stays written down. A reader's cursor moves only past events that were dealt with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

NoticeState = Literal["waiting", "sending", "sent", "failed", "unknown"]
TRIES = 5
"""How often a notice is sent before it counts as failed."""
FIRST_PAUSE_S = 2.0
"""Seconds before the second try; four times as long before each further one."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to tell to one hook. `body` is what the hook gets, as JSON data; `final`: it is the
    last word on its entity, so after a crash in the middle it is told again rather than lost.
    `due` is the time (seconds since the epoch) before which it is not tried."""

    hook: str
    event: str
    entity: str
    seq: int
    body: dict[str, object]
    state: NoticeState = "waiting"
    final: bool = False
    tries: int = 0
    due: float = 0.0
    why: str = ""


class OutreachBooks(Protocol):
    """The part of the books that is no event: who was told what. Written at once, durably."""

    def cursor(self, reader: str) -> int:
        """The number of the last event that `reader` is done with. One that was never here begins
        with the first event after these books learned of readers."""

    def put_cursor(self, reader: str, seq: int) -> None: ...

    def claim(self, notice: Notice) -> bool:
        """Write it down; False when this hook was told of this event of this entity already."""

    def put_notice(self, notice: Notice) -> None:
        """What became of a claimed notice."""

    def open_notices(self, limit: int = 100) -> Sequence[Notice]:
        """Those that are waiting or were being sent, the first due first."""

    def notices(self, limit: int = 100) -> Sequence[Notice]:
        """All, newest first."""

    def forget_notices(self, before: int) -> None:
        """Drop settled ones about events with a number below `before`."""


class HasOutreach(Protocol):
    """Of `orch.ports.Store`."""

    @property
    def outreach(self) -> OutreachBooks: ...


def after_try(notice: Notice, now: float, failure: str) -> Notice:
    """The notice once a try has ended; an empty `failure` means that it arrived."""
    tries = notice.tries + 1
    if not failure:
        return msgspec.structs.replace(notice, state="sent", tries=tries, why="", due=0.0)
    if tries >= TRIES:
        return msgspec.structs.replace(notice, state="failed", tries=tries, why=failure, due=0.0)
    pause = FIRST_PAUSE_S * 4.0 ** (tries - 1)
    return msgspec.structs.replace(
        notice, state="waiting", tries=tries, why=failure, due=now + pause
    )


def after_crash(notice: Notice) -> Notice:
    """A notice that was being sent when the service died: whether it arrived is not known."""
    if notice.state != "sending":
        return notice
    if notice.final:
        return msgspec.structs.replace(notice, state="waiting")
    return msgspec.structs.replace(
        notice, state="unknown", why="the service ended while it was being sent"
    )
