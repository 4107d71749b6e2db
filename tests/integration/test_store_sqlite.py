"""The books on a real disk: how the file is kept, several processes, other versions, backups."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from orch.model import command as cmd
from orch.model.errors import Conflict, OrchError
from orch.store.connection import migrations
from orch.store.sqlite import SqliteStore
from tests.contract.store_contract import Ticking, everything, prepared
from tests.databases import OPEN, a_store, outside
from tests.processes import child, children
from tests.records import ENGINE, ME, PERSON, a_repo, advance, create_run, plan, settle


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orch.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = a_store(path)
    yield store
    store.close()


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


# --- another version


def make_newer(path: Path) -> None:
    outside(path, "create table from_the_future (a)", "pragma user_version = 9999")


def test_a_database_of_the_first_schema_is_brought_up_to_date(path: Path) -> None:
    first = migrations()[0]
    mark = int.from_bytes(b"Orch", "big")
    outside(
        path, first[1], f"pragma application_id = {mark}", "pragma user_version = 1",
        "insert into meta values ('install', 'the-old-one')",
    )  # fmt: skip
    store = a_store(path)
    try:
        assert store.install == "the-old-one"
        prepared(store)
        store.send(cmd.StartSession("after the upgrade"), PERSON)
        assert [session.name for session in store.sessions()] == ["after the upgrade"]
    finally:
        store.close()
    assert outside(path, "pragma user_version") == [(migrations()[-1][0],)]


def test_h86_a_newer_database_is_not_opened(path: Path) -> None:
    prepared(a_store(path)).close()
    make_newer(path)
    content = path.read_bytes()
    with pytest.raises(Conflict) as caught:
        a_store(path)
    error = caught.value
    assert (error.code, error.exit_code) == ("schema_newer", 5)
    assert f"the database {path} was made by a newer Orch" in error.message
    assert "schema 9999" in error.message
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
