"""`orch task`: work for agents: asked for, listed, shown, retried, closed.

Invariant: every command that changes a task says what became of it and what it waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.task_books import cost, move, publish, sidecar
from orch.cli.task_lines import lines, story
from orch.cli.task_work import attach, kill, live, route, run
from orch.cli.words import Noun
from orch.model.task import CLOSED, STATES

if TYPE_CHECKING:
    from orch.api.tasks import Tasks
    from orch.cli.output import Output
    from orch.model.task import Task


@click.group(cls=Noun)
def task() -> None:
    """Ask for work; list, show, retry and close tasks."""


for command in (route, run, attach, live, kill, publish, cost, move, sidecar):
    task.add_command(command)


def queue() -> Tasks:
    from orch.api.tasks import Tasks

    return Tasks(home())


@task.command(
    epilog=examples(
        'orch task add "Add a --json flag" --repo thing',
        'orch task add "Plan the release" --body @plan.md --labels plan,docs',
        'orch task add "Mend the build" --repo thing --agent claude --json',
    )
)
@click.argument("title")
@click.option("--body", default="", help="Text, @FILE, or - for standard input.")
@click.option("--repo", default="", help="The repository it is for; without it the agent works in"
              " an empty folder.")  # fmt: skip
@click.option("--labels", "-l", multiple=True, help="A,B (repeatable).")
@click.option("--workflow", default="", help="Instead of the configured one ([defaults] workflow).")
@click.option(
    "--agent", default="", help="This agent and no other: it is tried again, not replaced."
)
@click.option("--parent", default=0, type=int, help="The task that this one is a part of.")
@click.option("--priority", default=0, type=int, help="Higher ones begin first.")
@dry
@shared
def add(
    title: str, body: str, repo: str, labels: tuple[str, ...], workflow: str, agent: str,
    parent: int, priority: int, dry_run: bool, as_json: bool, quiet: bool, no_color: bool,
) -> None:  # fmt: skip
    """Ask for work. Exit 0 means that it is written down and will be done once."""
    out, tasks = output(as_json, quiet, no_color), queue()
    words = tuple(dict.fromkeys(w.strip() for one in labels for w in one.split(",") if w.strip()))
    made = tasks.add(
        title, body=text_or_file(body), repo=repo, labels=words, workflow=workflow, agent=agent,
        parent=parent, priority=priority, dry_run=dry_run,
    )  # fmt: skip
    if made is None:
        out.note("nothing was added; it would be taken")
        return
    tell(out, tasks, made, f"task {made.id}: {made.title}")


def tell(out: Output, tasks: Tasks, found: Task, sentence: str) -> None:
    """What became of a task."""
    if out.json:
        out.data(tasks.short(found))
    elif out.quiet:
        out.line(str(found.id))
    else:
        out.line(sentence)
        reason = tasks.reason(found)
        if reason:
            out.note(reason)


@task.command(
    "list",
    epilog=examples(
        "orch task list --status needs_review", "orch task list --wide", "orch task list --json"
    ),
)
@click.option("--status", default="", help=f"One of {', '.join(STATES)}.")
@click.option("--repo", default="", help="Only those of one repository.")
@click.option("--label", default="", help="Only with this label.")
@click.option("--agent", default="", help="Only those of this agent.")
@click.option("--source", default="", help="Only those asked for by this (person, job, agent).")
@click.option("--text", default="", help="Only those that say this, in title or body.")
@click.option("--limit", type=click.IntRange(1), default=1000, help="At most so many.")
@click.option("--wide", is_flag=True, help="Whole titles and reasons, however long.")
@click.option("--global", "everywhere", is_flag=True, help="Those of every repository.")
@shared
def list_(
    status: str, wide: bool, everywhere: bool, as_json: bool, quiet: bool, no_color: bool,
    **wanted: Any,
) -> None:  # fmt: skip
    """List tasks, newest first: of the repository you stand in, else all."""
    out, tasks = output(as_json, quiet, no_color), queue()
    found = tasks.find_all(state=status, here=not everywhere, **wanted)
    if out.json:
        out.data(tasks.listing(found))
    elif out.quiet:
        for one in found:
            out.line(str(one.id))
    elif found:
        lines(tasks.listing(found), out, wide=wide)
    else:
        out.note('no task is like that; ask for one: orch task add "TITLE"')


@task.command(epilog=examples("orch task get 12", "orch task get @ --json"))
@click.argument("number")
@shared
def get(number: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a task: state and reason, attempts, pull requests, cost, history."""
    out, tasks = output(as_json, quiet, no_color), queue()
    found = tasks.find(number)
    record = tasks.record(found)
    if out.json:
        out.data(record)
    elif out.quiet:
        out.line(str(found.id))
    else:
        story(record, out, tasks.now())


