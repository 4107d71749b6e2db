"""The files of an attempt: what is to run, that it was started, what it wrote, how it ended.

Invariant: written whole (temporary, fsync, rename), mode 0600 in a 0700 directory, and read with
caps; nobody follows a link out of the directory.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from orch.model.attempt import ExitRecord, Launch
from orch.model.errors import ToolFailed
from orch.model.run import Owner

_launch = msgspec.json.Encoder()
_exit = msgspec.json.Decoder(ExitRecord)
_owner = msgspec.json.Decoder(Owner)


def prepare(directory: Path, attempt: str, launch: Launch) -> None:
    """Write `launch.json`, `prompt` and the launch's own files. Repeating it is harmless."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in launch.files.items():
            if "/" in name or name in ("", ".", ".."):
                raise ToolFailed(f"{name!r} cannot be a file of an attempt", code="bad_name")
            _write(directory / name, text.encode())
        _write(directory / "prompt", launch.stdin.encode())
        body = msgspec.to_builtins(launch)
        body.update(attempt=attempt, stdin="", files={})
        _write(directory / "launch.json", _launch.encode(body))
    except OSError as error:
        full = error.errno in (28, 122)
        raise ToolFailed(
            f"cannot write the attempt's files in {directory}: {error.strerror}",
            code="disk_full" if full else "attempt_files",
            hint="free some space, then: orch resume" if full else "orch doctor",
        ) from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def started(directory: Path) -> Owner | None:
    """The wrapper that was started, or None. An unfinished mark counts as started by nobody known."""
    try:
        raw = (directory / "started").read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _owner.decode(raw)
    except msgspec.DecodeError:
        return Owner(0, 0, "")


def exit_record(directory: Path) -> ExitRecord | None:
    """The exit file; None while there is none."""
    path = directory / "exit.json"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _exit.decode(raw)
    except msgspec.DecodeError as error:
        raise ToolFailed(
            f"the exit file {path} cannot be read: {error}", code="exit_file_broken"
        ) from error


def put_exit(directory: Path, record: ExitRecord) -> None:
    """For an attempt whose wrapper could not say anything any more."""
    if directory.is_dir() and not (directory / "exit.json").exists():
        _write(directory / "exit.json", msgspec.json.encode(record))


def tail(directory: Path, name: str, tail_bytes: int) -> bytes:
    """The last bytes of a file (all of it for 0); empty when there is none."""
    if "/" in name or name.startswith("."):
        raise ToolFailed(f"{name!r} is no file of an attempt", code="bad_name")
    try:
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if tail_bytes and size > tail_bytes:
            file.seek(size - tail_bytes)
        return file.read()
