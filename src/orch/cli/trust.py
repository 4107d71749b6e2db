"""`orch trust`: allow a repository's own workflows to run, as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Verb
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.api.trust import Grant
    from orch.cli.output import Output


@click.command(
    cls=Verb,
    epilog=examples("orch trust thing", "orch trust thing --revoke", "orch trust --list --json"),
)
@click.argument("repo", default="")
@click.option("--revoke", is_flag=True, help="Trust it no longer.")
@click.option(
    "--list", "listing", is_flag=True, help="List what is trusted, and if it still holds."
)
@dry
@shared
def trust(
    repo: str, revoke: bool, listing: bool, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Trust the workflows in .orch/workflows of a repository's main checkout, as they are now.

    They are Python and run with your rights: read them first (`orch template show NAME`). Any change
    ends the trust. Worktrees of agents are never looked at.
    """
    from orch.api.grants import Grants

    out, orch = output(as_json, quiet, no_color), home()
    if revoke and listing:
        raise UsageError("either --revoke or --list", code="usage", hint="orch trust --help")
    grants = Grants(orch.rooms)
    if listing:
        _list(grants.listing(orch.repo(repo).slug if repo else ""), out)
    elif revoke:
        slug = repo or orch.repo_for("", None).slug
        grants.revoke(slug, dry_run=dry_run)
        _tell(out, slug, "would revoke" if dry_run else "revoked", {"repo": slug, "trusted": False})
    else:
        _trust(orch, repo, dry_run, out)


def _trust(orch: Orch, repo: str, dry_run: bool, out: Output) -> None:
    from orch.api.grants import Grants, grant_record

    target = orch.repo_for(repo, None)
    grant, changes = Grants(orch.rooms).trust(target, dry_run=dry_run)
    record = {**grant_record(grant), "changes": changes, "trusted": not dry_run}
    _tell(out, target.slug, "would trust" if dry_run else "trusted", record)
    if not (out.json or out.quiet):
        for name in grant.files:
            out.line(f"  {name}")
        out.line(f"  {grant.digest} in {grant.directory}")
        if changes and changes != [f"added {name}" for name in grant.files]:
            out.note(f"since it was trusted last: {', '.join(changes)}")


def _tell(out: Output, slug: str, what: str, record: dict[str, Any]) -> None:
    if out.json:
        out.data(record)
    else:
        out.line(slug if out.quiet else f"{what}: the workflows of {slug}")


def _list(found: list[tuple[Grant, str]], out: Output) -> None:
    from orch.api.grants import grant_record

    if out.json:
        out.data([{**grant_record(grant), "state": state} for grant, state in found])
    elif out.quiet:
        for grant, _ in found:
            out.line(grant.repo)
    elif not found:
        out.note("no repository's workflows are trusted")
    else:
        rows = [[g.repo, state, str(len(g.files)), g.at, g.directory] for g, state in found]
        out.table(["repo", "state", "files", "since", "path"], rows)
