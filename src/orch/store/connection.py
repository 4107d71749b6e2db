"""One SQLite connection: opened, migrated, its faults translated.

Invariant: WAL, `synchronous=FULL`, foreign keys on; a migration happens whole or not at all; a
database made by a newer Orch is refused in plain words. SQLite comes with apsw: the system's own
library may be in the range of the WAL-reset corruption bug (fixed in 3.51.3).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from orch.model.errors import Conflict, OrchError, ToolFailed
from orch.store.statements import migrations

BUSY_MS = 30_000
SWITCH_ATTEMPTS = 100
APPLICATION_ID = int.from_bytes(b"Orch", "big")  # in the file's header: whose database it is
_CANNOT_USE = (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)


class DatabaseCorrupt(OrchError):
    """The file is no usable database; it is never overwritten."""

    default_code = "database_corrupt"


@contextlib.contextmanager
def translated(path: str) -> Iterator[None]:
    """SQLite's faults as ours: full disk, no rights, busy, corrupt, not ours."""
    try:
        yield
    except apsw.FullError as error:
        raise disk_full(path) from error
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        raise _damaged(path, error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # SQLite keeps no checksums of rows
        raise _damaged(path, error, scope="row") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise Conflict(
            f"another program has kept the database {path} locked for {BUSY_MS // 1000} s",
            code="database_busy",
            hint="orch doctor",
        ) from error
    except (*_CANNOT_USE, OSError) as error:
        if getattr(error, "errno", 0) == errno.ENOSPC or _is_full(path):
            raise disk_full(path) from error
        raise ToolFailed(
            f"the database {path} cannot be used: {error}", code="database_io", hint="orch doctor"
        ) from error


def disk_full(path: str) -> ToolFailed:
    return ToolFailed(
        f"the disk with {path} is full; this was not recorded",
        code="disk_full",
        hint="free some space and repeat the command",
    )


def _damaged(path: str, error: Exception, *, scope: str = "file") -> DatabaseCorrupt:
    """`scope`: a `row` that cannot be read says nothing about the others."""
    return DatabaseCorrupt(
        f"the database {path} is damaged or not one of ours: {error}", hint="orch doctor",
        scope=scope,
    )  # fmt: skip


def _is_full(path: str) -> bool:
    try:
        room = os.statvfs(Path(path).parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < 256 * 1024


def open_database(path: Path) -> apsw.Connection:
    """Open (or create, mode 0600) and bring the schema up to date."""
    with translated(str(path)):
        _refuse_emptied(path)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = apsw.Connection(str(path))
        try:
            _prepare(connection, str(path))
            _migrate(connection, str(path))
        except BaseException:
            connection.close()
            raise
    return connection


def _refuse_emptied(path: Path) -> None:
    """An empty file is a new database, unless there are runs' files beside it: then it was cut."""
    emptied = path.exists() and path.stat().st_size == 0
    log = path.with_name(path.name + "-wal")
    if not emptied or (log.exists() and log.stat().st_size):
        return
    attempts = path.parent / "attempts"
    if attempts.is_dir() and any(attempts.iterdir()):
        raise DatabaseCorrupt(
            f"the database {path} is empty, and there are attempts in {attempts}: its content was"
            " lost; nothing was changed",
            hint=f"put a backup in its place, or, to begin anew: mv {attempts} {attempts}.old",
        )


def _prepare(connection: apsw.Connection, path: str) -> None:
    connection.set_busy_timeout(BUSY_MS)
    if not _is_ours(connection):  # before anything is changed in it, its journal mode too
        raise DatabaseCorrupt(
            f"{path} is a database of another program; nothing was changed",
            hint="set ORCH_HOME to a folder of Orch's own",
        )
    if connection.pragma("journal_mode") != "wal":
        _switch_to_wal(connection, path)
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", True)
    if sys.platform == "darwin":
        connection.pragma("fullfsync", True)


def _is_ours(connection: apsw.Connection) -> bool:
    """Empty, or marked as ours. In this order: tables and mark arrive together."""
    if value(connection, "select count(*) from sqlite_schema") == 0:
        return True
    return int(connection.pragma("application_id")) == APPLICATION_ID


def _switch_to_wal(connection: apsw.Connection, path: str) -> None:
    """Two programs that switch at once: SQLite refuses one of them without waiting. That one waits
    in the queue of writers, and finds it done."""
    for _ in range(SWITCH_ATTEMPTS):
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            connection.execute("begin immediate")
            connection.execute("rollback")
            continue
        if mode == "wal":
            return
        raise ToolFailed(
            f"the database {path} cannot keep a write-ahead log there (journal mode {mode}); it"
            " needs a local file system",
            code="database_io",
            hint="set ORCH_HOME to a folder on a local disk",
        )
    raise apsw.BusyError(f"the journal mode of {path} could not be changed")


def check_version(connection: apsw.Connection, path: str) -> int:
    """The schema's version; a newer one than this program knows is refused."""
    version = int(connection.pragma("user_version"))
    newest = migrations()[-1][0]
    if version > newest:
        raise Conflict(
            f"the database {path} was made by a newer Orch (schema {version}, this one knows"
            f" {newest}); nothing was changed",
            code="schema_newer",
            hint="upgrade: pip install --upgrade orch-conductor",
        )
    return version


def _migrate(connection: apsw.Connection, path: str) -> None:
    if check_version(connection, path) == migrations()[-1][0]:
        return
    for version, text in migrations():
        with transaction(connection):
            if check_version(connection, path) < version:
                connection.execute(text)
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", version)


def value(connection: apsw.Connection, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
    """The first column of the first row, or None."""
    for row in connection.execute(sql, bindings):
        return row[0]
    return None


@contextlib.contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """All that is written within it, or nothing."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("rollback")
        raise
