"""`orch log`: what the service says of itself. Reads only."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from orch.cli.cleaning import clean, clean_json
from orch.cli.options import examples, home, output, shared
from orch.cli.output import flush
from orch.cli.words import Verb
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from orch.cli.output import Output

INTERRUPTED = 130
_COLOURS = {"error": "red", "critical": "red", "warning": "yellow"}
_LINES = 20
_SHOWN = ("at", "level", "name", "message", "error")


@click.command(cls=Verb, epilog=examples("orch log", "orch log 200 --json", "orch log watch"))
@click.argument("what", metavar="[N|watch]", default=str(_LINES))
@shared
def log(what: str, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Print the last lines of the service's log (20), or watch it until Ctrl-C.

    With --json each line is the object that was logged: {at, level, name, message, …}.
    """
    out, orch = output(as_json, quiet, no_color), home()
    from orch.service.log_lines import coming, last_lines

    count = _LINES if what == "watch" else _count(what)
    for line in last_lines(orch.home, count):
        _tell(line, out)
    if what != "watch":
        return 0
    ear = orch.rooms.terminals.ear()
    try:
        for line in coming(orch.home, ear):
            if line:
                _tell(line, out)
            elif not flush(sys.stdout):
                return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if ear is not None:
            ear.close()
    return 0


def _count(word: str) -> int:
    if word.isascii() and word.isdigit() and len(word) < 9:
        return int(word)
    raise UsageError(
        f"{word!r} is neither a number of lines nor `watch`", code="bad_number", hint="orch log 50"
    )


def _tell(line: str, out: Output) -> None:
    if out.json:
        out.raw(clean_json(line) + "\n")
        return
    try:
        said: dict[str, Any] = json.loads(line)
        level, message = str(said["level"]), clean(str(said["message"]))
        more = " ".join(f"{key}={said[key]}" for key in said if key not in _SHOWN)
    except (ValueError, KeyError, TypeError):
        out.line(line)  # something else was written there
        return
    if out.quiet:
        out.line(message)
        return
    text = f"{clean(str(said.get('at', '')))[:19].replace('T', ' ')} {level:<7} "
    out.raw(out.paint(text, _COLOURS.get(level, "dim")) + message)
    out.line(f"  {clean(more)}".rstrip())
    if "error" in said:
        out.line(str(said["error"]))
