"""`orch ps`, `show`, `logs`: what runs have done. Reads only."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from orch.cli.cleaning import clean_lines
from orch.cli.options import examples, home, output, shared
from orch.cli.output import flush
from orch.cli.runs import summary
from orch.cli.words import Verb
from orch.model.errors import NotFound

TAIL_BYTES = 1024 * 1024


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
    orch = home()
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


@click.command(cls=Verb, epilog=examples("orch logs @", "orch logs 4f2a:impl -n 50"))
@click.argument("target", metavar="RUN[:AGENT]")
@click.option("--lines", "-n", type=click.IntRange(min=1), help="Only the last lines.")
@shared
def logs(target: str, lines: int | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what the programs of a run have written, oldest first."""
    out, orch = output(as_json, quiet, no_color), home()
    name, _, agent = target.partition(":")
    record = orch.run_record(name)
    chosen = [
        a for a in record["attempts"]
        if not agent or agent in (a["agent"], a["name"]) or a["id"].startswith(agent)
    ]  # fmt: skip
    if agent and not chosen:
        known = ", ".join(sorted({a["name"] or a["agent"] for a in record["attempts"]})) or "none"
        raise NotFound(
            f"run {record['id']} has no agent {agent!r} (there are: {known})",
            code="unknown_agent", hint=f"orch show {record['id']}",
        )  # fmt: skip
    texts = []
    for attempt in chosen:
        for stream in ("stdout", "stderr", "pane"):
            raw = orch.output(attempt["directory"], stream, TAIL_BYTES)
            text = _last(raw.decode("utf-8", "replace"), lines)
            if len(raw) == TAIL_BYTES and (not lines or text.count("\n") < lines):
                out.warn(f"only the last MiB; all of it: {attempt['directory']}/{stream}")
            if text:
                texts.append({"attempt": attempt["id"], "stream": stream, "text": text})
    if as_json:
        out.data(texts)
        return
    for item in texts:
        out.note(f"--- {item['attempt']} {item['stream']}")
        text = clean_lines(item["text"]) if sys.stdout.isatty() else item["text"]
        out.raw(text if text.endswith("\n") else text + "\n")
        flush(sys.stdout)
    if not texts:
        out.note("nothing was written yet")


def _last(text: str, lines: int | None) -> str:
    """The last `lines` lines of `text`, all of it for None."""
    return (
        text
        if lines is None or not text
        else "".join(line + "\n" for line in text.removesuffix("\n").split("\n")[-lines:])
    )
