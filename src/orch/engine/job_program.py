"""The programs of jobs, commands and pre-checks: run to their end, without a terminal.

Invariant: however a program ends, and whatever it writes, there is an answer within its time limit;
of what it wrote only the end is kept. At the limit its whole process group is killed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orch.model.job import OUTPUT_KEPT

_LOOK_S = 0.5
"""How often a program is looked at whose output stays open, maybe in a child that lives on."""
_KEPT_BYTES = 4 * OUTPUT_KEPT


@dataclass(frozen=True)
class Ended:
    """`exit_code` is None where there is none; `reason` then says why."""

    exit_code: int | None
    output: str = ""
    reason: str = ""


def run_program(
    argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], timeout_s: float
) -> Ended:
    """Blocks. Standard input is empty; both outputs are kept together."""
    deadline = time.monotonic() + timeout_s
    try:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        return Ended(None, reason=f"{argv[0]} cannot be started: {told}")
    with process:
        kept, in_time = _read(process, deadline)
        if not in_time:
            _kill(process)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    output = kept.decode("utf-8", "replace")[-OUTPUT_KEPT:]
    if not in_time:
        return Ended(None, output, f"it was not over after {timeout_s:g} s, and was killed")
    if process.returncode < 0:
        return Ended(None, output, f"it was killed by signal {-process.returncode}")
    return Ended(process.returncode, output)


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bool]:
    """The end of what it writes until it is over; False where the time is over first."""
    assert process.stdout is not None
    pipe, kept = process.stdout.fileno(), b""
    os.set_blocking(pipe, False)
    while True:
        is_over = process.poll() is not None
        left = deadline - time.monotonic()
        if left <= 0 and not is_over:
            return kept, False
        ready, _, _ = select.select([pipe], [], [], 0 if is_over else min(left, _LOOK_S))
        chunk = os.read(pipe, 65_536) if ready else b""
        kept = (kept + chunk)[-_KEPT_BYTES:]
        if is_over and (not chunk or left <= 0):
            return kept, True
        if ready and not chunk:  # it has closed its output; it may go on without
            return kept, _ended(process, deadline)


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended at this very moment
