"""Whether the machine has room for more work: disk, memory, processes. Pure.

Invariant: what cannot be told holds nothing back; what holds back is named in one sentence with both
figures, so that whoever reads it knows how much is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Floors(msgspec.Struct, frozen=True):
    """What must be free (MiB) before work is begun, and how many processes there may be; 0: not
    looked at."""

    disk_mb: int = 0
    memory_mb: int = 0
    processes: int = 0


class Figures(msgspec.Struct, frozen=True):
    """What there is: free MiB of each disk (by a folder on it) and of memory, and the processes on
    the machine; None: that cannot be told."""

    disks_mb: Mapping[str, float] = {}
    memory_mb: float | None = None
    processes: int | None = None


def shortage(found: Figures, floors: Floors) -> str:
    """One sentence on why nothing may be begun now; empty where there is room."""
    for folder, free in sorted(found.disks_mb.items()):
        if free < floors.disk_mb:
            return (
                f"waits for free disk: {free:.0f} MiB are left at {folder},"
                f" {floors.disk_mb} MiB are needed (run.min_free_mb)"
            )
    if found.memory_mb is not None and found.memory_mb < floors.memory_mb:
        return (
            f"waits for free memory: {found.memory_mb:.0f} MiB are left,"
            f" {floors.memory_mb} MiB are needed (care.min_free_memory_mb)"
        )
    if floors.processes and found.processes is not None and found.processes >= floors.processes:
        return (
            f"waits for processes to end: {found.processes} run on this machine,"
            f" fewer than {floors.processes} are allowed (care.max_processes)"
        )
    return ""
