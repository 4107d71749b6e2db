"""`orch pr`: pull requests, from the first look to the merge."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import click

from orch.api import records
from orch.api.pulls import Pulls, check_record, file_record, pull_details
from orch.cli.cleaning import clean_lines
from orch.cli.options import (
    dry,
    examples,
    home,
    may_ask,
    must_not_ask,
    output,
    shared,
)
from orch.cli.words import Noun
from orch.model.effect import Strategy
from orch.model.errors import UsageError
from orch.model.pull import CHECK_STATES, Check, PullRequest, said, spelled

if TYPE_CHECKING:
    from orch.cli.output import Output

STATES = ("open", "merged", "closed", "all")
_NAMED = click.argument("pull", metavar="N|REPO#N|URL|@")


@click.group(cls=Noun)
def pr() -> None:
    """Show, check, merge and close pull requests. @ is the newest one."""


@pr.command(
    "list", epilog=examples("orch pr list", "orch pr list --state open --repo thing --json")
)
@click.option("--state", type=click.Choice(STATES), default="all", help="Only those.")
@click.option("--repo", default="", help="Only those of one repository.")
@click.option("--head", default="", help="Only those of one branch.")
@shared
def list_(state: str, repo: str, head: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List pull requests, newest first, as they were seen last."""
    out = output(as_json, quiet, no_color)
    wanted = "" if state == "all" else state
    found, broken = Pulls(home()).listed(state=wanted, repo=repo, head=head)
    if as_json:
        out.data([records.pull_record(item) for item in found])
    elif quiet:
        for item in found:
            out.line(spelled(item))
    elif found:
        rows = [[spelled(p), p.state, p.title, p.head] for p in found]
        out.table(["pr", "state", "title", "head"], rows)
    elif wanted or repo or head:
        out.note("no such pull request; see all: orch pr list")
    else:
        out.note("no pull request yet; make one: orch run basic_pr --issue ISSUE-001")
    for sentence in broken:
        out.warn(f"warning: {sentence}")


