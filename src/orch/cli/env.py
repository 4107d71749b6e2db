"""`orch env`: the worktrees of runs, and tidying them up."""

from __future__ import annotations

from typing import Any

import click

from orch.cli.options import dry, examples, home, output, shared
from orch.cli.output import Output
from orch.cli.words import Noun
from orch.cli.worktree import changes
from orch.cli.worktree_removal import tell_deleted


@click.group(cls=Noun)
def env() -> None:
    """List the worktrees of runs, and tidy them up."""


@env.command("list", epilog=examples("orch env list", "orch env list --workflow @"))
@click.option("--workflow", "run", default="", help="Only those of one run (id, prefix or @).")
@shared
def list_(run: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the worktrees of runs, newest first."""
    from orch.api.trees import Trees

    out, found = output(as_json, quiet, no_color), Trees(home()).envs(run)
    if as_json:
        out.data(found)
    elif quiet:
        for item in found:
            out.line(item["slug"])
    elif found:
        rows = [[i["slug"], i["repo"], i["run"][:7], i["run_status"], _state(i)] for i in found]
        out.table(["env", "repo", "run", "status", "changes"], rows)
    else:
        out.note("no run has a worktree; make one: orch run basic_pr --issue ISSUE-001")


def _state(item: dict[str, Any]) -> str:
    return changes(item) if item["status"] == "active" else item["status"]


@env.command(
    epilog=examples(
        "orch env cleanup --dry-run", "orch env cleanup --older-than 7",
        "orch env cleanup --open-prs",
    )
)  # fmt: skip
@click.option("--older-than", type=click.FloatRange(min=0), default=0.0, metavar="DAYS",
              help="Only of runs that ended that long ago.")  # fmt: skip
@click.option("--open-prs", is_flag=True, help="Also those whose pull request is still open.")
@dry
@shared
def cleanup(
    older_than: float, open_prs: bool, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Remove the worktrees of ended runs. It asks for no --yes: what exists nowhere else in them,
    uncommitted files too, is saved first and kept for 14 days ('orch worktree restore' brings it
    back). A worktree of a live run is never touched, nor is one that cannot be saved."""
    from orch.api.removal import Removal

    out = output(as_json, quiet, no_color)
    done = Removal(home()).cleanup(older_than_days=older_than, open_prs=open_prs, dry_run=dry_run)
    for sentence in done["left_out"]:
        out.warn(sentence)
    if as_json:
        out.data(done)
        return
    for item in done["removed"]:
        out.line(item["slug"]) if quiet else tell_deleted(out, item)
    for item in done["kept"]:
        out.note(f"kept {item['repo']}/{item['slug']}: {item['reason']}")
    if done["purged"]:
        verb = "would give up" if dry_run else "gave up"
        out.note(f"{verb} {len(done['purged'])} kept longer than 14 days")
    _sum_up(out, done, older_than, open_prs=open_prs, dry_run=dry_run)


def _sum_up(
    out: Output, done: dict[str, Any], older_than: float, *, open_prs: bool, dry_run: bool
) -> None:
    """How many, and the command that comes next."""
    removed, kept = len(done["removed"]), len(done["kept"])
    stay = f", {kept} {'stays' if kept == 1 else 'stay'}" if kept else ""
    if not removed:
        out.note(f"nothing to remove{stay}")
    elif dry_run:
        command = "orch env cleanup" + (f" --older-than {older_than:g}" if older_than else "")
        command += " --open-prs" if open_prs else ""
        out.note(f"nothing was done: {removed} would be deleted{stay}; do it: {command}")
    else:
        out.note(f"deleted {removed}{stay}; see what is kept for 14 days: orch worktree trash")
