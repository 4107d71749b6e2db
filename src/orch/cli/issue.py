"""`orch issue`: the issues of the vault, Markdown files that people may edit by hand."""

from __future__ import annotations

from typing import Any

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.tickets import filters, tell, tell_list, told
from orch.cli.words import Noun


@click.group(cls=Noun)
def issue() -> None:
    """Create, list, show and resolve issues."""


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


@issue.command(
    "list", epilog=examples("orch issue list", "orch issue list --state open --label bug --json")
)
@filters
@shared
def list_(as_json: bool, quiet: bool, no_color: bool, **wanted: Any) -> None:
    """List issues, newest first. Files that cannot be read are named and kept."""
    tell_list(output(as_json, quiet, no_color), wanted, "vault")


@issue.command(epilog=examples("orch issue show ISSUE-001", "orch issue show 1 --json"))
@click.argument("identifier")
@shared
def show(identifier: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show an issue."""
    tell(output(as_json, quiet, no_color), home().issue(identifier))


@issue.command(
    epilog=examples(
        "orch issue resolve ISSUE-001 --pr thing#3", 'orch issue resolve 1 --result "Not a fault"'
    )
)
@click.argument("identifier")
@click.option("--pr", "pull", default="", help="The pull request that did it: URL, N or REPO#N.")
@click.option("--result", default="", help="What came of it, in one sentence.")
@dry
@shared
def resolve(
    identifier: str, pull: str, result: str, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Mark an issue resolved."""
    from orch.api.tickets import resolve as settle

    out = output(as_json, quiet, no_color)
    done = settle(home(), identifier, pull=pull, result=result, dry_run=dry_run)
    told(out, done, f"would resolve {done.id}" if dry_run else f"{done.id}: {done.status}")
