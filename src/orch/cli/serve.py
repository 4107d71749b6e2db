"""`orch serve`: the service in the foreground."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.output import flush, json_text, put
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.compose.service import ServiceParts


@click.command(
    cls=Verb,
    epilog=examples(
        "orch serve", "orch serve --webhooks", "orch serve --webhooks 127.0.0.1:9000",
        "orch service start    (in the background)",
    ),
)  # fmt: skip
@click.option(
    "--webhooks", is_flag=False, flag_value="127.0.0.1:8080", default="", metavar="[ADDRESS]",
    help="Take in what trackers deliver, at HOST:PORT (alone: 127.0.0.1:8080; else what"
    " [service] webhooks says).",
)  # fmt: skip
@shared
def serve(webhooks: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Work the queue until a signal says to leave.

    Holds the home's lock: runs of other commands are driven here too. TERM and Ctrl-C end it
    gracefully: no new work, acts in flight are finished, agents go on in their terminals.
    """
    from urllib.parse import urlsplit

    from orch.model.loopback import is_loopback
    from orch.service.daemon import serve as run

    out, orch = output(as_json, quiet, no_color), home()
    stdout = sys.stdout  # a plugin that is loaded meanwhile, in a thread, may turn it aside

    def ready(parts: ServiceParts) -> None:
        if as_json:
            where = {"webhooks": parts.webhooks} if parts.webhooks else {}
            put(stdout, json_text({"ready": True, "pid": orch.me.pid, **where}) + "\n")
            flush(stdout)
        else:
            out.note(f"ready: process {orch.me.pid} works the queue of {orch.home}")
            if parts.webhooks:
                out.note(f"webhooks come in at {parts.webhooks}/webhooks/SOURCE")
                if not is_loopback(urlsplit(parts.webhooks).hostname or ""):
                    out.warn("whoever reaches this machine can deliver there, and without TLS: put"
                             " a proxy before it")  # fmt: skip

    run(orch, ready, webhooks=webhooks or orch.rooms.config(None).service.webhooks)
    left = orch.store.live_attempts()
    if left and not as_json:
        names = ", ".join(attempt.id for attempt in left[:5])
        out.note(
            f"left at work in their terminals: {len(left)} ({names}); orch serve takes them up"
        )
