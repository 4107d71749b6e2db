"""The chores of one home: old events, attempts' files, folders, worktrees, terminals are given up.

Invariant: nothing goes that is not proven ours and over: a directory lies directly below its place
in the home, is named like something in the books that is over and old, and is no link; a worktree's
pull request is merged, and what is in it is saved first; a terminal's attempt ended a while ago. What
is not known is left alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orch.api.removal import Removal
from orch.model import retention
from orch.model.deliveries import BODIES_S, ROWS_S
from orch.model.errors import OrchError
from orch.model.naming import terminal
from orch.model.run import Run
from orch.model.task import CLOSED, Task
from orch.model.worktree import Worktree

if TYPE_CHECKING:
    from orch.api.facade import Orch

EVENTS = 500
"""Numbers that are looked at in one transaction."""
NAMES = 50
"""Directories that are looked at in one bit of work."""
GRACE_S = 120.0
"""A terminal is left alone for so long after its attempt has ended."""


class Upkeep:
    """Chores; see `orch.engine.keeper`. Limits are read when a chore begins."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._rooms = orch.rooms
        self._store = orch.store
        self._seen = -1
        self.daily = (
            ("old events", self.events),
            ("files of old attempts", self.attempts),
            ("folders of old tasks", self.folders),
            ("worktrees that are merged", self.worktrees),
            ("old deliveries of webhooks", self.deliveries),
        )
        self.often = (("terminals that nobody waits for", self.terminals),)

    def events(self) -> Iterator[int]:
        """Of runs that are over; the last ones stay in any case."""
        care = self._rooms.config(None).care
        if not care.keep_events_days:
            return
        before = self._rooms.clock.now() - care.keep_events_days * retention.DAY_S
        last = self._store.last_event() - max(1, care.keep_events)
        at = 0
        while at < last:
            first = self._store.events(at, limit=1)
            if not first or first[0].at >= before:
                return  # the others are younger
            at = max(at, first[0].seq - 1)
            upto = min(at + EVENTS, last)
            yield self._store.forget_events(at, upto, before)
            at = upto

    def deliveries(self) -> Iterator[int]:
        """Those that were dealt with; their bodies sooner."""
        now = self._rooms.clock.now()
        yield self._store.deliveries.forget(now - ROWS_S, now - BODIES_S)

    def attempts(self) -> Iterator[int]:
        """Their prompts, outputs and exit files; how they ended is in the books."""
        days = self._rooms.config(None).care.keep_attempts_days
        now = self._rooms.clock.now()

        def old(name: str, place: Path) -> bool:
            attempt = self._store.attempt(name)
            if attempt is None or attempt.directory != str(place):
                return False
            run = self._store.run(attempt.run)
            return retention.attempt_is_old(attempt, run, self._task(run), now, days)

        if days:
            yield from _tidy(self._rooms.path / "attempts", old)

    def folders(self) -> Iterator[int]:
        """Where agents of tasks without a repository worked."""
        days = self._rooms.config(None).care.keep_folders_days
        now = self._rooms.clock.now()

        def old(name: str, place: Path) -> bool:
            run = self._store.run(name)
            return run is not None and retention.folder_is_old(run, self._task(run), now, days)

        if days:
            yield from _tidy(self._rooms.path / "folders", old)

    def _task(self, run: Run | None) -> Task | None:
        return self._store.task(run.task) if run is not None and run.task else None

    def worktrees(self) -> Iterator[int]:
        """Of tasks that are over: only what is merged, and saved first."""
        care = self._rooms.config(None).care
        if care.cleanup == "never":
            return
        refusals = []
        for worktree in self._store.worktrees():
            if worktree.run and self._is_merged(worktree, care.cleanup_after_days):
                try:
                    Removal(self._orch).delete(worktree, yes=True)
                except OrchError as refusal:  # in use, or no room to save it: the others go on
                    refusals.append(refusal)
                    continue
                yield 1
        if refusals:
            raise refusals[0]

    def _is_merged(self, worktree: Worktree, days: int) -> bool:
        run = self._store.run(worktree.run)
        task, owner = self._task(run), self._store.repo(worktree.repo)
        if run is None or owner is None or not retention.is_over(run, None):
            return False
        if task is not None and task.state not in CLOSED | {"in_review"}:
            return False
        age = self._rooms.clock.now() - max(run.ended_at, task.updated_at if task else 0.0)
        if age < days * retention.DAY_S:
            return False
        pull = self._rooms.forge.find_pr(owner, worktree.branch)
        return pull is not None and pull.state == "merged"

    def terminals(self) -> Iterator[int]:
        """Looked at only when something has happened since: idle, nothing is started for it."""
        last = self._store.last_event()
        if last == self._seen:
            return
        now, waits = self._rooms.clock.now(), False
        for name in self._rooms.terminals.names():
            identifier = name.removeprefix("orch-")
            attempt = self._store.attempt(identifier)
            if attempt is None or name != terminal(identifier) or name != attempt.terminal:
                continue
            place = self._rooms.path / "attempts" / identifier
            if attempt.directory != str(place) or not place.is_dir():
                continue
            if retention.terminal_is_stray(attempt, now, GRACE_S):
                self._rooms.terminals.stop(name, attempt.directory, grace_s=1.0)
                yield 1
            else:
                waits = True
        self._seen = -1 if waits else last


def _tidy(parent: Path, old: Callable[[str, Path], bool]) -> Iterator[int]:
    """Remove what is old of the directories in `parent`; links, files and what belongs to somebody
    else are not looked at. `parent` is held open, so that it cannot become another one meanwhile."""
    try:
        opened = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        names = sorted(os.listdir(opened))
        for start in range(0, len(names), NAMES):
            gone = 0
            for name in names[start : start + NAMES]:
                if _is_own_directory(opened, name) and old(name, parent / name):
                    shutil.rmtree(name, dir_fd=opened)
                    gone += 1
            yield gone
    finally:
        os.close(opened)


def _is_own_directory(parent: int, name: str) -> bool:
    import stat

    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
