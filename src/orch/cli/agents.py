"""`orch agents`: every configured agent: usable or not, how it did, what it cost. Reads only.

Invariant: no token is spent by looking.
"""

from __future__ import annotations

from typing import Any

import click

from orch.cli.cost import dollars, number, spell
from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb


@click.command(cls=Verb, epilog=examples("orch agents", "orch agents --json"))
@shared
def agents(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List agents: installed, cooling until when, and how they did in the last 30 days.

    RATE is the share of attempts that succeeded, without those that a person stopped; TIME the
    average of one. An agent that is configured no more is shown while there is something to tell; a
    known program that is installed and no agent yet is `at hand`.
    """
    from orch.api import accounts

    out, orch = output(as_json, quiet, no_color), home()
    found = accounts.agents(orch, accounts.booked(orch))
    if out.json:
        out.data(found)
    elif out.quiet:
        for one in found:
            out.line(one["name"])
    elif found:
        heads = ["agent", "state", "attempts", "rate", "time", "tokens in", "tokens out", "usd"]
        out.table(heads, [_row(one) for one in found])
        for note in dict.fromkeys(map(_note, found)):  # the day's limit pauses all alike
            if note:
                out.note(note)
    else:
        out.note("no agent is configured, and none of the known programs is installed")


def _note(one: dict[str, Any]) -> str:
    """Why it cannot be used now; empty where it can."""
    if one["problem"]:
        return f"{one['name']}: {one['problem']}" + (f"; {one['fix']}" if one["fix"] else "")
    if not one["configured"] and one["found"]:
        return f"{one['name']}: installed, and no agent yet; {one['fix']}"
    if one["cooling_until"]:
        return f"{one['name']} cools until {one['cooling_until']}: {one['cooling_why']}"
    return str(one["paused_why"] or "")


def _row(one: dict[str, Any]) -> list[str]:
    rate = one["success_rate"]
    return [
        one["name"], _state(one), str(one["attempts"]), "-" if rate is None else f"{rate:.0%}",
        spell(one["average_s"]) if one["average_s"] is not None else "-",
        number(one["tokens_in"]) if one["attempts"] else "-",
        number(one["tokens_out"]) if one["attempts"] else "-",
        dollars(one["usd"]) if one["attempts"] else "-",
    ]  # fmt: skip


def _state(one: dict[str, Any]) -> str:
    if not one["configured"]:
        return "at hand" if one["found"] else "gone"
    if not one["installed"]:
        return "missing"
    if one["signed_in"] is False:
        return "not signed in"
    if one["cooling_until"]:
        return "cooling"
    if one["live"]:
        return f"{one['live']} at work"
    return "paused (budget)" if one["paused_why"] else "ready"
