"""`orch worktree`: isolated checkouts, a person's own and those of runs."""

from __future__ import annotations

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Noun


@click.group(cls=Noun)
def worktree() -> None:
    """Create and list worktrees."""


@worktree.command(
    epilog=examples(
        "orch worktree create thing fix-crash", "orch worktree create thing feat-x --from develop"
    )
)
@click.argument("repo")
@click.argument("name")
@click.option("--from", "base", default="", help="The branch it starts from.")
@dry
@shared
def create(
    repo: str, name: str, base: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Make a worktree with a branch of its own (fix-crash becomes fix/crash)."""
    out, orch = output(as_json, quiet, no_color), home()
    if dry_run:
        planned = orch.plan_worktree(repo, name, base=base)
        record = records.worktree_record(planned, None)
        record["status"] = "planned"
        out.data(record) if as_json else out.line(f"would make {planned.branch} in {planned.path}")
        return
    made = orch.create_worktree(repo, name, base=base)
    record = next(item for item in orch.worktrees(made.repo) if item["slug"] == made.name)
    if as_json:
        out.data(record)
    elif quiet:
        out.line(made.name)
    else:
        out.line(f"{made.branch} from {made.base_branch} in {made.path}")
        out.note(f"next: cd {made.path}")


@worktree.command("list", epilog=examples("orch worktree list", "orch worktree list --repo thing"))
@click.option("--repo", default="", help="Only those of one repository.")
@shared
def list_(repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List worktrees, newest first, as git sees them now."""
    out, found = output(as_json, quiet, no_color), home().worktrees(repo)
    if as_json:
        out.data(found)
    elif quiet:
        for item in found:
            out.line(item["slug"])
    elif not found:
        out.note("no worktree yet; make one: orch worktree create REPO NAME")
    else:
        rows = [[i["repo"], i["status"], _state(i), i["branch"]] for i in found]
        out.table(["repo", "status", "changes", "branch"], rows)


def _state(item: dict[str, object]) -> str:
    words = ["dirty"] if item["dirty"] else []
    words += [f"+{item['ahead']}"] if item["ahead"] else []
    words += [f"-{item['behind']}"] if item["behind"] else []
    return " ".join(words) or "clean"
