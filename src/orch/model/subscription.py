"""Windows of flat subscriptions, learned from the limits that agents report.

Invariant: at a limit all work of the agent pauses until the vendor's own reset and goes on by itself;
before it, unattended work leaves a share of what a window has held so far to people. Without a limit
event nothing is known and nothing is held back.
"""

from __future__ import annotations

import datetime

import msgspec

from orch.model.onward import Defer, clock_words
from orch.model.wall import put_back


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's present window. `started_at`: its first use (0: none yet). `used`: tokens since.
    `room`, `length_s`: what the last window that ended in a limit held, and how long it was (0:
    unknown). `resets_at`: of the limit that was met, 0 for none."""

    agent: str
    started_at: float = 0.0
    used: float = 0.0
    room: float = 0.0
    length_s: float = 0.0
    resets_at: float = 0.0


def rolled(window: Window, now: float) -> Window:
    """The window as it is now: a new and empty one once its reset has passed."""
    ends = _ends(window)
    if not ends or (now < ends and not put_back(window.started_at, now)):
        return window
    return Window(agent=window.agent, room=window.room, length_s=window.length_s)


def after_use(window: Window, tokens: float, began_at: float, now: float) -> Window:
    """After an attempt that began at `began_at` and used so many tokens."""
    window = rolled(window, now)
    started = window.started_at or began_at
    return msgspec.structs.replace(window, started_at=started, used=window.used + tokens)


def after_limit(window: Window, resets_at: float, now: float) -> Window:
    """After the agent said that its window is used up until `resets_at`. Several attempts may meet
    the one limit; the first has said it all."""
    window = rolled(window, now)
    if resets_at <= now:
        return window
    length = resets_at - window.started_at if window.started_at else window.length_s
    return msgspec.structs.replace(
        window, resets_at=resets_at, room=window.used or window.room, length_s=length
    )


def holds(
    window: Window, now: float, *, keep: float, person: bool, zone: datetime.tzinfo = datetime.UTC
) -> Defer | None:
    """Why the agent is not used now. `keep`: the share (0 to 1) that is left to people; `person`:
    somebody is waiting for this work."""
    window = rolled(window, now)
    if window.resets_at > now:
        until = clock_words(window.resets_at, now, zone)
        return Defer(window.resets_at, f"the window of {window.agent} is used up until {until}")
    ends = _ends(window)
    if person or not ends or not window.room or window.used < (1 - keep) * window.room:
        return None
    until = clock_words(ends, now, zone)
    why = f"the last {keep:.0%} of the window of {window.agent} are kept for people until {until}"
    return Defer(ends, why)


def _ends(window: Window) -> float:
    if window.resets_at:
        return window.resets_at
    return window.started_at + window.length_s if window.started_at and window.length_s else 0.0
