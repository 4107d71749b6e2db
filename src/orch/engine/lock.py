"""The engine's lock: at most one engine per home, freed by the kernel when its process dies.

Invariant: held by an open file description of this process alone (not inherited by children), so
that `kill -9` always frees it, and a stopped holder still keeps others out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class EngineLock:
    """`flock` on `run/engine.lock`, which holds the holder's pid for people to read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Try once."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._held(descriptor)
        return True

    async def wait(self) -> None:
        """Return when the lock is ours. The kernel wakes us; cancelling leaves a waiting thread
        behind, which gives the lock back should it ever get it."""
        import asyncio
        import threading

        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        given_up = threading.Event()

        def deliver(descriptor: int) -> None:
            if answer.cancelled():
                os.close(descriptor)
            else:
                answer.set_result(descriptor)

        def block() -> None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if given_up.is_set():
                os.close(descriptor)
                return
            with contextlib.suppress(RuntimeError):  # the loop has ended: so will this process
                loop.call_soon_threadsafe(deliver, descriptor)

        threading.Thread(target=block, name="engine-lock", daemon=True).start()
        try:
            self._held(await answer)
        except asyncio.CancelledError:
            given_up.set()
            raise

    def _held(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._file = descriptor

    def driver(self) -> int:
        """The pid of the process that drives now; 0 when nobody does. Takes nothing away: whoever
        tries at this very moment tries again."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(self.holder() or 0)
        finally:
            os.close(descriptor)
        return 0

    def holder(self) -> str:
        """The pid of whoever took the lock last, for messages; empty when unknown."""
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    @property
    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
