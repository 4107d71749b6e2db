"""`orch run`, `resume`, `stop`: runs are started, gone on with and ended; then this waits for them.

Invariant: the exit code says how the run stands, whoever drives it: 0 only for `done`.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from orch.cli.dryrun import tell_plan
from orch.cli.options import (
    dry,
    examples,
    home,
    looking,
    may_ask,
    must_not_ask,
    output,
    shared,
    text_or_file,
)
from orch.cli.reaching import service_owner
from orch.cli.words import Verb
from orch.model.errors import ToolFailed, UsageError

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output
    from orch.model.run import Run

BLOCKED_CODES = {"human": 6, "stopped": 5, "dependency": 9, "quota": 7}
INTERRUPTED = 130
TIMED_OUT = 124
SEVEREST_FIRST = (INTERRUPTED, 1, TIMED_OUT, 9, 7, 5, 6, 0)


@click.command(
    cls=Verb,
    epilog=examples(
        "orch run basic_pr --issue ISSUE-001",
        'orch run multi_agent --issue 1 --params \'{"test_command": "pytest -q"}\'',
        "orch run ./flow.py --repo thing --agent claude --json",
        "orch run basic_pr --issue 1 --detach    (the service drives it)",
    ),
)
@click.argument("workflow")
@click.option("--repo", default="", help="The repository (default: where you stand).")
@click.option("--issue", "-i", default="", help="An issue's id, or a Markdown file.")
@click.option("--agent", default="", help="The agent, where the workflow names none.")
@click.option("--params", "-p", default="", help="Arguments as JSON, or @FILE.")
@click.option("--detach", "-d", is_flag=True, help="Leave it to the service; do not wait.")
@dry
@shared
def run(
    workflow: str, repo: str, issue: str, agent: str, params: str, detach: bool, dry_run: bool,
    as_json: bool, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Run a workflow (a template's name or a file) and wait for it.

    Exit code: 0 when it is done, 6 when it waits for a person, 1 when it failed. Ctrl-C detaches:
    agents go on, `orch resume` goes on waiting. With --detach 0 means that it is recorded: the
    service drives it.
    """
    out, orch = output(as_json, quiet, no_color), home()
    given = arguments(params)
    owner = service_owner(orch) if detach else None
    if dry_run:
        with out.aside():
            plan = orch.look_at_run(workflow, repo=repo, issue=issue, agent=agent, params=given)
        if as_json:
            out.data(plan)
        else:
            tell_plan(plan, out)
        return 0
    with out.aside():
        planned = orch.plan_run(
            workflow, repo=repo, issue=issue, agent=agent, params=given, note=out.note, owner=owner
        )
    same = orch.same_issue(planned)
    if same:
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        out.note(f"note: {same[0]}{more}")
    _warn_about_forge(orch, planned, out)
    if detach:
        return _tell_detached(orch, planned, out)
    return settle(orch, [planned.id], out)


def _tell_detached(orch: Orch, planned: Run, out: Output) -> int:
    if out.json:
        out.data(orch.run_record(planned.id))
    elif out.quiet:
        out.line(planned.id)
    else:
        out.line(f"run {planned.id} ({planned.workflow}) is recorded; the service drives it")
        out.note(f"look: orch show {planned.id[:7]}; orch watch {planned.id[:7]}")
    return 0


def arguments(text: str) -> dict[str, Any]:
    """The value of --params: a JSON object."""
    if not text:
        return {}
    try:
        found = json.loads(text_or_file(text), parse_constant=_no_json)
    except ValueError as error:
        raise UsageError(
            f"--params is not JSON: {error}",
            code="bad_params",
            hint='--params \'{"name": "value"}\'',
        ) from error
    if not isinstance(found, dict):
        raise UsageError(
            "--params must be a JSON object",
            code="bad_params",
            hint='--params \'{"name": "value"}\'',
        )
    return found


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def _warn_about_forge(orch: Orch, planned: Run, out: Output) -> None:
    if "github.com" in orch.repo(planned.repo).remote_url:
        out.note(
            "note: the branch is pushed to github.com, the pull request's record stays local"
            " (orch pr list)"
        )


def settle(orch: Orch, runs: list[str], out: Output, *, one: bool = True) -> int:
    """Drive or follow, then report; gives the exit code."""
    stayed = drive(orch, runs, out)
    found = [orch.run_record(run) for run in runs]
    if out.json:
        out.data(found[0] if one else found)
    elif out.quiet:
        for record in found:
            out.line(record["id"])
    else:
        for record in found:
            summary(orch, record, out)
    codes = {exit_code(record) for record in found}
    if not stayed:
        _say_detached(found, out)
        codes.add(INTERRUPTED)
    return next(code for code in SEVEREST_FIRST if code in {0, *codes})


def drive(orch: Orch, runs: list[str], out: Output) -> bool:
    """Drive or follow `runs`, telling what happens; False when a person detached."""
    try:
        from orch.cli.narrate import Narrator
        from orch.compose import settle

        with out.aside():
            return settle(orch, runs, Narrator(out, orch.store, runs).show)
    except KeyboardInterrupt:  # before anything was driven
        for run in runs:
            orch.detach(run)
        return False
    except ToolFailed as fault:
        told = f"run {', '.join(runs)} stopped where it stood: {fault.message}"
        raise ToolFailed(told, code=fault.code, hint="mend that, then: orch resume") from fault


