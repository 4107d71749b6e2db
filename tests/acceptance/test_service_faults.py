"""The service among adversities: twenty at once, held still, the books locked, an older schema."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from orch.store.connection import APPLICATION_ID
from orch.store.statements import migrations
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import Process, World, furnished

RULES = """
[service]
max_parallel = 4
[retry]
base_s = 0.2
[run]
advance_deadline_s = 1
cancel_deadline_s = 1
stop_grace_s = 0.5
"""
LONG = ["sh", "-c", 'sleep 1.5; echo "work of $ORCH_ATTEMPT" >> work.txt']
TASK_KEYS = ("id", "title", "state", "repo", "issue", "run")
META_KEYS = ("install", "epoch")
NEWER_RUN_KEYS = ("unattended", "resumed_at")
GATED = """
@do
def workflow():
    answer = yield Gate("Shall it be?")
    return answer.text
"""


@pytest.fixture
def world(person: Path) -> Iterator[World]:
    made = furnished(person)
    made.configure({"one": LONG, "quick": ["sh", "-c", "echo quick > quick.txt"]}, RULES)
    yield made
    made.close()


def test_of_twenty_services_started_at_once_one_lives(world: World) -> None:
    """H89: the others say who does, and leave nothing."""
    started = [world.start("serve", "--json") for _ in range(20)]

    def over() -> bool:
        return sum(process.poll() is not None for process in started) == 19

    world.until(over, "the end of all but one", 40)
    [winner] = [process for process in started if process.poll() is None]
    for process in started:
        if process is not winner:
            out, _ = process.communicate()
            assert process.returncode == 5, (process.returncode, out)
            assert json.loads(out)["error"]["code"] == "service_running"
    status = world.until(
        lambda: (known := world.ask("service", "status"))["running"] and known, "the service"
    )
    assert status["pid"] == winner.pid
    made = world.ask("task", "add", "Do it", "--repo", "thing", "--agent", "quick")
    _rested(world, made["id"], "in_review")
    assert len(world.ask("task", "get", "1")["attempts"]) == 1
    winner.kill()
    winner.wait(timeout=60)
    assert left(serving(world)) == 0, "the lock of a killed one is free"


def test_a_service_that_is_held_still_longer_than_its_limits_does_nothing_twice(
    world: World,
) -> None:
    """H30: a suspended machine, or a stopped process; nobody else takes its lock."""
    service = serving(world)
    world.ask("task", "add", "Long", "--repo", "thing", "--agent", "one")
    world.ask("task", "add", "Also long", "--repo", "thing", "--agent", "one")
    world.until(lambda: len(world.terminals()) == 2, "both agents")
    _held_still(world, service)
    try:
        added = world.ask("task", "add", "Meanwhile", "--repo", "thing", "--agent", "quick")
        other = world.orch("serve", "--json")
        assert other.error["code"] == "service_running"
        time.sleep(3.5)  # longer than every limit of RULES, and than the agents need
    finally:
        service.send_signal(signal.SIGCONT)
    for number in (1, 2, added["id"]):
        record = _rested(world, number, "in_review")
        assert [one["status"] for one in record["attempts"]] == ["succeeded"]
        assert len(record["runs"]) == len(record["prs"]) == 1
    assert left(service) == 0


def _held_still(world: World, service: Process) -> None:
    """Stop it at a moment when it is not writing: a stopped writer keeps the books, as it must."""

    def free() -> bool:
        service.send_signal(signal.SIGSTOP)
        other = apsw.Connection(str(world.home / "orch.db"))
        try:
            other.execute("begin immediate")
            other.execute("rollback")
        except apsw.BusyError:
            service.send_signal(signal.SIGCONT)
            return False
        finally:
            other.close()
        return True

    world.until(free, "a moment without writing")


@pytest.mark.slow
def test_books_that_another_program_keeps_locked_lose_nothing(world: World) -> None:
    """Ten seconds, while an agent ends and somebody asks for more."""
    service = serving(world)
    world.ask("task", "add", "Long", "--repo", "thing", "--agent", "one")
    world.until(world.terminals, "the agent")
    other = apsw.Connection(str(world.home / "orch.db"))
    other.set_busy_timeout(10_000)  # the service may be writing just now
    other.execute("begin exclusive")
    try:
        adding = world.start("task", "add", "Meanwhile", "--repo", "thing", "--agent", "quick")
        time.sleep(10)
        assert adding.poll() is None, "it is not acknowledged before it is written down"
    finally:
        other.execute("rollback")
        other.close()
    _, err = adding.communicate(timeout=60)
    assert adding.returncode == 0, err
    for number in (1, 2):
        record = _rested(world, number, "in_review")
        assert [one["status"] for one in record["attempts"]] == ["succeeded"]
    assert left(service) == 0


def test_books_of_an_older_schema_are_taken_over_with_their_unfinished_runs(world: World) -> None:
    """H86: one run whose agent works while its engine is dead, one that waits for a person."""
    waiting = world.run(world.flow(GATED), code=6)
    running = world.start("run", "basic_pr", "--issue", "1", "--agent", "one")
    world.until(world.terminals, "the agent")
    running.kill()
    running.wait(timeout=60)
    _as_schema_2_had_it(world.home / "orch.db")
    service = serving(world)
    runs = {run["workflow"]: run for run in world.ask("ps")}
    assert set(runs) == {"flow", "basic_pr"}
    done = world.until(
        lambda: (run := world.ask("show", runs["basic_pr"]["id"]))["status"] == "done" and run,
        "the end of the run",
    )
    assert [one["status"] for one in done["attempts"]] == ["succeeded"]
    assert len(done["prs"]) == 1
    assert world.ask("show", waiting["id"])["status"] == "blocked"
    assert [one["status"] for one in world.ask("task", "list")] == ["in_review", "needs_review"]
    world.ask("gate", "approve", waiting["id"])
    world.until(lambda: world.ask("show", waiting["id"])["status"] == "done", "the gated run")
    made = world.ask("task", "add", "New", "--repo", "thing", "--agent", "quick")
    _rested(world, made["id"], "in_review")
    assert left(service) == 0


def _rested(world: World, number: int, state: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        record: dict[str, Any] = world.ask("task", "get", str(number))
        return record if record["status"] in (state, "needs_review") else None

    record: dict[str, Any] = world.until(look, f"the end of task {number}", 40)
    assert record["status"] == state, record
    return record


def _as_schema_2_had_it(path: Path) -> None:
    """The same books as the version before the queue wrote them: its tables, columns and keys."""
    older = path.with_name("older.db")
    old, new = apsw.Connection(str(older)), apsw.Connection(str(path))
    for version, text in migrations()[:2]:
        old.execute(text)
        old.pragma("user_version", version)
    old.pragma("application_id", APPLICATION_ID)
    tables = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
    for (table,) in list(old.execute(tables)):
        names = [row[1] for row in old.execute(f"pragma table_info({table})")]
        for row in new.execute(f"select {', '.join(names)} from {table}"):
            if table == "meta" and row[0] not in META_KEYS:
                continue
            values = [_older(table, name, value) for name, value in zip(names, row, strict=True)]
            marks = ", ".join("?" * len(values))
            old.execute(f"insert or replace into {table} values ({marks})", values)
    old.pragma("journal_mode", "wal")
    old.close()
    new.close()
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    older.replace(path)


def _older(table: str, column: str, value: Any) -> Any:
    if column != "body" or table not in ("tasks", "runs"):
        return value
    body = json.loads(value)
    if table == "tasks":
        return json.dumps({name: body[name] for name in TASK_KEYS if name in body})
    return json.dumps({name: body[name] for name in body if name not in NEWER_RUN_KEYS})
