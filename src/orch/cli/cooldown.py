"""`orch cooldown`: agents that are left alone for a while, and why.

Invariant: what is listed is what the queue goes by; clearing it takes nothing else away.
"""

from __future__ import annotations

import click

from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Noun


@click.group(cls=Noun)
def cooldown() -> None:
    """List and clear what keeps agents from being used."""


@cooldown.command("list", epilog=examples("orch cooldown list", "orch cooldown list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List agents (or agent:model) that are not used now, and until when."""
    from orch.api.standings import cooling

    out = output(as_json, quiet, no_color)
    found = cooling(home())
    if out.json:
        out.data(found)
    elif out.quiet:
        for one in found:
            out.line(one["subject"])
    elif found:
        rows = [[one["subject"], one["until"], one["why"], str(one["failures"])] for one in found]
        out.table(["agent", "until", "why", "failures"], rows)
    else:
        out.note("no agent cools")


@cooldown.command(epilog=examples("orch cooldown clear claude", "orch cooldown clear --all"))
@click.argument("subject", required=False)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@dry
@shared
def clear(
    subject: str | None, everything: bool, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Let an agent be used again at once."""
    from orch.api.standings import clear as take_away

    out = output(as_json, quiet, no_color)
    cleared = take_away(home(), subject or "", everything=everything, dry_run=dry_run)
    if out.json:
        out.data(cleared)
    elif out.quiet:
        for one in cleared:
            out.line(one)
    elif cleared:
        out.line(f"{'would be' if dry_run else 'is'} used again: {', '.join(cleared)}")
    else:
        out.note("no agent cools")
