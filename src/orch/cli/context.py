"""`orch context`: what an agent is told about a task beside its prompt.

Invariant: printed by the very function that makes an attempt's context file.
"""

from __future__ import annotations

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb


@click.command(cls=Verb, epilog=examples("orch context 12", "orch context @ --json"))
@click.argument("number")
@shared
def context(number: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show exactly what an agent is told about a task.

    Task and ticket, answers of people, parent and siblings, what earlier attempts learned, the
    project's instructions, its files and its log. Words of others are quoted as data. An attempt
    finds the same text in the file that ORCH_CONTEXT_FILE names.
    """
    from orch.api.briefing import Briefings
    from orch.api.tasks import Tasks

    out, orch = output(as_json, quiet, no_color), home()
    found = Briefings(orch).record(Tasks(orch).find(number))
    if out.json:
        out.data(found)
    elif out.quiet:
        out.line(str(found["task"]))
    else:
        for line in found["text"].rstrip("\n").split("\n"):
            out.line(line)
