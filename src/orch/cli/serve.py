"""`orch serve`: the service in the foreground."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.output import flush
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.compose import ServiceParts


@click.command(cls=Verb, epilog=examples("orch serve", "orch service start    (in the background)"))
@shared
def serve(as_json: bool, quiet: bool, no_color: bool) -> None:
    """Work the queue until a signal says to leave.

    Holds the home's lock: runs of other commands are driven here too. TERM and Ctrl-C end it
    gracefully: no new work, acts in flight are finished, agents go on in their terminals.
    """
    from orch.service.daemon import serve as run

    out, orch = output(as_json, quiet, no_color), home()

    def ready(parts: ServiceParts) -> None:
        if as_json:
            out.data({"ready": True, "pid": orch.me.pid})
            flush(sys.stdout)
        else:
            out.note(f"ready: process {orch.me.pid} works the queue of {orch.home}")

    run(orch, ready)
    left = orch.store.live_attempts()
    if left and not as_json:
        names = ", ".join(attempt.id for attempt in left[:5])
        out.note(
            f"left at work in their terminals: {len(left)} ({names}); orch serve takes them up"
        )
