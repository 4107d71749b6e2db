"""`orch task route|run|attach|live|kill`: who does a task, and what is at work for it now.

Invariant: `run` waits for the run as `orch run` does, with its exit codes; what is stopped here is
stopped for good and told to the books first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, looking, output, shared
from orch.cli.words import Verb
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from orch.cli.output import Output


@click.command(
    cls=Verb,
    epilog=examples(
        "orch task route 12", "orch task route 12 --agent claude", "orch task route 12 --anew"
    ),
)
@click.argument("number")
@click.option("--agent", default="", help="This agent and no other from now on.")
@click.option("--anew", is_flag=True, help="Forget the agent; the router chooses again.")
@dry
@shared
def route(
    number: str, agent: str, anew: bool, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Show who does a task, or who would if it began now; with an option decide it anew.

    Only for a task that waits: what works already is stopped first (orch task kill).
    """
    from orch.api import task_verbs
    from orch.api.tasks import Tasks

    out, orch = output(as_json, quiet, no_color), home()
    found = Tasks(orch).find(number)
    if agent and anew:
        raise UsageError(
            "--agent names one, --anew leaves it to the router", code="usage",
            hint=f"orch task route {found.id} --agent {agent}",
        )  # fmt: skip
    if (agent or anew) and not dry_run:
        found = task_verbs.reroute(orch, found, agent)
    told = task_verbs.route_of(orch, found)
    if out.json:
        out.data(told)
    elif out.quiet:
        out.line(told["agent"] or "")
    else:
        _tell_route(out, told)
    if dry_run and (agent or anew):
        out.note("nothing was changed")


def _tell_route(out: Output, told: dict[str, Any]) -> None:
    if told["refused"]:
        out.line(f"task {told['task']}: nobody now: {told['refused']}")
        return
    if not told["agent"]:
        out.line(f"task {told['task']}: {told['reason']}")
        return
    verb = "is done by" if told["chosen"] else "would be done by"
    model = f" with {told['model']}" if told["model"] else ""
    how = f" ({told['reason'] or told['by']})" if told["reason"] or told["by"] else ""
    out.line(f"task {told['task']} {verb} {told['agent']}{model}{how}")


@click.command(
    cls=Verb, epilog=examples("orch task run", "orch task run 12", "orch task run @ --json")
)
@click.argument("number", default="")
@shared
def run(number: str, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Run a task here and wait for it: the given one, else the first routed, else the first new.

    Where a service drives this home it does the work, and this follows. Exit code: 0 when the run
    is done, 6 when it waits for a person, 1 when it failed. Ctrl-C detaches: agents go on.
    """
    from orch.api import task_verbs
    from orch.api.tasks import Tasks
    from orch.cli.runs import settle

    out, orch = output(as_json, quiet, no_color), home()
    found = Tasks(orch).find(number) if number else task_verbs.next_to_run(orch)
    with out.aside():
        begun = task_verbs.run_for(orch, found)
    out.note(f"task {found.id}: {found.title} (run {begun.id})")
    code = settle(orch, [begun.id], out)
    after = orch.store.task(found.id)
    if after is not None and not as_json and after.state not in ("done", "in_review"):
        out.note(
            f"task {after.id} is {after.state}" + (f": {after.reason}" if after.reason else "")
        )
    return code


@click.command(cls=Verb, epilog=examples("orch task attach 12", "orch task attach 12 --read-only"))
@click.argument("number")
@click.option("--agent", default="", help="Which of its agents, where several are at work.")
@click.option("--read-only", "-r", is_flag=True, help="Watch only; no key reaches the program.")
@shared
def attach(
    number: str, agent: str, read_only: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Join the program that works on a task in its terminal. Ctrl-b d leaves it running.

    With --json nothing is joined: the command that would do it is printed.
    """
    from orch.api import messages, task_verbs
    from orch.api.tasks import Tasks
    from orch.cli.attach import join

    out, orch = output(as_json, quiet, no_color), looking()
    known = task_verbs.at_work(orch, Tasks(orch).find(number))
    target = f"{known.id}:{agent}" if agent else known.id
    join(orch, messages.live_attempt(orch, target, verb="attach"), out, read_only=read_only)


@click.command(cls=Verb, epilog=examples("orch task live", "orch task live --json"))
@shared
def live(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List what is at work now: its task, agent, terminal, and since when."""
    from orch.api.task_verbs import live_attempts
    from orch.cli.spans import age

    out, orch = output(as_json, quiet, no_color), looking()
    found = live_attempts(orch)
    if out.json:
        out.data(found)
    elif out.quiet:
        for one in found:
            out.line(one["attempt"])
    elif found:
        rows = [
            [one["attempt"], str(one["task"] or "-"), one["agent"], age(one["seconds"]),
             one["terminal"], one["title"]]
            for one in found
        ]  # fmt: skip
        out.table(["attempt", "task", "agent", "since", "terminal", "title"], rows)
    else:
        out.note("nothing is at work now")


@click.command(
    cls=Verb, epilog=examples("orch task kill 12", "orch task kill 12 --agent impl --dry-run")
)
@click.argument("number")
@click.option("--agent", "agents", multiple=True, help="Only this agent (repeatable).")
@dry
@shared
def kill(
    number: str, agents: tuple[str, ...], dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> int:  # fmt: skip
    """Stop the agents that work on a task, for good: no other attempt follows.

    What they wrote stays in its worktree. The task then waits for a person: orch task retry.
    """
    from orch.api import task_verbs
    from orch.api.tasks import Tasks
    from orch.cli.stopping import stop_agents

    out, orch = output(as_json, quiet, no_color), looking()
    known = task_verbs.at_work(orch, Tasks(orch).find(number))
    return stop_agents(orch, known, agents or ("",), out, abort=False, dry_run=dry_run)
