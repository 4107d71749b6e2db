"""`orch worktree push` and `orch worktree pr`: handing a person's own work on."""

from __future__ import annotations

import click

from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.words import Verb


@click.command(
    cls=Verb,
    epilog=examples("orch worktree push fix-crash", "orch worktree push fix-crash --dry-run"),
)
@click.argument("name")
@click.option("--repo", default="", help="The repository, where a name is not enough.")
@dry
@shared
def push(name: str, repo: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Push a worktree's branch as it stands."""
    from orch.api.trees import Trees

    out, trees = output(as_json, quiet, no_color), Trees(home())
    done = trees.push(trees.find(name, repo), dry_run=dry_run)
    if done["dirty"]:
        out.note(f"not in it: {len(done['dirty'])} uncommitted file(s), {done['dirty'][0]} first")
    if as_json:
        out.data({**done, "status": "planned" if dry_run else "pushed"})
    elif quiet:
        out.line(done["commit"])
    else:
        words = "would push" if dry_run else "pushed"
        out.line(f"{words} {done['branch']} at {done['commit'][:12]} to {done['remote']}")
        out.note(f"next: orch worktree pr {name}")


@click.command(
    cls=Verb,
    epilog=examples(
        "orch worktree pr fix-crash", 'orch worktree pr fix-crash --title "Fix it" --body @why.md'
    ),
)
@click.argument("name")
@click.option("--repo", default="", help="The repository, where a name is not enough.")
@click.option("--title", default="", help="Its title (default: the issue's, or the branch).")
@click.option("--body", default="", help="Its text; @FILE reads a file, - standard input.")
@click.option("--target", default="", help="The branch it is for (default: the base).")
@click.option("--draft", is_flag=True, help="Not ready for review.")
@dry
@shared
def pr(
    name: str, repo: str, title: str, body: str, target: str, draft: bool, dry_run: bool,
    as_json: bool, quiet: bool, no_color: bool,
) -> None:  # fmt: skip
    """Push, and open the pull request. Commit first: what is not committed refuses."""
    from orch.api.trees import Trees

    out, trees = output(as_json, quiet, no_color), Trees(home())
    record = trees.open_pr(
        trees.find(name, repo), title=title, body=text_or_file(body), target=target, draft=draft,
        dry_run=dry_run,
    )  # fmt: skip
    if as_json:
        out.data(record)
    elif dry_run:
        out.line(f"would open {record['title']!r}: {record['head']} into {record['base']}")
    elif quiet:
        out.line(f"{record['repo']}#{record['number']}")
    else:
        out.line(f"{record['repo']}#{record['number']} ({record['state']}): {record['title']}")
        if record["url"]:
            out.line(record["url"])
