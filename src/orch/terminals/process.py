"""Processes: who is who, who is alive, how a whole tree is ended.

Invariant: a pid alone proves nothing (H90): a process is known by pid, start time and boot. Linux
gives the whole guarantee (start times, environments, subreaper); macOS gets the best `ps` can say.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from orch.model.run import Owner

LINUX = sys.platform.startswith("linux")
_PROC = Path("/proc")


def boot_id() -> str:
    """What tells this boot of the machine from every other one."""
    if LINUX:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    done = subprocess.run(
        ["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def start_time(pid: int) -> int:
    """Clock ticks since boot at which `pid` began (macOS: seconds since the epoch), 0 if it is no
    process. A zombie counts as gone."""
    if not LINUX:
        return _ps_start_time(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return 0
    fields = stat.rpartition(b")")[2].split()
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def _ps_start_time(pid: int) -> int:
    done = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, text = done.stdout.strip().partition(" ")
    if not text or state.startswith("Z"):
        return 0
    return int(time.mktime(time.strptime(text.strip(), "%a %b %d %H:%M:%S %Y")))


def this_process() -> Owner:
    """The identity of the running process."""
    pid = os.getpid()
    return Owner(pid, start_time(pid), boot_id())


def alive(owner: Owner) -> bool:
    """Whether that very process still lives."""
    return owner.boot == boot_id() and owner.started == start_time(owner.pid) != 0


def children(root: int) -> set[int]:
    """All descendants of `root` that are its descendants now, without `root`."""
    tree: dict[int, list[int]] = {}
    for pid, parent in _parents():
        tree.setdefault(parent, []).append(pid)
    found: set[int] = set()
    queue = [root]
    while queue:
        for child in tree.get(queue.pop(), []):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def _parents() -> Iterable[tuple[int, int]]:
    if not LINUX:
        done = subprocess.run(
            ["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            pid, parent = line.split()
            yield int(pid), int(parent)
        return
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            try:
                stat = (_PROC / entry / "stat").read_bytes()
            except OSError:
                continue
            fields = stat.rpartition(b")")[2].split()
            if fields[0] not in (b"Z", b"X"):
                yield int(entry), int(fields[1])


def with_variable(name: str, value: str) -> set[int]:
    """Processes of ours whose environment holds exactly `name=value` (Linux only)."""
    if not LINUX:
        return set()
    wanted, found, me = f"{name}={value}".encode(), set(), os.getuid()
    for entry in os.listdir(_PROC):
        if not entry.isdigit():
            continue
        try:
            folder = _PROC / entry
            if folder.stat().st_uid != me:
                continue
            environ = (folder / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environ.split(b"\0") and start_time(int(entry)):
            found.add(int(entry))
    return found


def end(pids: set[int], grace_s: float) -> set[int]:
    """TERM, and after `grace_s` seconds KILL, to these very processes. Gives those still alive."""
    known = {pid: start_time(pid) for pid in pids}
    for number, patience in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        for pid in _living(known):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while _living(known) and time.monotonic() < deadline:
            time.sleep(0.005)
        if not _living(known):
            return set()
    return set(_living(known))


def _living(known: dict[int, int]) -> list[int]:
    return [pid for pid, began in known.items() if began and start_time(pid) == began]
