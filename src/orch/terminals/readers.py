"""Who reads a terminal, and what of it can be seen from outside.

Invariant: looks only. What the system does not tell is `untold` or None, never a guess: Linux tells
from `/proc` in what a process waits and how many bytes it has read; elsewhere neither is told.
"""

from __future__ import annotations

import os
import subprocess
from typing import Literal

from orch.terminals.inside.tree import LINUX, living, start_time

Waits = Literal["reads", "polls", "works", "untold"]
_READING = ("wait_woken", "n_tty_read")  # what `wchan` says of a read(2) from a terminal
_POLLING = (
    "poll_schedule", "do_poll", "do_sys_poll", "do_select", "core_sys_select", "ep_poll",
    "do_epoll", "io_cqring_wait",
)  # fmt: skip
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "ash", "tcsh", "csh"})
_GROUP, _DEVICE, _FOREGROUND = 2, 4, 5  # fields of /proc/PID/stat behind the name


def foreground(leader: int) -> int:
    """The process group that may read the terminal whose session `leader` leads; 0 for none."""
    if not LINUX:
        said = _ps("tpgid=", leader)
        return max(0, int(said)) if said.lstrip("-").isdigit() else 0
    fields = _stat(leader)
    return max(0, int(fields[_FOREGROUND])) if fields else 0


def sits_at(leader: int, device: int) -> bool:
    """Whether `leader`'s terminal is `device` (of `os.stat`): its name may be another's by now."""
    if not LINUX:
        return True
    fields = _stat(leader)
    number = int(fields[_DEVICE]) if fields else 0
    minor = (number & 0xFF) | ((number >> 12) & 0xFFF00)
    return (number >> 8 & 0xFFF, minor) == (os.major(device), os.minor(device))


def _stat(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    return [pid for pid, _, its in living() if its == group]


def waits(pids: list[int], terminal: str) -> Waits:
    """`reads` when one of them sits in a read from `terminal`, `polls` when one waits until some
    input is there (a terminal's, a network's, a child's), `works` when none does either."""
    if not LINUX:
        return "untold"
    found = {_waits(pid, thread, terminal) for pid in pids for thread in _threads(pid)}
    states: tuple[Waits, ...] = ("reads", "polls", "untold")
    return next((state for state in states if state in found), "works")


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _waits(pid: int, thread: str, terminal: str) -> Waits:
    try:
        with open(f"/proc/{pid}/task/{thread}/wchan", encoding="ascii") as file:
            where = file.read()
    except OSError:
        return "untold"  # another user's, or gone
    if where.startswith(_POLLING):
        return "polls"
    if where in ("", "0"):
        return "works" if _runs(pid, thread) else "untold"
    if not where.startswith(_READING):
        return "works"
    try:
        with open(f"/proc/{pid}/task/{thread}/syscall", encoding="ascii") as file:
            words = file.read().split()
        source = os.readlink(f"/proc/{pid}/fd/{int(words[1], 16)}")
    except (OSError, IndexError, ValueError):
        return "polls"  # a terminal or a socket: the system tells its owner only, or nobody
    return "reads" if source in (terminal, "/dev/tty") else "works"


def _runs(pid: int, thread: str) -> bool:
    fields = _stat(pid) if thread == str(pid) else []
    return not fields or fields[0] != b"S"


def is_shell(pid: int) -> bool:
    """Whether this is a shell that takes commands: one without a script and without `-c`."""
    if LINUX:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = os.fsdecode(file.read()).split("\0")[:-1]
        except OSError:
            return False
    else:
        words = _ps("args=", pid).split()
    if not words or words[0].rpartition("/")[2].lstrip("-") not in _SHELLS:
        return False
    options = words[1:]
    return all(word[:1] in "-+" and (word[:2] == "--" or "c" not in word) for word in options)


class Meter:
    """How many bytes `pids` have read since it was made, from anywhere; what is said of a process
    that has ended is what was last seen."""

    def __init__(self, pids: list[int]) -> None:
        self._began = {pid: start_time(pid) for pid in pids}
        first = {pid: _bytes_read(pid) for pid in pids}
        self._first = {pid: count for pid, count in first.items() if count is not None}
        self._last = dict(self._first)
        self.blind = False
        """Whether one of them has ended: it may have read more than was seen."""

    def read(self) -> int | None:
        """None where the system does not tell."""
        if not self._first or len(self._first) < len(self._began):
            return None
        for pid, began in self._began.items():
            count = _bytes_read(pid)
            if count is not None and start_time(pid) == began:
                self._last[pid] = count
            else:
                self.blind = True
        return sum(self._last[pid] - first for pid, first in self._first.items())


def _bytes_read(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/io", "rb") as file:
            return int(file.readline().split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _ps(column: str, pid: int) -> str:
    done = subprocess.run(
        ["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
