"""A program's output on its way: into a file, and onto the screen.

Invariant: the program is never held up by a slow screen or a full disk, the file holds the
program's own bytes, and it never grows beyond `LIMIT`: of more, the first `HEAD` bytes and at least
the last `TAIL` bytes stay (an agent's answer is at the end), joined by a line break.
"""

from __future__ import annotations

import os

HEAD = 32 * 1024 * 1024
TAIL = 16 * 1024 * 1024
LIMIT = HEAD + 2 * TAIL
_BLOCK = 1024 * 1024
_BLOCKS_OF_A_PIPE = 16  # more would have to come from a writer outside of the tree
_SCREEN = 1


class Stream:
    """One stream of the program: the pipe's reading end and the file it goes to."""

    def __init__(self, name: str, pipe: int, path: str) -> None:
        self.name = name
        self.pipe = pipe
        self.seen = 0
        self.ended = False
        self._size = 0
        self._joint = 0
        self._path = path
        self._file = self._opened()
        os.set_blocking(pipe, False)

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            return os.open(self._path, flags, 0o600)
        except OSError:
            return -1  # a full disk; the next output may find room

    def move(self) -> bool:
        """Take what is there, at most one block; False when there was nothing. Sets `ended`."""
        try:
            data = os.read(self.pipe, _BLOCK)
        except BlockingIOError:
            return False
        self.ended = not data
        if data:
            self.seen += len(data)
            self._keep(data)
            show(data)
        return bool(data)

    def close(self) -> int:
        """The writers are gone: keep what is still in the pipe, and put the file on the disk.
        Gives how many bytes it lacks."""
        for _ in range(_BLOCKS_OF_A_PIPE):
            if not self.move():
                break
        os.close(self.pipe)
        if self._file >= 0:
            self._put_on_disk()
        return self.seen - (self._size - self._joint)

    def _put_on_disk(self) -> None:
        try:
            if self._size:
                os.fsync(self._file)
            os.close(self._file)
        except OSError:
            return  # a faulty disk has the last word on the log, not on the result

    def _keep(self, data: bytes) -> None:
        if self._file < 0:
            self._file = self._opened()
        try:
            if self._size + len(data) > LIMIT:
                self._drop_middle()
            rest = memoryview(data)
            while rest:
                written = os.pwrite(self._file, rest, self._size)
                self._size += written
                rest = rest[written:]
        except OSError:
            # A full disk. `close` gives what is missing; the program itself goes on.
            return

    def _drop_middle(self) -> None:
        """Move the last `TAIL` bytes, from their first whole line on, behind the first `HEAD`."""
        source, target = self._size - TAIL, HEAD
        first = os.pread(self._file, _BLOCK, source)
        self._joint = os.pwrite(self._file, b"\n", target)
        target += self._joint
        source += first.find(b"\n") + 1
        while source < self._size:
            block = os.pread(self._file, min(_BLOCK, self._size - source), source)
            os.pwrite(self._file, block, target)
            source += len(block)
            target += len(block)
        os.ftruncate(self._file, target)
        self._size = target


def is_full(size: int) -> bool:
    """Whether a file of this size may be losing its middle now: all that is behind `HEAD` is moved in
    its place, and the file is cut after that."""
    return size + _BLOCK > LIMIT


def show(data: bytes) -> None:
    """Onto the screen, as much as it takes now."""
    try:
        os.write(_SCREEN, data)
    except OSError:
        return  # slow or gone; it is for display only


def settle_pane(path: str, seconds: float) -> None:
    """Wait until tmux has written all of the screen's output to `path`: print a mark (a string that
    terminals swallow), wait until it has come through, and take it away again."""
    import time

    mark = b"\x1b_orch\x1b\\"
    os.set_blocking(_SCREEN, False)
    show(mark)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            file = -1  # the shell that will write it is just starting
        if file >= 0:
            try:
                size = os.fstat(file).st_size
                if size >= len(mark) and os.pread(file, len(mark), size - len(mark)) == mark:
                    os.ftruncate(file, size - len(mark))
                    os.fsync(file)
                    return
            finally:
                os.close(file)
        time.sleep(0.001)
