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
from typing import NamedTuple

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


class ReportWaits(NamedTuple):
    """Seconds that `orch.engine.reporter` waits: `grace_s` until a tracker's lists surely show what
    was written (longer than a request may take), `sweep_s` after the last words on a task until they
    are counted, `settle_s` for a state to last (what passes at once is no news to anybody)."""

    grace_s: float = 20.0
    sweep_s: float = 60.0
    settle_s: float = 1.0


FOR_PEOPLE = ReportWaits()


def report_waits_from(environ: Mapping[str, str]) -> ReportWaits:
    """What `ORCH_REPORT_WAITS=GRACE:SWEEP:SETTLE` asks for, so that a test need not wait for minutes;
    what holds for people by default."""
    wanted = environ.get("ORCH_REPORT_WAITS", "")
    if not wanted:
        return FOR_PEOPLE
    try:
        waits = ReportWaits(*(float(part) for part in wanted.split(":")))
    except (TypeError, ValueError) as error:
        told = f"ORCH_REPORT_WAITS={wanted} is not of the form GRACE:SWEEP:SETTLE (seconds)"
        raise UsageError(told) from error
    return waits
