"""A directory of numbered files: the vault's issues and the local forge's pull requests.

Invariants, whatever is killed and whenever (H85, H100, H110):

- A file is seen whole or not at all: written as `.new`, synced, then linked or renamed into place.
- A number is given once. It is taken by renaming the empty file `.last-N`: the highest number ever
  given stands in a *name*, which cannot be half written and outlives the deletion of the files.
- Nothing is overwritten that was not read first: a new file is linked (which fails where one is),
  a changed one is compared with what was read just before it is replaced.

Writers exclude one another by `flock` on `.lock`, which the kernel frees when its holder dies;
readers need no lock. Every call to the system goes through `os.*`, so that a test can end the
process at each of them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from orch.model.errors import LimitReached, ToolFailed, UsageError

_LOCK = ".lock"
_NEW = ".new"
_MARK = re.compile(r"\.last-([0-9]{1,9})", re.ASCII)
_HIGHEST = 999_999_999
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


Mark = tuple[int, int, int, int]
"""What no change of a file leaves as it was: inode, size, and both times in nanoseconds."""


class Unreadable(Exception):
    """A file that stands where a record should and is none: a link, a directory, too large."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Listing(NamedTuple):
    """`numbers` gives each record's file name; `strays` are names that look like a record's and are
    not (or spell a number that is there already); `last` is the highest number ever given."""

    numbers: dict[int, str]
    strays: tuple[str, ...]
    last: int


class Content(NamedTuple):
    """A file as it was read. `stamp` tells whether it is still the same, `mode` are its rights."""

    data: bytes
    stamp: tuple[int, int, int]
    mode: int


