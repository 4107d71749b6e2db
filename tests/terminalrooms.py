"""Real tmux for tests: an own server on a short socket, and nothing left of it afterwards.

`Room` starts programs the way the engine does; its `close` kills the server by its pid and fails the
test when a process that the test started is still alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from orch.model.attempt import ExitRecord, Launch
from orch.model.errors import OrchError
from orch.terminals.tmux import Tmux

PYTHON = (sys.executable, "-I", "-S")
MARK = "ORCH_TEST_ROOM"


class Room:
    """A home with terminals. `inner` is a path below it, for odd names."""

    def __init__(self, inner: str = "", *, path: str = "", grace_s: float = 0.4) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="orch-t-", dir="/tmp"))
        self.home = self.top / inner if inner else self.top
        self.home.mkdir(parents=True, exist_ok=True)
        self.path = path or os.environ["PATH"]
        self.terminals = Tmux(self.home / "run", path=self.path, grace_s=grace_s)
        self._begun: dict[str, str] = {}
        self._servers: set[int] = set()

    def directory(self, attempt: str) -> str:
        return str(self.home / "attempts" / attempt)

    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), MARK: str(self.top)}

    def start(
        self, attempt: str, *argv: str, name: str = "", env: dict[str, str] | None = None,
        cwd: str = "/", **fields: Any,
    ) -> str:  # fmt: skip
        """Start `argv`; gives the attempt's directory."""
        launch = Launch(argv=argv, cwd=cwd, env=self.environ() | (env or {}), **fields)
        directory = self.directory(attempt)
        self._begun[attempt] = name or f"orch-{attempt}"
        self.terminals.start(self._begun[attempt], directory, attempt, launch)
        with contextlib.suppress(AssertionError):
            self.note_server()
        return directory

    def python(self, attempt: str, code: str, *words: str, **fields: Any) -> str:
        """Start a Python program given as text."""
        return self.start(attempt, *PYTHON, "-c", code, *words, **fields)

    def ended(self, attempt: str, seconds: float = 30.0) -> ExitRecord | None:
        """Wait for the end; the exit record if there is one."""

        async def wait() -> None:
            await asyncio.wait_for(
                self.terminals.ended(f"orch-{attempt}", self.directory(attempt)), seconds
            )

        asyncio.run(wait())
        return self.terminals.exit_record(self.directory(attempt))

    def record(self, attempt: str) -> ExitRecord:
        record = self.ended(attempt)
        assert record is not None
        return record

    def probe(self, attempt: str) -> str:
        return self.terminals.probe(f"orch-{attempt}", self.directory(attempt))

    def stop(self, attempt: str, grace_s: float = 1.0) -> None:
        self.terminals.stop(f"orch-{attempt}", self.directory(attempt), grace_s=grace_s)

    def text(self, attempt: str, stream: str = "stdout") -> str:
        return self.terminals.output(self.directory(attempt), stream).decode()

    def tmux(self, *words: str) -> str:
        """What a person would type."""
        done = subprocess.run(
            ["tmux", "-S", str(self.socket()), *words],
            capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def socket(self) -> Path:
        from orch.terminals.server import socket_path

        return socket_path(self.home / "run")

    def server(self) -> int:
        """The pid of the tmux server."""
        return int(self.tmux("display-message", "-p", "#{pid}"))

    def note_server(self) -> int:
        """Its pid, so that `close` finds it even when it does not answer."""
        pid = self.server()
        self._servers.add(pid)
        return pid

    def wrapper(self, attempt: str) -> int:
        """The pid of the wrapper, once it is up."""
        import json

        path = Path(self.directory(attempt), "started")
        return int(json.loads(until(lambda: path.exists() and path.read_text()))["pid"])

    def processes(self) -> dict[int, str]:
        """Whoever belongs to this room and lives: marked in the environment, or naming the room."""
        found = {}
        for pid, environ, words in every_process():
            marked = f"{MARK}={self.top}".encode() in environ.split(b"\0")
            if pid != os.getpid() and (marked or os.fsencode(self.top) in words):
                found[pid] = words.replace(b"\0", b" ").decode(errors="replace")
        return found

    def _attempts(self) -> list[str]:
        folder = self.home / "attempts"
        return sorted(os.listdir(folder)) if folder.is_dir() else []

    def close(self) -> None:
        for server in self._servers:
            wake(server)
        for attempt in self._attempts():
            name = self._begun.get(attempt, f"orch-{attempt}")
            with contextlib.suppress(OrchError):
                self.terminals.stop(name, self.directory(attempt), grace_s=0.0)
        left = settled(self.processes)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.socket().unlink(missing_ok=True)
        shutil.rmtree(self.top)
        assert not left, f"left over: {left}"


@contextlib.contextmanager
def room(inner: str = "", **fields: Any) -> Iterator[Room]:
    made = Room(inner, **fields)
    try:
        yield made
    finally:
        made.close()


def every_process() -> Iterator[tuple[int, bytes, bytes]]:
    """(pid, environment, command line) of every process that lives."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            state = Path("/proc", entry, "stat").read_bytes().rpartition(b")")[2].split()[0]
            environ = Path("/proc", entry, "environ").read_bytes()
            words = Path("/proc", entry, "cmdline").read_bytes()
        except OSError:
            continue
        if state not in (b"Z", b"X"):
            yield int(entry), environ, words


def until(ready: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Look until there is something, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)
    return found


def settled(left: Callable[[], dict[int, str]], seconds: float = 5.0) -> dict[int, str]:
    """What stays: the tmux server leaves a moment after its last terminal."""
    deadline = time.monotonic() + seconds
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)


def wake(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def lines(path: Path) -> Sequence[str]:
    return path.read_text().splitlines() if path.exists() else []
