"""Terminals on the real tmux: an own server, an own socket, no configuration of anybody's.

Invariant: one tmux call makes a session with its program; names are `[a-z0-9-]`, targets are exact
(`=name:`), nothing that came from outside is ever part of a tmux command but through argv of the
wrapper, whose only argument is the attempt's directory. The server starts from an empty environment
and outlives us.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orch.model.attempt import ExitRecord, Launch
from orch.model.errors import ToolFailed
from orch.terminals import files, process, watch

NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,39}$")
SOCKET_LIMIT = 104
WRAPPER = Path(__file__).with_name("wrapper.py")
PATIENCE_S = 10.0
RETRIES = 5
OPTIONS = (
    ("-s", "set-clipboard", "off"),
    ("-s", "exit-empty", "on"),
    ("-g", "default-terminal", "screen-256color"),
    ("-g", "remain-on-exit", "off"),
    ("-g", "destroy-unattached", "off"),
    ("-g", "history-limit", "5000"),
    ("-g", "status-left", "#{session_name} "),
    ("-g", "status-left-length", "42"),
)


def socket_path(run_dir: Path) -> Path:
    """The server's socket in `run_dir`, or, where that is too long for a socket's name, in a hashed
    0700 directory of ours under the system's temporary one."""
    path = run_dir / "tmux.sock"
    if len(os.fsencode(path)) <= SOCKET_LIMIT - 4:
        return path
    digest = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"orch-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    known = folder.lstat()
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.getuid() or known.st_mode & 0o077:
        raise ToolFailed(
            f"{folder} is not a private directory of ours", code="socket_unsafe", hint="orch doctor"
        )
    return folder / "tmux.sock"


