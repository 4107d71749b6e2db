"""Starting an attempt's program: fork, put everything in its place, exec.

Invariant: the program gets exactly the environment, the directory and the input it was promised,
default signals, a process group of its own, and dies with the wrapper. No shell takes part. When it
cannot be started, the reason comes back in words.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os

from orch.terminals.inside.tree import die_with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

CANNOT_RUN, NOT_FOUND = 126, 127
_UMASK = 0o022
# Python ignores the first two, and the wrapper what a terminal says to processes in the background.
IGNORED = (_signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGTTOU, _signal.SIGTTIN, _signal.SIGTSTP)


class NotStarted(Exception):
    """`code` is 127 for a missing program, else 126; the text is one sentence. `gone`: its terminal
    went away before it could begin."""

    def __init__(self, code: int, text: str, *, gone: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.gone = gone


def spawn(
    launch: dict[str, Any], directory: str, handled: Iterable[int]
) -> tuple[int, dict[str, int]]:
    """Start the program; gives its pid and the reading ends of its `stdout` and `stderr` (none when
    it owns the terminal). `handled` are the signals that this process has handlers for."""
    pipes = {} if launch["io"] == "tty" else {name: os.pipe() for name in ("stdout", "stderr")}
    report, reporter = os.pipe()
    me = os.getpid()
    # Until the child has its own dispositions, a signal to it must not wake us (one wake-up pipe).
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, handled)
    pid = os.fork()
    if pid == 0:
        writers = {name: pipe[1] for name, pipe in pipes.items()}
        _become(launch, directory, writers, reporter, me, (*handled, *IGNORED), before)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    os.close(reporter)
    for _, writer in pipes.values():
        os.close(writer)
    try:
        said = b"".join(iter(lambda: os.read(report, 4096), b""))
    finally:
        os.close(report)
    if said:
        os.waitpid(pid, 0)
        number, _, what = said.decode("utf-8", "replace").partition(" ")
        code = NOT_FOUND if what == "program" and int(number) in _ABSENT else CANNOT_RUN
        gone = what == "terminal" and int(number) in _HUNG_UP
        raise NotStarted(code, _sentence(what, launch, os.strerror(int(number))), gone=gone)
    return pid, {name: pipe[0] for name, pipe in pipes.items()}


_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_HUNG_UP = (errno.ENOTTY, errno.EIO, errno.ENXIO)
"""What a terminal says whose other end was killed."""


def _sentence(what: str, launch: dict[str, Any], reason: str) -> str:
    if what == "cwd":
        return f"cannot enter {launch['cwd']}: {reason}"
    if what == "program":
        return f"cannot run {launch['argv'][0]}: {reason}"
    return f"cannot set up the program's {what}: {reason}"


def _become(
    launch: dict[str, Any],
    directory: str,
    writers: dict[str, int],
    reporter: int,
    parent: int,
    defaults: Iterable[int],
    mask: Iterable[int],
) -> NoReturn:
    """In the child: become the program, or report `errno what` and go."""
    what = "signals"
    try:
        die_with(parent)
        _signal.set_wakeup_fd(-1)
        for number in defaults:
            _signal.signal(number, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        if writers:
            what = "input"
            os.setsid()
            os.dup2(os.open(f"{directory}/prompt", os.O_RDONLY), 0)
            what = "output"
            os.dup2(writers["stdout"], 1)
            os.dup2(writers["stderr"], 2)
        else:
            what = "terminal"
            _take_terminal()
        os.umask(_UMASK)
        what = "cwd"
        os.chdir(launch["cwd"])
        what = "program"
        _exec(launch["argv"], launch["env"])
    except OSError as error:
        os.write(reporter, f"{error.errno or errno.EIO} {what}".encode())
    except ValueError:
        os.write(reporter, f"{errno.EINVAL} {what}".encode())
    finally:
        os._exit(CANNOT_RUN)


def _take_terminal() -> None:
    """A group of its own in the foreground of the pane: Ctrl-C there reaches the program alone."""
    os.setpgid(0, 0)
    _signal.signal(_signal.SIGTTOU, _signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpid())
    _signal.signal(_signal.SIGTTOU, _signal.SIG_DFL)


def _exec(argv: list[str], env: dict[str, str]) -> NoReturn:
    """execvp with the program's own PATH, in bytes so that no locale has a say."""
    words = [_bytes(word) for word in argv]
    whole = {_bytes(name): _bytes(value) for name, value in env.items()}
    name, reason = words[0], OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    folders = whole.get(b"PATH", os.defpath.encode()).split(b":")
    for path in [name] if b"/" in name else [(folder or b".") + b"/" + name for folder in folders]:
        try:
            os.execve(path, words, whole)
        except OSError as error:
            if error.errno not in (*_ABSENT, errno.EACCES):
                raise
            if reason.errno != errno.EACCES:  # what is there and may not be run says more
                reason = error
    raise reason


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
