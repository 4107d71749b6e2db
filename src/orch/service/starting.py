"""The service is started in the background, and asked to stop, from another process.

Invariant: `started` returns when the service answers on its socket, never before; `stopped` when its
process is gone. Neither takes a pid from a file, and neither ends a process by force.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orch.client import Client, connect
from orch.model.errors import Conflict, OrchError, ToolFailed, Unreachable
from orch.terminals.process import wait

START_S = 20.0
LOOK_S = 0.02
_LAST_BYTES = 4096
_TAKEN = " [service_running]"


def output_file(home: Path) -> Path:
    """What the service's process prints: normally nothing. Its log is another file, which turns."""
    return home / "log" / "service.out"


def started(
    home: Path, argv: Sequence[str], environ: Mapping[str, str], *, limit_s: float = START_S
) -> dict[str, Any]:
    """Start `argv` detached from this terminal and wait until it answers; what it says of itself.
    `Conflict(service_running)` when one answers already."""
    running = connect(home)
    if running is not None:
        with running:
            raise _runs_already(running)
    out = output_file(home)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        begin = file.tell()
        child = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=home,
            env=dict(environ), start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        about = _answer(home)
        if about is not None and about["pid"] == child.pid:
            child.returncode = 0  # it outlives this process: nobody here waits for its end
            return about
        try:
            child.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        raise _not_started(home, out, begin)
    child.returncode = 0
    raise ToolFailed(
        f"the service (process {child.pid}) does not answer after {limit_s:g} s; it was left alone",
        code="service_not_ready", hint="orch service status",
    )  # fmt: skip


def _answer(home: Path) -> dict[str, Any] | None:
    try:
        client = connect(home)
    except Unreachable:
        return None  # it is about to answer, or about to go
    if client is None:
        return None
    with client:
        return client.about


def _runs_already(client: Client) -> Conflict:
    return Conflict(
        f"the service runs already (process {client.about['pid']})", code="service_running",
        hint="orch service status",
    )  # fmt: skip


def _not_started(home: Path, out: Path, begin: int) -> OrchError:
    """Why it has ended again: another one was faster, or its own last words."""
    other = connect(home)
    if other is not None:
        with other:
            return _runs_already(other)
    with out.open("rb") as file:
        file.seek(max(begin, file.seek(0, os.SEEK_END) - _LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    said = (errors or lines or ["it said nothing"])[-1].removeprefix("error: ")
    if said.endswith(
        _TAKEN
    ):  # by a service that does not answer yet, or by a run in the foreground
        return Conflict(
            said.removesuffix(_TAKEN), code="service_running", hint="orch service status"
        )
    return ToolFailed(
        f"the service ended at once: {said}", code="service_not_started", hint="orch doctor"
    )


def stopped(client: Client, *, limit_s: float) -> dict[str, Any]:
    """Ask the service to end and wait until it has; what it said before it went."""
    said: dict[str, Any] = client.call("service.stop")
    about = client.about
    if not wait({int(about["pid"]): int(about["started"])}, limit_s):
        raise Unreachable(
            f"the service (process {about['pid']}) has not ended within {limit_s:g} s: it finishes"
            " what it has begun",
            code="service_slow", hint="orch service status",
        )  # fmt: skip
    return said
