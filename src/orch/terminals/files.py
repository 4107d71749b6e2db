"""The files of an attempt: what is to run, that it was started, what it wrote, how it ended.

Invariant: each is written whole (temporary, fsync, rename; H100), mode 0600 in a 0700 directory,
and nobody follows a link out of it. `started` and `exit.json` are never replaced by what comes from
here: the first decides who runs the program, the second is its result.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from orch.model import typed
from orch.model.attempt import ExitRecord, IoMode, Launch
from orch.model.delivery import Delivery
from orch.model.errors import ToolFailed, UsageError
from orch.model.run import Owner
from orch.terminals.inside import record as inside
from orch.terminals.names import RESERVED, checked_file

_exit = typed.decoder(ExitRecord)
_owner = typed.decoder(Owner)
_delivery = typed.decoder(Delivery)
NOBODY = Owner(0, 0, "")


def check(launch: Launch) -> None:
    """`UsageError` for what no program can be given: a NUL in a word, no word at all."""
    if not launch.argv or not launch.argv[0]:
        raise UsageError("There is no program to run: the command is empty.", code="bad_launch")
    words = [*launch.argv, launch.cwd, *launch.env, *launch.env.values()]
    if any("\0" in word for word in words) or any("=" in name or not name for name in launch.env):
        raise UsageError(
            f"The command {launch.argv[0]!r:.80} cannot be run: one of its words or variables holds"
            " a character that no program can be given.",
            code="bad_launch",
        )
    for name in launch.files:
        if checked_file(name) in RESERVED:
            raise UsageError(f"{name} is a file of the attempt itself.", code="bad_name")


def prepare(directory: Path, attempt: str, launch: Launch, *, grace_s: float) -> None:
    """Write the launch's own files, `prompt` and at last `launch.json`. Where somebody has done so
    before, theirs stay: a wrapper may be reading them."""
    import json  # not msgspec: only this writes an environment's bytes that are not UTF-8

    body: dict[str, Any] = msgspec.to_builtins(launch)
    body |= {"attempt": attempt, "directory": str(directory), "grace_s": grace_s}
    body |= {"stdin": "", "files": {}}
    texts = {**launch.files, "prompt": launch.stdin}
    contents = {name: _encoded(text) for name, text in texts.items()}
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(directory):
            if (directory / "launch.json").exists():
                return
            for name, content in contents.items():
                _write(directory, name, content)
            _write(directory, "launch.json", json.dumps(body).encode())
    except OSError as error:
        raise _fault(error, directory) from error


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """The kernel gives the lock back when its holder dies."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def hold(directory: Path, name: str) -> int:
    """A descriptor with a shared lock on a file of the attempt, that a program which this process
    becomes keeps: the lock is there for as long as that lives."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        descriptor = os.open(directory / checked_file(name), flags, 0o600)
    except OSError as error:
        raise _fault(error, directory) from error
    os.set_inheritable(descriptor, True)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The text for the program cannot be written as UTF-8 (character {error.start}).",
            code="bad_launch",
        ) from error


def _write(directory: Path, name: str, content: bytes, *, over: bool = True) -> None:
    """Whole or not at all; unless `over`, what is there stays."""
    temporary = directory / f".{name}.{os.getpid()}.{threading.get_ident()}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if over:
            temporary.replace(directory / name)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, directory / name)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def started(directory: Path) -> Owner | None:
    """The wrapper that took the attempt, or None. A mark that does not say who is `NOBODY`: its
    maker is writing it, died doing so, or took the attempt so that it never starts."""
    try:
        raw = (directory / "started").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _owner.decode(raw)
    except msgspec.DecodeError:
        return NOBODY


class Prepared(msgspec.Struct, frozen=True):
    """What `launch.json` says about the attempt: its id, the directory that its processes carry in
    their environment (`ORCH_TERMINAL`), spelled as it was when it was prepared, and what the program
    reads."""

    attempt: str
    directory: str
    io: IoMode = "pipes"


_prepared = typed.decoder(Prepared)


def prepared(directory: Path) -> Prepared | None:
    """The attempt that was prepared here, or None."""
    try:
        return _prepared.decode((directory / "launch.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    except OSError as error:
        raise _fault(error, directory) from error


def forbid(directory: Path) -> bool:
    """Take the attempt away from any wrapper that may still come up. False: one was first."""
    try:
        return inside.claim(str(directory), msgspec.to_builtins(NOBODY))
    except OSError as error:
        raise _fault(error, directory) from error


def ask_stop(directory: Path, grace_s: float) -> None:
    """Leave word for the wrapper how long its program may take to end after TERM."""
    try:
        _write(directory, "stop", f"{grace_s:.3f}".encode())
    except OSError as error:
        raise _fault(error, directory) from error


def has_exit(directory: Path) -> bool:
    return (directory / "exit.json").exists()


def exit_record(directory: Path) -> ExitRecord | None:
    """The exit file; None while there is none."""
    path = directory / "exit.json"
    try:
        return _exit.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ToolFailed(
            f"The exit file {path} cannot be read: {error}.",
            code="exit_file_broken",
            hint=f"Look at {path}; removing it makes the attempt count as lost.",
        ) from error


def put_exit(directory: Path, record: ExitRecord) -> None:
    """For an attempt whose wrapper cannot say anything any more; what is there stays."""
    if has_exit(directory):
        return
    try:
        _write(directory, "exit.json", msgspec.json.encode(record), over=False)
    except OSError as error:
        raise _fault(error, directory) from error


def message(directory: Path, key: str) -> Delivery | None:
    """What became of the message with this key; None when it was never begun."""
    try:
        return _delivery.decode(_message(directory, key).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ToolFailed(
            f"The record of a message in {directory} cannot be read: {error}.",
            code="attempt_files",
            hint="orch doctor",
        ) from error


def put_message(directory: Path, key: str, delivery: Delivery) -> None:
    """Before its first byte leaves, and again when its end is known."""
    path = _message(directory, key)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write(path.parent, path.name, msgspec.json.encode(delivery))
    except OSError as error:
        raise _fault(error, directory) from error


def _message(directory: Path, key: str) -> Path:
    return directory / "messages" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def tail(directory: Path, name: str, tail_bytes: int) -> bytes:
    """The last bytes of a file of the attempt (all of it for 0), empty when there is none; never
    what a link of that name points at, and never waiting for a pipe of that name."""
    descriptor, size = _readable(directory, name)
    if descriptor < 0:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        if 0 < tail_bytes < size:
            file.seek(size - tail_bytes)
        return file.read(tail_bytes if tail_bytes > 0 else -1)


def part(directory: Path, name: str, start: int, limit: int) -> tuple[bytes, int]:
    """At most `limit` bytes from byte `start` on, and the file's size; see `tail`."""
    descriptor, size = _readable(directory, name)
    if descriptor < 0:
        return b"", 0
    try:
        return os.pread(descriptor, limit, start) if size > start else b"", size
    finally:
        os.close(descriptor)


def put_new(directory: Path, name: str, content: bytes) -> bool:
    """Write a file of the attempt; False when there is one, which stays."""
    try:
        _write(directory, checked_file(name), content, over=False)
        return part(directory, name, 0, len(content) + 1)[0] == content
    except OSError as error:
        raise _fault(error, directory) from error


def size(directory: Path, name: str) -> int:
    """Bytes of a file of the attempt; 0 when there is none."""
    return part(directory, name, 0, 0)[1]


def _readable(directory: Path, name: str) -> tuple[int, int]:
    """A descriptor of a plain file of the attempt and its size; -1 when there is none."""
    checked_file(name)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(directory / name, flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return -1, 0
        raise _fault(error, directory) from error
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode):
        os.close(descriptor)
        return -1, 0
    return descriptor, seen.st_size


def _fault(error: OSError, directory: Path) -> ToolFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ToolFailed(
            f"The disk that holds {directory} is full.",
            code="disk_full",
            hint="Free some space, then: orch resume",
        )
    return ToolFailed(
        f"The attempt's files in {directory} cannot be used: {error.strerror}.",
        code="attempt_files",
        hint="orch doctor",
    )