@task.command(epilog=examples("orch task status", "orch task status --json"))
@click.argument("number", required=False)
@shared
def status(number: str | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """How many tasks are in each state; with a number, the state of that one."""
    out, tasks = output(as_json, quiet, no_color), queue()
    if number is not None:
        found = tasks.find(number)
        tell(out, tasks, found, f"task {found.id} is {found.state}")
        return
    counts = tasks.counts()
    if out.json:
        out.data(counts)
    elif counts:
        out.table(["state", "tasks"], [[state, str(n)] for state, n in counts.items()])
    else:
        out.note('no task yet; ask for one: orch task add "TITLE"')


@task.command(epilog=examples("orch task retry 12", "orch task retry 12 --resume"))
@click.argument("number")
@click.option("--resume", is_flag=True, help="The agent goes on with its conversation.")
@shared
def retry(number: str, resume: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Try a task once more, in the same worktree where it has one.

    A task that is closed begins anew with a branch of its own. One whose pull request waits to be
    merged is refused. An agent that was cut off from outside goes on with its conversation in any
    case.
    """
    out, tasks = output(as_json, quiet, no_color), queue()
    found = tasks.retry(tasks.find(number), converse=resume)
    tell(out, tasks, found, f"task {found.id} is {found.state}")
    if found.state == "new" and not out.json:
        _still_open(out, tasks, found)
        why = tasks.reason(found)
        if why and not out.quiet:
            out.note(why)


def _still_open(out: Output, tasks: Tasks, found: Task) -> None:
    """What its earlier runs have left at the forge."""
    for pull in tasks.open_pulls(found):
        out.note(f"{pull} is still open: orch pr close {pull}")


@task.command(epilog=examples("orch task unblock 12", "orch task unblock all"))
@click.argument("number")
@shared
def unblock(number: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Let a task go on that waits; `all`: every blocked one."""
    out, tasks = output(as_json, quiet, no_color), queue()
    waiting = tasks.find_all(state="blocked") if number == "all" else [tasks.find(number)]
    moved = [tasks.unblock(one) for one in waiting]
    if out.json:
        out.data(tasks.listing(moved))
    elif not moved:
        out.note("no task is blocked")
    for one in () if out.json else moved:
        out.line(str(one.id) if out.quiet else f"task {one.id} is {one.state}")


@task.command(
    epilog=examples(
        "orch task close 12 --note 'not needed'", "orch task close 12 --done",
        "orch task close 80 81",
    )
)  # fmt: skip
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
@click.option("--note", default="", help="Why, for the books.")
@click.option("--done", is_flag=True, help="It is done, rather than given up.")
@shared
def close(
    numbers: tuple[str, ...], note: str, done: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """End tasks. Their agents are stopped; what they wrote stays in its worktree.

    Open pull requests stay open, and the tasks that one was cut into go on: both are named. With
    --json `open_prs` lists the former; of several tasks each is one of a list.
    """
    out, tasks = output(as_json, quiet, no_color), queue()
    wanted = {found.id: found for found in map(tasks.find, numbers)}
    ended = [tasks.close(one, why=note, done=done) for one in wanted.values()]
    if out.json:
        told = [{**tasks.short(one), "open_prs": tasks.open_pulls(one)} for one in ended]
        out.data(told if len(numbers) > 1 else told[0])
    for found in () if out.json else ended:
        over = found.state in CLOSED
        ending = f"is {found.state}" if over else "is being ended"  # its reason is one of before
        out.line(str(found.id) if out.quiet else f"task {found.id} {ending}")
        if over and found.reason:
            out.note(found.reason)
        _still_open(out, tasks, found)
        if parts := tasks.open_parts(found):
            goes = "part goes" if len(parts) == 1 else "parts go"
            out.note(f"its {goes} on: orch task close {' '.join(map(str, parts))}")


@task.command(epilog=examples("orch task tree", "orch task tree 12"))
@click.argument("number", required=False)
@shared
def tree(number: str | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a task, or all of them, with the tasks that they were cut into."""
    out, tasks = output(as_json, quiet, no_color), queue()
    tops = [tasks.find(number)] if number else tasks.tops()
    found = [tasks.tree(one) for one in tops]
    if out.json:
        out.data(found[0] if number else found)
        return
    for top in found:
        _branch(out, top, "")


def _branch(out: Output, node: dict[str, Any], indent: str) -> None:
    if out.quiet:
        out.line(str(node["id"]))
    else:
        out.line(f"{indent}{node['id']} {out.state(node['status'])} {node['title']}")
    for child in node["children"]:
        _branch(out, child, f"{indent}  ")
