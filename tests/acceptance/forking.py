"""Commands of Orch as processes that begin where Python has already started and imported it.

Each command is a process of its own, with its own session, directory, environment and standard
streams, and it ends as `python -m orch` does; only the start of the interpreter and the imports (four
fifths of what most commands cost) are shared. What depends on how the interpreter itself starts is
not for here: `fits` says which.

Run as a program this module is the process that all others come from.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import random
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

_HEAD = struct.Struct("!I")
_STATUS = struct.Struct("!i")
ROOT = Path(__file__).resolve().parents[2]


def fits(environ: Mapping[str, str]) -> bool:
    """Nothing in the environment that only the interpreter itself reads, when it starts."""
    told = {name for name in environ if name.startswith(("PYTHON", "LC_", "MALLOC"))}
    return told == {"PYTHONWARNINGS"} and environ["PYTHONWARNINGS"] == "error"


class Origin:
    """The process that this test process's commands come from; started when it is first needed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="f", ignore_cleanup_errors=True)
        self._path = str(Path(self._folder.name) / "s")
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], given: bytes,
        timeout: float,
    ) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
        """Like `subprocess.run([sys.executable, "-m", "orch", *words], …)`: it waits until the
        command has ended and nobody holds its output any more."""
        argv = [sys.executable, "-m", "orch", *words]
        kept: list[list[bytes]] = [[], []]
        with contextlib.ExitStack() as ends:
            pipes = [os.pipe() for _ in range(3)]
            mine = [os.fdopen(pipes[0][1], "wb"), os.fdopen(pipes[1][0], "rb"),
                    os.fdopen(pipes[2][0], "rb")]  # fmt: skip
            for end in mine:
                ends.callback(_closed, end)
            theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
            channel = ends.enter_context(self._asked(words, cwd, env, theirs))
            helpers = [
                threading.Thread(target=_give, args=(mine[0], given), daemon=True),
                threading.Thread(target=_keep, args=(mine[1], kept[0]), daemon=True),
                threading.Thread(target=_keep, args=(mine[2], kept[1]), daemon=True),
            ]
            for helper in helpers:
                helper.start()
            channel.settimeout(timeout)
            pid = 0
            try:
                pid = _STATUS.unpack(_exactly(channel, _STATUS.size))[0]
                status = _STATUS.unpack(_exactly(channel, _STATUS.size))[0]
                for helper in helpers[1:]:
                    helper.join(timeout)
                    if helper.is_alive():
                        raise TimeoutError
            except TimeoutError as error:
                if pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(argv, timeout) from error
        return subprocess.CompletedProcess(argv, status, b"".join(kept[0]), b"".join(kept[1]))

    def start(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Started:
        """Like `subprocess.Popen([sys.executable, "-m", "orch", *words], …)` with nothing to read,
        pipes for what it prints, and a session of its own."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        out, err = os.pipe(), os.pipe()
        channel = self._asked(words, cwd, env, [nothing, out[1], err[1]])
        pid = _STATUS.unpack(_exactly(channel, _STATUS.size))[0]
        argv = [sys.executable, "-m", "orch", *words]
        return Started(argv, pid, channel, os.fdopen(out[0]), os.fdopen(err[0]))

    def _asked(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], streams: list[int]
    ) -> socket.socket:
        """Where a new command's number and then its exit code come from; `streams` are its own."""
        self._start()
        told = json.dumps([list(words), str(cwd), dict(env)]).encode("utf-8", "surrogateescape")
        channel = socket.socket(socket.AF_UNIX)
        channel.connect(self._path)
        socket.send_fds(channel, [_HEAD.pack(len(told))], streams)
        for number in streams:
            os.close(number)
        channel.sendall(told)
        return channel

    def _start(self) -> None:
        with self._lock:
            if self._process is not None:
                return
            # It ends when this process does: then its standard input is at its end. Its streams are
            # pipes, as those of the commands are: Python looks at that when it starts.
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", __file__, self._path], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
            )  # fmt: skip
            deadline = time.monotonic() + 60
            while not os.path.exists(self._path):
                assert self._process.poll() is None, "the origin of commands ended"
                assert time.monotonic() < deadline, "the origin of commands did not come up"
                time.sleep(0.02)


