"""`orch doctor`: what Orch needs, whether it is there, and the fix."""

from __future__ import annotations

import os
from pathlib import Path

import click

from orch.cli.options import examples, output, shared
from orch.cli.words import Verb


@click.command(
    cls=Verb,
    epilog=examples("orch doctor", "orch doctor --json", "orch doctor --backup ~/orch-backup.db"),
)
@click.option(
    "--backup",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a checked copy of the database there (while runs go on).",
)
@shared
def doctor(backup: Path | None, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Check git, tmux, the database, the disk, the lock and the agents. Exit code 1 when something
    that is needed is missing."""
    from orch.compose import back_up, diagnose, open_unchecked, person

    out = output(as_json, quiet, no_color)
    orch = open_unchecked(os.environ, Path.cwd(), person=person(os.environ))
    click.get_current_context().call_on_close(orch.close)
    checks = diagnose(orch, os.environ)
    if backup is not None:
        back_up(orch, backup.expanduser().absolute())
        out.note(f"backup: {backup}")
    if as_json:
        out.data([{"name": c.name, "ok": c.ok, "message": c.message, "fix": c.fix} for c in checks])
    else:
        for check in checks:
            mark = out.paint("ok  ", "green") if check.ok else out.paint("FAIL", "red")
            out.raw(f"{mark}  {check.name}: {check.message}\n")
            if not check.ok and check.fix:
                out.line(f"      fix: {check.fix}")
    return 0 if all(check.ok for check in checks) else 1
