"""`orch webhook`: what trackers deliver to `orch serve --webhooks`.

Invariant: a secret is made, kept in a file of its owner's and never printed.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Noun
from orch.model.errors import OrchError, Unreachable, UsageError
from orch.model.plain import plain_text

if TYPE_CHECKING:
    from orch.cli.output import Output

_AGES = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@click.group(cls=Noun)
def webhook() -> None:
    """Add, list, try and replay webhooks. `orch serve --webhooks` takes them in."""


@webhook.command(
    epilog=examples(
        "orch webhook add thing --url https://orch.example.org", "orch webhook add thing --dry-run",
        "orch webhook add thing-linear --secret -    (the secret that Linear has made)",
    )
)  # fmt: skip
@click.argument("source")
@click.option("--url", default="", help="Where the intake is seen from outside.")
@click.option("--secret", default="", help="- reads the tracker's own from standard input.")
@dry
@shared
def add(
    source: str, url: str, secret: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Give SOURCE a webhook with a new secret. The secret before goes on to hold: say it again to
    exchange one without a pause. Where the credential may not, it says what to enter where."""
    from orch.api import webhooks

    out, orch = output(as_json, quiet, no_color), home()
    webhooks.hooked(orch, source)
    where = webhooks.public_url(source, url)
    given = _given(secret)
    if dry_run:
        file = str(webhooks.places(orch, source)[0])
        out.data({"source": source, "url": where, "file": file}) if as_json else out.line(
            f"would put a new secret into {file}" + (f" and deliver to {where}" if where else "")
        )
        return
    told = webhooks.add(orch, source, url, os.environ, secret=given)
    if as_json:
        out.data(told)
    elif quiet:
        out.line(told["url"] or told["file"])
    else:
        _tell(out, told)


def _given(secret: str) -> str:
    if secret in ("", "-"):
        return sys.stdin.readline().strip() if secret else ""
    raise UsageError(
        "a secret is not said on the command line, where others can read it",
        code="secret_in_argv", hint="orch webhook add SOURCE --secret - < FILE",
    )  # fmt: skip


def _tell(out: Output, told: dict[str, Any]) -> None:
    if told["rotated"]:
        out.note("the secret before holds too, until the next time")
    if told["made"]:
        out.line(f"{told['place']} delivers to {told['url']}")
        out.note(f"next: orch webhook test {told['source']}")
        return
    out.line(f"{told['source']}: its secret is ready; the webhook is made by hand: {told['why']}")
    url = told["url"] or f"https://YOUR-HOST/webhooks/{told['source']}"
    for word, value in (
        ("page", told["where"]), ("URL", url), ("secret", f"what this prints: cat {told['file']}"),
        ("events", told["events"]),
    ):  # fmt: skip
        out.line(f"  {word + ':':8} {value}")


@webhook.command("list", epilog=examples("orch webhook list", "orch webhook list --deliveries"))
@click.option("--deliveries", is_flag=True, help="The deliveries themselves, the latest first.")
@click.option("--source", default="", help="Only those of one source.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True,
              help="So many deliveries at most.")  # fmt: skip
@shared
def list_(
    deliveries: bool, source: str, limit: int, as_json: bool, quiet: bool, no_color: bool
) -> None:  # fmt: skip
    """List the sources with webhooks: when the last delivery came, how many were refused and why,
    and which have fallen silent."""
    from orch.api import webhooks

    out, orch = output(as_json, quiet, no_color), home()
    if source:
        webhooks.hooked(orch, source)
    if deliveries:
        rows = [webhooks.record(row) for row in orch.store.deliveries.find(source, limit=limit)]
        _deliveries(out, rows)
        return
    found = [one for one in webhooks.listing(orch) if source in ("", one["source"])]
    if as_json:
        out.data(found)
    elif quiet:
        for one in found:
            out.line(one["source"])
    elif not found:
        out.note("no source has webhooks; add one: orch repo sources add REPO --type github")
    else:
        out.table(
            ["source", "kind", "secrets", "last delivery", "waiting", "refused"],
            [[o["source"], o["kind"], f"{o['secrets']}", (o["last"] or "never")[:19],
              f"{o['waiting']}", f"{sum(o['refused'].values())}"] for o in found],
        )  # fmt: skip
        for one in found:
            reasons = ", ".join(f"{times} {why}" for why, times in one["refused"].items())
            if reasons:
                out.note(f"{one['source']}: refused {reasons}")
            if one["silent"]:
                out.warn(f"{one['source']}: {one['silent']}")


