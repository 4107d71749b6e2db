"""Both stores remember what was heard below tickets: once, with its answer, and how far was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.model.command import AddTask, BlockTask, CloseTask, Hear
from orch.model.errors import Conflict, NotFound
from orch.model.event import Actor
from orch.model.heard import Heard
from orch.ports import Store
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore

PERSON = Actor("person", "thing:writer")


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "orch.db", now=lambda: 1.0, install="i")
    else:
        made = MemoryStore(now=lambda: 1.0)
    made.send(AddTask(title="T"), PERSON)
    yield made
    made.close()


def said(remark: str = "7", source: str = "thing") -> Heard:
    return Heard(source=source, remark=remark, ticket="thing:1", who="w", said="/close", task=1)


def test_a_comment_is_heard_once_and_the_sources_are_apart(store: Store) -> None:
    books = store.hearing
    assert books.heard("thing", "7") is None
    events = store.send(Hear(said(), (CloseTask(1, "over"),)), PERSON)
    assert [event.kind for event in events] == ["RemarkHeard", "TaskMoved"]
    assert [event.task for event in events] == [1, 1]
    assert store.send(Hear(said(), (CloseTask(1, "again"),)), PERSON) == []
    assert books.heard("thing", "7") == said()
    assert store.send(Hear(said(source="other")), PERSON)


def test_all_wishes_or_none(store: Store) -> None:
    wishes = (BlockTask(1, "aside"), CloseTask(9, "none"))
    (event,) = store.send(Hear(said(), wishes), PERSON)
    task, heard = store.task(1), store.hearing.heard("thing", "7")
    assert task is not None
    assert heard is not None
    assert (task.state, heard.refused, event.kind) == ("new", "there is no task 9", "RemarkHeard")


def test_an_answer_belongs_to_what_was_heard(store: Store) -> None:
    books = store.hearing
    books.put_answered("thing", "7")
    assert not books.answered("thing", "7")
    store.send(Hear(said()), PERSON)
    assert not books.answered("thing", "7")
    books.put_answered("thing", "7")
    assert books.answered("thing", "7")
    assert not books.answered("thing", "8")


def test_the_cursor_is_kept_for_each_source(store: Store) -> None:
    books = store.hearing
    books.put_cursor("thing", "one")
    books.put_cursor("thing", "two")
    assert (books.cursor("thing"), books.cursor("other")) == ("two", "")


def test_what_is_over_or_unknown_is_not_put_aside(store: Store) -> None:
    with pytest.raises(NotFound):
        store.send(BlockTask(9, "why"), PERSON)
    store.send(BlockTask(1, "why"), PERSON)
    task = store.task(1)
    assert task is not None
    assert (task.state, task.reason, task.hint) == ("needs_review", "why", "orch task retry 1")
    store.send(CloseTask(1, "over"), PERSON)
    with pytest.raises(Conflict):
        store.send(BlockTask(1, "why"), PERSON)
