"""What the books do when the disk is full, the file damaged, or the folder closed to us."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orch.model.errors import OrchError
from orch.store.connection import DatabaseCorrupt
from orch.store.sqlite import SqliteStore
from tests.contract.store_contract import everything, prepared
from tests.databases import a_store, outside
from tests.processes import child
from tests.records import ENGINE, PERSON, RUN, a_source, advance, create_run, plan, settle

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")


def refused(act: Callable[[], object], code: str) -> OrchError:
    with pytest.raises(OrchError) as caught:
        act()
    assert caught.value.code == code
    return caught.value


# --- a full disk


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """2 MB of memory as a disk."""
    folder = Path(tempfile.mkdtemp(prefix="orch-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "orch-test", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        if mounted.returncode != 0:
            pytest.skip(f"no tmpfs may be mounted here: {mounted.stderr.strip()}")
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def ballast(folder: Path) -> Path:
    """A file that takes all the room there is."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return path


def a_big_run(number: int) -> object:
    return create_run(f"{number:012x}", sources=(a_source("flow", str(number) * 20_000),))


def filled(store: SqliteStore) -> tuple[int, OrchError]:
    """Runs until the disk refuses one: how many were acknowledged, and the refusal."""
    for number in range(1_000):
        try:
            store.send(a_big_run(number), PERSON)  # type: ignore[arg-type]
        except OrchError as error:
            return number, error
    raise AssertionError("the disk has no end")


@pytest.mark.root
@needs_root
def test_a_full_disk_refuses_in_plain_words_and_keeps_what_was_acknowledged(
    small_disk: Path,
) -> None:
    path = small_disk / "orch.db"
    store = a_store(path)
    acknowledged, error = filled(store)
    assert acknowledged > 5
    assert (error.code, error.exit_code) == ("disk_full", 9)
    assert f"the disk with {path} is full; this was not recorded" in error.message
    assert error.hint == "free some space and repeat the command"
    before = everything(store)
    assert len(store.runs()) == acknowledged
    assert store.quick_check() == []
    for _ in range(3):
        assert refused(lambda: store.send(a_big_run(999), PERSON), "disk_full")  # type: ignore[arg-type]
    assert everything(store) == before
    store.close()
    again = a_store(path)
    assert everything(again) == before, "it opens and reads on the full disk"
    again.close()


@pytest.mark.root
@needs_root
def test_when_there_is_room_again_work_goes_on(small_disk: Path) -> None:
    store = prepared(a_store(small_disk / "orch.db"))
    weight = ballast(small_disk)
    _, error = filled(store)
    assert error.code == "disk_full"
    weight.unlink()
    store.send(create_run("f" * 12), PERSON)
    store.send(advance(planned=(plan("0"),)), ENGINE)
    assert len(store.steps(RUN)) == 1
    assert store.quick_check() == []
    store.close()


@pytest.mark.root
@needs_root
def test_a_killed_programs_log_is_read_on_a_full_disk(small_disk: Path) -> None:
    """What was committed and not yet moved into the file itself is still there."""
    code = """
import sys, time
from pathlib import Path
from orch.store.sqlite import SqliteStore
from tests.records import *
store = SqliteStore(Path(sys.argv[1]), now=time.time, install="install-1")
store.send(create_run(), PERSON)
print("sent", flush=True)
sys.stdin.readline()
"""
    path = small_disk / "orch.db"
    with child(code, path) as writer:
        assert writer.line() == "sent"
        writer.kill()
    assert path.with_name("orch.db-wal").stat().st_size > 0
    ballast(small_disk)
    store = a_store(path)
    assert [run.id for run in store.runs()] == [RUN]
    store.close()


@pytest.mark.root
@needs_root
def test_a_new_database_on_a_full_disk_is_refused_and_made_later(small_disk: Path) -> None:
    path = small_disk / "orch.db"
    weight = ballast(small_disk)
    refused(lambda: a_store(path), "disk_full")
    weight.unlink()
    store = prepared(a_store(path))
    assert len(store.runs()) == 1
    store.close()


@pytest.mark.root
@needs_root
def test_a_backup_onto_a_full_disk_is_refused_and_leaves_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    store = prepared(a_store(tmp_path / "orch.db"))
    ballast(small_disk)
    refused(lambda: store.backup(small_disk / "copy.db"), "disk_full")
    assert [p.name for p in small_disk.iterdir()] == ["ballast"]
    assert len(store.runs()) == 1
    store.close()


