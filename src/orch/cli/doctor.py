"""`orch doctor`: what Orch needs, whether it is there, and the fix."""

from __future__ import annotations

import os

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb


@click.command(cls=Verb, epilog=examples("orch doctor", "orch doctor --json"))
@shared
def doctor(as_json: bool, quiet: bool, no_color: bool) -> int:
    """Check git, tmux, the database, the disk, the lock and the agents. Exit code 1 when something
    that is needed is missing."""
    from orch.compose import diagnose

    out = output(as_json, quiet, no_color)
    checks = diagnose(home(), os.environ)
    if as_json:
        out.data([{"name": c.name, "ok": c.ok, "message": c.message, "fix": c.fix} for c in checks])
    else:
        for check in checks:
            mark = out.paint("ok  ", "green") if check.ok else out.paint("FAIL", "red")
            out.raw(f"{mark}  {check.name}: {check.message}\n")
            if not check.ok and check.fix:
                out.line(f"      fix: {check.fix}")
    return 0 if all(check.ok for check in checks) else 1
