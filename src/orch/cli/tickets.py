"""`orch tickets`: work to be done, wherever it is written down. The vault's are `orch issue`'s too.

Invariant: `tickets` and `issue` say and do the same about a ticket, by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Noun
from orch.model.ticket import STATES

if TYPE_CHECKING:
    from orch.cli.output import Output
    from orch.model.ticket import Ticket

F = TypeVar("F", bound=Callable[..., Any])


def filters(function: F) -> F:
    """The options that narrow a list of tickets."""
    found: Any = function
    for option in (
        click.option("--limit", type=click.IntRange(0), default=0, help="At most so many."),
        click.option("--text", default="", help="Only those that say this, in title or body."),
        click.option("--repo", default="", help="Only those of one repository."),
        click.option("--label", "labels", multiple=True, help="Only with this label (or another)."),
        click.option(
            "--state", "states", multiple=True, type=click.Choice(STATES),
            help="Only in this state (or another).",
        ),
    ):  # fmt: skip
        found = option(found)
    wrapped: F = found
    return wrapped


@click.group(cls=Noun)
def tickets() -> None:
    """List, show, link and unlink tickets."""


@tickets.command(
    "list",
    epilog=examples(
        "orch tickets list --state open --label bug", "orch tickets list --text crash --json"
    ),
)
@filters
@shared
def list_(as_json: bool, quiet: bool, no_color: bool, **wanted: Any) -> None:
    """List tickets, newest first. Files that cannot be read are named and kept."""
    tell_list(output(as_json, quiet, no_color), wanted)


def tell_list(out: Output, wanted: dict[str, Any]) -> None:
    """The tickets that the filters let through."""
    from orch.api.tickets import find

    found, broken = find(home(), **wanted)
    if out.json:
        out.data([records.ticket_record(item) for item in found])
    elif out.quiet:
        for item in found:
            out.line(item.id)
    elif found:
        rows = [[i.id, i.status, ",".join(i.labels), i.title] for i in found]
        out.table(["id", "status", "labels", "title"], rows)
    elif any(wanted.values()):
        out.note("no issue is like that: orch issue list shows all")
    else:
        out.note('no issue yet; make one: orch issue create "TITLE"')
    for sentence in broken:
        out.warn(f"warning: {sentence}")


@tickets.command(epilog=examples("orch tickets show ISSUE-001", "orch tickets show 1 --json"))
@click.argument("identifier")
@shared
def show(identifier: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a ticket."""
    tell(output(as_json, quiet, no_color), home().issue(identifier))


def tell(out: Output, found: Ticket) -> None:
    """One ticket, whole."""
    if out.json:
        out.data(records.ticket_record(found))
        return
    if out.quiet:
        out.line(found.id)
        return
    out.line(f"{found.id}: {found.title}")
    out.line(f"status: {found.status}   labels: {', '.join(found.labels) or 'none'}")
    if found.pr_url:
        out.line(f"pull request: {found.pr_url}")
    if found.resolution:
        out.line(f"result: {found.resolution}")
    out.line(f"file: {found.path}")
    if found.body:
        out.line()
        out.line(found.body.rstrip("\n"))


@tickets.command(
    epilog=examples(
        "orch tickets link ISSUE-001 thing#3", "orch tickets link 1 https://example.org/pull/3"
    )
)
@click.argument("identifier")
@click.argument("pull")
@dry
@shared
def link(
    identifier: str, pull: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Bind a ticket to a pull request: its URL, N, or REPO#N."""
    from orch.api.tickets import link as bind

    out = output(as_json, quiet, no_color)
    done = bind(home(), identifier, pull, dry_run=dry_run)
    told(out, done, f"would link {done.id} to {pull}" if dry_run else f"{done.id}: {done.pr_url}")


@tickets.command(epilog=examples("orch tickets unlink ISSUE-001"))
@click.argument("identifier")
@dry
@shared
def unlink(identifier: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Forget the pull request of a ticket."""
    from orch.api.tickets import unlink as unbind

    out = output(as_json, quiet, no_color)
    done = unbind(home(), identifier, dry_run=dry_run)
    said = f"would unlink {done.id}" if dry_run else f"{done.id}: no pull request"
    told(out, done, said)


def told(out: Output, ticket: Ticket, sentence: str, after: Sequence[str] = ()) -> None:
    """What was done to a ticket."""
    if out.json:
        out.data(records.ticket_record(ticket))
    elif out.quiet:
        out.line(ticket.id)
    else:
        out.line(sentence)
        for line in after:
            out.note(line)
