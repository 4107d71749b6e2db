"""What agents used, summed up by both stores alike; a book of an older version gives its sums too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from orch.model import command as cmd
from orch.model.command import AttemptEnd
from orch.model.spending import DIMENSIONS, Spending, Spent, total
from orch.ports import Store
from orch.store.connection import APPLICATION_ID
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore
from orch.store.statements import migrations
from tests.records import (
    ENGINE,
    ME,
    PERSON,
    RUN,
    a_repo,
    advance,
    agent_plan,
    an_attempt,
    create_run,
)

OTHER = "f" * 12
USAGE = {"input_tokens": 100, "output_tokens": 7, "cost_usd": 0.25}
DAY = 86_400.0


def fill(store: Store) -> Store:
    """Two runs; agent one: a success with usage, a failure without; two: cost alone, one at work."""
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    tries: dict[str, list[tuple[str, str, str, float, Any, dict[str, Any]]]] = {
        RUN: [("a", "one", "big", DAY, "succeeded", USAGE), ("b", "one", "", DAY, "failed", {})],
        OTHER: [("c", "two", "", 2 * DAY, "succeeded", {"cost_usd": 1}),
                ("d", "two", "", 2 * DAY, "", {}), ("e", "", "", 2 * DAY, "succeeded", {})],
    }  # fmt: skip
    for run, attempts in tries.items():
        store.send(create_run(run), PERSON)
        store.send(cmd.TakeRun(run, ME), ENGINE)
        for path, (letter, agent, model, at, status, usage) in enumerate(attempts):
            attempt = an_attempt(letter * 12, run=run, path=f"{path}", agent=agent, model=model,
                                 started_at=at)  # fmt: skip
            store.send(advance(run=run, planned=(agent_plan(f"{path}", attempt=attempt),)), ENGINE)
            if status:
                end = AttemptEnd(id=attempt.id, status=status, usage=usage)
                store.send(cmd.EndAttempt(run, 1, end), ENGINE)
    return store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    now: Callable[[], float] = lambda: 2 * DAY + 50.0  # noqa: E731 - a clock that stands still
    made: Store = (
        MemoryStore(now=now) if request.param == "memory"
        else SqliteStore(tmp_path / "orch.db", now=now, install="x")
    )  # fmt: skip
    yield fill(made)
    made.close()


def test_what_nobody_reported_is_unknown_and_counted(store: Store) -> None:
    one, two = store.spending(Spending("agent"))
    assert one == Spent("one", 2, 100, 7, 0.25, 1, 1, 2 * DAY + 100, 0)
    assert two == Spent("two", 2, None, None, 1.0, 1, 2, 100.0, 1)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("task", ["1", "2"]),
        ("agent", ["one", "two"]),
        ("model", ["", "big"]),
        ("repo", ["thing"]),
        ("day", ["1970-01-02", "1970-01-03"]),
    ],
)
def test_every_dimension_sums_to_the_same(store: Store, by: str, names: list[str]) -> None:
    assert by in DIMENSIONS
    rows = store.spending(Spending(by))
    assert [row.name for row in rows] == names
    assert total(rows) == store.spending(Spending())[0]


def test_of_a_run_of_a_task_and_since(store: Store) -> None:
    assert [row.attempts for row in store.spending(Spending(run=RUN))] == [2]
    assert [row.usd for row in store.spending(Spending(task=2))] == [1.0]
    assert [row.name for row in store.spending(Spending("agent", since=1.5 * DAY))] == ["two"]
    assert store.spending(Spending("agent", since=9 * DAY)) == []


def test_how_agents_did(store: Store) -> None:
    one, two = store.agent_stats(0.0)
    assert (one.agent, one.attempts, one.succeeded, one.failed, one.live) == ("one", 2, 1, 1, 0)
    assert (one.success_rate, one.usd, one.usd_unknown, one.tokens_unknown) == (0.5, 0.25, 1, 1)
    assert one.average_s == DAY + 50
    assert (two.attempts, two.live, two.success_rate, two.tokens_in) == (2, 1, 1.0, None)
    assert [each.agent for each in store.agent_stats(1.5 * DAY)] == ["two"]


def test_figures_leave_out_what_nobody_told(store: Store) -> None:
    found = {(one.agent, one.status): one for one in store.figures().attempts}
    told, silent = found["one", "succeeded"], found["one", "failed"]
    assert (told.tokens_in, told.tokens_out, told.usd, told.usd_unknown) == (100, 7, 0.25, 0)
    assert (silent.tokens_in, silent.tokens_out, silent.usd) == (None, None, None)
    assert (silent.usd_unknown, silent.tokens_unknown) == (1, 1)
    cost_alone = found["two", "succeeded"]
    assert (cost_alone.tokens_in, cost_alone.tokens_unknown, cost_alone.usd_unknown) == (None, 1, 0)
    live = next(one for key, one in found.items() if key[1] in ("starting", "running"))
    assert (live.usd, live.usd_unknown) == (None, 0), "it may tell yet"


def test_an_older_book_gives_its_sums(tmp_path: Path) -> None:
    """An upgrade takes what attempts reported along, and holds nothing up for a broken row."""
    path = tmp_path / "orch.db"
    old = apsw.Connection(str(path))
    for version, text in migrations():
        if version < 7:
            old.execute(text)
            old.pragma("user_version", version)
    old.pragma("application_id", APPLICATION_ID)
    old.execute("insert into meta values ('install', 'x')")
    row = "insert into attempts (id, run, path, n, status, started_at, body) values (?,?,?,?,?,?,?)"
    body = (
        '{"agent": "one", "ended_at": 9.0, "usage":'
        ' {"input_tokens": 5, "output_tokens": "many", "cost_usd": 1}}'
    )
    old.execute(row, ("a", RUN, "0", 1, "succeeded", 4.0, body))
    old.execute(row, ("b", RUN, "1", 1, "succeeded", 4.0, "{broken"))
    old.close()
    store = SqliteStore(path, now=lambda: 10.0, install="y")
    [stats] = store.agent_stats(0.0)
    assert (stats.agent, stats.average_s, stats.tokens_in, stats.tokens_out) == (
        "one",
        5.0,
        5,
        None,
    )
    assert stats.usd == 1.0
    store.close()
