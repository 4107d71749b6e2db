"""`orch events`: what happened, one event a line, and what happens. Reads only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from orch.cli.cleaning import clean
from orch.cli.options import examples, home, output, shared
from orch.cli.reaching import caller, service_of
from orch.cli.words import Verb
from orch.model.errors import Unreachable

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output

INTERRUPTED = 130
LOOK_S = 0.1
"""Between two looks (3 µs each) where no service tells."""
_SAFETY_S = 2.0


@click.command(
    cls=Verb,
    epilog=examples(
        "orch events --since 1200", "orch events --run @ --json", "orch events --follow --task 42"
    ),
)
@click.option("--since", type=click.IntRange(min=0), default=0, help="Only later numbers.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--run", default="", help="Only of this run.")
@click.option("--task", type=click.IntRange(min=1), default=None, help="Only of this task.")
@shared
def events(
    since: int, follow: bool, run: str, task: int | None, as_json: bool, quiet: bool, no_color: bool
) -> int:
    """Print what happened, oldest first, one event a line.

    With --json each line is an object {seq, at, kind, v, actor, cause, repo, task, run, step,
    data}; `seq` is what --since takes. With --quiet the numbers alone. A line {"resync": …} says
    that events were given up before they could be told.
    """
    out, orch = output(as_json, quiet, no_color), home()
    wish = {"run": orch.run(run).id if run else "", "task": task or 0}
    telling = _Telling(out)
    try:
        for event in _past(orch, since, wish) if not follow else _following(orch, since, wish):
            if not telling.tell(event):
                return 0  # nobody reads any more
    except KeyboardInterrupt:
        return INTERRUPTED
    telling.flush()
    return 0


Told = dict[str, Any] | None
"""An event, {"resync": …}, or None: nothing more for the moment, hand over what was told."""


def _past(orch: Orch, since: int, wish: dict[str, Any]) -> Iterator[Told]:
    asked = caller(orch)
    while True:
        page = asked.call("events", {**wish, "since": since})
        yield from _page(page)
        since = page["next"]
        if since >= page["last"]:
            return


def _page(page: dict[str, Any]) -> Iterator[Told]:
    if page.get("gone"):
        yield {"resync": {"since": page["gone"], "last": page["last"]}}
    yield from page["events"]


def _following(orch: Orch, since: int, wish: dict[str, Any]) -> Iterator[Told]:
    """By the service while it lives, then by the books."""
    service = service_of(orch)
    if service is not None:
        try:
            told = service.subscribe("events.subscribe", {**wish, "since": since}, quiet_s=0.05)
            for method, params in told:
                if method == "event":
                    since = params["event"]["seq"]
                    yield params["event"]
                elif method == "resync":
                    since = max(since, params["since"])
                    if params["reason"] == "gone":
                        yield {"resync": {"since": params["since"], "last": params["last"]}}
                else:
                    yield None
        except Unreachable as lost:
            if lost.code != "service_lost":
                raise
    yield from _by_the_books(orch, since, wish)


def _by_the_books(orch: Orch, since: int, wish: dict[str, Any]) -> Iterator[Told]:
    from orch.api.operations import Operations

    asked, seen, safety = Operations(orch), -1, 0.0
    while True:
        now, changes = time.monotonic(), orch.store.changes()
        if changes != seen or now >= safety:
            seen, safety = changes, now + _SAFETY_S
            page = asked.call("events", {**wish, "since": since})
            yield from _page(page)
            since = page["next"]
            if since < page["last"]:
                seen = -1
                continue
        yield None
        time.sleep(LOOK_S)


class _Telling:
    """One line each."""

    def __init__(self, out: Output) -> None:
        from orch.cli.streams import JsonLines

        self._out = out
        self._json = JsonLines()

    def tell(self, event: Told) -> bool:
        """False when nobody reads any more."""
        if event is None:
            return self.flush()
        if self._out.json:
            self._json.tell(event)
            return self._json.heard
        if "resync" in event:
            self._out.warn(f"events up to {event['resync']['since']} were given up")
        elif self._out.quiet:
            self._out.line(str(event["seq"]))
        else:
            self._out.line(_line(event))
        return True

    def flush(self) -> bool:
        return self._json.flush()


def _line(event: dict[str, Any]) -> str:
    """`12  10:37:34  StepPlanned  4f2a91c 0  {"effect":"Commit/1"}`, 80 columns at most."""
    import msgspec

    from orch.cli.output import columns
    from orch.cli.table import shortened

    whose = f"task {event['task']}" if event["task"] else event["repo"]
    whose = f"{event['run'][:7]} {event['step']}".rstrip() if event["run"] else whose
    data = msgspec.json.encode(event["data"]).decode()
    text = f"{event['seq']:>6}  {event['at'][11:19]}  {event['kind']:<16}  {whose}"
    return shortened(clean(f"{text}  {data}"), columns())
