"""The books on a real disk: several processes, kill -9, migrations, backups."""

from __future__ import annotations

import json
import os
import random
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from orch.model import command as cmd
from orch.model.errors import Conflict, OrchError
from orch.store.connection import migrations
from orch.store.sqlite import SqliteStore
from tests.contract.store_contract import Ticking, everything, prepared
from tests.processes import child, children
from tests.records import ENGINE, ME, PERSON, RUN, a_repo, advance, create_run, plan, settle

OPEN = """
import sys, time
from pathlib import Path
from orch.model.errors import OrchError
from orch.store.sqlite import SqliteStore
from tests.records import *
def opened(path=sys.argv[1], install="install-1"):
    return SqliteStore(Path(path), now=time.time, install=install)
"""


def a_store(path: Path, install: str = "install-1") -> SqliteStore:
    return SqliteStore(path, now=time.time, install=install)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orch.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = a_store(path)
    yield store
    store.close()


def outside(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """What somebody with the SQLite shell would do (and read)."""
    connection = apsw.Connection(str(path))
    try:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = list(connection.execute(statement))
        return rows
    finally:
        connection.close()


# --- how the file is kept


def test_commits_are_synced_and_the_log_is_written_ahead(store: SqliteStore, path: Path) -> None:
    """RELIABILITY §0.8: with anything less than FULL a power cut loses acknowledged commits."""
    pragmas = {
        name: store._db.pragma(name)
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000,
    }  # fmt: skip
    assert outside(path, "pragma journal_mode") == [("wal",)]


def test_the_sqlite_library_is_past_the_wal_reset_corruption() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_the_file_says_whose_it_is(store: SqliteStore, path: Path) -> None:
    [(mark,)] = outside(path, "pragma application_id")
    assert isinstance(mark, int)
    assert mark.to_bytes(4, "big") == b"Orch"


def test_nobody_else_can_read_the_books(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = prepared(a_store(tmp_path / "orch.db"))
        store.backup(tmp_path / "copy.db")  # type: ignore[attr-defined]
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(old)
    assert set(modes) >= {"orch.db", "orch.db-wal", "orch.db-shm", "copy.db"}
    assert set(modes.values()) == {0o600}


def test_an_install_id_is_given_once(path: Path) -> None:
    first = a_store(path, "first")
    second = a_store(path, "second")
    assert (first.install, second.install) == ("first", "first")
    first.close()
    second.close()
    third = a_store(path, "third")
    assert third.install == "first"
    third.close()


# --- several processes

RACE = (
    OPEN
    + """
sys.stdin.readline()
store = opened(install=sys.argv[2])
print(store.install, flush=True)
store.close()
"""
)


@pytest.mark.parametrize("left_by", ["nobody", "a backup", "a killed program"])
@pytest.mark.parametrize("again", range(3))
def test_six_programs_that_open_it_for_the_first_time_at_once(
    path: Path, left_by: str, again: int
) -> None:
    """All switch it to write-ahead, all migrate, one names it. A restored backup is not in that
    mode either; a program that died at once leaves an empty file."""
    if left_by == "a killed program":
        path.touch(0o600)
    if left_by == "a backup":
        source = a_store(path.with_name("source.db"), "install-0")
        source.backup(path)
        source.close()
    with children(RACE, *([path, f"install-{n}"] for n in range(6))) as all_:
        for one in all_:
            one.say()
        names = {one.line() for one in all_}
        for one in all_:
            one.end()
    assert len(names) == 1
    assert "" not in names


WRITE = (
    OPEN
    + """
store = opened()
print("open", flush=True)
sys.stdin.readline()
for n in range(int(sys.argv[3])):
    store.send(create_run(f"{int(sys.argv[2]):06x}{n:06x}"), PERSON)
store.close()
"""
)


def test_h85_four_programs_write_at_once_and_nothing_is_lost(path: Path) -> None:
    """Task numbers are read and written in one transaction; event numbers have no gap."""
    writers, runs = 4, 40
    with children(WRITE, *([path, n, runs] for n in range(writers))) as all_:
        for one in all_:
            assert one.line() == "open"
        for one in all_:
            one.say()
        for one in all_:
            one.end()
    store = a_store(path)
    found = store.runs()
    assert len(found) == writers * runs
    assert sorted(run.task for run in found) == list(range(1, writers * runs + 1))
    events = store.events(0, limit=10_000)
    assert [event.seq for event in events] == list(range(1, 3 * writers * runs + 1))
    assert store.quick_check() == []
    store.close()


def test_changes_moves_when_another_process_has_committed(store: SqliteStore, path: Path) -> None:
    prepared(store)
    before = store.changes()
    store.send(advance(planned=(plan("0"),)), ENGINE)
    assert store.changes() == before, "our own commits are no news"
    with child(WRITE, path, 9, 1) as other:
        assert other.line() == "open"
        quiet = store.changes()
        assert store.changes() == quiet
        other.say()
        other.end()
    assert store.changes() != quiet
    assert store.run(f"{9:06x}{0:06x}") is not None


HOLD = (
    OPEN
    + """
store = opened()
store._db.execute("begin immediate")
print("held", flush=True)
sys.stdin.readline()
store._db.execute("rollback")
store.close()
"""
)


def test_a_writer_waits_for_another_one(store: SqliteStore, path: Path) -> None:
    sent: list[int] = []
    with child(HOLD, path) as holder:
        assert holder.line() == "held"
        writer = threading.Thread(target=lambda: sent.append(len(store.send(create_run(), PERSON))))
        writer.start()
        reader = a_store(path)
        assert reader.runs() == [], "readers do not wait"
        reader.close()
        holder.say()
        holder.end()
        writer.join()
    assert sent == [3]


def test_a_writer_that_waited_long_enough_is_refused(store: SqliteStore, path: Path) -> None:
    store._db.set_busy_timeout(50)
    with child(HOLD, path) as holder:
        assert holder.line() == "held"
        with pytest.raises(Conflict, match="locked") as caught:
            store.send(create_run(), PERSON)
        assert (caught.value.code, caught.value.exit_code) == ("database_busy", 5)
        holder.say()
        holder.end()
    assert store.runs() == []
    store.send(create_run(), PERSON)
    assert len(store.runs()) == 1


def test_threads_of_one_process_share_a_store(store: SqliteStore) -> None:
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(25):
                store.send(create_run(f"{number:06x}{n:06x}"), PERSON)
                assert len(store.runs()) > n
        except BaseException as fault:  # noqa: BLE001 - told by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(run.task for run in store.runs()) == list(range(1, 101))


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
LATER = [
    (2, TWO),
    (3, "update runs set note = 'three'; drop table extra; create index by_note on runs (note);"),
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
    a_store(path).close()
    version, names = schema_of(path)
    wanted[version] = names
    for number, text in LATER:
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
            expected = "three" if version == 3 else ""
            [(body, *note)] = outside(copy, f"select body{', note' * (version > 1)} from runs")
            assert RUN in str(body)
            assert note in ([], [expected])
    assert seen == sorted(seen), "the later it died, the further it had come"
    assert seen[-1] == 3
    assert set(seen) == ({0, 1, 2, 3} if start == "new" else {1, 2, 3})


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


# --- another version


def make_newer(path: Path) -> None:
    outside(path, "create table from_the_future (a)", "pragma user_version = 7")


def test_h86_a_newer_database_is_not_opened(path: Path) -> None:
    prepared(a_store(path)).close()
    make_newer(path)
    content = path.read_bytes()
    with pytest.raises(Conflict) as caught:
        a_store(path)
    error = caught.value
    assert (error.code, error.exit_code) == ("schema_newer", 5)
    assert f"the database {path} was made by a newer Orch" in error.message
    assert "schema 7" in error.message
    assert "nothing was changed" in error.message
    assert error.hint.startswith("upgrade: ")
    assert path.read_bytes() == content


def test_h86_a_program_that_was_upgraded_under_our_feet_ends_our_writing(
    store: SqliteStore, path: Path
) -> None:
    """The version is looked at in every write, not only at the start."""
    prepared(store)
    before = everything(store)
    make_newer(path)
    for command in (create_run("b" * 12), advance(planned=(plan("0"),))):
        with pytest.raises(Conflict) as caught:
            store.send(command, PERSON)
        assert caught.value.code == "schema_newer"
    assert everything(store) == before, "reading still works"


def test_migrations_are_numbered_without_gaps() -> None:
    assert [version for version, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_opening_again_changes_nothing(path: Path) -> None:
    prepared(a_store(path)).close()
    content = path.read_bytes()
    a_store(path).close()
    assert path.read_bytes() == content


# --- backup


def test_a_backup_is_a_whole_database_of_its_own(store: SqliteStore, tmp_path: Path) -> None:
    prepared(store)
    target = tmp_path / "backups" / "one.db"
    target.parent.mkdir()
    store.backup(target)
    before = everything(store)
    store.send(create_run("b" * 12), PERSON)
    assert [p.name for p in target.parent.iterdir()] == ["one.db"], (
        "no log beside it, nothing partial"
    )
    copy = a_store(target)
    assert everything(copy) == before
    assert copy.install == store.install
    copy.close()


def test_a_backup_replaces_an_older_one_and_what_a_killed_one_left(
    store: SqliteStore, tmp_path: Path
) -> None:
    target = tmp_path / "one.db"
    target.write_text("old")
    target.with_name("one.db.partial").write_text("half")
    prepared(store)
    store.backup(target)
    copy = a_store(target)
    assert len(copy.runs()) == 1
    copy.close()
    assert not target.with_name("one.db.partial").exists()


def test_a_backup_that_cannot_be_made_leaves_the_old_one(
    store: SqliteStore, tmp_path: Path
) -> None:
    target = tmp_path / "one.db"
    store.backup(target)
    content = target.read_bytes()
    blocked = target.with_name("one.db.partial")
    blocked.mkdir()
    (blocked / "in the way").touch()
    with pytest.raises(OrchError) as caught:
        store.backup(target)
    assert caught.value.code == "database_io"
    assert target.read_bytes() == content
    with pytest.raises(OrchError) as caught:
        store.backup(tmp_path / "no" / "such" / "folder.db")
    assert caught.value.code == "database_io"


BACK_UP = (
    OPEN
    + """
store = opened()
print("open", flush=True)
for n in range(20):
    store.backup(Path(sys.argv[2]) / f"{n}.db")
store.close()
"""
)


def test_a_backup_while_others_write_is_consistent(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with child(BACK_UP, path, folder) as copier, child(WRITE, path, 1, 60) as writer:
        assert copier.line() == writer.line() == "open"
        writer.say()
        copier.end()
        writer.end()
    for copy in sorted(folder.iterdir()):
        store = a_store(copy)
        runs = len(store.runs())
        assert len(store.events(0, limit=1_000)) == 3 * runs
        assert store.quick_check() == []
        store.close()


def test_quick_check_finds_nothing_in_a_good_file(store: SqliteStore) -> None:
    prepared(store)
    store.send(advance(planned=(plan("0"),)), ENGINE)
    store.send(advance(settled=(settle("0"),)), ENGINE)
    assert store.quick_check() == []


def test_the_clock_is_the_stores_own(path: Path) -> None:
    clock = Ticking()
    store = SqliteStore(path, now=clock, install="i")
    [event] = store.send(cmd.RegisterRepo(a_repo()), PERSON)
    assert event.at == clock.at
    [event] = store.send(cmd.TakeEngine(ME), ENGINE)
    assert event.at == clock.at
    store.close()
