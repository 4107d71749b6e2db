"""kill -9 at every statement of a migration and of a batch, and in the middle of commits."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from orch.store.statements import migrations
from tests.contract.store_contract import everything, prepared
from tests.databases import OPEN, a_store, outside
from tests.processes import child
from tests.records import PERSON, RUN, create_run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orch.db"


# --- kill -9

ACKNOWLEDGE = (
    OPEN
    + """
store = opened()
store.send(cmd.RegisterRepo(a_repo()), PERSON)
store.send(cmd.TakeEngine(ME), ENGINE)
for n in range(100_000):
    run = f"{n:012x}"
    store.send_all([
        (create_run(run, sources=(a_source("flow", "x" * 5_000), a_source("helper"))), PERSON),
        (advance(run=run, planned=(plan("0"), plan("1"))), ENGINE),
        (advance(run=run, settled=(settle("1"), settle("0"))), ENGINE),
    ])
    print(run, flush=True)
"""
)
EVENTS_OF_A_BATCH = [
    "TaskCreated", "RunCreated", "TaskMoved", "StepPlanned", "StepPlanned", "StepSettled",
    "StepSettled",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_kill_9_loses_nothing_acknowledged_and_leaves_nothing_half_done(
    path: Path, seed: int
) -> None:
    after = random.Random(seed).randrange(1, 60)
    with child(ACKNOWLEDGE, path) as writer:
        acknowledged = [writer.line() for _ in range(after)]
        acknowledged += writer.kill()
    assert "" not in acknowledged
    store = a_store(path)
    kept = [run.id for run in store.runs()][::-1]
    assert kept[: len(acknowledged)] == acknowledged, "nothing acknowledged is lost"
    assert len(kept) - len(acknowledged) <= 1, "at most one was on its way to be acknowledged"
    for number, run in enumerate(kept, 1):
        assert [event.kind for event in store.events(0, run=run)] == EVENTS_OF_A_BATCH
        assert [step.status for step in store.steps(run)] == ["confirmed", "confirmed"]
        assert len(store.sources(run)) == 2
        assert store.task(number) is not None
    assert store.task(len(kept) + 1) is None
    assert store.quick_check() == []
    store.send(create_run("f" * 12), PERSON)
    store.close()


# A process that dies in front of its n-th SQL statement, for every n, each on a copy of its own.
KILL_AT_EACH = (
    OPEN
    + """
import json, os, shutil, signal
import apsw
def dies_at(n):
    count = 0
    def look(cursor, sql, bindings):
        nonlocal count
        count += 1
        if count == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return True
    return look
def trial(n, act, copy):
    if os.path.exists(sys.argv[1]):
        shutil.copy(sys.argv[1], copy)
    pid = os.fork()
    if pid == 0:
        try:
            act(n, copy)
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]
def all_trials(act, folder):
    for n in range(1, 1_000):
        copy = os.path.join(folder, f"{n}.db")
        print(copy, flush=True)
        if not os.WIFSIGNALED(trial(n, act, copy)):
            return
    raise SystemExit("it never got through")
"""
)
MIGRATE = (
    KILL_AT_EACH
    + """
from orch.store import connection, statements
extra = tuple((int(n), text) for n, text in json.loads(sys.argv[3]))
every = statements.migrations() + extra
connection.migrations = lambda: every
def act(n, copy):
    apsw.connection_hooks.append(lambda db: setattr(db, "exec_trace", dies_at(n)))
    connection.open_database(Path(copy)).close()
all_trials(act, sys.argv[2])
"""
)
TWO = """create table extra (a text not null) strict;
insert into extra values ('x');
alter table runs add column note text not null default '';
"""
THREE = "update runs set note = 'three'; drop table extra; create index by_note on runs (note);"
NEWEST = migrations()[-1][0]
LATER = [
    (NEWEST + 1, TWO),
    (NEWEST + 2, THREE),
]  # fmt: skip


def schema_of(path: Path) -> tuple[int, frozenset[str]]:
    [(version,)] = outside(path, "pragma user_version")
    names = outside(path, "select name from sqlite_schema where name not like 'sqlite_%'")
    columns = outside(path, "select 'runs.' || name from pragma_table_info('runs')")
    assert isinstance(version, int)
    return version, frozenset(str(name) for (name,) in names + columns)


def schemas(folder: Path) -> dict[int, frozenset[str]]:
    """Every version as it looks when nothing went wrong."""
    wanted = {0: frozenset[str]()}
    path = folder / "reference.db"
    for number, text in (*migrations(), *LATER):
        outside(path, text, f"pragma user_version = {number}")
        wanted[number] = schema_of(path)[1]
    return wanted


@pytest.mark.parametrize("start", ["new", "upgrade"])
def test_h86_a_migration_killed_at_any_statement_happened_whole_or_not_at_all(
    tmp_path: Path, start: str
) -> None:
    wanted = schemas(tmp_path)
    source, folder = tmp_path / "source.db", tmp_path / "copies"
    folder.mkdir()
    if start == "upgrade":
        prepared(a_store(source)).close()
    with child(MIGRATE, source, folder, json.dumps(LATER)) as migrator:
        copies = [Path(line) for line in migrator.end()]
    assert len(copies) > 15, "each statement had its turn"
    seen = []
    for copy in copies:
        version, names = schema_of(copy)
        assert names == wanted[version]
        seen.append(version)
        if start == "upgrade":
            expected = "three" if version == NEWEST + 2 else ""
            [(body, *note)] = outside(copy, f"select body{', note' * (version > NEWEST)} from runs")
            assert RUN in str(body)
            assert note in ([], [expected])
    assert seen == sorted(seen), "the later it died, the further it had come"
    assert seen[-1] == NEWEST + 2
    assert set(seen) == set(range(0 if start == "new" else NEWEST, NEWEST + 3))


def test_h86_what_a_killed_migration_left_is_simply_opened_again(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    with child(MIGRATE, tmp_path / "absent.db", folder, "[]") as migrator:
        copies = [Path(line) for line in migrator.end()]
    for copy in copies:
        store = prepared(a_store(copy))
        assert store.quick_check() == []
        assert len(store.runs()) == 1
        store.close()


BATCH = (
    KILL_AT_EACH
    + """
def act(n, copy):
    store = opened(copy)
    store._db.exec_trace = dies_at(n)
    store.send_all([
        (create_run("b" * 12, sources=(a_source(), a_source("x"))), PERSON),
        (advance(run="b" * 12, planned=(plan("0"), plan("1"))), ENGINE),
    ])
all_trials(act, sys.argv[2])
"""
)


def test_a_batch_killed_at_any_statement_happened_whole_or_not_at_all(tmp_path: Path) -> None:
    source, folder = tmp_path / "source.db", tmp_path / "copies"
    folder.mkdir()
    store = prepared(a_store(source))
    before = everything(store)
    store.close()
    with child(BATCH, source, folder) as writer:
        copies = [Path(line) for line in writer.end()]
    assert len(copies) > 25, "each statement had its turn"
    for number, copy in enumerate(copies, 1):
        after = a_store(copy)
        if number < len(copies):
            assert everything(after) == before
        else:
            assert [run.id for run in after.runs()] == ["b" * 12, RUN]
            assert len(after.steps("b" * 12)) == 2
        after.close()
