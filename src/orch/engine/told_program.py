"""A person's own program that is told something: data on its standard input, a time limit, an end.

Invariant: no shell and no argument that is not the person's own; however it behaves it is over within
its time, with its process group; of what it writes only the end is held.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

import msgspec

KEPT = 2048
"""Bytes of its output that are kept."""
_SLICE_S = 0.2
"""Its output may be held open by a child: how often its end is looked for besides."""


class Ending(msgspec.Struct, frozen=True):
    """`failure` is one sentence, empty when it ended well."""

    failure: str
    output: str = ""


def tell(
    argv: Sequence[str], data: bytes, *, environ: Mapping[str, str], cwd: str, timeout_s: float
) -> Ending:
    """Run it to its end. Blocks, `timeout_s` at most."""
    deadline = time.monotonic() + timeout_s
    with tempfile.TemporaryFile() as given:
        given.write(data)
        given.seek(0)
        try:
            process = subprocess.Popen(
                list(argv), stdin=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=dict(environ), cwd=cwd, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            return Ending(f"{argv[0]} cannot be started: {said}")
    try:
        kept = _read(process, deadline)
        in_time = process.poll() is not None
    finally:
        _end(process)
    output = kept.decode("utf-8", "replace")
    if not in_time:
        return Ending(f"it was not over after {timeout_s:g} s and was killed", output)
    if process.returncode:
        return Ending(f"it ended with exit code {process.returncode}", output)
    return Ending("", output)


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The end of its output, until it is over or its time is."""
    assert process.stdout is not None
    pipe, kept, is_open = process.stdout.fileno(), b"", True
    os.set_blocking(pipe, False)
    while (left := deadline - time.monotonic()) > 0:
        is_over = process.poll() is not None
        ready = is_open and select.select([pipe], [], [], 0 if is_over else min(left, _SLICE_S))[0]
        chunk = os.read(pipe, 65_536) if ready else b""
        kept = (kept + chunk)[-KEPT:]
        if is_over and not chunk:
            break
        if ready and not chunk:
            is_open = False
        if not is_open and not is_over:
            _wait(process, min(left, _SLICE_S))
    return kept


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """What it left in its group ends with it. Where it is over the group may be gone."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()  # harmless when it was waited for
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
