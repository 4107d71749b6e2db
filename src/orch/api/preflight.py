"""The tools and the disk, looked at before anything is begun.

Invariant: reads only; refuses with the fix.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.errors import ToolFailed

if TYPE_CHECKING:
    from orch.ports import Git, Terminals

OLDEST_GIT = (2, 38)
OLDEST_TMUX = (3, 2)


class Preflight:
    """The checks of the tools and the disk. `room_mb` is the least free space, in MiB."""

    def __init__(self, git: Git, terminals: Terminals, room_mb: int) -> None:
        self._git = git
        self._terminals = terminals
        self._room_mb = room_mb

    def tools(self, *, tmux: bool) -> None:
        """git and tmux are there and new enough."""
        version = self._git.version()
        if version < OLDEST_GIT:
            raise _too_old("git", version, OLDEST_GIT)
        if tmux:
            version = self._terminals.version()
            if version < OLDEST_TMUX:
                raise _too_old("tmux", version, OLDEST_TMUX)

    def room(self, *folders: str) -> None:
        """There is space to work in, on every disk that would be written to."""
        for folder in folders:
            place = Path(folder)
            while not place.exists():
                place = place.parent
            figures = os.statvfs(place)
            free_mb = figures.f_bavail * figures.f_frsize / 2**20
            if free_mb < self._room_mb:
                raise ToolFailed(
                    f"the disk with {folder} is full: {free_mb:.1f} MiB free,"
                    f" {self._room_mb} MiB needed; nothing was changed",
                    code="disk_full",
                    hint="free some space and repeat the command",
                )


def _too_old(tool: str, version: tuple[int, ...], oldest: tuple[int, ...]) -> ToolFailed:
    return ToolFailed(
        f"{tool} {_dotted(version)} is too old; {_dotted(oldest)} or newer is needed",
        code=f"{tool}_too_old",
        hint=f"upgrade {tool}, then: orch doctor",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
