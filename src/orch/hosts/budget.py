"""What a service was asked for and what may still be asked: points, paces and the person's reserve.

Invariants:

- A request that would take from the reserve is not sent: what is left under a token belongs first to
  the person whose token it is. Requests that are on their way count as spent.
- Once a service has said "too fast", nothing is sent to it before the time that it named.
- Who waits is told until when; nothing here sleeps.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from orch.hosts.failures import Limited

RESERVE = 500
"""Points left for the person, or half of what there is where the whole limit is small."""
_FIRST_HOLD_S, _LONGEST_HOLD_S = 60.0, 900.0
_ONE_WINDOW_S = 5.0
"""Servers of one service do not agree to the second when a window ends; and what we sent at one time
arrives there at a later one."""


class Pace(NamedTuple):
    """At most `points` of `kind` in any `seconds`. Kinds: `any` (all requests), `content`."""

    kind: str
    points: int
    seconds: float


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What the service said last of one of its resources. `reset_at` is seconds since the epoch."""

    limit: int
    left: int
    reset_at: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What `orch api` shows of a host. `spent` is what our own requests cost since this process
    began; `requests` counts them by kind (`read`, `unchanged`, `write`, `graphql`, `look`)."""

    host: str
    spent: int
    reserve: int
    requests: Mapping[str, int]
    allowances: Mapping[str, Allowance]
    held_until: float = 0.0


class Budget:
    """The book of one host and credential; safe for several threads."""

    def __init__(self, host: str, *, reserve: int = RESERVE, paces: Sequence[Pace] = ()) -> None:
        self.host = host
        self.reserve = reserve
        self._paces = [(pace, deque[tuple[float, int]]()) for pace in paces]
        self._lock = threading.Lock()
        self._allowances: dict[str, Allowance] = {}
        self._unlimited = False
        self._flying: dict[str, int] = {}
        self._requests: dict[str, int] = {}
        self._spent = 0
        self._held_until = 0.0
        self._hold_s = 0.0
        self.heard: Callable[[], None] | None = None
        """Who is told after each request."""

    def knows(self, resource: str, now: float) -> bool:
        """Whether what is left is known. It is not before the first answer, nor after a reset: the
        person may have spent since."""
        with self._lock:
            known = self._allowances.get(resource)
            return not self.reserve or self._unlimited or bool(known and now < known.reset_at)

    def admit(self, resource: str, cost: int, now: float, *, weights: Mapping[str, int]) -> None:
        """Let a request go, or raise `Limited`. One that went is given back by `landed`. `weights`
        are what it costs of the paces."""
        with self._lock:
            if now < self._held_until:
                raise self._limited("secondary", self._held_until, "asked us to slow down")
            self._spare(resource, cost, now)
            paces = () if self._unlimited else self._paces
            for pace, went in paces:
                self._keep_pace(pace, went, weights.get(pace.kind, 0), now)
            for pace, went in paces:
                if weight := weights.get(pace.kind, 0):
                    went.append((now, weight))
            self._flying[resource] = self._flying.get(resource, 0) + cost

    def landed(self, resource: str, cost: int) -> None:
        with self._lock:
            self._flying[resource] -= cost

    def lost(self, resource: str, cost: int) -> None:
        """No answer came: it was paid for all the same, as far as we know."""
        with self._lock:
            if known := self._allowances.get(resource):
                left = max(0, known.left - cost)
                self._allowances[resource] = msgspec.structs.replace(known, left=left)

    def count(self, kind: str, cost: int) -> None:
        """A request of this kind was answered (or not), and cost so much."""
        with self._lock:
            self._requests[kind] = self._requests.get(kind, 0) + 1
            self._spent += cost
        if self.heard is not None:
            self.heard()

    def told(self, resource: str, allowance: Allowance) -> None:
        """What an answer said is left. Answers overtake one another: in one window less is newer."""
        with self._lock:
            known = self._allowances.get(resource)
            later = allowance.reset_at - known.reset_at if known else _ONE_WINDOW_S
            if (
                known is None
                or later >= _ONE_WINDOW_S
                or (later > -_ONE_WINDOW_S and allowance.left < known.left)
            ):
                self._allowances[resource] = allowance

    def unlimited(self) -> None:
        """The service counts nothing (a server of one's own may not): nothing is kept back for it,
        until it says itself that it was asked too fast."""
        with self._lock:
            self._unlimited = True

    def hold(self, now: float, until: float | None) -> float:
        """Send nothing before `until`; where nobody named a time, a minute, and longer each time that
        it was not enough. The time that was chosen."""
        with self._lock:
            if until is None:
                self._hold_s = min(self._hold_s * 2 or _FIRST_HOLD_S, _LONGEST_HOLD_S)
                until = now + self._hold_s
            self._held_until = max(self._held_until, until)
            return self._held_until

    def eased(self) -> None:
        """An answer that is no limit: the next hold begins short again."""
        with self._lock:
            self._hold_s = 0.0

    def figures(self) -> Figures:
        with self._lock:
            return Figures(
                host=self.host, spent=self._spent, reserve=self.reserve,
                requests=dict(self._requests), allowances=dict(self._allowances),
                held_until=self._held_until,
            )  # fmt: skip

    def _spare(self, resource: str, cost: int, now: float) -> None:
        known = self._allowances.get(resource)
        if known is None or now >= known.reset_at or self._unlimited:
            return
        kept = min(self.reserve, known.limit // 2)
        if known.left - self._flying.get(resource, 0) - cost >= kept:
            return
        why = f"has {known.left} of {known.limit} {resource} points left, {kept} are kept for you"
        raise self._limited("reserve" if kept else "primary", known.reset_at, why)

    def _keep_pace(
        self, pace: Pace, went: deque[tuple[float, int]], weight: int, now: float
    ) -> None:
        window_s = pace.seconds + _ONE_WINDOW_S
        while went and went[0][0] <= now - window_s:
            went.popleft()
        total = sum(points for _, points in went) + weight
        if not weight or total <= pace.points:
            return
        for at, points in went:
            total -= points
            if total <= pace.points:
                why = f"takes {pace.points} points of `{pace.kind}` in {pace.seconds:.0f} s"
                raise self._limited("pace", at + window_s, why)

    def _limited(self, kind: str, retry_at: float, why: str) -> Limited:
        return Limited(
            f"{self.host} {why}.",
            kind=kind,  # type: ignore[arg-type]
            retry_at=retry_at,
            code=f"host_{kind}" if kind in ("reserve", "pace") else "host_limit",
            host=self.host,
        )
