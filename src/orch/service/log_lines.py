"""Reading the service's log: its last lines, and those that come.

Invariant: reads only; a file that turned over meanwhile is read to its end before the new one.
"""

from __future__ import annotations

import io
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from orch.ports import Ear

LOOK_S = 0.2
_BLOCK = 64 * 1024


def log_file(home: Path) -> Path:
    return home / "log" / "service.log"


def last_lines(home: Path, count: int) -> list[str]:
    """The last `count` whole lines, oldest first, of the log and the one before it."""
    found: list[str] = []
    for path in (log_file(home), log_file(home).with_name("service.log.1")):
        if len(found) < count:
            found = _tail(path, count - len(found)) + found
    return found


def _tail(path: Path, count: int) -> list[str]:
    try:
        with path.open("rb") as file:
            at, data = file.seek(0, os.SEEK_END), b""
            while at > 0 and data.count(b"\n") <= count:
                step = min(_BLOCK, at)
                at = file.seek(at - step)
                data = file.read(step) + data
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()
    return whole[-count:] if count else []


def coming(home: Path, ear: Ear | None) -> Iterator[str]:
    """Lines as they are written from now on, for ever. An empty one: nothing more for the moment."""
    path, half = log_file(home), ""
    if ear is not None:
        ear.listen(str(path.parent))
    file = _opened(path)
    if file is not None:
        file.seek(0, os.SEEK_END)
    try:
        while True:
            if file is None:
                file = _opened(path)
            turned = file is not None and _is_other(file, path)  # asked before its end is read
            if file is not None:
                *whole, half = (half + file.read()).split("\n")
                yield from whole
            if turned and file is not None:
                file.close()
                file, half = None, ""
                continue
            yield ""
            _wait(ear)
    finally:
        if file is not None:
            file.close()


def _opened(path: Path) -> IO[str] | None:
    try:
        return io.open(path, encoding="utf-8", errors="replace")  # noqa: UP020
    except FileNotFoundError:
        return None


def _is_other(file: IO[str], path: Path) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _wait(ear: Ear | None) -> None:
    if ear is None:
        select.select([], [], [], LOOK_S)
        return
    select.select([ear], [], [], LOOK_S)
    ear.heard()
