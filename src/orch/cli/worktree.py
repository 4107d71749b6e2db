"""`orch worktree`: isolated checkouts, a person's own and those of runs."""

from __future__ import annotations

from typing import Any

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared
from orch.cli.words import Noun
from orch.cli.worktree_removal import delete, restore, trash
from orch.cli.worktree_work import pr, push


@click.group(cls=Noun)
def worktree() -> None:
    """Create, show, deliver and delete worktrees."""


for command in (push, pr, delete, restore, trash):
    worktree.add_command(command)


@worktree.command(
    epilog=examples(
        "orch worktree create thing fix-crash",
        "orch worktree create thing feat-x --from develop",
        "orch worktree create thing --issue ISSUE-001",
        "orch worktree create thing --pr 3",
        "orch worktree create thing feat-y --on feat-x",
    )
)
@click.argument("repo")
@click.argument("name", default="")
@click.option("--from", "base", default="", help="The branch it starts from.")
@click.option("--issue", default="", help="The issue it is for; gives it its name.")
@click.option("--pr", "pull", type=int, default=0, help="Go on with a pull request's own branch.")
@click.option("--on", default="", help="Stacked: start from another worktree's branch.")
@dry
@shared
def create(
    repo: str, name: str, base: str, issue: str, pull: int, on: str, dry_run: bool,
    as_json: bool, quiet: bool, no_color: bool,
) -> None:  # fmt: skip
    """Make a worktree with a branch of its own (fix-crash becomes fix/crash)."""
    from orch.api.trees import Source, Trees

    out, orch = output(as_json, quiet, no_color), home()
    trees, source = Trees(orch), Source(base=base, issue=issue, pull=pull, on=on)
    if dry_run:
        planned = trees.plan(repo, name, source)
        record = records.worktree_record(planned, None)
        record["status"] = "planned"
        out.data(record) if as_json else out.line(f"would make {planned.branch} in {planned.path}")
        return
    made, passed_over = trees.create(repo, name, source)
    record = next(item for item in orch.worktrees(made.repo) if item["slug"] == made.name)
    for sentence in passed_over:
        out.warn(f"not brought: {sentence}")
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
        rows = [[i["repo"], i["status"], changes(i), i["branch"]] for i in found]
        out.table(["repo", "status", "changes", "branch"], rows)
        unknown = ((i["repo"], i["message"]) for i in found if i["status"] == "unknown")
        for slug, message in dict.fromkeys(unknown):
            out.note(f"{slug}: {message} Try: orch doctor")


@worktree.command(
    epilog=examples("orch worktree show fix-crash", "orch worktree show fix/crash --json")
)
@click.argument("name")
@click.option("--repo", default="", help="The repository, where a name is not enough.")
@shared
def show(name: str, repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a worktree: state, base, run, issue, pull request, and what is kept of it."""
    from orch.api.trees import Trees

    out, trees = output(as_json, quiet, no_color), Trees(home())
    record = trees.show(trees.find(name, repo))
    if as_json:
        out.data(record)
    elif quiet:
        out.line(record["slug"])
    else:
        for key, value in _facts(record):
            out.line(f"{key + ':':<14} {value}")


@worktree.command(
    epilog=examples("orch worktree adopt ~/src/thing-hotfix", "orch worktree adopt . --name hotfix")
)
@click.argument("path")
@click.option("--name", default="", help="Its name here (default: the directory's).")
@dry
@shared
def adopt(path: str, name: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Register a worktree made by hand with 'git worktree add'. It is not moved."""
    from orch.api.trees import Trees

    out, orch = output(as_json, quiet, no_color), home()
    trees = Trees(orch)
    if dry_run:
        owner, there, chosen = trees.look_at(path, name)
        planned = {"repo": owner.slug, "slug": chosen, "path": there, "status": "planned"}
        out.data(planned) if as_json else out.line(f"would adopt {there} as {chosen}")
        return
    taken = trees.adopt(path, name)
    if as_json:
        out.data(next(i for i in orch.worktrees(taken.repo) if i["slug"] == taken.name))
    elif quiet:
        out.line(taken.name)
    else:
        out.line(f"{taken.name}: {taken.branch} in {taken.path}, a worktree of {taken.repo}")


def changes(item: dict[str, Any]) -> str:
    """A worktree's state in a few words; `-` where nobody can say."""
    if item["status"] in ("missing", "unknown"):
        return "-"
    words = ["dirty"] if item["dirty"] else []
    words += [f"+{item['ahead']}"] if item["ahead"] else []
    words += [f"-{item['behind']}"] if item["behind"] else []
    return " ".join(words) or "clean"


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    base = f"{record['base_branch']} at {record['base_commit'][:12]}"
    facts = [
        ("worktree", f"{record['repo']}/{record['slug']}"),
        ("status", f"{record['status']}, {changes(record)}"),
        ("branch", record["branch"]),
        ("base", base),
        ("path", record["path"]),
    ]
    run = f"{record['run']} ({record['run_status']})" if record["run"] else ""
    pull = record["pr"]
    shown = f"{pull['repo']}#{pull['number']} ({pull['state']}) {pull['title']}" if pull else ""
    facts += [("issue", record["issue"]), ("run", run), ("pr", shown), ("note", record["message"])]
    for name, words in (
        ("dirty", "not committed"),
        ("ignored", "ignored"),
        ("commits", "here only"),
    ):
        facts += [(words, item) for item in (record["risk"] or {}).get(name, ())[:10]]
    facts += [("kept", f"{kept['id']}: {kept['restore']}") for kept in record["trash"]]
    return [(key, value) for key, value in facts if value]
