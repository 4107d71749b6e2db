"""Locks that dead processes left, and waiting for live ones.

Invariant: a lock is removed only when it is a regular file of ours below a known directory, no
process has it open, no git of ours works below those directories, and it is still the same file
after a pause. A lock whose owner cannot be ruled out is never removed: `Conflict(repository_busy)`.
git closes some locks while it holds them (`index.lock` during a hook), so an open file alone would
not be proof.

Where there is no /proc (macOS), any git of the same user counts as working.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence

from orch.model.errors import Conflict

_PROC = "/proc"
_PAUSE_S = 0.02
_GIT_WORDS = ("GIT_DIR=", "GIT_COMMON_DIR=", "GIT_WORK_TREE=")


class Locks:
    """`wait_s` seconds are waited for a live owner, `settle_s` before an ownerless lock goes."""

    def __init__(self, *, wait_s: float, settle_s: float) -> None:
        self._wait_s = wait_s
        self._settle_s = settle_s

    def release(self, lock: str, roots: Sequence[str]) -> bool:
        """True when `lock` is gone (removed by us or given back by its owner), false when it is
        not ours to judge: outside `roots`, another user's, or no plain file."""
        path = os.path.realpath(os.path.dirname(lock)) + "/" + os.path.basename(lock)
        if not _is_ours(path, roots):
            return not os.path.lexists(path)
        scope = _scope(path, roots)
        deadline = time.monotonic() + self._wait_s
        while True:
            before = _identity(path)
            if before is None:
                return True
            owners = [*git_processes(scope), *_holders(path)]
            if not owners:
                time.sleep(self._settle_s)
                if _identity(path) == before and not git_processes(scope) and not _holders(path):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)
                    return True
            elif time.monotonic() > deadline:
                raise _busy(owners, path)
            else:
                time.sleep(_PAUSE_S)

    def await_quiet(self, roots: Sequence[str], command: str = "") -> None:
        """Return when no git, or none that runs `command`, works below `roots`."""
        deadline = time.monotonic() + self._wait_s
        while owners := git_processes(roots, command):
            if time.monotonic() > deadline:
                raise _busy(owners, roots[0])
            time.sleep(_PAUSE_S)


def git_processes(roots: Sequence[str], command: str = "") -> list[int]:
    """Process ids of this user's gits that stand, work or point below `roots`; only those that
    run `command` when there is one."""
    if not os.path.isdir(f"{_PROC}/self"):
        return _git_processes_by_ps()
    resolved = sorted({os.path.realpath(root) for root in roots} | set(roots))
    return [
        pid
        for pid in _our_processes()
        if _read(f"{_PROC}/{pid}/comm").startswith(b"git")
        and (not command or os.fsencode(command) in _arguments(pid))
        and _works_below(pid, resolved)
    ]


def _works_below(pid: int, roots: Sequence[str]) -> bool:
    """Unknown counts as yes, a zombie as no."""
    try:
        places = [os.readlink(f"{_PROC}/{pid}/cwd")]
    except FileNotFoundError:
        return False
    except OSError:
        return not _is_zombie(pid)
    for word in _read(f"{_PROC}/{pid}/environ").split(b"\0"):
        name, _, value = os.fsdecode(word).partition("=")
        if f"{name}=" in _GIT_WORDS:
            places.append(value)
    words = map(os.fsdecode, _arguments(pid))
    places.extend(word.partition("=")[2] or word for word in words)
    return any(_is_below(place, root) for place in places for root in roots)


def _arguments(pid: int) -> list[bytes]:
    return _read(f"{_PROC}/{pid}/cmdline").split(b"\0")


def _holders(path: str) -> list[int]:
    """Processes of this user that have the file open."""
    holders = []
    for pid in _our_processes():
        try:
            numbers = os.listdir(f"{_PROC}/{pid}/fd")
        except OSError:
            continue
        for number in numbers:
            with contextlib.suppress(OSError):
                if os.readlink(f"{_PROC}/{pid}/fd/{number}") == path:
                    holders.append(pid)
    return holders


def _our_processes() -> Iterator[int]:
    if not os.path.isdir(f"{_PROC}/self"):
        return
    user = os.getuid()
    for entry in os.scandir(_PROC):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                yield int(entry.name)


def _git_processes_by_ps() -> list[int]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,uid=,comm="], capture_output=True, check=False, timeout=10
    )
    found = []
    for line in listing.stdout.decode("utf-8", "replace").splitlines():
        pid, user, program = [*line.split(None, 2), "", "", ""][:3]
        if user == str(os.getuid()) and os.path.basename(program).startswith("git"):
            found.append(int(pid))
    return found


def _scope(lock: str, roots: Sequence[str]) -> list[str]:
    """Where a possible owner of `lock` would be at work: for a lock of one worktree that worktree,
    for any other the whole repository with all its worktrees."""
    for root in map(os.path.realpath, roots):
        worktrees = f"{root}/worktrees"
        if _is_below(lock, worktrees):
            admin = "/".join(lock.split("/")[: worktrees.count("/") + 2])
            return [admin, *_work_tree_of(admin)]
    scope = list(roots)
    for root in map(os.path.realpath, roots):
        if os.path.basename(root) == ".git":
            scope.append(os.path.dirname(root))
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"{root}/worktrees"):
                scope += _work_tree_of(entry.path)
    return scope


def _work_tree_of(admin: str) -> list[str]:
    pointer = os.fsdecode(_read(f"{admin}/gitdir")).strip()
    return [os.path.dirname(pointer)] if pointer.startswith("/") else []


def _is_ours(path: str, roots: Sequence[str]) -> bool:
    if not path.endswith(".lock") or not any(
        _is_below(path, os.path.realpath(root)) for root in roots
    ):
        return False
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _is_zombie(pid: int) -> bool:
    status = _read(f"{_PROC}/{pid}/stat").rpartition(b")")[2].split()
    return not status or status[0] in (b"Z", b"X")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _busy(owners: Sequence[int], path: str) -> Conflict:
    return Conflict(
        f"Another program (process {owners[0]}) is working with git in {path}.",
        code="repository_busy",
        hint="Wait for it to end, or end it, then repeat.",
        processes=list(owners),
    )
