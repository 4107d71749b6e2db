"""`orch show`: what a run has done. Reads only."""

from __future__ import annotations

import os
from typing import Any

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.runs import summary
from orch.cli.words import Verb


@click.command(
    cls=Verb,
    epilog=examples(
        "orch show @", "orch show 4f2a --json", "orch show @ --trace",
        "orch show @ --export trace.jsonl",
    ),
)  # fmt: skip
@click.argument("run")
@click.option("--trace", is_flag=True, help="Everything that happened, in order.")
@click.option("--export", default="", metavar="FILE", help="Write the trace, one event a line.")
@shared
def show(run: str, trace: bool, export: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show a run: its steps, its attempts, its pull requests. @ is the last one.

    With --trace --json an array of events {seq, at, kind, v, actor {kind, id}, cause, repo, task,
    run, step, data}; --export writes the same, one a line.
    """
    out, orch = output(as_json, quiet, no_color), home()
    if trace or export:
        from orch.cli.trace import show_trace

        show_trace(orch, orch.run(run).id, export, out)
        return
    record = orch.run_record(run)
    if as_json:
        out.data(record)
        return
    if quiet:
        out.line(record["id"])
        return
    summary(orch, record, out)
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