class Tmux:
    """See `orch.ports.Terminals`. `run_dir` holds the socket; `path` is where tmux is looked for."""

    def __init__(self, run_dir: Path, *, path: str, python: str = sys.executable) -> None:
        self._run_dir = run_dir
        self._python = python
        self._path = path
        self._environ = {"PATH": path, "TERM": "screen-256color", "LANG": "C.UTF-8"}

    # --- asking tmux

    def _tmux(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = ["tmux", "-u", "-S", str(socket_path(self._run_dir)), "-f", "/dev/null", *words]
        try:
            return subprocess.run(
                argv,
                env=self._environ,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE_S,
                check=False,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolFailed(
                "tmux is not installed", code="tmux_missing",
                hint="apt install tmux (or: brew install tmux), then: orch doctor",
            ) from error  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(
                f"tmux did not answer within {PATIENCE_S:.0f} s", code="tmux_silent",
                hint="orch doctor",
            ) from error  # fmt: skip

    def version(self) -> tuple[int, ...]:
        done = self._tmux("-V")
        found = re.search(r"(\d+)\.(\d+)", done.stdout)
        return tuple(int(part) for part in found.groups()) if found else (0, 0)

    def names(self) -> Sequence[str]:
        done = self._tmux("list-sessions", "-F", "#{session_name}")
        if done.returncode != 0:
            if _server_gone(done):
                return []
            said = done.stderr.strip()
            raise ToolFailed(f"tmux failed: {said:.300}", code="tmux_failed", hint="orch doctor")
        return [name for name in done.stdout.splitlines() if NAME.match(name)]

    # --- start

    def start(self, name: str, directory: str, attempt: str, launch: Launch) -> None:
        _checked(name)
        folder = Path(directory)
        if files.started(folder) is not None:
            return
        files.prepare(folder, attempt, launch)
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        words: list[str] = ["start-server"]
        for scope, option, value in OPTIONS:
            words += [";", "set-option", scope, option, value]
        words += [
            ";", "new-session", "-d", "-s", name, "-x", "200", "-y", "50", "-c", "/",
            "-e", f"ORCH_KEY={attempt}", "--",
            self._python, "-I", "-S", str(WRAPPER), directory,
        ]  # fmt: skip
        if launch.io == "tty":
            words += [";", "pipe-pane", "-t", f"={name}:", _pane_log(folder)]
        done = self._tmux(*words)
        for _ in range(RETRIES):
            # The last session's end takes the server with it; the next call starts a new one.
            if done.returncode == 0 or not _server_gone(done) or files.started(folder):
                break
            done = self._tmux(*words)
        if done.returncode != 0 and "duplicate session" not in done.stderr:
            raise ToolFailed(
                f"tmux could not start the terminal {name}: {done.stderr.strip():.300}",
                code="tmux_failed",
                hint="orch doctor",
            )

    # --- look

    def probe(self, name: str, directory: str) -> str:
        _checked(name)
        folder = Path(directory)
        if (folder / "exit.json").exists():
            return "ended"
        owner = files.started(folder)
        if owner is not None and process.alive(owner):
            return "alive"
        try:
            done = self._tmux("has-session", "-t", f"={name}:")
        except ToolFailed as error:
            if error.code == "tmux_missing":
                raise
            return "unknown"
        if (folder / "exit.json").exists():
            return "ended"  # it ended while we looked (H23)
        session = done.returncode == 0
        owner = files.started(folder)
        if owner is None:
            return "alive" if session else "absent"
        if not owner.pid:  # its wrapper is writing the mark, or died doing so
            return "alive" if session else "lost"
        return "alive" if process.alive(owner) else "lost"

    async def ended(self, name: str, directory: str) -> None:
        folder = Path(directory)
        while not (folder / "exit.json").exists():
            owner = files.started(folder)
            if owner is not None and owner.pid:
                await watch.gone(owner.pid, owner.started)
                return
            if not await self._comes_up(name, folder):
                return  # the terminal went away before its wrapper began

    async def _comes_up(self, name: str, folder: Path) -> bool:
        """The wrapper needs some 20 ms to come up: follow the pane's process until it has."""
        listed = await asyncio.to_thread(
            self._tmux, "list-panes", "-t", f"={name}:", "-F", "#{pane_pid}"
        )
        pid = listed.stdout.strip()
        if listed.returncode != 0 or not pid.isdigit():
            return (folder / "exit.json").exists() or _mark(folder)
        while not _mark(folder):
            if not process.start_time(int(pid)):
                return _mark(folder)
            await asyncio.sleep(0.005)
        return True

    def exit_record(self, directory: str) -> ExitRecord | None:
        return files.exit_record(Path(directory))

    def output(self, directory: str, stream: str, *, tail_bytes: int = 0) -> bytes:
        return files.tail(Path(directory), stream, tail_bytes)

    # --- end

    def stop(self, name: str, directory: str, *, grace_s: float) -> None:
        _checked(name)
        folder = Path(directory)
        attempt = name.removeprefix("orch-")
        owner = files.started(folder)
        left: set[int] = set()
        if owner is not None and process.alive(owner):
            tree = process.children(owner.pid)
            # The wrapper ends its tree by itself and writes how that went; what is left is ended.
            process.end({owner.pid}, max(grace_s, 1.0) + 3.0)
            left = process.end(tree, 0.0)
        left |= process.end(process.with_variable("ORCH_ATTEMPT", attempt), grace_s)
        self._tmux("kill-session", "-t", f"={name}:")
        if left:
            raise ToolFailed(
                f"processes of attempt {attempt} do not end: {sorted(left)}",
                code="cannot_stop",
                hint=f"kill -9 {' '.join(str(pid) for pid in sorted(left))}",
            )
        if owner is not None:
            files.put_exit(
                folder, ExitRecord(attempt=attempt, exit_code=137, signal=9, stopped=True)
            )


def _mark(folder: Path) -> bool:
    """Whether the wrapper has said who it is."""
    owner = files.started(folder)
    return owner is not None and owner.pid != 0


def _pane_log(folder: Path) -> str:
    """The shell command of `pipe-pane`: the path is quoted for the shell, for tmux formats (`#`)
    and for strftime (`%`), both of which tmux expands first."""
    quoted = shlex.quote(str(folder / "pane"))
    return "exec cat >> " + quoted.replace("#", "##").replace("%", "%%")


def _checked(name: str) -> None:
    if not NAME.match(name):
        raise ToolFailed(f"{name!r} cannot name a terminal", code="bad_name")


def _server_gone(done: subprocess.CompletedProcess[str]) -> bool:
    """No server, or one that was just going away."""
    words = ("no server running", "error connecting", "no sessions", "lost server", "server exited")
    return any(word in done.stderr for word in words)
