"""The files that an attempt leaves: that it was started, and how it ended.

Invariant: both appear whole and durable (H100: temporary, fsync, link or rename, fsync of the
directory), and `started` is made once for ever (a link fails where one is). The room of `exit.json`
on the disk is taken before the program starts, so that a program which fills the disk cannot take
its own result with it.
"""

from __future__ import annotations

import _thread
import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOM = 4096
_PATIENCE_S = 60.0  # how long a result waits for a disk that takes it
_MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def claim(directory: str, identity: dict[str, Any]) -> bool:
    """Take the right to run this attempt, durably; False when it was taken before."""
    temporary = f"{directory}/.started.{os.getpid()}.{_thread.get_ident()}"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, encode(identity))
        os.fsync(file)
        os.link(temporary, f"{directory}/started")
    except FileExistsError:
        return False
    finally:
        os.close(file)
        os.unlink(temporary)
    _sync_directory(directory)
    return True


def forget_environment(directory: str) -> None:
    """The program has its environment: the secrets in it need not lie on the disk any longer.

    They are blanked where they stand, byte for byte, so that a full disk cannot keep them: the text
    of `launch.json` is ASCII, and `"env": {…}` in it becomes `"env": {}` and blanks."""
    try:
        file = os.open(f"{directory}/launch.json", os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return  # no file, no secret
    try:
        content = os.pread(file, os.fstat(file).st_size, 0)
        begin = content.find(b'"env": {')
        if begin >= 0:
            begin += len(b'"env": {')
            end = _object_end(content, begin)
            os.pwrite(file, b"}" + b" " * (end - begin - 1), begin)
    finally:
        os.close(file)


def _object_end(content: bytes, at: int) -> int:
    """The place behind the `}` that closes a flat object of texts which was opened before `at`."""
    inside = False
    while at < len(content):
        byte = content[at : at + 1]
        if inside and byte == b"\\":
            at += 1
        elif byte == b'"':
            inside = not inside
        elif byte == b"}" and not inside:
            return at + 1
        at += 1
    return at


def reserve(directory: str) -> int:
    """Open the exit file's temporary and take its room; gives the file to `finish` with, -1 where
    that cannot be: then the result has to find room when it comes."""
    file = -1
    try:
        file = _temporary(directory)
        os.write(file, b" " * _ROOM)
    except OSError:
        return file
    return file


def _temporary(directory: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.open(f"{directory}/exit.json.tmp", flags, 0o600)


def finish(directory: str, file: int, record: dict[str, Any]) -> None:
    """Make `record` the exit file, whole and durable, or nothing at all. While the disk is full or
    faulty this waits: whoever looks sees a live attempt meanwhile, and no lost one."""
    content = encode(record)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if file < 0:
                file = _temporary(directory)
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
            os.fsync(file)
            os.rename(f"{directory}/exit.json.tmp", f"{directory}/exit.json")
            _sync_directory(directory)
            return
        except OSError as error:
            if error.errno not in _MAY_PASS or time.monotonic() > deadline:
                raise
        time.sleep(0.25)


def _sync_directory(directory: str) -> None:
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def encode(record: dict[str, Any]) -> bytes:
    """A flat record of text, numbers and truth values as JSON."""
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:
        from json import dumps as quoted
    words = []
    for name, value in record.items():
        if isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = quoted(value) if isinstance(value, str) else repr(value)
        words.append(f"{quoted(name)}:{text}")
    return ("{" + ",".join(words) + "}").encode("ascii")


class _Plain:
    """What `_json.make_scanner` wants to be told: Python's own types for everything."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def decode(text: str) -> dict[str, Any]:
    """JSON; `ValueError` when it is none. The package `json` takes longer to import than Python to
    start, its C half takes nothing; where that half is not as expected the package does the work."""
    try:
        from _json import make_scanner

        found, _ = make_scanner(_Plain)(text, 0)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError, StopIteration):
        import json

        found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
