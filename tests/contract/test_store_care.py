"""Both stores give up and count the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orch.model import command as cmd
from orch.model.command import Advance, Finish
from orch.ports import Store
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore
from tests.records import ENGINE, ME, PERSON, a_repo, create_run


class Time:
    now = 1_000.0


@pytest.fixture(params=["sqlite", "memory"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    Time.now = 1_000.0
    kinds: dict[str, Callable[[], Store]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "orch.db", now=lambda: Time.now, install="i"),
        "memory": lambda: MemoryStore(now=lambda: Time.now),
    }
    store = kinds[request.param]()
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    epoch = store.send(cmd.TakeEngine(ME), ENGINE)[0].data.epoch  # type: ignore[union-attr]
    for name in ("a" * 12, "b" * 12, "c" * 12):
        store.send(create_run(name), PERSON)
    for name in ("a" * 12, "b" * 12):
        store.send(cmd.TakeRun(name, ME, store.run(name).owner), ENGINE)  # type: ignore[union-attr]
        pull = {"number": 1, "head": "x", "base": "main", "url": "u"} if name[0] == "b" else 1
        store.send(Advance(run=name, epoch=epoch, finish=Finish("done", pull)), ENGINE)
    store.send(cmd.CloseTask(store.run("a" * 12).task, "over", True), PERSON)  # type: ignore[union-attr]
    Time.now = 2_000.0
    yield store
    store.close()


def kinds(store: Store, run: str) -> list[str]:
    return [event.kind for event in store.events(0, run=run)]


def test_only_what_is_over_and_old_is_given_up(books: Store) -> None:
    last = books.last_event()
    before = {name: kinds(books, name * 12) for name in "bc"}
    books.send(cmd.TakeEngine(ME), ENGINE)
    assert books.events_floor() == 0
    assert books.forget_events(0, last, 1_000.0) == 0  # not old
    assert books.forget_events(0, 1, 1_500.0) == 0  # no event of a run in that window
    gone = books.forget_events(0, last, 1_500.0)
    assert gone > 0
    assert 0 < books.events_floor() <= last
    assert set(kinds(books, "a" * 12)) <= {"TaskCreated", "TaskMoved"}
    task = books.run("a" * 12).task  # type: ignore[union-attr]
    assert {"TaskCreated", "TaskMoved"} <= {event.kind for event in books.events(0, task=task)}
    assert kinds(books, "b" * 12) == before["b"]  # its task is in review
    assert kinds(books, "c" * 12) == before["c"]
    assert books.last_event() == last + 1
    assert books.forget_events(0, last, 1_500.0) == 0
    assert books.send(cmd.TakeEngine(ME), ENGINE)[0].seq == last + 2


def test_the_books_are_counted(books: Store) -> None:
    books.send(cmd.AddTask(title="Waits"), PERSON)
    Time.now = 3_000.0
    books.send(cmd.AddTask(title="Waits too"), PERSON)
    found = books.figures()
    assert dict(found.tasks) == books.task_counts()
    assert (found.runs["done"], sum(found.runs.values())) == (2, 3)
    assert (found.waiting_since, found.events) == (2_000.0, books.last_event())
    assert (found.live_attempts, found.unresolved, list(found.attempts)) == (0, 0, [])
    assert dict(found.slots) == {}
