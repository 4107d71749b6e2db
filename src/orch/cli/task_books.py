"""`orch task publish|cost|sidecar|move`: what the books and the tracker have of a task.

Invariant: the task's work is not touched; doing it again changes nothing.
"""

from __future__ import annotations

import json
from typing import Any

import click

from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.words import Verb
from orch.model.errors import UsageError


@click.command(
    cls=Verb,
    epilog=examples(
        "orch task publish 12",
        "orch task publish 12 -l bug,cli",
        "orch task publish 12 --source thing",
    ),
)
@click.argument("number")
@click.option("--source", default="", help="At this source (default: in the vault).")
@click.option("--labels", "-l", multiple=True, help="A,B beside the task's own (repeatable).")
@dry
@shared
def publish(
    number: str, source: str, labels: tuple[str, ...], dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Make an issue of an internal task, in the vault or at a tracker, and bind the two."""
    from orch.api import task_verbs
    from orch.api.tasks import Tasks
    from orch.model.task_wishes import published

    out, orch = output(as_json, quiet, no_color), home()
    tasks = Tasks(orch)
    found = tasks.find(number)
    words = tuple(w.strip() for one in labels for w in one.split(",") if w.strip())
    if dry_run:
        if found.issue:
            raise published(found)
        out.note(f"would make an issue of task {found.id}: {found.title}; nothing was done")
        return
    made = task_verbs.publish(orch, found, words, source)
    if out.json:
        out.data({**tasks.short(made), "issue": made.issue})
    else:
        out.line(made.issue if out.quiet else f"task {made.id} is {made.issue}: {made.title}")


@click.command(cls=Verb, epilog=examples("orch task cost 12", "orch task cost 12 --by agent"))
@click.argument("number")
@click.option(
    "--by", type=click.Choice(("agent", "model", "day")), help="One row for each of these."
)
@shared
def cost(number: str, by: str | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what a task has cost: tokens, US dollars where they are known, agents' time."""
    from orch.api import accounts
    from orch.api.tasks import Tasks
    from orch.cli.cost import show

    out, orch = output(as_json, quiet, no_color), home()
    show(out, accounts.cost(orch, Tasks(orch).find(number), by or "", 0.0))


@click.command(
    cls=Verb,
    epilog=examples(
        "orch task sidecar get 12", "orch task sidecar get 12 phase",
        "orch task sidecar set 12 phase '\"design\"'", "orch task sidecar set 12 phase null",
    ),
)  # fmt: skip
@click.argument("action", type=click.Choice(("get", "set")))
@click.argument("number")
@click.argument("key", required=False)
@click.argument("value", required=False)
@shared
def sidecar(
    action: str, number: str, key: str | None, value: str | None, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Small notes that scripts keep with a task: JSON values by key; null takes one away.

    A value that is no JSON is kept as text; @FILE and - read it from there.
    """
    from orch.api import task_verbs
    from orch.api.tasks import Tasks

    out, orch = output(as_json, quiet, no_color), home()
    found = Tasks(orch).find(number)
    told: Any = None
    if action == "set":
        if key is None or value is None:
            raise UsageError(
                "a note needs a key and a value", code="usage",
                hint=f"orch task sidecar set {found.id} KEY VALUE",
            )  # fmt: skip
        told = task_verbs.keep(orch, found, key, _json(text_or_file(value))).notes
    elif value is not None:
        raise UsageError(
            "get takes a key and no value", code="usage",
            hint=f"orch task sidecar set {found.id} {key} VALUE",
        )  # fmt: skip
    else:
        told = found.notes if key is None else task_verbs.kept(found, key)
    if out.json or action == "get":
        out.data(told)
    elif not out.quiet:
        out.line(f"task {found.id} has {len(told)} note{'' if len(told) == 1 else 's'}")


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


@click.command(cls=Verb, epilog=examples("orch task move 12 --parent 4", "orch task move 12 --top"))
@click.argument("number")
@click.option("--parent", default="", help="The task that it becomes a part of.")
@click.option("--top", is_flag=True, help="A part of none.")
@shared
def move(number: str, parent: str, top: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Make a task a part of another one, which then waits for it; never of a part of itself."""
    from orch.api import task_verbs
    from orch.api.tasks import Tasks
    from orch.cli.task import tell

    out, orch = output(as_json, quiet, no_color), home()
    tasks = Tasks(orch)
    found = tasks.find(number)
    if bool(parent) == top:
        raise UsageError(
            "a task moves below a parent or to the top", code="usage",
            hint=f"orch task move {found.id} --parent NUMBER",
        )  # fmt: skip
    moved = task_verbs.place(orch, found, tasks.find(parent).id if parent else 0)
    where = f"is part of task {moved.parent}" if moved.parent else "is part of no task"
    tell(out, tasks, moved, f"task {moved.id} {where}")
