"""Told by the kernel what programs write: inotify, which Linux has and Python's library has not.

Invariant: nothing is missed: when the kernel's queue ran over, every directory counts as heard. What
cannot be heard (no watches left, another system) is answered with False or None, never guessed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct

from orch.terminals.inside.tree import LINUX

_MODIFIED = 0x0002  # IN_MODIFY: linux/inotify.h
_NAMED = 0x0100 | 0x0080  # IN_CREATE, IN_MOVED_TO
_ONLY_DIRECTORIES = 0x01000000 | 0x02000000  # IN_ONLYDIR, IN_DONT_FOLLOW
_OVERFLOW = 0x4000
_GONE = 0x8000  # IN_IGNORED
_HEAD = struct.Struct("iIII")  # wd, mask, cookie, length of the name
_BLOCK = 64 * 1024


class InotifyEar:
    """See `orch.ports.Ear`."""

    def __init__(self, descriptor: int, kernel: ctypes.CDLL, changes: int) -> None:
        self._changes = changes
        self._descriptor = descriptor
        self._kernel = kernel
        self._directories: dict[int, str] = {}

    def fileno(self) -> int:
        return self._descriptor

    def listen(self, directory: str) -> bool:
        mask = self._changes | _ONLY_DIRECTORIES
        watch = self._kernel.inotify_add_watch(self._descriptor, os.fsencode(directory), mask)
        if watch < 0:
            return False
        self._directories[watch] = directory
        return True

    def forget(self, directory: str) -> None:
        for watch in [one for one, known in self._directories.items() if known == directory]:
            del self._directories[watch]
            self._kernel.inotify_rm_watch(self._descriptor, watch)

    def heard(self) -> set[str]:
        found: set[str] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                data = os.read(self._descriptor, _BLOCK)
                self._understand(data, found)
                if len(data) < _BLOCK // 2:
                    break
        return found

    def _understand(self, data: bytes, found: set[str]) -> None:
        at = 0
        while at < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            if mask & _OVERFLOW:
                found.update(self._directories.values())
            elif mask & _GONE:
                self._directories.pop(watch, None)
            elif watch in self._directories:
                found.add(self._directories[watch])

    def close(self) -> None:
        os.close(self._descriptor)


def opened(*, names_only: bool = False) -> InotifyEar | None:
    """An ear; None where there is no inotify, or none left for this user. `names_only`: for new
    files, not for what is written into them."""
    if not LINUX:
        return None
    kernel = ctypes.CDLL(None, use_errno=True)
    descriptor = kernel.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    changes = _NAMED if names_only else _NAMED | _MODIFIED
    return InotifyEar(descriptor, kernel, changes) if descriptor >= 0 else None
