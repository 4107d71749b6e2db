"""`orch repo sources`: where the tickets of a repository live.

Invariant: a credential is given as a reference; a value itself is taken and never shown.
"""

from __future__ import annotations

import os

import click

from orch.cli.options import dry, examples, home, may_ask, output, shared
from orch.cli.words import Noun
from orch.model.errors import ConfigError


@click.group(cls=Noun)
def sources() -> None:
    """Add, list and remove sources of tickets."""


@sources.command(
    epilog=examples(
        "orch repo sources add thing --type github",
        "orch repo sources add thing --type jira --project THING --token env:JIRA_TOKEN",
    )
)
@click.argument("repo")
@click.option(
    "--type", "kind", required=True, help="github, jira, linear, gitlab, gitea or forgejo."
)
@click.option("--name", default="", help="Its name (default: the repository's).")
@click.option("--project", default="", help="OWNER/NAME, a Jira key, a Linear team.")
@click.option("--base-url", default="", help="Another server.")
@click.option(
    "--user", default="", help="Who signs in (Jira): TEXT, env:NAME, file:PATH, cmd:WORDS."
)
@click.option("--token", default="", help="The credential: env:NAME, file:PATH, cmd:WORDS.")
@click.option("--query", default="", help="Only the tickets that this finds (Jira: JQL).")
@click.option("--label", default="", help="The label that starts work (default: orch).")
@click.option("--start", type=click.Choice(["label", "writers", "never"]), default=None,
              help="Which tickets become tasks by themselves.")  # fmt: skip
@click.option("--write", type=click.Choice(["all", "comments", "none"]), default=None,
              help="What is written back.")  # fmt: skip
@click.option("--config", "more", default="", help="Further keys, as a JSON object.")
@dry
@shared
def add(
    repo: str, kind: str, name: str, more: str, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool, **given: str,
) -> None:  # fmt: skip
    """Add a source: tickets of a project, for REPO. No ticket starts work until somebody who may
    write puts the label on it (or --start says otherwise). What a kind needs and is not said, a
    person is asked for."""
    from orch.api import ticket_sources as ts
    from orch.config.editing import adding

    out, orch = output(as_json, quiet, no_color), home()
    if may_ask() and not (quiet or as_json or more):
        for key, question, usual in ts.questions(kind):
            if not given[key]:
                given[key] = click.prompt(
                    question, default=usual, show_default=bool(usual), err=True
                )
    named, table = ts.wanted(orch, repo, kind, name, given, more)
    try:
        edit = adding(orch.home, ("sources", named), table, os.environ)
    except ConfigError as error:
        raise ts.told_by_option(error, named, given) from error
    ts.refuse_unusable(orch, named, edit.config(os.environ).sources[named])
    if dry_run:
        out.data({"name": named, **ts.encoded(table)}) if as_json else out.line(
            f"would add [sources.{named}] to {edit.file}"
        )
        return
    edit.write()
    orch.rooms.reread()
    out.note(f"{named} is in {edit.file}; asking whether it can be read")
    lacks = ts.probe(orch, named)
    config = orch.rooms.config(None).sources[named]
    if as_json:
        out.data({**ts.record(orch, named, config, None), "lacks": lacks})
    elif quiet:
        out.line(named)
    else:
        out.line(f"{named}: {config.kind} tickets for {config.repo}")
        if lacks:
            out.warn(f"it cannot be read yet: {lacks}")
        starts = {
            "label": f"a ticket starts work once somebody who may write labels it {config.label!r}",
            "writers": "every open ticket of somebody who may write starts work",
            "never": "tickets start no work by themselves",
        }
        if config.token.reveal() and config.token.kind() == "literal":
            out.warn(
                "its token stands in config.toml as it is; better: --token env:NAME or file:PATH"
            )
        out.note(starts[config.start])
        out.note(f"next: orch tickets sync {named}")


@sources.command("list", epilog=examples("orch repo sources list", "orch repo sources list thing"))
@click.argument("repo", required=False, default="")
@shared
def list_(repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List sources: their projects, how many tickets are open, when they were read."""
    from orch.api import ticket_sources as ts

    out, found = output(as_json, quiet, no_color), ts.listing(home(), repo)
    if as_json:
        out.data(found)
    elif quiet:
        for one in found:
            out.line(one["name"])
    elif not found:
        out.note("no source yet; add one: orch repo sources add REPO --type github")
    else:
        rows = [
            [o["name"], o["kind"], o["repo"], o["project"] or "-", str(o["open"]), o["start"],
             o["synced_at"] or "never"]
            for o in found
        ]  # fmt: skip
        out.table(["name", "type", "repo", "project", "open", "start", "read"], rows)
        for one in found:
            if one["error"]:
                out.warn(f"{one['name']}: {one['error']}")
                if one["due_at"]:
                    out.note(f"  next look: {one['due_at']}")


@sources.command(epilog=examples("orch repo sources remove thing thing-jira"))
@click.argument("repo")
@click.argument("name")
@dry
@shared
def remove(repo: str, name: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Remove a source. Its tickets are forgotten here and stay at the tracker; tasks stay."""
    from orch.api import ticket_sources as ts
    from orch.config.editing import unsetting

    out, orch = output(as_json, quiet, no_color), home()
    live = ts.may_remove(orch, repo, name)
    rows = len(orch.store.tickets.tickets(name))
    if not dry_run:
        unsetting(orch.home, f"sources.{name}", os.environ).write()
        orch.store.tickets.forget(name)
    if as_json:
        out.data({"name": name, "tickets": rows, "tasks": live})
    elif quiet:
        out.line(name)
    else:
        out.line(f"{'would remove' if dry_run else 'removed'} {name} ({rows} tickets)")
        out.note(f"added again under another name, its labelled tickets begin anew (--name {name})")
        if live:
            more = f" and {len(live) - 10} more" if len(live) > 10 else ""
            listed = ", ".join(map(str, live[:10])) + more
            out.note(f"their tickets are told nothing any more: tasks {listed}")
