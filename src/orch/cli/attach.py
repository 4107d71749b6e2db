"""`orch attach`: a person joins a running program in its own terminal.

Invariant: this process becomes tmux's client, so that nothing of ours stands between the person and
the program; nothing starts, stops or is typed by joining.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import click

from orch.cli.options import examples, looking, output, shared
from orch.cli.output import flush
from orch.cli.words import Verb
from orch.model.errors import ToolFailed, UsageError

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output
    from orch.model.attempt import Attempt

_OUTER = ("TMUX", "TMUX_PANE")


@click.command(
    cls=Verb,
    epilog=examples("orch attach @", "orch attach 4f2a:claude", "orch attach @ --read-only"),
)
@click.argument("target", metavar="RUN[:AGENT]")
@click.option("--read-only", "-r", is_flag=True, help="Watch only; no key reaches the program.")
@shared
def attach(target: str, read_only: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Join a running program in its terminal: see it, type into it. Ctrl-b d leaves it running.

    With --json nothing is joined: the command that would do it is printed.
    """
    from orch.api import messages

    out, orch = output(as_json, quiet, no_color), looking()
    join(orch, messages.live_attempt(orch, target, verb="attach"), out, read_only=read_only)


def join(orch: Orch, attempt: Attempt, out: Output, *, read_only: bool) -> None:
    """Become the terminal of an attempt; with --json only say how."""
    from orch.api import messages

    command = list(messages.way_to(orch, attempt, read_only=read_only))
    if out.json:
        out.data({
            "run": attempt.run, "attempt": attempt.id, "terminal": attempt.terminal,
            "command": command,
        })  # fmt: skip
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"attempt {attempt.id} can be joined from a terminal only, and this is none",
            code="no_terminal",
            hint=shlex.join(command),
        )
    keys = "Ctrl-b Ctrl-b d" if "TMUX" in os.environ else "Ctrl-b d"
    out.note(f"attempt {attempt.id} in run {attempt.run}; {keys} leaves, and it goes on")
    if not read_only:
        orch.rooms.terminals.join(attempt.directory)
    orch.store.close()
    flush(sys.stdout)
    environ = {name: value for name, value in os.environ.items() if name not in _OUTER}
    try:
        os.execve(command[0], command, environ)
    except OSError as error:
        raise ToolFailed(
            f"tmux could not be run: {error.strerror}", code="tmux_failed", hint="orch doctor"
        ) from error
