"""Processes as the system tells them: identity, parents, descendants.

Invariant: a pid alone proves nothing (H90): a process is known by its pid, the time it started and
the boot it lives in; a zombie counts as gone. Linux answers from `/proc`, other systems from `ps`.
"""

from __future__ import annotations

import os
import sys

LINUX = sys.platform == "linux"
_SET_DEATH_SIGNAL = 1  # linux/prctl.h
_SET_CHILD_SUBREAPER = 36
_KILL = 9


def boot_id() -> str:
    """What tells this boot of the machine from every other one."""
    if LINUX:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().strip().decode()
    return _output("sysctl", "-n", "kern.boottime").strip()


def start_time(pid: int) -> int:
    """When `pid` began: clock ticks since boot (elsewhere seconds since the epoch); 0 when there is
    no such process or only its zombie."""
    if not LINUX:
        return _start_time_by_ps(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def _start_time_by_ps(pid: int) -> int:
    import time

    state, _, text = _output("ps", "-o", "state=,lstart=", "-p", str(pid)).strip().partition(" ")
    if not text or state.startswith("Z"):
        return 0
    return int(time.mktime(time.strptime(text.strip(), "%a %b %d %H:%M:%S %Y")))


def living() -> list[tuple[int, int, int]]:
    """(pid, parent, process group) of every process that is no zombie."""
    if not LINUX:
        rows = [
            line.split() for line in _output("ps", "-axo", "pid=,ppid=,pgid=,stat=").split("\n")
        ]
        return [
            (int(row[0]), int(row[1]), int(row[2]))
            for row in rows
            if len(row) == 4 and not row[3].startswith("Z")
        ]
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue  # it ended between the listing and the look
        if fields[0] not in (b"Z", b"X"):
            found.append((int(entry), int(fields[1]), int(fields[2])))
    return found


def below(roots: set[int], *, groups: frozenset[int] = frozenset()) -> list[int]:
    """The living descendants of `roots`, and the members of `groups` with theirs; never `roots`.

    Parents come before their children: a shell that is told to end after its child was would go on
    with its next command in between."""
    children: dict[int, list[int]] = {}
    queue = list(roots)
    for pid, parent, group in living():
        children.setdefault(parent, []).append(pid)
        if group in groups and pid not in roots:
            queue.append(pid)
    seen = set(queue)
    for pid in queue:  # it grows while we walk it
        for child in children.get(pid, ()):
            if child not in seen:
                seen.add(child)
                queue.append(child)
    return queue[len(roots) :]


def own_children() -> set[int]:
    """The children of this process, its zombies too, in a fraction of the time that a look at all
    processes takes; empty where the system does not tell (all but Linux)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return {int(pid) for pid in file.read().split()}
    except OSError:
        return set()


def adopt_orphans() -> bool:
    """Make daemonised descendants come back to this process instead of escaping to init, so that
    "no child left" means "nothing left". False where the system cannot (all but Linux)."""
    return LINUX and _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Between fork and exec: be killed when `parent` is, even by `kill -9`."""
    if LINUX and _prctl(_SET_DEATH_SIGNAL, _KILL) and os.getppid() != parent:
        os._exit(128 + _KILL)  # it died before we could ask


def _prctl(option: int, value: int) -> bool:
    """`ctypes` itself would take 2.5 ms to import, its C half takes 0.3."""
    try:
        from _ctypes import call_function, dlopen, dlsym
    except ImportError:
        return False
    try:
        address = dlsym(dlopen(None, 0), "prctl")  # type: ignore[arg-type]
    except OSError:
        return False
    return bool(call_function(address, (option, value, 0, 0, 0)) == 0)


def _output(*argv: str) -> str:
    import subprocess

    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