# --- a damaged file


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A closed database with some content, more than a few pages."""
    path = tmp_path / "orch.db"
    store = prepared(a_store(path))
    for number in range(40):
        store.send(
            create_run(f"{number:012x}", sources=(a_source("flow", f"{number} " * 400),)), PERSON
        )
        store.send(advance(planned=(plan(str(number)),)), ENGINE)
        store.send(advance(settled=(settle(str(number)),)), ENGINE)
    store.close()
    return path


def told(path: Path) -> object:
    """What a program that reads everything gets: the content, or the refusal it ends with."""
    try:
        store = a_store(path)
        try:
            return everything(store)
        finally:
            store.close()
    except OrchError as error:
        return error


def test_h105_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    content = b"Dear diary, " * 1_000
    path.write_bytes(content)
    error = refused(lambda: a_store(path), "database_corrupt")
    assert isinstance(error, DatabaseCorrupt)
    assert f"the database {path} is damaged" in error.message
    assert error.hint == "orch doctor"
    assert path.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["orch.db"]


@pytest.mark.parametrize("seed", range(20))
def test_h105_overwritten_pages_are_never_read_as_if_they_were_right(good: Path, seed: int) -> None:
    """Each reader is refused with `database_corrupt`, or told by the check; the file stays."""
    rng = random.Random(seed)
    pages = good.stat().st_size // 4096
    damaged = bytearray(good.read_bytes())
    for page in rng.sample(range(pages), 4):
        start = page * 4096
        damaged[start : start + 4096] = rng.choice([bytes(4096), rng.randbytes(4096)])
    good.write_bytes(damaged)
    result = told(good)
    if isinstance(result, OrchError):
        assert result.code == "database_corrupt"
        assert str(good) in result.message
    else:
        assert isinstance(result, dict)
        assert result["what is wrong"] != []
    assert good.read_bytes() == damaged, "kept as it is, for whoever can mend it"


def test_h105_a_truncated_file_is_refused(good: Path) -> None:
    content = good.read_bytes()
    good.write_bytes(content[: len(content) // 2])
    result = told(good)
    assert isinstance(result, OrchError)
    assert result.code == "database_corrupt"


DAMAGE = [
    ("half a record", "update runs set body = substr(body, 1, 40) where id = '{run}'"),
    ("no record", "update runs set body = '' where id = '{run}'"),
    ("a record of another kind", "update runs set body = '[1, 2]' where id = '{run}'"),
    ("a state that is none", "update runs set body = replace(body, '\"running\"', '\"dancing\"')"),
    ("no text", "update runs set body = cast(x'7bff' as text) where id = '{run}'"),
    ("an outcome", "update steps set outcome = '{{\"value\":' where run = '{run}' and path = '3'"),
    ("an event", "update events set data = '{{}}' where seq = 9"),
    ("a source", "update sources set text = cast(x'ff' as text)"),
    ("another source", "update sources set text = replace(text, '7', '8')"),
    ("a lost table", "drop table steps"),
]


@pytest.mark.parametrize(("what", "statement"), DAMAGE, ids=[d[0] for d in DAMAGE])
def test_h105_h87_a_damaged_row_is_an_error_and_not_an_absence(
    good: Path, what: str, statement: str
) -> None:
    """SQLite keeps no checksums: what it hands out is looked at again."""
    outside(good, statement.format(run=RUN))
    result = told(good)
    assert isinstance(result, OrchError)
    assert (result.code, result.exit_code) == ("database_corrupt", 1)
    assert str(good) in result.message
    assert result.hint


def test_h87_not_found_and_not_readable_are_two_things(good: Path) -> None:
    store = a_store(good)
    assert store.run("f" * 12) is None
    assert store.find_runs("fff") == []
    outside(good, "drop table runs")
    for act in (lambda: store.run("f" * 12), lambda: store.find_runs("fff"), store.last_run):
        refused(act, "database_corrupt")
    refused(lambda: store.send(create_run("f" * 12), PERSON), "database_corrupt")
    store.close()


def test_a_damaged_row_in_the_way_of_a_command_undoes_it(good: Path) -> None:
    store = a_store(good)
    last = store.last_event()
    outside(good, f"update runs set body = '{{' where id = '{RUN}'")
    refused(lambda: store.send_all([
        (create_run("f" * 12), PERSON), (advance(planned=(plan("x"),)), ENGINE),
    ]), "database_corrupt")  # fmt: skip
    assert (store.last_event(), store.run("f" * 12)) == (last, None)
    store.close()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    outside(path, "create table bookmarks (url text)", "insert into bookmarks values ('x')")
    content = path.read_bytes()
    error = refused(lambda: a_store(path), "database_corrupt")
    assert f"{path} is a database of another program; nothing was changed" in error.message
    assert path.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["orch.db"]


# --- places that cannot be used


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orch.db").mkdir()
    error = refused(lambda: a_store(tmp_path / "orch.db"), "database_io")
    assert error.exit_code == 9
    assert str(tmp_path) in error.message


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(lambda: a_store(tmp_path / "absent" / "orch.db"), "database_io")


AS_SOMEBODY = """
import os, sys, time
from pathlib import Path
from orch.model.errors import OrchError
from orch.store.sqlite import SqliteStore
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    store = SqliteStore(Path(sys.argv[1]), now=time.time, install="install-1")
    print(len(store.runs()))
except OrchError as error:
    print(error.code)
    print(error.message)
"""


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """One that others may read (pytest's own is closed to everybody else)."""
    folder = Path(tempfile.mkdtemp(prefix="orch-read-only-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("there", [False, True])
def test_a_read_only_folder_is_refused_and_nothing_in_it_changes(
    readable_folder: Path, there: bool
) -> None:
    path = readable_folder / "orch.db"
    if there:
        prepared(a_store(path)).close()
        path.chmod(0o444)
    content = {p.name: p.read_bytes() for p in readable_folder.iterdir()}
    readable_folder.chmod(0o555)
    with child(AS_SOMEBODY, path) as somebody:
        code, message = somebody.end()
    assert code == "database_io"
    assert f"the database {path} cannot be used" in message
    assert {p.name: p.read_bytes() for p in readable_folder.iterdir()} == content


def test_a_file_that_is_not_ours_to_read_is_refused(readable_folder: Path) -> None:
    path = readable_folder / "orch.db"
    prepared(a_store(path)).close()
    path.chmod(0o000 if os.geteuid() != 0 else 0o600)
    with child(AS_SOMEBODY, path) as somebody:
        assert somebody.end()[0] == "database_io"