@pr.command(epilog=examples("orch pr show 3", "orch pr show thing#3 --json"))
@_NAMED
@shared
def show(pull: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a pull request as the remote has it now, with the checks of its head."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    found, warning = pulls.looked(pulls.named(pull))
    checks = pulls.checks(found)
    if as_json:
        out.data(pull_details(found, checks, warning))
    elif quiet:
        out.line(spelled(found))
    else:
        _tell(found, checks, out)
    _warn(warning, out)


def _tell(pull: PullRequest, checks: Sequence[Check], out: Output) -> None:
    out.line(f"{spelled(pull)}: {' '.join(pull.title.split())}")
    draft = ", draft" if pull.draft else ""
    out.raw(f"  {out.state(pull.state)}{draft}")
    out.line(f", {pull.head} -> {pull.base}, head {pull.head_sha[:12] or 'unknown'}")
    if pull.state == "merged":
        out.line(f"  merged as {pull.merged_sha[:12]} ({pull.merged_at})")
    if pull.labels:
        out.line(f"  labels {', '.join(pull.labels)}")
    out.line(f"  {pull.url}")
    if text := said(pull).strip():
        out.line()
        out.line(text)
    if checks:
        out.line()
        _list_checks(checks, out)
    if pull.state == "open":
        out.note(f"next: orch pr diff {spelled(pull)}; orch pr merge {spelled(pull)}")


def _list_checks(checks: Sequence[Check], out: Output) -> None:
    rows = [[check.name, check.state, check.summary, check.url] for check in checks]
    out.table(["check", "state", "summary", "url"], rows)


def _warn(warning: str, out: Output) -> None:
    if warning:
        out.warn(f"warning: shown as recorded, not as it is now: {warning}")


@pr.command(epilog=examples("orch pr diff 3", "orch pr diff thing#3 --stat"))
@_NAMED
@click.option("--stat", is_flag=True, help="Only the files, with lines added and removed.")
@shared
def diff(pull: str, stat: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what a pull request changes, or has changed where it is merged."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    found, warning = pulls.looked(pulls.named(pull))
    if quiet or stat:
        changes = pulls.stat(found)
        if as_json:
            out.data([file_record(change) for change in changes])
        elif quiet:
            for change in changes:
                out.line(change.path)
        elif changes:
            rows = [[c.path, _lines("+", c.added), _lines("-", c.removed)] for c in changes]
            out.table(["path", "added", "removed"], rows)
    else:
        text = pulls.diff(found)
        if as_json:
            out.data({"repo": found.repo, "number": found.number, "diff": text})
        else:
            out.raw(clean_lines(text) if sys.stdout.isatty() else text)
    _warn(warning, out)


def _lines(sign: str, count: int | None) -> str:
    return "binary" if count is None else f"{sign}{count}"


@pr.command(
    epilog=examples(
        "orch pr merge 3", "orch pr merge thing#3 --strategy squash --delete-branch --yes",
        "orch pr merge 3 --expect 4f2a9c1 --dry-run",
    )
)  # fmt: skip
@_NAMED
@click.option(
    "--strategy", type=click.Choice(get_args(Strategy)), default="merge",
    help="A merge commit, the commits one by one on the base, or all in one.",
)  # fmt: skip
@click.option("--expect", default="", metavar="SHA", help="Only if this is its head.")
@click.option("--delete-branch", is_flag=True, help="Delete its branch at the remote, if ours.")
@click.option("--force", is_flag=True, help="Although checks fail or wait, or it is a draft.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry
@shared
def merge(
    pull: str, strategy: Strategy, expect: str, delete_branch: bool, force: bool, yes: bool,
    dry_run: bool, as_json: bool, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Merge a pull request at the remote. No checkout is touched; done again, nothing happens."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    found = pulls.named(pull)
    what = f"{spelled(found)} into {found.base} ({strategy})"
    if dry_run:
        found = pulls.merge(
            found, strategy=strategy, expect=expect, ignore_checks=force, trial=True
        ).pull
        would = found.state != "merged"
        if as_json:
            out.data({**records.pull_record(found), "would": "merge" if would else ""})
        else:
            out.line(f"would merge {what}" if would else f"{spelled(found)} is merged already")
        return 0
    if found.state != "merged" and not yes and not _confirmed(found, what):
        out.warn("nothing was done")
        return 1
    done = pulls.merge(found, strategy=strategy, expect=expect, ignore_checks=force)
    deleted, kept = pulls.delete_head(done.pull) if delete_branch else (False, "")
    if as_json:
        more = {"branch_deleted": deleted, "branch_kept": kept, "behind": done.behind}
        out.data({**records.pull_record(done.pull), **more})
    elif quiet:
        out.line(spelled(done.pull))
    else:
        verb = "merged" if done.fresh else "is merged already"
        out.line(f"{spelled(done.pull)} {verb}: {done.pull.base} has it as {done.pull.merged_sha}")
        if deleted:
            out.line(f"deleted {done.pull.head} at the remote")
    if kept:
        out.warn(f"warning: the branch is kept: {kept}")
    if done.behind:
        out.note(f"your checkout's {done.pull.base} is behind: git -C {done.behind} pull")
    return 0


def _confirmed(pull: PullRequest, what: str) -> bool:
    """Others see a merge at once: it is asked for twice where a person can answer."""
    if must_not_ask():
        raise UsageError(
            f"merging {spelled(pull)} needs a yes", code="needs_yes",
            hint=f"orch pr merge {spelled(pull)} --yes",
        )  # fmt: skip
    return not may_ask() or click.confirm(f"Merge {what}?", err=True)


@pr.command(epilog=examples("orch pr close 3", "orch pr close thing#3 --dry-run"))
@_NAMED
@dry
@shared
def close(pull: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Close a pull request without merging it; `orch pr reopen` takes it back."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    _settled("close", pulls.named(pull), pulls, out, dry_run=dry_run)


@pr.command(epilog=examples("orch pr reopen 3", "orch pr reopen thing#3 --dry-run"))
@_NAMED
@dry
@shared
def reopen(pull: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Open a closed pull request again, if its branch is still there. Its task waits for it again."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    _settled("reopen", pulls.named(pull), pulls, out, dry_run=dry_run)


def _settled(verb: str, found: PullRequest, pulls: Pulls, out: Output, *, dry_run: bool) -> None:
    act = pulls.close if verb == "close" else pulls.reopen
    done = act(found, trial=dry_run)
    if dry_run and out.json:
        out.data({"would": verb, **records.pull_record(done)})
    elif dry_run:
        out.line(f"would {verb} {spelled(done)}")
    elif out.json:
        out.data(records.pull_record(done))
    elif out.quiet:
        out.line(spelled(done))
    else:
        out.line(f"{spelled(done)} is {done.state}")


@pr.command(epilog=examples("orch pr checks 3", "orch pr checks thing#3 --json"))
@_NAMED
@shared
def checks(pull: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the checks of a pull request's head."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    found, warning = pulls.looked(pulls.named(pull))
    known = pulls.checks(found)
    if as_json:
        out.data([check_record(check) for check in known])
    elif quiet:
        for check in known:
            out.line(check.name)
    elif known:
        _list_checks(known, out)
    else:
        name = spelled(found)
        out.note(f"no check on {found.head_sha[:12]} yet; set one: orch pr check {name} NAME STATE")
    _warn(warning, out)


@pr.command(
    epilog=examples(
        "orch pr check 3 unit-tests pending",
        'orch pr check thing#3 unit-tests failure --summary "2 of 40" --head "$(git rev-parse HEAD)"',
    )
)
@_NAMED
@click.argument("name")
@click.argument("state", type=click.Choice(CHECK_STATES))
@click.option("--head", default="", metavar="SHA", help="The commit that was checked.")
@click.option("--url", default="", help="Where the details are.")
@click.option("--summary", default="", help="One line on what came out.")
@dry
@shared
def check(
    pull: str, name: str, state: Any, head: str, url: str, summary: str, dry_run: bool,
    as_json: bool, quiet: bool, no_color: bool,
) -> None:  # fmt: skip
    """Set a check on a pull request's head. Scripts say with --head which commit they looked at."""
    out, pulls = output(as_json, quiet, no_color), Pulls(home())
    found = pulls.named(pull)
    if dry_run:
        would = {"would": "check", "repo": found.repo, "number": found.number, "name": name}
        out.data({**would, "state": state}) if as_json else out.line(
            f"would set {name} of {spelled(found)} to {state}"
        )
        return
    commit, made = pulls.set_check(found, name, state, head=head, url=url, summary=summary)
    if as_json:
        out.data({**check_record(made), "head_sha": commit})
    elif quiet:
        out.line(made.name)
    else:
        out.line(f"{made.name} of {spelled(found)} is {made.state} on {commit[:12]}")
