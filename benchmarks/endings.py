"""The ends of programs: how soon those who wait are told, and what a program of nothing takes."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orch.model.attempt import ExitRecord, Launch
from orch.terminals.tmux import Tmux

WAITERS = 200
EMPTY = 15


def rows(folder: Path, row: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    home = folder / "endings"
    home.mkdir(parents=True)
    terminals = Tmux(home / "run", path=os.environ["PATH"], grace_s=0.4)
    empty = statistics.median(_empty(terminals, home, number) for number in range(EMPTY))
    return [
        row(f"{WAITERS} who wait are told of an end, the last of them against 50 ms",
            _told_last(terminals, home) * 1000, 50.0, "ms", most=1),
        row("a program of nothing, from the call to its told end, against 60 ms",
            empty * 1000, 60.0, "ms", most=1),
    ]  # fmt: skip


def _told_last(terminals: Tmux, home: Path) -> float:
    """Seconds from a program's end until the last of all that wait for it knows its record."""
    gate = home / "go"
    os.mkfifo(gate)
    directory = _start(terminals, home, "waited", "sh", "-c", f"read line < '{gate}'")
    late: list[float] = []

    async def wait() -> None:
        await terminals.ended("orch-waited", directory)
        late.append(time.time() - _record(terminals, directory).ended_at)

    async def scenario() -> None:
        waits = [asyncio.ensure_future(wait()) for _ in range(WAITERS)]
        await asyncio.sleep(0.5)
        os.close(os.open(gate, os.O_WRONLY))  # waits for the reader
        await asyncio.gather(*waits)

    asyncio.run(scenario())
    return max(late)


def _empty(terminals: Tmux, home: Path, number: int) -> float:
    """Seconds that `true` takes, from the call to the told end, with a tmux server of its own."""
    began = time.perf_counter()
    directory = _start(terminals, home, f"empty{number}", "true")
    asyncio.run(terminals.ended(f"orch-empty{number}", directory))
    taken = time.perf_counter() - began
    assert _record(terminals, directory).exit_code == 0
    return taken


def _start(terminals: Tmux, home: Path, attempt: str, *argv: str) -> str:
    directory = str(home / "attempts" / attempt)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    terminals.start(f"orch-{attempt}", directory, attempt, Launch(argv=argv, cwd="/", env=environ))
    return directory


def _record(terminals: Tmux, directory: str) -> ExitRecord:
    record = terminals.exit_record(directory)
    assert record is not None
    return record
