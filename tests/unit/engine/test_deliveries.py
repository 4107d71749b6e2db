"""The reader of deliveries in virtual time: what it hands on, what it repeats, whom it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from orch.engine.deliveries import FIRST_PAUSE_S, TRIES, DeliveryFeed
from orch.model.deliveries import Delivery, Hint
from orch.model.errors import LimitReached
from orch.store.deliveries import MemoryDeliveries
from tests.sim.virtual import VirtualClock, VirtualLoop


async def here(work: Callable[[], Any]) -> Any:
    return work()


def a_delivery(identifier: str, *hints: Hint, source: str = "hub") -> Delivery:
    return Delivery(source=source, id=identifier, event="e", hints=hints, received_at=1.0)


def ticket(number: int) -> Hint:
    return Hint("ticket", f"{number}")


def play(work: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(work(VirtualClock(loop)))
    finally:
        loop.close()


class Recorder:
    """A deal that writes down what it is given and fails as long as it is told to."""

    def __init__(self) -> None:
        self.dealt: list[tuple[str, tuple[Hint, ...]]] = []
        self.failing: set[str] = set()

    async def __call__(self, source: str, hints: tuple[Hint, ...]) -> None:
        self.dealt.append((source, hints))
        if source in self.failing:
            raise LimitReached(f"{source} has no points left")


def test_what_says_the_same_is_handed_on_once_in_order_and_by_source() -> None:
    books, deal = MemoryDeliveries(), Recorder()
    books.take_in([
        a_delivery("1", ticket(5)), a_delivery("2", ticket(3)), a_delivery("3", ticket(5)),
        a_delivery("4", Hint("other")), a_delivery("5", ticket(1), source="lab"),
        a_delivery("6", Hint("comment", "5"), ticket(3)),
    ])  # fmt: skip

    async def work(clock: VirtualClock) -> None:
        await DeliveryFeed(books, clock, here, deal).catch_up()

    play(work)
    assert deal.dealt == [
        ("hub", (ticket(5), ticket(3), Hint("comment", "5"))), ("lab", (ticket(1),)),
    ]  # fmt: skip
    assert list(books.waiting_sources()) == []
    assert {row.state for row in books.find()} == {"done"}


def test_what_comes_while_it_looks_is_looked_at_again() -> None:
    """A hint that comes after the look began may be of something that the look did not see."""
    books = MemoryDeliveries()
    books.take_in([a_delivery("1", ticket(1))])
    dealt: list[str] = []

    async def deal(source: str, hints: tuple[Hint, ...]) -> None:
        dealt.append(source)
        if len(dealt) == 1:
            books.take_in([a_delivery("2", ticket(1))])

    async def work(clock: VirtualClock) -> None:
        await DeliveryFeed(books, clock, here, deal).catch_up()

    play(work)
    assert dealt == ["hub", "hub"]


def test_a_source_that_cannot_be_asked_rests_alone_and_is_asked_again() -> None:
    books, deal = MemoryDeliveries(), Recorder()
    deal.failing = {"hub"}
    books.take_in([a_delivery("1", ticket(1)), a_delivery("2", ticket(2), source="lab")])

    async def work(clock: VirtualClock) -> None:
        feed = DeliveryFeed(books, clock, here, deal)
        began = clock.now()
        running = asyncio.ensure_future(feed.run())
        await asyncio.sleep(FIRST_PAUSE_S / 2)
        assert [source for source, _ in deal.dealt] == ["hub", "lab"]
        books.take_in([a_delivery("3", ticket(3), source="lab")])
        feed.wake()
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        assert [source for source, _ in deal.dealt] == ["hub", "lab", "lab"]
        deal.failing = set()
        await asyncio.sleep(FIRST_PAUSE_S)
        assert deal.dealt[-1] == ("hub", (ticket(1),))
        assert clock.now() - began < 2 * FIRST_PAUSE_S
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(work)
    assert list(books.waiting_sources()) == []


def test_what_was_tried_too_often_is_left_to_polling_with_the_reason() -> None:
    books, deal = MemoryDeliveries(), Recorder()
    deal.failing = {"hub"}
    books.take_in([a_delivery("1", ticket(1))])

    async def work(clock: VirtualClock) -> None:
        running = asyncio.ensure_future(DeliveryFeed(books, clock, here, deal).run())
        await asyncio.sleep(3600)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(work)
    assert len(deal.dealt) == TRIES
    [row] = books.find(failed=True)
    assert (row.state, row.error, row.tries) == ("done", "hub has no points left", TRIES)


def test_a_crash_in_the_middle_repeats_and_loses_nothing() -> None:
    books = MemoryDeliveries()
    books.take_in([a_delivery("1", ticket(1)), a_delivery("2", ticket(2))])

    async def dies(source: str, hints: tuple[Hint, ...]) -> None:
        raise asyncio.CancelledError

    async def killed(clock: VirtualClock) -> None:
        running = asyncio.ensure_future(DeliveryFeed(books, clock, here, dies).run())
        await asyncio.gather(running, return_exceptions=True)

    play(killed)
    assert [row.state for row in books.waiting("hub")] == ["taken", "taken"]
    deal = Recorder()

    async def again(clock: VirtualClock) -> None:
        await DeliveryFeed(books, clock, here, deal).catch_up()

    play(again)
    assert deal.dealt == [("hub", (ticket(1), ticket(2)))]
