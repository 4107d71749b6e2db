"""`orch logs`: what the programs of a run have written, and with -f what they write. Reads only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from orch.cli.cleaning import clean_lines
from orch.cli.options import examples, looking, output, shared
from orch.cli.output import Output, flush
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.api.following import Following
    from orch.model.run import Run

TAIL_BYTES = 1024 * 1024
INTERRUPTED = 130
_TURN_S = 1.0


@click.command(
    cls=Verb, epilog=examples("orch logs @", "orch logs 4f2a:impl -n 50", "orch logs -f @")
)
@click.argument("target", metavar="RUN[:AGENT]")
@click.option("--lines", "-n", type=click.IntRange(min=0), help="Only the last lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends, or waits.")
@shared
def logs(
    target: str, lines: int | None, follow: bool, as_json: bool, quiet: bool, no_color: bool
) -> int:
    """Show what the programs of a run have written, oldest first.

    With -f all of them at once as they write, those that start later too; with --json one line
    {"attempt", "stream", "text"} for each. Ctrl-C leaves; the run goes on.
    """
    out, orch = output(as_json, quiet, no_color), looking()
    word, _, agent = target.partition(":")
    run = orch.run(word)
    if follow:
        return _follow(orch, run, agent, lines, out)
    _tell(orch, run, agent, lines, out)
    return 0


def _tell(orch: Orch, run: Run, agent: str, lines: int | None, out: Output) -> None:
    from orch.api.attempts import named
    from orch.api.tails import STREAMS
    from orch.model.run import TERMINAL

    texts: list[dict[str, Any]] = []
    for attempt in named(run, orch.store.attempts(run.id), agent):
        for stream in STREAMS:
            raw = orch.output(attempt.directory, stream, TAIL_BYTES)
            text = _last(raw.decode("utf-8", "replace"), lines)
            if len(raw) == TAIL_BYTES and (not lines or text.count("\n") < lines):
                out.warn(f"only the last MiB; what was kept: {attempt.directory}/{stream}")
            if raw and (lost := orch.dropped(attempt.directory, stream)):
                out.warn(f"{lost} bytes of {stream} were not kept: too much was written")
            if text:
                texts.append({"attempt": attempt.id, "stream": stream, "text": text})
    if out.json:
        out.data(texts)
        return
    for item in texts:
        out.note(f"--- {item['attempt']} {item['stream']}")
        text = clean_lines(item["text"]) if sys.stdout.isatty() else item["text"]
        out.raw(text if text.endswith("\n") else text + "\n")
        flush(sys.stdout)
    if not texts:
        out.note("nothing was written" if run.status in TERMINAL else "nothing was written yet")


def _last(text: str, lines: int | None) -> str:
    """The last `lines` lines of `text`, all of it for None."""
    if lines is None or not text:
        return text
    last = text.removesuffix("\n").split("\n")[-lines:] if lines else []
    return "".join(line + "\n" for line in last)


def _follow(orch: Orch, run: Run, agent: str, lines: int | None, out: Output) -> int:
    from orch.api.following import Following

    following = Following(orch.rooms, run.id, agent=agent, lines=lines)
    if agent and following.waits_for_agent:
        out.note(f"no agent {agent!r} has started yet")
    try:
        return 0 if _tell_on(orch, following, agent, out) else INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        following.close()


def _tell_on(orch: Orch, following: Following, agent: str, out: Output) -> bool:
    """Until the run is over; False when nobody reads any more."""
    from orch.api.tails import Wrote
    from orch.cli.streams import JsonLines, Lines, label

    lines, json = Lines(out), JsonLines()
    unattended = False
    while True:
        turn = following.turn(_TURN_S)
        if not unattended and not turn.over and not orch.is_driven(following.run):
            unattended = True
            out.warn(f"nobody drives run {following.run.id}; orch resume {following.run.id}")
        known = following.attempts.values()
        for change in turn.changes:
            if not isinstance(change, Wrote):
                continue
            if out.json:
                attempt, stream, text = change
                json.tell({"attempt": attempt.id, "stream": stream, "text": text})
            else:
                several = not agent and len(known) > 1
                lines.wrote(change, label(change.attempt, known) if several else "")
        if turn.over:
            lines.close()
        if not (json if out.json else lines).flush():
            return False
        if turn.over:
            return True
