"""What a client can subscribe to: events from a number on, an attempt's output from a byte on.

Invariant: what is told is told in order, from where it was asked for; `resync` says where that is not
possible. Each item is encoded once, however many listen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from orch.api.operations import Params, checked_params
from orch.service.feed import Feed, Resync, Wish
from orch.service.writings import Skipped, Writings
from orch.wire import frames

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Greeting(Params, frozen=True, forbid_unknown_fields=False):
    """What a client says first; a newer one may say more."""

    protocol: int
    version: str = ""


class EventsWish(Params, frozen=True):
    """Events above number `since`; of one run (its whole id) or one task where named."""

    since: _Count = 0
    run: str = ""
    task: _Count = 0


class OutputWish(Params, frozen=True):
    attempt: str
    since_byte: _Count = 0
    stream: Literal["stdout", "stderr", "pane"] = "stdout"


class Unsubscribe(Params, frozen=True):
    subscription: int


class Begun(NamedTuple):
    """The answer to the request, and the frames that follow it."""

    answer: dict[str, Any]
    frames: AsyncIterator[bytes]


class Subscriptions:
    """Both kinds."""

    def __init__(self, feed: Feed, writings: Writings) -> None:
        self._feed = feed
        self._writings = writings

    def knows(self, method: str) -> bool:
        return method in ("events.subscribe", "output.subscribe")

    async def begin(self, method: str, params: Mapping[str, Any], number: int) -> Begun:
        """Refused (`OrchError`) before anything follows."""
        if method == "events.subscribe":
            events: EventsWish = checked_params(method, EventsWish, params)
            wish = Wish(events.since, events.run, events.task)
            return Begun({"since": wish.since}, self._events(wish, number))
        output: OutputWish = checked_params(method, OutputWish, params)
        await self._writings.attempt(output.attempt)
        return Begun({"since_byte": output.since_byte}, self._output(output, number))

    async def _events(self, wish: Wish, number: int) -> AsyncIterator[bytes]:
        async for told in self._feed.follow(wish):
            if isinstance(told, Resync):
                yield frames.notification("resync", {"subscription": number, **told._asdict()})
            else:
                yield b"".join(frames.told("event", number, "event", event.body) for event in told)

    async def _output(self, wish: OutputWish, number: int) -> AsyncIterator[bytes]:
        attempt = await self._writings.attempt(wish.attempt)
        async for told in self._writings.follow(attempt, wish.stream, wish.since_byte):
            if isinstance(told, Skipped):
                params = {"reason": "gone", "since": told.since, "next": told.next}
                yield frames.notification("resync", {"subscription": number, **params})
            else:
                yield frames.told("output", number, "output", told.body)
        yield frames.notification("end", {"subscription": number})
