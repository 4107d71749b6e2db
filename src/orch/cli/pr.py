"""`orch pr`: pull requests."""

from __future__ import annotations

import click

from orch.api import records
from orch.cli.options import examples, home, output, shared
from orch.cli.words import Noun


@click.group(cls=Noun)
def pr() -> None:
    """List pull requests."""


@pr.command("list", epilog=examples("orch pr list", "orch pr list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List pull requests, newest first."""
    out = output(as_json, quiet, no_color)
    found, broken = home().pulls()
    if as_json:
        out.data([records.pull_record(item) for item in found])
    elif quiet:
        for item in found:
            out.line(f"{item.repo}#{item.number}")
    elif found:
        rows = [[f"{p.repo}#{p.number}", p.state, p.title, p.head] for p in found]
        out.table(["pr", "state", "title", "head"], rows)
    else:
        out.note("no pull request yet; make one: orch run basic_pr --issue ISSUE-001")
    for sentence in broken:
        out.warn(f"warning: {sentence}")
