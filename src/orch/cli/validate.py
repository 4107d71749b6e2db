"""`orch validate`: what can be known about a workflow without running it.

Invariant: exit code 2 exactly when something was found that is an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orch.cli.cleaning import clean
from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.cli.output import Output
    from orch.workflow.checks import Finding

INVALID = 2


@click.command(cls=Verb, epilog=examples("orch validate ./flow.py", "orch validate my_flow --json"))
@click.argument("workflow")
@click.option("--repo", default="", help="Whose own workflows too (default: where you stand).")
@shared
def validate(workflow: str, repo: str, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Check a workflow (a file or a name) without running it.

    Finds loops without an end, clocks and randomness outside effects, effects that are never asked
    for or never reached, unknown agents, parameters, names and placeholders. Exit code: 0 when there
    is no error (warnings may be), 2 when there is. `# orch: ignore[CODE]` in a line silences it.
    """
    from orch.api.validation import validate as checked

    out, orch = output(as_json, quiet, no_color), home()
    named = orch.workflows(repo)
    target = orch.repo(repo) if repo else named.repo
    found = checked(orch.rooms, named, workflow, target)
    errors = [item for item in found if item.level == "error"]
    if as_json:
        out.data(found)
    else:
        _tell(found, out)
        if not found:
            out.note(f"{workflow}: nothing found")
        else:
            out.note(f"errors: {len(errors)}, warnings: {len(found) - len(errors)}")
    return INVALID if errors else 0


def _tell(found: list[Finding], out: Output) -> None:
    here = Path(os.getcwd())
    for item in found:
        path = Path(item.file)
        shown = str(path.relative_to(here)) if path.is_relative_to(here) else item.file
        level = out.paint(item.level, "red" if item.level == "error" else "yellow")
        place, message = clean(f"{shown}:{item.line}:{item.column}"), clean(item.message)
        out.raw(f"{place}: {level}: {message} [{item.code}]\n")
        if item.hint and not out.quiet:
            out.line(f"  try: {item.hint}")
