"""The files that an attempt leaves: that it was started, and how it ended.

Invariant: `started` is made once for ever (O_EXCL) and `exit.json` appears whole (H100): temporary,
fsync, rename, fsync of the directory. The temporary's room on the disk is taken before the program
starts, so that a program which fills the disk cannot take its own result with it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOM = 4096


def claim(directory: str, identity: dict[str, Any]) -> bool:
    """Take the right to run this attempt, durably; False when it was taken before."""
    try:
        file = os.open(f"{directory}/started", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        os.write(file, encode(identity))
        os.fsync(file)
    finally:
        os.close(file)
    _sync_directory(directory)
    return True


def reserve(directory: str) -> int:
    """Open the exit file's temporary and take its room; gives the file to `finish` with."""
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    file = os.open(f"{directory}/exit.json.tmp", flags, 0o600)
    os.write(file, b" " * _ROOM)
    return file


def finish(directory: str, file: int, record: dict[str, Any]) -> None:
    """Make `record` the exit file, whole and durable, or nothing at all."""
    content = encode(record)
    os.pwrite(file, content, 0)
    os.ftruncate(file, len(content))
    os.fsync(file)
    os.close(file)
    os.rename(f"{directory}/exit.json.tmp", f"{directory}/exit.json")
    _sync_directory(directory)


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