def _deliveries(out: Output, rows: list[dict[str, Any]]) -> None:
    if out.json:
        out.data(rows)
    elif out.quiet:
        for row in rows:
            out.line(row["id"])
    elif not rows:
        out.note("nothing was delivered yet")
    else:
        out.table(
            ["received", "source", "event", "of", "state", "id"],
            [[r["received_at"][5:19], r["source"], r["event"],
              " ".join(h["id"] for h in r["hints"] if h["id"]) or "-", r["state"], r["id"]]
             for r in rows],
        )  # fmt: skip


@webhook.command(epilog=examples("orch webhook test thing", "orch webhook test thing --here"))
@click.argument("source")
@click.option("--here", is_flag=True, help="Only our own intake, not the way from the tracker.")
@shared
def test(source: str, here: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Try the way of a delivery: a ping from the tracker where it has a hook of ours, else a signed
    request to the intake of this machine."""
    from orch.api import webhooks

    out, orch = output(as_json, quiet, no_color), home()
    told = None if here else webhooks.try_there(orch, source)
    told = told or webhooks.try_here(orch, source, os.environ)
    if as_json:
        out.data(told)
    elif quiet:
        out.line(told["delivery"])
    else:
        by = "our own request" if told["way"] == "here" else f"a ping of {told['way']}"
        out.line(f"{source}: {by} arrived at {told['url']}")


@webhook.command(
    epilog=examples(
        "orch webhook replay 72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "orch webhook replay --since 1h --source thing", "orch webhook replay --failed",
    )
)  # fmt: skip
@click.argument("delivery", default="")
@click.option("--source", default="", help="Only those of one source.")
@click.option("--since", default="", help="Those of the last 30m, 1h, 2d.")
@click.option("--failed", is_flag=True,
              help="Those nobody could look at; and what never arrived, of the tracker.")  # fmt: skip
@dry
@shared
def replay(
    delivery: str, source: str, since: str, failed: bool, dry_run: bool, as_json: bool,
    quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Deal with deliveries once more, as if they had just come. With --failed the tracker is asked
    to send again what never arrived (GitHub: of the last three days)."""
    from orch.api import webhooks

    out = output(as_json, quiet, no_color)
    if not (delivery or since or failed):
        raise UsageError(
            "say which: a delivery's id, --since or --failed", code="no_delivery",
            hint="orch webhook list --deliveries",
        )  # fmt: skip
    orch = home()
    ago = _age(since) if since else 3 * _AGES["d"] if failed else 0.0
    begin = orch.rooms.clock.now() - ago if ago else 0.0
    rows = webhooks.replayable(orch, delivery, source=source, since=begin, failed=failed)
    asked: dict[str, int | OrchError] = {}
    if not dry_run:
        orch.store.deliveries.again([row.key for row in rows])
        asked = webhooks.resend(orch, source, begin) if failed else {}
    code = Unreachable.exit_code if any(isinstance(one, OrchError) for one in asked.values()) else 0
    if as_json:
        told = {
            name: one if isinstance(one, int) else plain_text(one.message)
            for name, one in asked.items()
        }
        out.data({"replayed": [webhooks.record(row) for row in rows], "asked": told})
        return code
    for row in rows:
        out.line(row.id if quiet else f"{'would replay' if dry_run else 'again'}: {row.source}"
                 f" {row.event} {row.id}")  # fmt: skip
    if not rows:
        out.note("nothing was delivered that is so" if since or failed else "no such delivery")
    for name, one in asked.items():
        if isinstance(one, int):
            out.note(f"{name}: {one} asked for again")
            continue
        out.warn(f"{name}: not asked: {plain_text(one.message)}")
        if one.hint:
            out.note(f"  try: {one.hint}")
    return code


def _age(text: str) -> float:
    """`90s`, `30m`, `1h`, `2d` in seconds."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if found is None:
        raise UsageError(
            f"{text[:40]!r} is no span of time", code="bad_span", hint="--since 30m, 1h or 2d"
        )
    return int(found[1]) * _AGES[found[2]]
