"""`orch ps`, `show`: what runs have done. Reads only."""

from __future__ import annotations

import os
from typing import Any

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.runs import summary
from orch.cli.words import Verb


@click.command(cls=Verb, epilog=examples("orch ps", "orch ps --json"))
@shared
def ps(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List all runs, newest first."""
    out, orch = output(as_json, quiet, no_color), home()
    found = orch.runs()
    if as_json:
        out.data([orch.record_of(item) for item in found])
    elif quiet:
        for item in found:
            out.line(item.id)
    elif found:
        rows = [
            [r.id, r.status, r.workflow, r.repo, r.issue.title if r.issue else ""] for r in found
        ]
        out.table(["run", "status", "workflow", "repo", "issue"], rows)
        left = [r.id for r in found if r.status == "running" and not orch.is_driven(r)]
        if left:
            out.note(f"nobody drives {', '.join(left)}: orch resume")
    else:
        out.note("no run yet; start one: orch run basic_pr --issue ISSUE-001")


@click.command(cls=Verb, epilog=examples("orch show @", "orch show 4f2a --json"))
@click.argument("run")
@shared
def show(run: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a run: its steps, its attempts, its pull requests. @ is the last one."""
    out = output(as_json, quiet, no_color)
    record = home().run_record(run)
    if as_json:
        out.data(record)
        return
    if quiet:
        out.line(record["id"])
        return
    summary(record, out)
    out.line(
        f"  repository {record['repo']}, issue {record['issue'] or 'none'}, task {record['task']}"
    )
    if record["attempts"]:
        for folder in sorted({os.path.dirname(a["worktree"]) for a in record["attempts"]} - {""}):
            out.line(f"  worktrees in {folder}")
        out.line()
        rows = [
            [a["id"], a["status"], a["role"], a["agent"] or a["name"], _exit(a), a["branch"]]
            for a in record["attempts"]
        ]
        out.table(["attempt", "status", "role", "program", "exit", "branch"], rows)
    if record["steps"]:
        out.line()
        rows = [
            [str(n), s["effect"], s["status"], s["path"]] for n, s in enumerate(record["steps"], 1)
        ]
        out.table(["step", "effect", "status", "path"], rows)


def _exit(attempt: dict[str, Any]) -> str:
    return "" if attempt["exit_code"] is None else str(attempt["exit_code"])
