"""The limits of the stand-in: points of the hour for each person and resource, the pace of writes.

Invariant: what is counted is what GitHub counts; an answer of 304 and the question for the limits
themselves cost nothing. `sinned` counts requests that came although an answer had said "not now".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tests.standins.github.world import Clock, Refusal

HOUR = 3600.0
DOCS = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"


@dataclass
class Window:
    limit: int
    used: int = 0
    reset: float = 0.0


@dataclass
class Limits:
    """`core` and `graphql` are points an hour. `content`: writes of content in a minute and an hour,
    `points`: weights in a minute (a question 1, a write 5). `hour_s`: a shorter one, for who
    wants to see its end."""

    clock: Clock
    core: int = 5000
    graphql: int = 5000
    content: tuple[int, int] = (80, 500)
    points: int = 900
    enabled: bool = True
    hour_s: float = HOUR
    sinned: int = 0
    lowest: dict[str, int] = field(default_factory=dict)
    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    _writes: deque[tuple[float, int]] = field(default_factory=deque)
    _contents: deque[float] = field(default_factory=deque)
    _silent_until: float = 0.0

    def window(self, who: str, resource: str) -> Window:
        limit = self.graphql if resource == "graphql" else self.core
        window = self._windows.setdefault((who, resource), Window(limit))
        if self.clock() >= window.reset:
            window.used, window.reset = 0, float(int(self.clock() + self.hour_s))
        window.limit = limit
        return window

    def spend(self, who: str, resource: str, cost: int) -> None:
        window = self.window(who, resource)
        window.used += cost
        left = window.limit - window.used
        self.lowest[resource] = min(self.lowest.get(resource, left), left)

    def demand(self, who: str, resource: str, *, write: bool, content: bool) -> None:
        """`Refusal` where the request may not be."""
        now = self.clock()
        if now < self._silent_until:
            self.sinned += 1
            raise self.secondary(self._silent_until - now)
        window = self.window(who, resource)
        if window.used >= window.limit:
            self.sinned += 1
            self.lowest[resource] = 0
            raise Refusal(
                403, f"API rate limit exceeded for user ID {abs(hash(who)) % 10**6}.",
                kind="RATE_LIMITED",
            )  # fmt: skip
        while self._writes and self._writes[0][0] <= now - 60:
            self._writes.popleft()
        while self._contents and self._contents[0] <= now - HOUR:
            self._contents.popleft()
        self._writes.append((now, 5 if write else 1))
        minute = sum(1 for at in self._contents if at > now - 60)
        if content:
            self._contents.append(now)
        fast = sum(points for _, points in self._writes) > self.points
        if fast or (
            content and (minute >= self.content[0] or len(self._contents) > self.content[1])
        ):
            self.silence(60.0)
            raise self.secondary(60.0)

    def silence(self, seconds: float) -> None:
        self._silent_until = self.clock() + seconds

    def secondary(self, seconds: float) -> Refusal:
        return Refusal(
            403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try"
            " again.", **{"retry-after": str(int(seconds) + 1)},
        )  # fmt: skip

    def headers(self, who: str, resource: str) -> dict[str, str]:
        window = self.window(who, resource)
        return {
            "x-ratelimit-limit": str(window.limit),
            "x-ratelimit-remaining": str(max(0, window.limit - window.used)),
            "x-ratelimit-used": str(window.used),
            "x-ratelimit-reset": str(int(window.reset)),
            "x-ratelimit-resource": resource,
        }

    def told(self, who: str) -> dict[str, object]:
        found = {}
        for name in ("core", "graphql"):
            window = self.window(who, name)
            found[name] = {
                "limit": window.limit, "used": window.used, "reset": int(window.reset),
                "remaining": max(0, window.limit - window.used),
            }  # fmt: skip
        return {"resources": found, "rate": found["core"]}
