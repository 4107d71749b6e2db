"""`orch ps`: the runs of this home. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.spans import age, elapsed
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.model.run import Run

STATES = ("pending", "running", "blocked", "done", "error", "aborted", "driven", "stalled")


@click.command(
    cls=Verb,
    epilog=examples("orch ps", "orch ps --status running --status blocked", "orch ps --json"),
)
@click.option(
    "--status", "states", multiple=True, type=click.Choice(STATES),
    help="Only runs in this state (repeatable); `driven`: a process goes on with it now, `stalled`:"
    " it should go on and nobody drives it.",
)  # fmt: skip
@click.option("--repo", default="", help="Only runs in this repository.")
@click.option("--workflow", default="", help="Only runs of this workflow.")
@shared
def ps(
    states: tuple[str, ...], repo: str, workflow: str, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """List runs, newest first."""
    out, orch = output(as_json, quiet, no_color), home()
    slug = orch.repo(repo).slug if repo else ""
    everything = orch.runs()
    found = [
        run for run in everything
        if (not slug or run.repo == slug) and (not workflow or run.workflow == workflow)
        and (not states or _is_in(orch, run, states))
    ]  # fmt: skip
    if as_json:
        out.data([orch.record_of(run) for run in found])
    elif quiet:
        for run in found:
            out.line(run.id)
    elif found:
        now = orch.rooms.clock.now()
        left = {run.id for run in found if run.status == "running" and not orch.is_driven(run)}
        rows = [_row(run, now, stalled=run.id in left) for run in found]
        out.table(["run", "status", "workflow", "repo", "age", "took", "issue"], rows)
        if left:
            out.note(f"nobody drives {', '.join(r.id for r in found if r.id in left)}: orch resume")
    elif everything:
        out.note("no run is like that; all of them: orch ps")
    else:
        out.note("no run yet; start one: orch run basic_pr --issue ISSUE-001")


def _is_in(orch: Orch, run: Run, states: tuple[str, ...]) -> bool:
    if run.status in states:
        return True
    if run.status not in ("pending", "running") or not {"driven", "stalled"} & set(states):
        return False
    return ("driven" if orch.is_driven(run) else "stalled") in states


def _row(run: Run, now: float, *, stalled: bool) -> list[str]:
    took = (run.ended_at or now) - run.created_at
    title = run.issue.title if run.issue else ""
    status = "stalled" if stalled else run.status
    return [
        run.id, status, run.workflow, run.repo, age(now - run.created_at),
        elapsed(max(0.0, took)), title,
    ]  # fmt: skip
