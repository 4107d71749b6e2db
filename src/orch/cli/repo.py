"""`orch repo`: the repositories Orch works in."""

from __future__ import annotations

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared
from orch.cli.sources import sources
from orch.cli.words import Noun
from orch.model.repo import shown_url


@click.group(cls=Noun)
def repo() -> None:
    """Register, list, show and forget repositories."""


repo.add_command(sources)


@repo.command(
    epilog=examples(
        "orch repo add ~/src/thing", "orch repo add https://example.org/thing.git --slug thing"
    )
)
@click.argument("location")
@click.option("--slug", default="", help="Its name (default: the last part of the path or URL).")
@click.option("--workspace", default="", help="Where its worktrees go.")
@dry
@shared
def add(
    location: str, slug: str, workspace: str, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Register a checkout, a bare repository, or clone a URL. Doing it again refreshes it."""
    out, orch = output(as_json, quiet, no_color), home()
    if dry_run:
        found = orch.look_at_repo(location, slug=slug, workspace=workspace)
        if as_json:
            out.data(found)
        else:
            for key, value in found.items():
                out.line(f"{key}: {value}")
        return
    added = orch.add_repo(location, slug=slug, workspace=workspace)
    record = records.repo_record(added)
    if as_json:
        out.data(record)
    elif quiet:
        out.line(added.slug)
    else:
        out.line(f"{added.slug}: {added.local_path} (default branch {added.default_branch})")
        if added.remote_url:
            out.line(f"pushes to {added.remote_name} {record['remote_url']}")
            if shown_url(added.remote_url) != added.remote_url:
                out.warn(
                    "this address has a credential in it, which agents can read in the worktree; "
                    "better: git remote set-url without it, and a credential helper"
                )
        else:
            out.line("it has no remote: workflows that push need one")
        out.note(f'next: orch issue create "TITLE" --repo {added.slug}')


@repo.command("list", epilog=examples("orch repo list", "orch repo list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the registered repositories."""
    out, found = output(as_json, quiet, no_color), home().repos()
    if as_json:
        out.data([records.repo_record(item) for item in found])
    elif quiet:
        for item in found:
            out.line(item.slug)
    elif not found:
        out.note("no repository yet; add one: orch repo add PATH")
    else:
        rows = [[item.slug, item.default_branch, item.local_path] for item in found]
        out.table(["name", "branch", "path"], rows)


@repo.command(epilog=examples("orch repo show thing", "orch repo show thing --json"))
@click.argument("slug")
@shared
def show(slug: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a repository: where it is, its worktrees, live runs, and what is kept of old ones."""
    from orch.api.removal import Removal

    out = output(as_json, quiet, no_color)
    record = Removal(home()).show_repo(slug)
    if as_json:
        out.data(record)
    elif quiet:
        out.line(record["slug"])
    else:
        for key, value in record.items():
            if isinstance(value, list):
                value = ", ".join(value)
            shown = ("yes" if value else "no") if isinstance(value, bool) else value
            out.line(f"{key.replace('_', ' ') + ':':<16} {shown or '-'}")


@repo.command(
    epilog=examples("orch repo remove thing", "orch repo remove thing --delete-clone --yes")
)
@click.argument("slug")
@click.option("--delete-clone", is_flag=True, help="Also delete a clone that orch made.")
@click.option("--yes", is_flag=True, help="Agree to the deletion.")
@dry
@shared
def remove(
    slug: str, delete_clone: bool, yes: bool, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Forget a repository. Its checkout stays; refused while it has worktrees or live runs."""
    from orch.api.removal import Removal

    out = output(as_json, quiet, no_color)
    done = Removal(home()).remove_repo(slug, delete_clone=delete_clone, yes=yes, dry_run=dry_run)
    if as_json:
        out.data(done)
    elif quiet:
        out.line(done["slug"])
    else:
        out.line(f"{'would forget' if dry_run else 'forgot'} {done['slug']}")
        clone = "would be deleted" if dry_run and delete_clone else "is deleted"
        out.line(f"{done['local_path']} {clone if delete_clone else 'stays as it is'}")
