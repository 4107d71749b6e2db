"""Removing directories that an agent could write to, without following it anywhere.

Invariant: nothing outside the named directory is ever touched. The directory is first renamed into
a trash directory beside it, by directory descriptor, so that a path can no longer be swapped; what
turns out to be a link is only unlinked (RELIABILITY §0.5). `git worktree remove --force` is never
used: through a replaced path it empties foreign directories.

Deep and locked trees end too: subdirectories are renamed up into the trash before they are
emptied, so depth costs nothing, and rights are given back where they were taken.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_REFILLS = 100


def remove_tree(path: str) -> None:
    """Remove `path` (absolute) and everything in it. Harmless when it is not there."""
    parent_path, name = os.path.split(path)
    trash_name = f".orch-trash-{name}"[:240]
    try:
        parent = os.open(parent_path, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(trash_name, 0o700, dir_fd=parent)
        descriptor = os.open(trash_name, _DIRECTORY, dir_fd=parent)
        try:
            trash = _Trash(descriptor)
            trash.take(name, parent)
            trash.empty()
        finally:
            os.close(descriptor)
        os.rmdir(trash_name, dir_fd=parent)
    finally:
        os.close(parent)


class _Trash:
    """A directory of ours that holds what is to go, under numbers."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # An interrupted removal may have left some.
        left = [int(name) for name in os.listdir(descriptor) if name.isdigit()]
        self._next = max(left, default=-1) + 1

    def take(self, name: str, source: int) -> None:
        """Move the directory `name` out of `source`; a file or link is unlinked there."""
        try:
            found = os.stat(name, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=source)
            return
        if stat.S_IMODE(found.st_mode) & 0o700 != 0o700:
            _give_rights(name, source)
        os.rename(name, str(self._next), src_dir_fd=source, dst_dir_fd=self._descriptor)
        self._next += 1

    def empty(self) -> None:
        """Remove everything. A program that goes on writing there makes this fail in the end."""
        refilled = 0
        while names := os.listdir(self._descriptor):
            for name in names:
                try:
                    self._flatten(name)
                except OSError as error:
                    refilled += 1
                    if error.errno != errno.ENOTEMPTY or refilled > _REFILLS:
                        raise

    def _flatten(self, name: str) -> None:
        """Remove one directory; its subdirectories move up beside it."""
        try:
            directory = os.open(name, _DIRECTORY, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            os.unlink(name, dir_fd=self._descriptor)
            return
        try:
            for entry in os.listdir(directory):
                self.take(entry, directory)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=self._descriptor)


def _give_rights(name: str, source: int) -> None:
    """Let the owner read, write and enter a directory again, never through a link."""
    with contextlib.suppress(OSError):
        descriptor = os.open(name, _DIRECTORY, dir_fd=source)
        try:
            os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)
        return
    if not hasattr(os, "O_PATH"):
        os.chmod(name, 0o700, dir_fd=source, follow_symlinks=False)
        return
    # Not readable even for opening: by a descriptor that only names it.
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", 0o700)
    finally:
        os.close(descriptor)
