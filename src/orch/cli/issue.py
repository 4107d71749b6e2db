"""`orch issue`: the issues of the vault, Markdown files that people may edit by hand."""

from __future__ import annotations

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.words import Noun


@click.group(cls=Noun)
def issue() -> None:
    """Create, list and show issues."""


@issue.command(
    epilog=examples(
        'orch issue create "Add a --json flag" --body @spec.md --labels enhancement,cli',
        'echo "It crashes" | orch issue create "Fix the crash" --body -',
    )
)
@click.argument("title")
@click.option("--body", default="", help="Text, @FILE, or - for standard input.")
@click.option("--labels", default="", help="Labels, separated by commas.")
@click.option("--repo", default="", help="The repository it is about.")
@dry
@shared
def create(
    title: str, body: str, labels: str, repo: str, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Create an issue."""
    out, orch = output(as_json, quiet, no_color), home()
    listed = [label.strip() for label in labels.split(",") if label.strip()]
    text = text_or_file(body)
    if dry_run:
        slug = orch.repo(repo).slug if repo else ""
        plan = {"title": title, "body": text, "labels": listed, "repo": slug}
        out.data(plan) if as_json else out.line(f"would create an issue: {title}")
        return
    made = orch.create_issue(title, body=text, labels=listed, repo=repo)
    if as_json:
        out.data(records.ticket_record(made))
    elif quiet:
        out.line(made.id)
    else:
        out.line(f"{made.id}: {made.path}")
        out.note(f"next: orch run basic_pr --issue {made.id}")


@issue.command("list", epilog=examples("orch issue list", "orch issue list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List all issues, newest first. Files that cannot be read are named and kept."""
    out = output(as_json, quiet, no_color)
    found, broken = home().issues()
    if as_json:
        out.data([records.ticket_record(item) for item in found])
    elif quiet:
        for item in found:
            out.line(item.id)
    elif found:
        rows = [[i.id, i.status, ",".join(i.labels), i.title] for i in found]
        out.table(["id", "status", "labels", "title"], rows)
    else:
        out.note('no issue yet; make one: orch issue create "TITLE"')
    for sentence in broken:
        out.warn(f"warning: {sentence}")


@issue.command(epilog=examples("orch issue show ISSUE-001", "orch issue show 1 --json"))
@click.argument("identifier")
@shared
def show(identifier: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show an issue."""
    out, found = output(as_json, quiet, no_color), home().issue(identifier)
    if as_json:
        out.data(records.ticket_record(found))
        return
    if quiet:
        out.line(found.id)
        return
    out.line(f"{found.id}: {found.title}")
    out.line(f"status: {found.status}   labels: {', '.join(found.labels) or 'none'}")
    out.line(f"file: {found.path}")
    if found.body:
        out.line()
        out.line(found.body.rstrip("\n"))
