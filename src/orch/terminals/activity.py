"""Signs of life of a program: its processes' time, its output's length, its files' last change.

Invariant: reads only; what cannot be read is None, never zero.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from orch.model.attempt import Activity
from orch.terminals import process
from orch.terminals.inside import tree

MOST_FILES = 20_000
"""Entries of a worktree that are looked at; a larger one is looked at in part."""
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(mark: str) -> float | None:
    """What all processes with `mark` in their environment, and those below them, have used."""
    if not tree.LINUX:
        return None
    family = process.marked(mark)
    if not family:
        return None
    total = 0
    for pid in {*family, *tree.below(set(family))}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # it ended just now
        total += sum(map(int, fields[11:15]))  # with that of children which have ended
    return total / _TICKS


def files_mark(folder: str) -> str | None:
    """Another text when a file below `folder` was written, made or removed."""
    newest, count = 0, 0
    pending = [folder]
    try:
        while pending and count < MOST_FILES:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    count += 1
                    newest = max(newest, entry.stat(follow_symlinks=False).st_mtime_ns)
                    if entry.is_dir(follow_symlinks=False) and entry.name != ".git":
                        pending.append(entry.path)
    except OSError:
        return None
    return f"{newest}:{count}"


def output_mark(directory: str) -> str | None:
    """Another text when the program has written something."""
    sizes = []
    for name in ("stdout", "stderr", "pane"):
        try:
            sizes.append(os.stat(f"{directory}/{name}").st_size)
        except FileNotFoundError:
            sizes.append(0)
        except OSError:
            return None
    return ":".join(map(str, sizes))


def activity(probe: str, mark: str, directory: str, worktree: str) -> Activity:
    """`probe` is the terminal's; see `orch.ports.Terminals.activity`."""
    standing: Literal["alive", "dead", "unknown"] = "unknown"
    if probe in ("alive", "ended", "lost"):
        standing = "alive" if probe == "alive" else "dead"
    return Activity(
        process=standing,
        cpu_s=cpu_seconds(mark),
        files=files_mark(worktree) if worktree else None,
        output=output_mark(directory),
    )
