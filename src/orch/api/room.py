"""What the machine has left, read from the system, and whether that is enough for more work.

Invariant: reads only, and starts nothing; what the system does not tell counts as enough.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.errors import ConfigError
from orch.model.room import Figures, Floors, shortage

if TYPE_CHECKING:
    from orch.api.rooms import Rooms
    from orch.config import Config

FRESH_S = 1.0
"""Figures are read again after this long: a listing asks for each of its tasks."""
_PROC = Path("/proc")
_GROUP = Path("/sys/fs/cgroup")


class Room:
    """Of one home: the disks below it and below the worktrees of its repositories."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._known: tuple[Config | None, float, str] = (None, 0.0, "")

    def shortage(self) -> str:
        """One sentence on why nothing may be begun now; empty where there is room."""
        now = self._rooms.clock.monotonic()
        try:
            config = self._rooms.config(None)
        except ConfigError:  # whoever wants to begin something is refused for that
            return ""
        of, at, said = self._known
        if of is not config or now - at > FRESH_S:
            said = self._look(config)
            self._known = (config, now, said)
        return said

    def _look(self, config: Config) -> str:
        floors = Floors(
            config.run.min_free_mb, config.care.min_free_memory_mb, config.care.max_processes
        )
        folders = [repo.workspace_dir for repo in self._rooms.store.repos() if repo.workspace_dir]
        found = Figures(
            disks(str(self._rooms.path), *folders) if floors.disk_mb else {},
            free_memory() if floors.memory_mb else None,
            processes() if floors.processes else None,
        )
        return shortage(found, floors)


def disks(*folders: str) -> dict[str, float]:
    """Free MiB of each disk that these folders are on, by the first of them."""
    found: dict[int, tuple[str, float]] = {}
    for folder in folders:
        with contextlib.suppress(OSError):  # not there (yet): another folder is on its disk
            device = os.stat(folder).st_dev
            if device not in found:
                room = os.statvfs(folder)
                found[device] = (folder, room.f_bavail * room.f_frsize / 2**20)
    return dict(found.values())


def free_memory(proc: Path = _PROC, group: Path = _GROUP) -> float | None:
    """MiB that can still be had, by the machine and by the limit of our control group; None where
    the system does not tell."""
    found = [*_of_machine(proc), *_of_group(group)]
    return min(found) if found else None


def _of_machine(proc: Path) -> Iterable[float]:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (proc / "meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) / 1024


def _of_group(group: Path) -> Iterable[float]:
    """What the limit leaves; the cache of files, which is given back when it is needed, is not
    counted as taken."""
    with contextlib.suppress(OSError, ValueError):  # no group, or `max`: no limit
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        words = (group / "memory.stat").read_text(encoding="ascii").split()
        cache = int(dict(zip(words[::2], words[1::2], strict=False)).get("inactive_file", 0))
        yield (limit - used + cache) / 2**20


def processes(proc: Path = _PROC) -> int | None:
    """How many there are on the machine; None where the system does not tell."""
    try:
        return sum(1 for name in os.listdir(proc) if name.isdigit())
    except OSError:
        return None
