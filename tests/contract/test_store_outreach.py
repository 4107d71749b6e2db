"""Both stores remember who was told what."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from orch.model.command import AddTask
from orch.model.event import Actor
from orch.model.outreach import Notice, OutreachBooks
from orch.ports import Store
from orch.store.sqlite import SqliteStore


def a_notice(hook: str = "h", seq: int = 1, **more: object) -> Notice:
    made = Notice(hook=hook, event="task.done", entity="task:1/r", seq=seq, body={"text": "ünï\0"})
    return replace(made, **more)


@pytest.fixture
def books(store: Store) -> OutreachBooks:
    return store.outreach


def test_a_notice_is_claimed_once(books: OutreachBooks) -> None:
    assert books.claim(a_notice())
    assert not books.claim(a_notice(seq=7))
    assert books.claim(a_notice(hook="other"))
    assert [notice.seq for notice in books.notices()] == [1, 1]


def test_what_became_of_it_is_kept_and_it_is_open_until_then(books: OutreachBooks) -> None:
    books.claim(a_notice(seq=1, due=5.0))
    books.claim(a_notice(hook="b", seq=2, due=3.0, state="sending"))
    assert [notice.hook for notice in books.open_notices()] == ["b", "h"]
    assert [notice.hook for notice in books.open_notices(limit=1)] == ["b"]
    books.put_notice(a_notice(seq=1, state="failed", why="no", tries=5))
    assert [notice.hook for notice in books.open_notices()] == ["b"]
    assert books.notices()[1] == a_notice(seq=1, state="failed", why="no", tries=5)
    books.put_notice(a_notice(hook="never claimed"))
    assert len(books.notices()) == 2


def test_settled_ones_are_forgotten_open_ones_never(books: OutreachBooks) -> None:
    books.claim(a_notice(seq=1, state="sent"))
    books.claim(a_notice(hook="b", seq=2))
    books.claim(a_notice(hook="c", seq=9, state="sent"))
    books.forget_notices(5)
    assert sorted(notice.hook for notice in books.notices()) == ["b", "c"]


def test_each_reader_has_its_own_cursor_and_begins_at_the_beginning(store: Store) -> None:
    assert store.outreach.cursor("a") == 0
    store.send(AddTask(title="x"), Actor("person"))
    store.outreach.put_cursor("a", 1)
    assert (store.outreach.cursor("a"), store.outreach.cursor("b")) == (1, 0)


def test_a_notice_outlives_the_process(tmp_path: Path) -> None:
    for expected in (True, False):
        store = SqliteStore(tmp_path / "orch.db", now=lambda: 1.0, install="i")
        assert store.outreach.claim(a_notice()) == expected
        store.outreach.put_cursor("x", 4)
        assert store.outreach.cursor("x") == 4
        store.close()
