"""Time, randomness and failpoints as the engine uses them in real life.

Invariant: nothing else in the product reads a clock or draws a random number; tests hand in others.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from orch.model.errors import UsageError
from orch.ports import Failpoints


class SystemClock:
    """The machine's clock. Deadlines use the monotonic one."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemIds:
    def run_id(self) -> str:
        return secrets.token_hex(6)

    def random(self) -> float:
        return secrets.randbelow(2**53) / 2**53


class NoFailpoints:
    """The product's default: nothing happens."""

    def hit(self, name: str) -> None:
        """Do nothing."""


class KillAt:
    """Ends this process, as `kill -9` does, at the n-th failpoint whose name contains `word`.

    Set by `ORCH_FAILPOINT=word@n` (`group:word@n` kills the whole process group); every name that
    was hit is appended to the file in `ORCH_FAILPOINT_LOG`, so that a test can enumerate them.
    """

    def __init__(self, word: str, count: int, log: Path | None, *, group: bool = False) -> None:
        self._word = word
        self._left = count
        self._log = log
        self._group = group
        self._lock = threading.Lock()

    def hit(self, name: str) -> None:
        with self._lock:
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(name + "\n")
            if self._left > 0 and self._word in name:
                self._left -= 1
                if self._left == 0:
                    self._kill()

    def _kill(self) -> None:
        if self._group:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # the signal is on its way; nothing may happen before it arrives


def failpoints_from(environ: Mapping[str, str]) -> Failpoints:
    """What `ORCH_FAILPOINT` and `ORCH_FAILPOINT_LOG` ask for; nothing by default."""
    wanted, log = environ.get("ORCH_FAILPOINT", ""), environ.get("ORCH_FAILPOINT_LOG", "")
    if not wanted and not log:
        return NoFailpoints()
    group = wanted.startswith("group:")
    word, _, count = wanted.removeprefix("group:").rpartition("@")
    if wanted and not count.isdigit():
        raise UsageError(f"ORCH_FAILPOINT={wanted} is not of the form word@n")
    return KillAt(word, int(count or 0), Path(log) if log else None, group=group)
