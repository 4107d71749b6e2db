"""Both stores keep what webhooks deliver: once, in order, until somebody has looked."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from orch.model.deliveries import SAME_S, Delivery, DeliveryBooks, Hint
from orch.ports import Store
from orch.store.sqlite import SqliteStore


def a_delivery(identifier: str = "d1", source: str = "hub", **more: object) -> Delivery:
    made = Delivery(
        source=source, id=identifier, event="issues", hints=(Hint("ticket", "12", "o/r"),),
        received_at=1000.0, digest=f"digest of {identifier}", body=b"\0packed",
    )  # fmt: skip
    return replace(made, **more)


@pytest.fixture
def books(store: Store) -> DeliveryBooks:
    return store.deliveries


def test_a_delivery_is_taken_in_once_by_source_and_id(books: DeliveryBooks) -> None:
    """RELIABILITY §2 row 4: the delivery id is unique."""
    first, other = a_delivery(), a_delivery(source="lab")
    assert books.take_in([first, first, other]) == [True, False, True]
    assert books.take_in([replace(first, digest="another body")]) == [False]
    assert [row.key for row in books.waiting("lab")] == [("lab", "d1")]
    assert list(books.waiting_sources()) == ["hub", "lab"]


def test_the_same_body_under_another_id_is_a_replay_once_time_has_passed(
    books: DeliveryBooks,
) -> None:
    books.take_in([a_delivery("one", digest="x")])
    assert books.take_in([a_delivery("two", digest="x", received_at=1000 + SAME_S)]) == [True]
    late = 1000 + SAME_S + 1
    assert books.take_in([a_delivery("three", digest="x", received_at=late)]) == [False]
    assert books.take_in([a_delivery("three", "lab", digest="x", received_at=late)]) == [True]
    assert books.take_in([a_delivery("n", digest="", received_at=9e9)]) == [True]
    assert books.take_in([a_delivery("m", digest="", received_at=9e10)]) == [True]


def test_it_waits_with_its_hints_until_it_is_done_and_in_order(books: DeliveryBooks) -> None:
    rows = [a_delivery(f"d{n}", received_at=1000.0 - n) for n in range(4)]
    books.take_in(rows)
    assert list(books.waiting("hub")) == [replace(row, body=b"") for row in rows]
    assert [row.id for row in books.waiting("hub", limit=2)] == ["d0", "d1"]
    books.settle([rows[0].key], "done")
    books.settle([rows[1].key, ("never", "there")], "taken")
    assert [(row.id, row.state) for row in books.waiting("hub")] == [
        ("d1", "taken"), ("d2", "new"), ("d3", "new"),
    ]  # fmt: skip


def test_an_error_counts_as_a_try_and_a_repetition_begins_anew(books: DeliveryBooks) -> None:
    books.take_in([a_delivery(), a_delivery("d2")])
    books.settle([("hub", "d1")], "new", "no answer")
    books.settle([("hub", "d1")], "done", "no answer")
    found = books.one("hub", "d1")
    assert found is not None
    assert (found.tries, found.error, found.state) == (2, "no answer", "done")
    assert [row.id for row in books.find(failed=True)] == ["d1"]
    assert books.again([("hub", "d1"), ("hub", "nobody")]) == 1
    assert [(row.id, row.tries, row.error) for row in books.waiting("hub")] == [
        ("d1", 0, ""), ("d2", 0, ""),
    ]  # fmt: skip


def test_one_is_found_with_its_body_and_many_without(books: DeliveryBooks) -> None:
    books.take_in([
        a_delivery(), a_delivery("d2", received_at=2000.0), a_delivery("x", "lab"),
    ])  # fmt: skip
    assert books.one("hub", "d1") == a_delivery()
    assert books.one("hub", "x") is None
    assert [row.id for row in books.find()] == ["x", "d2", "d1"]
    assert [row.id for row in books.find("hub", limit=1)] == ["d2"]
    assert [row.id for row in books.find("hub", since=1500.0)] == ["d2"]
    assert {row.body for row in books.find()} == {b""}
    assert (books.last_at("hub"), books.last_at("nobody")) == (2000.0, 0.0)


def test_refusals_add_up_by_source_and_reason(books: DeliveryBooks) -> None:
    books.count({("hub", "bad_signature"): 2, ("lab", "stale"): 1}, 5.0)
    books.count({("hub", "bad_signature"): 3}, 9.0)
    assert [tuple(row) for row in books.refusals("hub")] == [("hub", "bad_signature", 5, 9.0)]
    assert [tuple(row) for row in books.refusals()] == [
        ("hub", "bad_signature", 5, 9.0), ("lab", "stale", 1, 5.0),
    ]  # fmt: skip


def test_settled_ones_are_forgotten_bodies_first_and_waiting_ones_never(
    books: DeliveryBooks,
) -> None:
    books.take_in([a_delivery(f"d{n}", received_at=float(n)) for n in range(4)])
    books.settle([("hub", "d1"), ("hub", "d2"), ("hub", "d3")], "done")
    assert books.forget(before=2.0, bodies_before=3.0) == 1
    left = {row.id: row.body for n in (0, 2, 3) if (row := books.one("hub", f"d{n}"))}
    assert left == {"d0": b"\0packed", "d2": b"", "d3": b"\0packed"}
    assert books.one("hub", "d1") is None


def test_a_delivery_outlives_the_process(tmp_path: Path) -> None:
    for expected in (True, False):
        store = SqliteStore(tmp_path / "orch.db", now=lambda: 1.0, install="i")
        assert store.deliveries.take_in([a_delivery()]) == [expected]
        assert [row.id for row in store.deliveries.waiting("hub")] == ["d1"]
        store.close()
