"""`orch cron`: what a schedule means, without a job and without a home.

Exit codes: 0 due, 1 not due, 2 not an expression.
"""

from __future__ import annotations

import os
import time

import click

from orch.cli.options import examples, output, shared
from orch.cli.words import Verb


@click.command(
    cls=Verb,
    epilog=examples(
        'orch cron "30 9 * * mon-fri" --next 3 --tz Europe/Berlin',
        'orch cron @daily --since 2026-03-01T08:00Z --at 2026-03-02T08:00Z',
        'orch cron "*/5 * * * *" --quiet && echo now',
    ),
)  # fmt: skip
@click.argument("expression")
@click.option("--at", default="", help="The time in question (ISO 8601); now without it.")
@click.option("--since", default="", help="Due if a slot lies after this time, up to --at.")
@click.option("--next", "count", type=click.IntRange(0, 1000), default=1, show_default=True,
              help="How many slots after --at are told.")  # fmt: skip
@click.option("--tz", "zone", default="", help="The time zone; this machine's without it.")
@shared
def cron(
    expression: str, at: str, since: str, count: int, zone: str, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Say whether the schedule EXPRESSION is due, and when next. Exit code 0: due; 1: not due; 2:
    no expression. Five fields, names, lists, ranges and steps, or @daily and the like."""
    from orch.api.moments import local_zone, moment_in, told_in
    from orch.model import cron as rules

    out, zone = output(as_json, quiet, no_color), zone or local_zone(os.environ)
    known = rules.parse(expression)
    rules.zone_of(zone)
    when = moment_in(at, zone) if at else time.time()
    begin = moment_in(since, zone) if since else None
    if begin is None:
        slot = rules.due(expression, when, zone)
    else:
        slot = rules.last_missed(expression, begin, when, zone)
    coming = [told_in(one, zone) for one in rules.next_slots(expression, when, zone, count)]
    is_due = slot is not None
    if as_json:
        out.data({
            "expression": known.text, "zone": zone, "at": told_in(when, zone),
            "since": told_in(begin, zone) if begin is not None else None, "due": is_due,
            "slot": told_in(slot, zone) if slot is not None else None, "next": coming,
        })  # fmt: skip
    elif not quiet:
        out.line(f"due: {told_in(slot, zone)}" if slot is not None else "not due")
        for one in coming:
            out.line(f"next: {one}")
    click.get_current_context().exit(0 if is_due else 1)
