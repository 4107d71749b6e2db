"""`orch api`: what was spent of the limits of GitHub and its kin, and what is left. Reads only.

Invariant: nothing is asked of any service to show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.cli.output import Output

UNKNOWN = "?"


@click.command(cls=Verb, epilog=examples("orch api", "orch api github.com --json"))
@click.argument("host", metavar="[HOST]", default="")
@shared
def api(host: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what was asked of remote services today, and what is left of their limits.

    What is kept back is for you: Orch stops before it and goes on by itself after the reset.
    """
    from orch.api.hosts import hosts

    out = output(as_json, quiet, no_color)
    show(out, hosts(home(), host))


def show(out: Output, found: list[dict[str, Any]]) -> None:
    if out.json:
        out.data(found)
    elif out.quiet:
        for one in found:
            out.line(f"{one['host']} {one['spent_today']}")
    elif not found:
        out.note("nothing was asked of a remote service so far")
    else:
        heads = ["host", "as", "spent today", "limit", "left", "kept", "resets"]
        out.table(heads, [row for one in found for row in _rows(one)])
        for one in found:
            if one["held_until"]:
                out.note(f"{one['host']} asked us to wait until {one['held_until']}")


def _rows(one: dict[str, Any]) -> list[list[str]]:
    """One for each of its limits; what it is and did stands in the first."""
    first = [one["host"], one["credential"], f"{one['spent_today']:,}"]
    rows = [
        [
            f"{resource['limit']:,} {resource['name']}",
            UNKNOWN if resource["left"] is None else f"{resource['left']:,}",
            f"{resource['kept']:,}",
            _time(resource["resets_at"]),
        ]
        for resource in one["resources"]
    ] or [["none told", UNKNOWN, "0", ""]]
    return [[*(first if number == 0 else ["", "", ""]), *row] for number, row in enumerate(rows)]


def _time(at: str | None) -> str:
    """`14:05Z` of a moment that is never more than an hour or a day off."""
    return f"{at[11:16]}Z" if at else UNKNOWN
