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
    from collections.abc import Sequence

    from orch.api import Orch
    from orch.api.acting import Did
    from orch.api.following import Following
    from orch.api.tails import Wrote
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
@click.option("--actions", is_flag=True, help="What agents do, in the place of their records.")
@shared
def logs(
    target: str, lines: int | None, follow: bool, actions: bool,
    as_json: bool, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Show what the programs of a run have written, oldest first, as they wrote it.

    With -f all of them at once as they write, those that start later too; with --json one line
    {"attempt", "stream", "text"} for each. Ctrl-C leaves; the run goes on. With --actions what an
    agent did is one line for each action, in JSON as `orch watch` has it.
    """
    out, orch = output(as_json, quiet, no_color), looking()
    word, _, agent = target.partition(":")
    run = orch.run(word)
    if follow:
        return _follow(orch, run, agent, lines, actions, out)
    (_tell_actions if actions else _tell)(orch, run, agent, lines, out)
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


def _tell_actions(orch: Orch, run: Run, agent: str, lines: int | None, out: Output) -> None:
    """The same with each action on a line; `lines` of each stream."""
    from orch.api.acting import Acting, Did
    from orch.api.attempts import named
    from orch.api.following import Following
    from orch.api.tails import Wrote
    from orch.cli import deeds
    from orch.model.run import TERMINAL

    named(run, orch.store.attempts(run.id), agent)
    following = Following(orch.rooms, run.id, agent=agent, lines=None)
    try:
        changes = following.turn(0.0).changes
    finally:
        following.close()
    kept: dict[tuple[str, str], list[Wrote | Did]] = {}
    for one in Acting(orch.rooms.acts).told(changes, over=True):
        if isinstance(one, Wrote) or (
            isinstance(one, Did) and (out.json or deeds.is_told(one.action))
        ):
            stream = one.stream if isinstance(one, Wrote) else "stdout"
            kept.setdefault((one.attempt.id, stream), []).append(one)
    told = [one for some in kept.values() for one in some[_first(some, lines) :]]
    if out.json:
        out.data([deeds.record(one) for one in told])
        return
    teller = _Teller(following, agent, True, out)
    for one in told:
        teller.tell(one)
    teller.close()
    if not told:
        out.note("nothing was written" if run.status in TERMINAL else "nothing was written yet")


def _first(some: Sequence[Any], lines: int | None) -> int:
    """Where the last `lines` begin."""
    return 0 if lines is None else max(0, len(some) - lines)


def _last(text: str, lines: int | None) -> str:
    """The last `lines` lines of `text`, all of it for None."""
    if lines is None or not text:
        return text
    last = text.removesuffix("\n").split("\n")[-lines:] if lines else []
    return "".join(line + "\n" for line in last)


def _follow(orch: Orch, run: Run, agent: str, lines: int | None, actions: bool, out: Output) -> int:
    from orch.api.following import Following

    following = Following(orch.rooms, run.id, agent=agent, lines=lines)
    if agent and following.waits_for_agent:
        out.note(f"no agent {agent!r} has started yet")
    try:
        return 0 if _tell_on(orch, following, agent, actions, out) else INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        following.close()


def _tell_on(orch: Orch, following: Following, agent: str, actions: bool, out: Output) -> bool:
    """Until the run is over; False when nobody reads any more."""
    from orch.api.acting import Acting, Did
    from orch.api.tails import Wrote

    acting = Acting(orch.rooms.acts if actions else lambda agent: None)
    teller = _Teller(following, agent, actions, out)
    unattended = False
    while True:
        turn = following.turn(_TURN_S)
        if not unattended and not turn.over and not orch.is_driven(following.run):
            unattended = True
            out.warn(f"nobody drives run {following.run.id}; orch resume {following.run.id}")
        for change in acting.told(turn.changes, over=turn.over):
            if isinstance(change, Wrote | Did):
                teller.tell(change)
        if turn.over:
            teller.close()
        if not teller.flush():
            return False
        if turn.over:
            return True


class _Teller:
    """Lines and actions on stdout, each with its program's name where there are several."""

    def __init__(self, following: Following, agent: str, actions: bool, out: Output) -> None:
        from orch.cli.streams import JsonLines, Lines

        self._following = following
        self._agent = agent
        self._actions = actions
        self._json = JsonLines() if out.json else None
        self._lines = Lines(out)

    def tell(self, told: Wrote | Did) -> None:
        from orch.api.tails import Wrote
        from orch.cli.deeds import record
        from orch.cli.streams import label

        if self._json is not None:
            names = ("attempt", "stream", "text")
            value = record(told)
            self._json.tell(value if self._actions else {name: value[name] for name in names})
            return
        known = self._following.attempts.values()
        name = label(told.attempt, known) if not self._agent and len(known) > 1 else ""
        if isinstance(told, Wrote):
            self._lines.wrote(told, name)
        else:
            self._lines.did(told, name)

    def close(self) -> None:
        self._lines.close()

    def flush(self) -> bool:
        return (self._lines if self._json is None else self._json).flush()
