"""`orch cost`: tokens, dollars and agents' time, summed up. Reads only.

Invariant: a cost that nobody reported is shown as unknown, never as zero, and how much is unknown is
said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.cli.output import Output

BY = ("task", "agent", "model", "repo", "day")
UNKNOWN = "?"


@click.command(
    cls=Verb,
    epilog=examples("orch cost", "orch cost 12", "orch cost --by agent --since 2026-11-01"),
)
@click.argument("target", metavar="[TASK|RUN]", default="")
@click.option("--by", type=click.Choice(BY), help="One row for each of these.")
@click.option("--since", default="", help="A date (UTC), or a date with a time.")
@shared
def cost(
    target: str, by: str | None, since: str, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Show what agents have cost: all of them, those of a task (its number) or of a run (its id).

    Dollars are what agents reported; what is not known is counted as unknown, never as zero.
    """
    from orch.api import accounts

    out, orch = output(as_json, quiet, no_color), home()
    found = accounts.meant(orch, target) if target else None
    show(out, accounts.cost(orch, found, by or "", accounts.day(since) if since else 0.0))


def show(out: Output, told: dict[str, Any]) -> None:
    """The sums, as a table where a dimension was asked for."""
    whole = told["total"]
    if out.json:
        out.data(told)
        return
    if out.quiet:
        out.line(dollars(whole["usd"]))
        return
    if not whole["attempts"]:
        out.note("no agent has worked for that")
        return
    if told["by"]:
        rows = [[row[told["by"]] or "-", *_cells(row)] for row in told["rows"]]
        heads = [told["by"], "attempts", "tokens in", "tokens out", "usd", "time"]
        out.table(heads, [*rows, ["total", *_cells(whole)]])
    else:
        count, live = whole["attempts"], whole["live"]
        at_work = f" ({live} at work)" if live else ""
        out.line(f"attempts: {count}{at_work}")
        out.line(f"tokens: {number(whole['tokens_in'])} in, {number(whole['tokens_out'])} out")
        out.line(f"dollars: {dollars(whole['usd'])}")
        out.line(f"agents' time: {spell(whole['seconds'])}")
    unsaid = unknown(whole)
    if unsaid:
        out.note(unsaid)


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        str(row["attempts"]), number(row["tokens_in"]), number(row["tokens_out"]),
        dollars(row["usd"]), spell(row["seconds"]),
    ]  # fmt: skip


def unknown(row: dict[str, Any]) -> str:
    """One sentence on what is not in the sums; empty when all is."""
    usd, tokens, count = row["usd_unknown"], row["tokens_unknown"], row["attempts"]
    parts = [
        f"the {what} of {n} of {count} {'attempt' if count == 1 else 'attempts'}"
        for what, n in (("dollars", usd), ("tokens", tokens))
        if n
    ]
    return f"not known, and not in the sums: {' and '.join(parts)}" if parts else ""


def number(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def dollars(usd: float | None) -> str:
    if usd is None:
        return UNKNOWN
    return f"{usd:,.2f}" if usd >= 0.1 or usd == 0 else f"{usd:.4f}"


def spell(seconds: float | None) -> str:
    """`0.4s`, `45s`, `3m20s`, `2h05m`."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if 0 < seconds < 10:
        return f"{seconds:.1f}s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600:,}h{whole % 3600 // 60:02d}m"
