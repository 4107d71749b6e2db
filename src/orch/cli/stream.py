"""`orch stream`: what all attempts write, each line with its task and agent. Reads only.

Invariant: leaving changes nothing; nobody's line is mixed into another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import examples, looking, output, shared
from orch.cli.watch import RAW, actions
from orch.cli.words import Verb
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.api.acting import Acting, Did
    from orch.api.streaming import Change, Streaming
    from orch.cli.output import Output
    from orch.model.attempt import Attempt

INTERRUPTED = 130
_TURN_S = 1.0


@click.command(
    cls=Verb, epilog=examples("orch stream", "orch stream 12", "orch stream @ --json | jq -c .")
)
@click.argument("target", metavar="[TASK|RUN]", default="")
@click.option("--all", "everything", is_flag=True, help="Of all tasks and runs (the default).")
@click.option("--raw", is_flag=True, help=RAW)
@shared
def stream(
    target: str, everything: bool, raw: bool, as_json: bool, quiet: bool, no_color: bool
) -> int:
    """Follow what agents do and write, each line with its task and agent; new attempts join by
    themselves. An action is one line, as in `orch watch`.

    Of a task or a run it ends with it; of all, Ctrl-C leaves (exit code 130), and all goes on. With
    --json one object a line: {"type": "started"|"action"|"output"|"ended", "attempt", "task", "run",
    "agent"} with what `orch watch --json` has of an action ("name", "kind", "tool", "text"), with
    "stream" and "text", or with "status" and "message".
    """
    from orch.api import accounts
    from orch.api.streaming import Streaming

    out, orch = output(as_json, quiet, no_color), looking()
    if everything and target:
        raise UsageError(
            "--all is everything; a task or a run is one", code="usage", hint="orch stream --all"
        )
    streaming = Streaming(orch.rooms, accounts.meant(orch, target) if target else None)
    try:
        return 0 if _tell_on(streaming, actions(orch, raw, as_json), out) else INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        streaming.close()


def _tell_on(streaming: Streaming, acting: Acting, out: Output) -> bool:
    """Until it is over; False when nobody reads any more."""
    from orch.cli.streams import JsonLines, Lines

    lines, json = Lines(out), JsonLines()
    while True:
        changes = streaming.turn(_TURN_S)
        over = not changes and streaming.over
        told: Iterable[Change | Did] = acting.told(changes, over=over)
        for change in told:
            if out.json:
                json.tell(_record(change, streaming))
            else:
                _tell(change, streaming, lines, out)
        if not (json if out.json else lines).flush():
            return False
        if over:
            lines.close()
            lines.flush()
            return True


def _tell(change: Change | Did, streaming: Streaming, lines: Any, out: Output) -> None:
    from orch.api.acting import Did
    from orch.api.tails import Wrote

    if isinstance(change, Did):
        lines.did(change, _name(change.attempt, streaming.task_of(change.attempt)))
        return
    if isinstance(change, Wrote):
        lines.wrote(change, _name(change.attempt, streaming.task_of(change.attempt)))
        return
    lines.close()
    if out.quiet:
        return
    name, ended = _name(change.attempt, change.task), change.attempt.ended_at > 0
    why = f": {change.attempt.message}" if ended and change.attempt.message else ""
    how = f"{change.attempt.status}{why}" if ended else f"at work in {change.attempt.terminal}"
    out.line(f"{out.paint(name, 'blue')} * {how}")


def _name(attempt: Attempt, task: int) -> str:
    """`12/claude`, `12/claude#2` for a second attempt."""
    from orch.cli.streams import called

    again = f"#{attempt.n}" if attempt.n > 1 else ""
    return f"{task or attempt.run}/{called(attempt)}{again}"


def _record(change: Change | Did, streaming: Streaming) -> dict[str, Any]:
    from orch.api.acting import Did
    from orch.api.streaming import Started
    from orch.api.tails import Wrote
    from orch.cli import deeds

    attempt = change.attempt
    kind = "output" if isinstance(change, Wrote) else "ended"
    kind = "started" if isinstance(change, Started) else kind
    told: dict[str, Any] = {
        "type": kind, "attempt": attempt.id, "task": streaming.task_of(attempt) or None,
        "run": attempt.run, "agent": attempt.agent or attempt.name,
    }  # fmt: skip
    if isinstance(change, Did):
        return {**told, **deeds.record(change)}
    if isinstance(change, Wrote):
        return {**told, "stream": change.stream, "text": change.text}
    told["task"] = change.task or None
    if kind == "ended":
        told |= {"status": attempt.status, "code": attempt.code, "message": attempt.message}
    return told
