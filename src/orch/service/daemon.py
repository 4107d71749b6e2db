"""`orch serve`: the engine and its loops, until a signal asks them to leave.

Invariant: the lock is held from the first look to the last write. A signal (TERM, INT) means: take no
more work, finish the acts in flight, leave agents in their terminals; a second one changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from orch._version import __version__
from orch.compose import own_thread
from orch.compose.service import ServiceParts, serve_parts
from orch.engine.world import in_thread
from orch.model.command import NoteService
from orch.model.errors import Conflict
from orch.model.figures import exposition, samples
from orch.service import logs
from orch.service.front import Front
from orch.service.metrics import Metrics
from orch.service.reload import Reload
from orch.service.webhooks import Webhooks, address_of, listening

if TYPE_CHECKING:
    from orch.api import Orch

_log = logging.getLogger(__name__)


LAST_WORDS_S = 10.0
"""Seconds for telling hooks and people what happened last; the rest waits for the next start."""


def serve(orch: Orch, ready: Callable[[ServiceParts], None], *, webhooks: str = "") -> None:
    """Until a signal. `ready` is called when the lock is ours, the first look was made, and the
    socket answers. Refused with the name of the process that holds the lock. `webhooks` is the
    address at which deliveries come in; empty for none."""
    parts = serve_parts(orch)
    if not parts.lock.take():
        holder = parts.lock.holder() or "another process"
        raise Conflict(
            f"process {holder} drives this home already", code="service_running",
            hint="orch service status",
        )  # fmt: skip
    log_mb = orch.rooms.config(None).care.keep_log_mb
    log = logs.begin(orch.home, size=log_mb * 2**20 // (logs.KEPT + 1))
    try:
        with listening(webhooks) as intake:
            asyncio.run(_serve(parts, ready, intake))
    finally:
        parts.journal.close()
        parts.lock.release()
        logs.end(log)


async def _serve(
    parts: ServiceParts, ready: Callable[[ServiceParts], None], intake: socket.socket | None
) -> None:
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    front = Front(
        parts.orch, in_thread, own_thread, stop=leave.set, asked=parts.engine.look, uid=os.getuid()
    )
    told = asyncio.ensure_future(_announced(front, parts, ready))
    _log.info("the service begins", extra={"pid": parts.orch.me.pid, "version": __version__})
    try:
        rooms = parts.orch.rooms
        reload = Reload(
            rooms.config_files, rooms.reread, front.ear, in_thread, applied=parts.engine.look
        )
        metrics = Metrics(
            lambda: rooms.config(None).metrics.port,
            lambda: exposition(list(samples(rooms.store.figures(), rooms.clock.now()))),
            rooms.path / "run" / "metrics.token", in_thread,
        )  # fmt: skip
        ear = front.ear.others(parts.world.store.changes)
        await parts.world.journal.send(NoteService("started", parts.orch.me.pid))
        loops = [*parts.loops, reload, metrics, front, *_intake(parts, intake)]
        await parts.engine.serve(leave, loops, ear)
        await parts.world.journal.send(NoteService("stopped", parts.orch.me.pid))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(parts.last_words(), LAST_WORDS_S)
    except BaseException:
        _log.exception("the service ends by a fault")
        raise
    finally:
        told.cancel()
    _log.info("the service ends", extra={"left": len(parts.world.store.live_attempts())})


def _intake(parts: ServiceParts, intake: socket.socket | None) -> list[Webhooks]:
    if intake is None:
        return []
    rooms, feed = parts.orch.rooms, parts.deliveries
    parts.webhooks = address_of(intake)
    return [Webhooks(
        intake, rooms.store.deliveries, lambda: rooms.config(None), parts.world.environ, rooms.clock,
        rooms.path / "run", feed.wake,
    )]  # fmt: skip


async def _announced(
    front: Front, parts: ServiceParts, ready: Callable[[ServiceParts], None]
) -> None:
    await front.ready.wait()
    ready(parts)
