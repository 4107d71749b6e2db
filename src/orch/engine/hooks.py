"""Event hooks: files of the person's home that run when something happens.

Invariant: only a regular file of the person's own, in a folder that nobody else can write to, is run;
nothing from a repository ever is. What happened comes as JSON on its standard input. A hook that
fails or hangs is logged and stops nothing; each event is told once it could be, in order.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from orch.engine.told_program import tell
from orch.engine.world import World
from orch.model.occasion import HOOKS, Occasion

FOLDER = "hooks"
HANGS, REST_S = 3, 600.0
"""After so many time-outs in a row a hook is left alone for so many seconds."""
_log = logging.getLogger(__name__)


def refusal(folder: Path, name: str, me: int) -> str | None:
    """Why the hook `name` is not run: one sentence; empty when it is, None when there is none."""
    try:
        whole = os.lstat(folder)
        file = os.lstat(folder / name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"
    for status, what in ((whole, f"the folder {folder}"), (file, "it")):
        if stat.S_ISLNK(status.st_mode):
            return f"{what} is a link; put the file itself there"
        if status.st_uid != me:
            return f"{what} belongs to another user"
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"others can write to {what}: chmod go-w"
    if not stat.S_ISREG(file.st_mode):
        return "it is not a regular file"
    if not file.st_mode & stat.S_IXUSR:
        return "it is not executable: chmod u+x"
    return ""


class Hooks:
    """`deal` is for a `Feed`. `timeout_s` gives the limit as configured now."""

    def __init__(
        self, world: World, timeout_s: Callable[[], float], environ: Mapping[str, str]
    ) -> None:
        self._world = world
        self._timeout_s = timeout_s
        self._environ = {**environ, "ORCH_HOME": str(world.home)}
        self._folder = world.home / FOLDER
        self._hangs: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self._refused: dict[str, str] = {}

    async def deal(self, found: Occasion) -> bool:
        ran = False
        for hook, name in HOOKS.items():
            if name in found.names and self._may_run(hook, found):
                await self._run(hook, found)
                ran = True
        return ran

    def _may_run(self, hook: str, found: Occasion) -> bool:
        why = refusal(self._folder, hook, os.geteuid())
        if why is None:
            return False
        if why:
            if self._refused.get(hook) != why:  # said once, not at each event
                _log.warning("hook %s is not run: %s", hook, why)
            self._refused[hook] = why
            return False
        self._refused.pop(hook, None)
        if self._world.clock.monotonic() < self._rests_until.get(hook, 0.0):
            _log.warning("hook %s hung %d times: not run for event %d", hook, HANGS, found.seq)
            return False
        return True

    async def _run(self, hook: str, found: Occasion) -> None:
        data = {"hook": hook, **found.data()}
        limit = self._timeout_s()
        begun = self._world.clock.monotonic()
        ending = await self._world.call(
            "hook.run", tell, [str(self._folder / hook)], json.dumps(data).encode() + b"\n",
            environ=self._environ, cwd=str(self._world.home), timeout_s=limit,
        )  # fmt: skip
        if ending.failure:
            _log.warning(
                "hook %s failed at event %d: %s; it said: %s", hook, found.seq, ending.failure,
                ending.output[-500:].strip() or "nothing",
            )  # fmt: skip
        now = self._world.clock.monotonic()
        hung = bool(ending.failure) and now - begun >= limit
        self._hangs[hook] = self._hangs.get(hook, 0) + 1 if hung else 0
        if self._hangs[hook] >= HANGS:
            self._hangs[hook] = 0
            self._rests_until[hook] = now + REST_S
            _log.warning("hook %s hung %d times in a row: it rests %g s", hook, HANGS, REST_S)