class Shelf:
    """Files `<prefix><number><suffix>` in `directory`, numbered from 1, at least `digits` wide.

    `limit` is the largest size of one file in bytes. Faults of the disk are `ToolFailed`
    (`disk_full`, `disk_failed`), never an empty answer (H87).
    """

    def __init__(
        self, directory: str, *, prefix: str = "", suffix: str, digits: int = 1, limit: int
    ) -> None:
        self.directory = os.path.abspath(directory)
        self.limit = limit
        self._prefix, self._suffix, self._digits = prefix, suffix, digits
        self._name = re.compile(
            re.escape(prefix) + "([0-9]{1,9})" + re.escape(suffix), re.ASCII | re.IGNORECASE
        )

    def name(self, number: int) -> str:
        """`ISSUE-007.md`"""
        return f"{self._prefix}{number:0{self._digits}d}{self._suffix}"

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def files(self, *, seen: dict[str, Mark] | None = None) -> Listing:
        """What is there now. A directory that does not exist yet is empty. `seen` is filled with
        the mark of each name."""
        try:
            names = sorted(os.listdir(self.directory) if seen is None else self._marked(seen))
        except FileNotFoundError:
            return Listing({}, (), 0)
        except OSError as error:
            raise _fault(error, self.directory) from error
        numbers: dict[int, str] = {}
        strays: list[str] = []
        last = 0
        for name in names:
            if name.startswith(".") and (mark := _MARK.fullmatch(name)):
                last = max(last, int(mark[1]))
            elif match := self._name.fullmatch(name):
                number = int(match[1])
                if number in numbers and name != self.name(number):
                    strays.append(name)
                    continue
                if number in numbers:
                    strays.append(numbers[number])
                numbers[number] = name
            elif self._looks_like_one(name):
                strays.append(name)
        return Listing(numbers, tuple(strays), max(last, *numbers, 0))

    def _marked(self, seen: dict[str, Mark]) -> Iterable[str]:
        with os.scandir(self.directory) as found:
            for each in found:
                try:
                    now = each.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # a `.new` that got its name just now
                seen[each.name] = (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
        return seen

    def read(self, name: str) -> Content | None:
        """The file, or None when it is gone. `Unreadable` when it is no plain file of fitting size.

        Links are refused wherever they lead: a record lives in its directory.
        """
        path = self.path(name)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise Unreadable("is a symbolic link, and links are not followed") from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.ENXIO):
                raise Unreadable(f"cannot be opened: {_plainly(error)}") from error
            raise _fault(error, path) from error
        try:
            return _content(handle, self.limit)
        except OSError as error:
            raise _fault(error, path) from error
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer, in this process and any other. Makes the directory."""
        try:
            _make_directory(self.directory)
            handle = _locked(self.path(_LOCK))
        except OSError as error:
            raise _fault(error, self.directory) from error
        try:
            yield
        finally:
            os.close(handle)

    def add(self, make: Callable[[int], bytes]) -> int:
        """Give the next number, and put what `make` makes of it there. Needs the lock.

        The file's content is on the disk before its number is taken, the number is taken before the
        file is seen: a kill in between leaves a gap in the numbers, never a number twice.
        """
        number = self.files().last + 1
        try:
            try:
                number = self._link(number, make)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path(_NEW))
        except OSError as error:
            raise _fault(error, self.directory) from error
        return number

    def replace(self, name: str, seen: Content, data: bytes) -> bool:
        """Put `data` where `seen` was read; False, and nothing done, when it has changed since.

        Needs the lock. Rights stay as they are.
        """
        path = self.path(name)
        try:
            self._write(data, name, seen.mode)
            try:
                now = os.stat(path, follow_symlinks=False)
            except FileNotFoundError:
                now = None
            if now is None or _stamp(now) != seen.stamp:
                os.unlink(self.path(_NEW))
                return False
            os.rename(self.path(_NEW), path)
            _sync_directory(self.directory)
        except OSError as error:
            raise _fault(error, path) from error
        return True

    def _link(self, number: int, make: Callable[[int], bytes]) -> int:
        while number <= _HIGHEST:
            self._write(make(number), self.name(number), 0o600)
            self._take(number)
            try:
                os.link(self.path(_NEW), self.path(self.name(number)))
            except FileExistsError:
                number += 1  # A person put a file there in this very moment: theirs stays.
                continue
            _sync_directory(self.directory)
            return number
        raise LimitReached(
            f"{self.directory} has no number left: {number - 1} is taken.",
            code="numbers_exhausted",
            hint=f"Give that file and {self.path('.last-*')} a lower number.",
        )

    def _looks_like_one(self, name: str) -> bool:
        lowered = name.lower()
        return (
            not name.startswith(".")
            and lowered.startswith(self._prefix.lower())
            and lowered.endswith(self._suffix)
        )

    def _write(self, data: bytes, name: str, mode: int) -> None:
        """`data` complete and synced in `.new`. An old `.new` may be a second name of a record that
        was linked just before a kill: it is unlinked, never opened."""
        if len(data) > self.limit:
            raise UsageError(
                f"{name} would have {len(data):,} bytes; a record may have {self.limit:,} at most.",
                code="too_large",
                hint="Shorten the text, or put it into a file of the repository and name that.",
                file=self.path(name),
            )
        path = self.path(_NEW)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags, 0o600)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fchmod(handle, mode)
                _sync(handle)
            finally:
                os.close(handle)
        except OSError:
            os.unlink(path)
            raise

    def _take(self, number: int) -> None:
        """Move the high-water mark to `number`. It is durable with the link that follows it: both
        are names in one directory, synced together before the number is given out."""
        mark = self.path(f".last-{number}")
        olds = [name for name in os.listdir(self.directory) if _MARK.fullmatch(name)]
        if olds:
            os.rename(self.path(max(olds, key=_mark_of)), mark)
        else:
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _mark_of(name: str) -> int:
    return int(name.rpartition("-")[2])


def _content(handle: int, limit: int) -> Content:
    seen = os.fstat(handle)
    if not stat.S_ISREG(seen.st_mode):
        raise Unreadable("is not a plain file")
    parts: list[bytes] = []
    size = 0
    while size <= limit and (part := os.read(handle, limit + 1 - size)):
        parts.append(part)
        size += len(part)
    if size > limit:
        raise Unreadable(f"is larger than {limit:,} bytes")
    return Content(b"".join(parts), _stamp(seen), stat.S_IMODE(seen.st_mode))


def _stamp(seen: os.stat_result) -> tuple[int, int, int]:
    return (seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _make_directory(path: str) -> None:
    """`path` and its missing parents, 0700 each, on the disk before anything stands in them."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    _make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    _sync_directory(parent)


def _locked(path: str) -> int:
    """An open handle that holds the lock. A lock file that was deleted while we waited for it
    excludes nobody, so it is looked for again under its name."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _still_at(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _still_at(path: str, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sync(handle: int) -> None:
    """To the disk itself; macOS's plain fsync stops at the drive's cache."""
    if _FULL_SYNC is None:
        os.fsync(handle)
    else:
        fcntl.fcntl(handle, _FULL_SYNC)


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plainly(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _fault(error: OSError, path: str) -> ToolFailed:
    if error.errno in _FULL:
        return ToolFailed(
            f"The disk that holds {path} is full; nothing was changed.",
            code="disk_full",
            hint="Free some space, then run the command again.",
            file=path,
        )
    return ToolFailed(
        f"{path} cannot be used: {_plainly(error)}.",
        code="disk_failed",
        hint=f"Look at `ls -ld {os.path.dirname(path)}`, then run the command again.",
        file=path,
    )
