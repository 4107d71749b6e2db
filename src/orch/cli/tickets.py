"""`orch tickets`: work to be done, wherever it is written down. The vault's are `orch issue`'s too.

Invariant: `tickets` and `issue` say and do the same about a ticket, by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Noun
from orch.model.errors import Unreachable
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
        click.option("--label", "labels", multiple=True, help="Only with this label (and others)."),
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
    """Read, list, show, link and unlink tickets."""


@tickets.command(
    "list",
    epilog=examples(
        "orch tickets list --state open --label bug", "orch tickets list --source thing --json"
    ),
)
@filters
@click.option("--source", default="", help="Only those of one source (vault is one).")
@shared
def list_(source: str, as_json: bool, quiet: bool, no_color: bool, **wanted: Any) -> None:
    """List tickets, newest first. Files that cannot be read are named and kept."""
    tell_list(output(as_json, quiet, no_color), wanted, source)


def tell_list(out: Output, wanted: dict[str, Any], source: str) -> None:
    """The tickets that the filters let through."""
    from orch.api.tracked_tickets import listing

    orch = home()
    found, broken = listing(orch, source=source, **wanted)
    if out.json:
        out.data(found)
    elif out.quiet:
        for item in found:
            out.line(item["id"])
    elif found:
        rows = [[i["id"], i["state"], ",".join(i["labels"]), i["title"]] for i in found]
        out.table(["id", "state", "labels", "title"], rows)
    elif any(wanted.values()):
        out.note("no issue is like that: orch tickets list shows all")
    elif source not in ("", "vault") or (not source and orch.rooms.config(None).sources):
        out.note(f"no ticket yet; read them: orch tickets sync {source}".rstrip())
    else:
        out.note('no issue yet; make one: orch issue create "TITLE"')
        out.note("those of GitHub, Jira, ...: orch repo sources add REPO --type KIND")
    for sentence in broken:
        out.warn(f"warning: {sentence}")


@tickets.command(epilog=examples("orch tickets show ISSUE-001", "orch tickets show thing:12 --raw"))
@click.argument("identifier")
@click.option("--raw", is_flag=True, help="The tracker's own answer, as it came.")
@shared
def show(identifier: str, raw: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a ticket, and what follows from it."""
    from orch.api import tracked_tickets as tracked

    out, orch = output(as_json, quiet, no_color), home()
    ticket = orch.issue(identifier)
    known = orch.store.tickets.ticket(ticket.id) if ":" in ticket.id else None
    if known is None:
        tell(out, ticket)
    elif raw:
        out.line(orch.store.tickets.raw(ticket.id))
    else:
        tell_tracked(out, tracked.record_of(orch, known))


def tell_tracked(out: Output, told: dict[str, Any]) -> None:
    """One ticket of a source, whole."""
    if out.json:
        out.data(told)
        return
    if out.quiet:
        out.line(told["id"])
        return
    out.line(f"{told['id']}: {told['title']}")
    word = f" ({told['word']})" if told["word"] else ""
    out.line(f"state: {told['state']}{word}   labels: {', '.join(told['labels']) or 'none'}")
    lines = {
        "by": told["author"], "assigned to": told["assignee"], "priority": told["priority"],
        "milestone": told["milestone"], "part of": told["parent"],
        "waits for": ", ".join(told["blocked_by"]), "pull request": told["pr_url"],
        "at": told["url"], "read": told["synced_at"], "task": str(told["task"] or ""),
        "why": told["why"],
    }  # fmt: skip
    for name, value in lines.items():
        if value:
            out.line(f"{name}: {value}")
    if told["body"]:
        out.line()
        out.line(told["body"].rstrip("\n"))


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


@tickets.command(
    epilog=examples(
        "orch tickets sync", "orch tickets sync thing --full", "orch tickets sync --json"
    )
)
@click.argument("names", nargs=-1, metavar="[SOURCE...]")
@click.option("--full", is_flag=True, help="Everything anew, not only what has changed.")
@shared
def sync(names: tuple[str, ...], full: bool, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Read what has changed at the trackers, now. Tickets that start work become tasks (with
    --quiet only their numbers are printed, and what went wrong)."""
    from orch.api import ticket_sources as ts
    from orch.compose.service import make_sourcing

    out, orch = output(as_json, quiet, no_color), home()
    for name in names:
        ts.find(orch, name)
    known = list(orch.rooms.config(None).sources)
    sourcing = make_sourcing(orch, orch.rooms.person)
    told = []
    for name in names or known:
        found = sourcing.look(name, whole=full)
        told.append(found)
        if as_json:
            continue
        if found.error:
            out.warn(f"{name}: {found.error}")
            if found.hint:
                out.note(f"  try: {found.hint}")
        elif quiet:
            for task in found.tasks:
                out.line(str(task))
        else:
            numbers = ", ".join(map(str, found.tasks))
            made = f", {len(found.tasks)} became tasks: {numbers}" if found.tasks else ""
            out.line(f"{name}: {found.news} news of {found.seen}, {found.open} open{made}")
    if as_json:
        out.data([msgspec.to_builtins(one) for one in told])
    if not known and not (as_json or quiet):
        out.note("no source yet; add one: orch repo sources add REPO --type github")
    return Unreachable.exit_code if any(one.error for one in told) else 0


@tickets.command(epilog=examples("orch tickets stats", "orch tickets stats --json"))
@shared
def stats(as_json: bool, quiet: bool, no_color: bool) -> None:
    """Count tickets: open, closed, with tasks, done, not written back."""
    from orch.api.ticket_sources import stats as counted

    out, found = output(as_json, quiet, no_color), counted(home())
    if as_json:
        out.data(found)
    elif quiet:
        for one in found:
            out.line(f"{one['source']} {one['open']}")
    elif not found:
        out.note("no source yet; add one: orch repo sources add REPO --type github")
    else:
        head = ["source", "open", "closed", "gone", "tasks", "done", "unwritten"]
        out.table(head, [[str(one[name]) for name in head] for one in found])
