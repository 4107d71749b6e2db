"""What every part of the facade holds: the rooms of one home.

Invariant: a room is made when it is first asked for, so a part that is not used costs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.run import Owner

if TYPE_CHECKING:
    from orch.api.rooms import Rooms
    from orch.ports import Git, Store


class Desk:
    """One home, seen from one process."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @property
    def rooms(self) -> Rooms:
        """For `orch.compose`, which made them."""
        return self._rooms

    @property
    def store(self) -> Store:
        return self._rooms.store

    @property
    def home(self) -> Path:
        return self._rooms.path

    @property
    def me(self) -> Owner:
        return self._rooms.me

    @property
    def _store(self) -> Store:
        return self._rooms.store

    @property
    def _git(self) -> Git:
        return self._rooms.git

    def close(self) -> None:
        self._rooms.close()