class Started:
    """A command that goes on; what `subprocess.Popen` calls these things."""

    stdin = None

    def __init__(
        self, args: list[str], pid: int, channel: socket.socket, stdout: TextIO, stderr: TextIO
    ) -> None:
        self.args, self.pid, self.stdout, self.stderr = args, pid, stdout, stderr
        self.returncode: int | None = None
        self._channel = channel
        self._kept: tuple[list[str], list[str]] = ([], [])
        self._readers: list[threading.Thread] = []

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as chosen:
                chosen.register(self._channel, selectors.EVENT_READ)
                if not chosen.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = _STATUS.unpack(_exactly(self._channel, _STATUS.size))[0]
            self._channel.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """May be called again after a timeout; nothing that was read is lost."""
        until = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            self._readers = [
                threading.Thread(target=_keep, args=(stream, kept), daemon=True)
                for stream, kept in zip((self.stdout, self.stderr), self._kept, strict=True)
            ]
            for reader in self._readers:
                reader.start()
        for reader in self._readers:
            reader.join(_left(until))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(_left(until))
        for stream in (self.stdout, self.stderr):
            stream.close()
        return "".join(self._kept[0]), "".join(self._kept[1])

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


@functools.cache
def origin() -> Origin:
    """The one of this test process."""
    return Origin()


def _closed(end: object) -> None:
    with contextlib.suppress(OSError):
        end.close()  # type: ignore[attr-defined]


def _give(end: object, given: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ValueError):
        end.write(given)  # type: ignore[attr-defined]
    _closed(end)


def _keep(end: object, kept: list[Any]) -> None:
    with contextlib.suppress(ValueError):
        kept.append(end.read())  # type: ignore[attr-defined]


def _exactly(channel: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = channel.recv(size - len(found))
        if not more:
            raise ConnectionError("the origin of commands has ended")
        found += more
    return found


# --- the origin itself ------------------------------------------------------------------


def _import_all() -> None:
    import orch

    for found in pkgutil.walk_packages(orch.__path__, "orch."):
        if not found.name.startswith(("orch.testing", "orch.terminals.inside", "orch.__main__")):
            importlib.import_module(found.name)


def _serve(path: str) -> tuple[list[str], str, dict[str, str]]:
    """Comes back in each process that is to be a command, with what it is to run."""
    listening = socket.socket(socket.AF_UNIX)
    wake_in, wake_out = os.pipe()
    os.set_blocking(wake_in, False)
    os.set_blocking(wake_out, False)
    signal.set_wakeup_fd(wake_out)
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    # The name says that somebody listens: whoever finds it connects at once.
    listening.bind(path + ".new")
    listening.listen(16)
    os.rename(path + ".new", path)
    running: dict[int, socket.socket] = {}
    ended: dict[socket.socket, int] = {}
    chosen = selectors.DefaultSelector()
    for source in (listening, wake_in, sys.stdin):
        chosen.register(source, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in chosen.select()}
        if sys.stdin in ready:
            os._exit(0)
        if wake_in in ready:
            os.read(wake_in, 4096)
            for channel, pid in _ended(running):
                ended[channel] = pid
                chosen.register(channel, selectors.EVENT_READ)
        for channel in ended.keys() & ready:  # whoever started it knows, and it may be forgotten
            chosen.unregister(channel)
            os.waitpid(ended.pop(channel), 0)
            channel.close()
        if listening not in ready:
            continue
        channel, _ = listening.accept()
        head, fds, _, _ = socket.recv_fds(channel, _HEAD.size, 3)
        told = _exactly(channel, _HEAD.unpack(head)[0])
        pid = os.fork()
        if pid == 0:
            os.setsid()
            channel.sendall(_STATUS.pack(os.getpid()))  # and from now on its group has a name
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, before)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the caller ignores
            chosen.close()  # nothing that Python keeps may close a number that is another file then
            for theirs in (listening, channel, *running.values(), *ended):
                theirs.detach()
            for number, fd in enumerate(fds):
                os.dup2(fd, number)
            os.closerange(3, 1024)
            words, cwd, env = json.loads(told)
            return words, cwd, env
        for fd in fds:
            os.close(fd)
        running[pid] = channel


def _ended(running: dict[int, socket.socket]) -> Iterator[tuple[socket.socket, int]]:
    """Takes out who has ended, and tells so. Their numbers stay their own, as it is with `Popen`,
    until that is read."""
    for pid in list(running):
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            channel = running.pop(pid)
            with contextlib.suppress(OSError):
                channel.sendall(_STATUS.pack(code))
            yield channel, pid


def main() -> None:
    _import_all()
    gc.collect()
    gc.freeze()
    words, cwd, env = _serve(sys.argv[1])
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    random.seed()
    import orch.__main__

    sys.argv = [orch.__main__.__file__, *words]
    sys.orig_argv = [sys.executable, "-m", "orch", *words]
    orch.__main__.main()
    sys.stdout.flush()  # `--version` alone comes back
    os._exit(0)


if __name__ == "__main__":
    main()
