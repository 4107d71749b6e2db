"""`Orch`: what every face can ask for and read. Synchronous; driving runs is handed in.

Invariant: every change goes through the store's commands or through a port that looks before it
acts; nothing is half done when an error is raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orch.api.runs import Runs
from orch.api.worktrees import Worktrees
from orch.model.pull import PullRequest

if TYPE_CHECKING:
    from orch.model.event import Event


class Orch(Runs, Worktrees):
    """One home, seen from one process."""

    def pulls(self) -> tuple[list[PullRequest], Sequence[str]]:
        """All pull requests, newest first, and one sentence for each record that is broken."""
        problems = getattr(self._rooms.forge, "problems", None)
        return self._store.pulls(), problems() if problems is not None else ()

    def output(self, attempt_directory: str, stream: str, tail_bytes: int) -> bytes:
        """What an attempt has written so far."""
        return self._rooms.terminals.output(attempt_directory, stream, tail_bytes=tail_bytes)

    def parsed(self, agent: str, stdout: bytes, stderr: bytes, code: int) -> dict[str, Any]:
        """What is made of a recorded output of an agent, or of a kind of agent."""
        return self._rooms.parsed(agent, stdout, stderr, code)

    def dropped(self, attempt_directory: str, stream: str) -> int:
        """How many bytes of a stream were not kept: too much was written."""
        record = self._rooms.terminals.exit_record(attempt_directory)
        return int(getattr(record, f"{stream}_dropped", 0))

    def events(self, since: int, run: str = "") -> list[Event]:
        return self._store.events(since, run=run)
