"""RELIABILITY §3, "Webhook duplicated/reordered/lost": whatever becomes of deliveries on their way,
the end is the same, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orch.engine.deliveries import DeliveryFeed
from orch.engine.seams import SystemClock
from orch.hosts.deliveries import Accepted, read
from orch.model.deliveries import Delivery, Hint
from orch.store.sqlite import SqliteStore
from tests.webhook_requests import NOW, SECRET, Sent, sent

DELIVERIES = int(os.environ.get("ORCH_DELIVERIES", "1000"))


class Killed(BaseException):
    """The service dies here."""


class Tickets:
    """A tracker: tickets that people change, and what was done to them by us."""

    def __init__(self, number: int) -> None:
        self.texts = {f"{n}": 0 for n in range(number)}
        self.started: Counter[str] = Counter()

    def change(self, rng: random.Random) -> Sent:
        """Somebody changes one; what is sent of it tells what it was like then."""
        key = rng.choice(list(self.texts))
        self.texts[key] += 1
        body = {
            "action": "edited", "issue": {"number": int(key), "body": self.texts[key]},
            "repository": {"full_name": "octo/hello"},
        }  # fmt: skip
        delivery = f"{rng.getrandbits(128):032x}"
        return sent("github", json.dumps(body).encode(), delivery=delivery)


class Mirror:
    """What we know of them. Reading one again is all that a hint is good for."""

    def __init__(self, tickets: Tickets, rng: random.Random) -> None:
        self.tickets, self.rng = tickets, rng
        self.known: dict[str, int] = {}

    async def deal(self, source: str, hints: tuple[Hint, ...]) -> None:
        assert source == "hub"
        for hint in hints:
            self.read(hint.id)
            if self.rng.random() < 0.02:
                raise Killed  # after the act, before anything is settled

    def read(self, key: str) -> None:
        self.known[key] = self.tickets.texts[key]
        if not self.tickets.started[key]:  # look before the act
            self.tickets.started[key] += 1

    def poll(self) -> None:
        """What fills the gaps."""
        for key, text in self.tickets.texts.items():
            if self.known.get(key) != text:
                self.read(key)


async def here(work: Callable[[], Any]) -> Any:
    return work()


@pytest.mark.parametrize("seed", [1, 2])
def test_duplicated_shuffled_and_dropped_deliveries_come_to_the_same_end(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    tickets = Tickets(DELIVERIES // 10)
    mirror = Mirror(tickets, rng)
    store = SqliteStore(tmp_path / "orch.db", now=lambda: NOW, install="i")
    underway: list[Sent] = []
    let_in = known = 0
    for number in range(DELIVERIES):
        underway += _fate(tickets.change(rng), rng)
        if number % 50 == 49 or number == DELIVERIES - 1:
            rng.shuffle(underway)
            arrives = len(underway) if number == DELIVERIES - 1 else len(underway) * 2 // 3
            now, underway = underway[:arrives], underway[arrives:]
            news = store.deliveries.take_in([_row(request) for request in now])
            let_in += sum(news)
            known += len(news) - sum(news)
            _deal(store, mirror)
    dropped = DELIVERIES - let_in
    assert DELIVERIES * 0.05 < dropped < DELIVERIES * 0.15
    assert known > DELIVERIES * 0.1
    assert list(store.deliveries.waiting_sources()) == []
    store.close()
    mirror.poll()
    assert mirror.known == tickets.texts
    assert set(tickets.started.values()) == {1}


def _fate(request: Sent, rng: random.Random) -> list[Sent]:
    """One in ten is lost, one in four comes twice or more."""
    if rng.random() < 0.1:
        return []
    return [request] * (1 if rng.random() < 0.75 else rng.randint(2, 4))


def _row(request: Sent) -> Delivery:
    found = read(request.kind, request.headers, request.body, [SECRET], NOW)
    assert isinstance(found, Accepted)
    return Delivery(
        source="hub", id=found.delivery, event=found.event, hints=found.hints, received_at=NOW
    )


def _deal(store: SqliteStore, mirror: Mirror) -> None:
    """The service until nothing waits, however often it dies meanwhile."""
    for _ in range(1000):
        feed = DeliveryFeed(store.deliveries, SystemClock(), here, mirror.deal)
        try:
            return asyncio.run(feed.catch_up())
        except Killed:
            continue
    raise AssertionError("it never came to an end")
