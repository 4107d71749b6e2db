"""`orch serve`: the engine and its loops, until a signal asks them to leave.

Invariant: the lock is held from the first look to the last write. A signal (TERM, INT) means: take no
more work, finish the acts in flight, leave agents in their terminals; a second one changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from orch.compose import ServiceParts, serve_parts
from orch.model.command import NoteService
from orch.model.errors import Conflict

if TYPE_CHECKING:
    from orch.api import Orch


LAST_WORDS_S = 10.0
"""Seconds for telling hooks and people what happened last; the rest waits for the next start."""


def serve(orch: Orch, ready: Callable[[ServiceParts], None]) -> None:
    """Until a signal. `ready` is called when the lock is ours and the first look was made. Refused
    with the name of the process that holds the lock."""
    parts = serve_parts(orch)
    if not parts.lock.take():
        holder = parts.lock.holder() or "another process"
        raise Conflict(
            f"process {holder} drives this home already", code="service_running",
            hint="orch service status",
        )  # fmt: skip
    try:
        asyncio.run(_serve(parts, ready))
    finally:
        parts.journal.close()
        parts.lock.release()


async def _serve(parts: ServiceParts, ready: Callable[[ServiceParts], None]) -> None:
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    ready(parts)
    pid = parts.orch.me.pid
    await parts.world.journal.send(NoteService("started", pid))
    await parts.engine.serve(leave, parts.loops)
    await parts.world.journal.send(NoteService("stopped", pid))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(parts.last_words(), LAST_WORDS_S)
