"""`orch doctor`: what Orch needs, whether it is there, and the fix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orch.cli.cleaning import clean_lines
from orch.cli.options import examples, output, shared
from orch.cli.words import Verb
from orch.model.errors import Conflict

if TYPE_CHECKING:
    from orch.checkup.look import Check
    from orch.cli.output import Output


@click.command(
    cls=Verb,
    epilog=examples(
        "orch doctor", "orch doctor --json", "orch doctor --report > report.md",
        "orch doctor --backup ~/orch-backup.db",
    ),
)  # fmt: skip
@click.option(
    "--backup",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a checked copy of the database there (while runs go on).",
)
@click.option(
    "--report", is_flag=True,
    help="Print it for a bug report, without names, paths of yours and secrets.",
)  # fmt: skip
@shared
def doctor(
    backup: Path | None, report: bool, as_json: bool, quiet: bool, no_color: bool
) -> int:  # fmt: skip
    """Check everything that Orch needs: git, tmux, folders, the database, the clock, the disk, the
    lock, the sockets, whether remotes, sources and forges can be read, agents and plugins. Exit
    code 1 when something that is needed is missing."""
    from orch.checkup.look import diagnose
    from orch.compose import back_up, open_unchecked, person

    out = output(as_json, quiet, no_color)
    orch = open_unchecked(os.environ, Path.cwd(), person=person(os.environ), whole=False)
    click.get_current_context().call_on_close(orch.close)
    checks = diagnose(orch, os.environ)
    if backup is not None:
        if backup.expanduser().exists():
            raise Conflict(
                f"{backup} exists already", code="file_exists", hint="choose another name"
            )
        back_up(orch, backup.expanduser().absolute())
        out.note(f"backup: {backup}")
    if report:
        _report(checks, str(orch.home), person(os.environ), out)
    elif as_json:
        out.data([{"name": c.name, "ok": c.ok, "message": c.message, "fix": c.fix} for c in checks])
    else:
        for check in checks:
            _tell(check, out)
    return 0 if all(check.ok for check in checks) else 1


def _tell(check: Check, out: Output) -> None:
    if out.quiet:
        if not check.ok:
            out.line(check.name)
        return
    mark = out.paint("ok  ", "green") if check.ok else out.paint("FAIL", "red")
    if check.note:
        mark = out.paint("note", "yellow")
    out.raw(f"{mark}  {clean_lines(f'{check.name}: {check.message}')}\n")
    if (check.note or not check.ok) and check.fix:
        out.line(f"      fix: {check.fix}")


def _report(checks: list[Check], home: str, person: str, out: Output) -> None:
    from orch.checkup.report import report

    text = report(checks, os.environ, home=home, person=person)
    out.data({"report": text}) if out.json else out.line(text.rstrip("\n"))
