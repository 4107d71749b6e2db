"""`orch worktree delete`, `restore` and `trash`: nothing is removed that cannot be brought back."""

from __future__ import annotations

from typing import Any

import click

from orch.api import records
from orch.cli.options import dry, examples, home, output, shared
from orch.cli.output import Output
from orch.cli.words import Verb


@click.command(
    cls=Verb,
    epilog=examples(
        "orch worktree delete fix-crash",
        "orch worktree delete fix-crash --yes --dry-run",
        "orch worktree delete fix-crash --yes   (keeps what is not pushed for 14 days)",
    ),
)
@click.argument("name")
@click.option("--repo", default="", help="The repository, where a name is not enough.")
@click.option("--yes", is_flag=True, help="Also when work is in it that exists nowhere else.")
@dry
@shared
def delete(
    name: str, repo: str, yes: bool, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Remove a worktree and its branch. Refuses what exists nowhere else; with --yes that is kept
    for 14 days, and the command that brings it back is printed; --dry-run answers alike. Files that
    git ignores go for good and are named, but for those that count as work: what [worktree] copy
    lists, and small .env*, *.local, *.key and *.pem files outside of ignored directories."""
    from orch.api.removal import Removal
    from orch.api.trees import Trees

    out, orch = output(as_json, quiet, no_color), home()
    repo = orch.exact_repo(repo).slug if repo else ""
    done = Removal(orch).delete(Trees(orch).find(name, repo), yes=yes, dry_run=dry_run)
    if as_json:
        out.data(done)
    elif quiet:
        out.line(done["saved"] or done["slug"])
    else:
        tell_deleted(out, done)


def tell_deleted(out: Output, done: dict[str, Any]) -> None:
    """What became of one worktree, for people."""
    verb = "would delete" if done["status"] == "planned" else "deleted"
    its = "" if done["branch"].endswith(f"/{done['slug']}") else f" ({done['branch']})"
    out.line(f"{verb} {done['repo']}/{done['slug']}{its}")
    risk = done["risk"]
    at_risk = any(value for name, value in risk.items() if name != "missing")
    if done["status"] == "planned" and at_risk:
        out.line("  what exists nowhere else would be kept for 14 days:")
    for name, words in (
        ("dirty", "not committed"), ("ignored", "ignored, kept"), ("commits", "on no remote"),
    ):  # fmt: skip
        for item in risk[name][:5]:
            out.line(f"  {words}: {item}")
        if (more := len(risk[name]) - 5) > 0:
            out.line(f"  … and {more} more")
    if done["branch_kept"]:
        out.line(f"  the branch stays: {done['branch_kept']}")
    if done["restore"]:
        out.line(f"  bring it back: {done['restore']}")
    if lost := done["ignored"]:
        others = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        gone = "would be gone" if done["status"] == "planned" else "gone"
        out.note(f"ignored by git, {gone} for good: {', '.join(lost[:5])}{others}")


@click.command(
    cls=Verb,
    epilog=examples("orch worktree restore fix-crash", "orch worktree restore 20250131-fix-crash"),
)
@click.argument("name")
@click.option("--repo", default="", help="The repository, where a name is not enough.")
@dry
@shared
def restore(
    name: str, repo: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Bring a deleted worktree back: branch, directory, and uncommitted files as they were. NAME is
    the worktree's (its newest) or an id of 'orch worktree trash'."""
    from orch.api.removal import Removal

    out, orch = output(as_json, quiet, no_color), home()
    removal = Removal(orch)
    saved = removal.find_saved(name, repo)
    worktree = removal.restore(saved, dry_run=dry_run)
    if as_json and dry_run:
        out.data({**records.worktree_record(worktree, None), "status": "planned"})
    elif as_json:
        out.data(next(i for i in orch.worktrees(worktree.repo) if i["slug"] == worktree.name))
    elif quiet:
        out.line(worktree.name)
    else:
        verb = "would bring back" if dry_run else "brought back"
        out.line(f"{verb} {worktree.branch} in {worktree.path}, as it was kept in {saved.id}")
        if saved.unfinished:
            out.warn(
                f"{saved.unfinished} was not finished in it: its files are here, begin it anew"
            )
        if saved.others:
            out.note(f"commits that were on no branch: git log {' '.join(saved.others[:3])}")


@click.command(
    cls=Verb, epilog=examples("orch worktree trash", "orch worktree trash --repo thing --json")
)
@click.option("--repo", default="", help="Only that of one repository.")
@shared
def trash(repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List what is kept of deleted worktrees, newest first, and until when."""
    from orch.api.removal import Removal

    out = output(as_json, quiet, no_color)
    saved, left_out = Removal(home()).trash(repo)
    found = [records.saved_record(one) for one in saved]
    for sentence in left_out:
        out.warn(sentence)
    if as_json:
        out.data(found)
    elif quiet:
        for item in found:
            out.line(item["id"])
    elif found:
        rows = [
            [i["id"], i["repo"], i["branch"], str(i["changed"]), i["until"][:10]] for i in found
        ]
        out.table(["kept", "repo", "branch", "files", "until"], rows)
        out.note(f"bring one back: orch worktree restore {found[0]['id']}")
    else:
        out.note("nothing is kept: no worktree was deleted in the last 14 days")
