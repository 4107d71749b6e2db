"""Processes from outside a terminal: who is alive, who belongs to an attempt, how they are ended.

Invariant: a pid alone proves nothing (H90): nobody is taken for alive, or sent a signal, who is not
the very process that was meant. An attempt's processes are known by their ancestors and by a word of
their environment, so that they are found when tmux and the wrapper are dead.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable

from orch.model.run import Owner
from orch.terminals.inside import tree
from orch.terminals.inside.tree import boot_id, start_time

_KILL_ROUND_S = 0.2
_GIVE_UP_S = 5.0


def this_process() -> Owner:
    """The identity of the running process."""
    return identity(os.getpid())


def identity(pid: int) -> Owner:
    """Whoever has this pid now; `started` is 0 when nobody has."""
    return Owner(pid, start_time(pid), boot_id())


def alive(owner: Owner) -> bool:
    """Whether that very process still lives."""
    return owner.started == start_time(owner.pid) != 0 and owner.boot == boot_id()


def below(root: int) -> dict[int, int]:
    """The living descendants of `root` (pid -> start time)."""
    return _timed(tree.below({root}))


def marked(mark: str) -> dict[int, int]:
    """Processes of this user whose environment holds exactly `mark` (pid -> start time)."""
    if not tree.LINUX:
        return _timed(_by_ps(f" {mark} "))
    wanted, found, me = os.fsencode(mark), set(), os.geteuid()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if os.fstat(file.fileno()).st_uid != me:
                    continue
                if wanted in file.read().split(b"\0"):
                    found.add(int(entry))
        except OSError:
            continue  # it ended, or is not ours to look into
    return _timed(found)


def _by_ps(wanted: str) -> set[int]:
    """macOS shows the environment of one's own processes, behind the command line."""
    import subprocess

    done = subprocess.run(
        ["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    rows = (line.strip().partition(" ") for line in done.stdout.splitlines())
    return {int(pid) for pid, _, words in rows if pid.isdigit() and wanted in f"{words} "}


def _timed(pids: Iterable[int]) -> dict[int, int]:
    known = {pid: start_time(pid) for pid in pids if pid != os.getpid()}
    return {pid: began for pid, began in known.items() if began}


def end(mark: str, known: dict[int, int], grace_s: float) -> set[int]:
    """TERM, and after `grace_s` seconds KILL, to `known` (pid -> start time), to whoever has `mark`
    (`NAME=value`), and to all their descendants, until none is left. Gives those that stay."""
    known = _grown(mark, known)
    _send(known, signal.SIGTERM)
    _send(known, signal.SIGCONT)
    wait(known, grace_s)
    deadline = time.monotonic() + _GIVE_UP_S
    while known := _grown(mark, known):
        if time.monotonic() > deadline:
            return set(known)
        _send(known, signal.SIGKILL)
        wait(known, _KILL_ROUND_S)
    return set()


def _grown(mark: str, known: dict[int, int]) -> dict[int, int]:
    """Those of `known` that live, and whoever belongs to them by now."""
    family = _living(known) | marked(mark)
    return family | _timed(tree.below(set(family))) if family else {}


def _living(known: dict[int, int]) -> dict[int, int]:
    return {pid: began for pid, began in known.items() if start_time(pid) == began}


def _send(known: dict[int, int], number: int) -> None:
    """The oldest first, as parents are: see `tree.below`."""
    for pid, _ in sorted(_living(known).items(), key=lambda one: one[1]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def terminate(owner: Owner) -> None:
    """TERM to that very process, which is woken if it was stopped."""
    if alive(owner):
        _send({owner.pid: owner.started}, signal.SIGTERM)
        _send({owner.pid: owner.started}, signal.SIGCONT)


def wait(known: dict[int, int], seconds: float) -> bool:
    """Wait until all of `known` (pid -> start time) have ended; False when the time is over first.
    The kernel tells where it can."""
    deadline = time.monotonic() + seconds
    for pid, began in known.items():
        with contextlib.ExitStack() as stack:
            told = _notice(pid, stack)
            while start_time(pid) == began:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if told is None:
                    time.sleep(min(left, 0.01))
                else:
                    told.poll(left * 1000 + 1)
    return True


def _notice(pid: int, stack: contextlib.ExitStack) -> select.poll | None:
    """Something to poll that becomes ready when `pid` ends; None where there is no such thing."""
    if not tree.LINUX:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    stack.callback(os.close, descriptor)
    told = select.poll()
    told.register(descriptor, select.POLLIN)
    return told