def exit_code(record: dict[str, Any]) -> int:
    """The documented exit code of a run as it stands."""
    if record["status"] == "done":
        return 0
    reason = record["reason"] or {}
    if record["status"] == "blocked" and reason.get("code") != "detached":
        return BLOCKED_CODES.get(reason.get("kind", ""), 6)
    if record["status"] == "error" and (record["error"] or {}).get("code") == "timeout":
        return TIMED_OUT
    return 1 if record["status"] in ("error", "aborted") else INTERRUPTED


def _say_detached(found: list[dict[str, Any]], out: Output) -> None:
    for record in found:
        if (record["reason"] or {}).get("code") == "detached":
            out.warn(f"detached; agents go on; orch resume {record['id']}")
        elif record["status"] in ("pending", "running"):
            out.warn(f"no longer watching; run {record['id']} goes on in another process")


def summary(orch: Orch, record: dict[str, Any], out: Output) -> None:
    """What a person wants to know first, and the next command."""
    out.raw(f"run {record['id']} ({record['workflow']}): {out.state(record['status'])}\n")
    for pull in record["prs"]:
        out.line(f"  pull request {pull['repo']}#{pull['number']}: {pull['title']}")
        out.line(f"    {pull['head']} -> {pull['base']}")
        out.line(f"    {pull['url']}")
        if record["status"] == "done" and pull["state"] == "open":
            name = f"{pull['repo']}#{pull['number']}"
            out.line(f"    next: orch pr diff {name}; orch pr merge {name}")
    trouble = record["error"] or record["reason"]
    if trouble:
        out.line(f"  {trouble['message']} [{trouble['code']}]")
        if trouble.get("hint"):
            out.line(f"  try: {trouble['hint']}")
    for item in record["unresolved"]:
        out.line(f"  unresolved: step {item['path']} ({item['effect']}): {item['message']}")
    if record["status"] == "error":
        out.line(f"  look: orch show {record['id']}; orch logs {record['id']}")
        out.line(f"  again: {shlex.join(orch.again(orch.run(record['id'])))}")
    if record["status"] == "running" and not record["driven"]:
        out.line(f"  nobody drives it: its process has ended; orch resume {record['id']}")


@click.command(cls=Verb, epilog=examples("orch resume", "orch resume 4f2a"))
@click.argument("run", default="")
@shared
def resume(run: str, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Go on with a run, or with all whose process died or that were detached; wait for them."""
    out, orch = output(as_json, quiet, no_color), home()
    if run:
        taken = [orch.take_run(orch.run(run))]
    else:
        found, broken = orch.resumable()
        for sentence in broken:
            out.warn(f"warning: {sentence}")
        taken = [orch.take_run(item) for item in found]
        stopped = orch.stopped_by_person()
        if stopped:
            were = "1 run was" if len(stopped) == 1 else f"{len(stopped)} runs were"
            words = "; ".join(f"orch resume {item.id}" for item in stopped)
            out.note(f"{were} stopped by a person: {words}")
        elif not taken:
            out.note("nothing to resume")
    if not taken:
        if as_json:
            out.data([])
        return 0
    return settle(orch, [item.id for item in taken], out, one=bool(run))


@click.command(
    cls=Verb,
    epilog=examples("orch stop @", "orch stop 4f2a --agent impl", "orch stop 4f2a --abort --yes"),
)
@click.argument("run")
@click.option("--agent", "agents", multiple=True, help="Only this agent, for good (repeatable).")
@click.option("--abort", is_flag=True, help="End it for good instead of leaving it resumable.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry
@shared
def stop(
    run: str, agents: tuple[str, ...], abort: bool, yes: bool, dry_run: bool, as_json: bool,
    quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Stop a run and its agents; `orch resume` goes on. With --abort it is final.

    With --agent only those agents end, each for good: no other attempt follows, and the workflow
    gets AgentFailed with the code `stopped`. The run goes on.
    """
    out, orch = output(as_json, quiet, no_color), looking()
    known = orch.run(run)
    if agents:
        from orch.cli.stopping import stop_agents

        return stop_agents(orch, known, agents, out, abort=abort, dry_run=dry_run)
    if dry_run:
        orch.request_stop(known, abort=abort, dry_run=True)
        what = "end for good" if abort else "stop"
        out.data({"run": known.id, "would": what}) if as_json else out.line(
            f"would {what} {known.id}"
        )
        return 0
    if abort and not yes and not _confirmed(known):
        out.warn("nothing was done")
        return 1
    orch.request_stop(known, abort=abort)
    stayed = drive(orch, [known.id], out)
    record = orch.run_record(known.id)
    if as_json:
        out.data(record)
    elif quiet:
        out.line(known.id)
    else:
        summary(orch, record, out)
    if not stayed:
        _say_detached([record], out)
        return INTERRUPTED
    return 0


def _confirmed(known: Run) -> bool:
    """What is final is asked for twice where a person can answer."""
    if must_not_ask():
        raise UsageError(
            f"ending run {known.id} for good needs a yes", code="needs_yes",
            hint=f"orch stop {known.id} --abort --yes",
        )  # fmt: skip
    question = f"End run {known.id} for good? It can not be resumed."
    return not may_ask() or click.confirm(question, err=True)
