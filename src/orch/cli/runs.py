"""`orch run`, `resume`, `stop`, `ps`, `show`, `logs`: what workflows do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from orch.api import records
from orch.cli.narrate import Narrator
from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.output import clean_lines
from orch.model.errors import NotFound, UsageError

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output
    from orch.model.run import Run

TAIL_BYTES = 1024 * 1024


@click.command(
    epilog=examples(
        "orch run basic_pr --issue ISSUE-001",
        'orch run multi_agent --issue 1 --params \'{"test_command": "pytest -q"}\'',
        "orch run ./flow.py --repo thing --agent claude --json",
    )
)
@click.argument("workflow")
@click.option("--repo", default="", help="The repository (default: where you stand).")
@click.option("--issue", "-i", default="", help="An issue's id, or a Markdown file.")
@click.option("--agent", default="", help="The agent, where the workflow names none.")
@click.option("--params", "-p", default="", help="Arguments as JSON, or @FILE.")
@dry
@shared
def run(
    workflow: str, repo: str, issue: str, agent: str, params: str, dry_run: bool, as_json: bool,
    quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Run a workflow (a template's name or a file) and wait for it.

    Exit code: 0 when it is done, 6 when it waits for a person, 1 when it failed. Ctrl-C detaches:
    agents go on, `orch resume` goes on waiting.
    """
    out, orch = output(as_json, quiet, no_color), home()
    given = arguments(params)
    if dry_run:
        plan = orch.look_at_run(workflow, repo=repo, issue=issue, agent=agent, params=given)
        if as_json:
            out.data(plan)
        else:
            out.line(f"would run {plan['workflow']} in {plan['repo']} (nothing was done)")
            out.line(f"effects it may ask for: {', '.join(plan['effects'])}")
        return 0
    planned = orch.plan_run(workflow, repo=repo, issue=issue, agent=agent, params=given)
    _warn_about_forge(orch, planned, out)
    return _settle(orch, [planned.id], out)


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


def _settle(orch: Orch, runs: list[str], out: Output, *, one: bool = True) -> int:
    """Drive or follow, then report; gives the exit code."""
    from orch.compose import settle

    stayed = settle(orch, runs, Narrator(out, orch.store).show)
    found = [orch.run_record(run) for run in runs]
    if out.json:
        out.data(found[0] if one else found)
    elif out.quiet:
        for record in found:
            out.line(record["id"])
    else:
        for record in found:
            _summary(record, out)
    if not stayed:
        out.note("detached; agents go on in their terminals. To go on waiting: orch resume")
        return 130
    return max((exit_code(record) for record in found), default=0)


def exit_code(record: dict[str, Any]) -> int:
    """The documented exit code of a settled run."""
    if record["status"] == "done":
        return 0
    if record["status"] != "blocked":
        return 1
    kinds = {"human": 6, "stopped": 5, "dependency": 9, "quota": 7}
    return kinds.get((record["reason"] or {}).get("kind", ""), 6)


def _summary(record: dict[str, Any], out: Output) -> None:
    """What a person wants to know first, and the next command."""
    out.raw(f"run {record['id']} ({record['workflow']}): {out.state(record['status'])}\n")
    for pull in record["prs"]:
        out.line(f"  pull request {pull['repo']}#{pull['number']}: {pull['title']}")
        out.line(f"    {pull['head']} -> {pull['base']}")
        out.line(f"    {pull['url']}")
    trouble = record["error"] or record["reason"]
    if trouble:
        out.line(f"  {trouble['message']} [{trouble['code']}]")
        if trouble.get("hint"):
            out.line(f"  try: {trouble['hint']}")
    for item in record["unresolved"]:
        out.line(f"  unresolved: step {item['path']} ({item['effect']}): {item['message']}")
    if record["status"] == "error":
        out.line(f"  look: orch show {record['id']}; orch logs {record['id']}")


@click.command(epilog=examples("orch resume", "orch resume 4f2a"))
@click.argument("run", default="")
@shared
def resume(run: str, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Go on with a run, or with all whose process died or that were detached; wait for them."""
    from orch.compose import is_alive

    out, orch = output(as_json, quiet, no_color), home()
    if run:
        taken = [orch.take_run(orch.run(run))]
    else:
        taken = [orch.take_run(found) for found in orch.resumable(is_alive)]
    if not taken:
        out.data([]) if as_json else out.note("nothing to resume")
        return 0
    return _settle(orch, [item.id for item in taken], out, one=bool(run))


@click.command(epilog=examples("orch stop @", "orch stop 4f2a --abort --yes"))
@click.argument("run")
@click.option("--abort", is_flag=True, help="End it for good instead of leaving it resumable.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--no-input", is_flag=True, help="Never ask; refuse what would need an answer.")
@dry
@shared
def stop(
    run: str, abort: bool, yes: bool, no_input: bool, dry_run: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> int:  # fmt: skip
    """Stop a run and its agents; `orch resume` goes on. With --abort it is final."""
    import sys

    out, orch = output(as_json, quiet, no_color), home()
    known = orch.run(run)
    if dry_run:
        orch.request_stop(known, abort=abort, dry_run=True)
        what = "end for good" if abort else "stop"
        out.data({"run": known.id, "would": what}) if as_json else out.line(
            f"would {what} {known.id}"
        )
        return 0
    if abort and not yes and not no_input and sys.stdin.isatty():
        click.confirm(f"End run {known.id} for good? It can not be resumed.", abort=True, err=True)
    orch.request_stop(known, abort=abort)
    from orch.compose import settle

    settle(orch, [known.id], Narrator(out, orch.store).show)
    record = orch.run_record(known.id)
    if as_json:
        out.data(record)
    elif quiet:
        out.line(known.id)
    else:
        _summary(record, out)
    return 0


@click.command(epilog=examples("orch ps", "orch ps --json"))
@shared
def ps(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List all runs, newest first."""
    out, orch = output(as_json, quiet, no_color), home()
    found = orch.runs()
    if as_json:
        out.data([records.run_record(orch.store, item) for item in found])
    elif quiet:
        for item in found:
            out.line(item.id)
    elif found:
        rows = [
            [r.id, r.status, r.workflow, r.repo, r.issue.title if r.issue else ""] for r in found
        ]
        out.table(["run", "status", "workflow", "repo", "issue"], rows)
    else:
        out.note("no run yet; start one: orch run basic_pr --issue ISSUE-001")


@click.command(epilog=examples("orch show @", "orch show 4f2a --json"))
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
    _summary(record, out)
    out.line(
        f"  repository {record['repo']}, issue {record['issue'] or 'none'}, task {record['task']}"
    )
    if record["attempts"]:
        out.line()
        rows = [
            [a["id"], a["status"], a["role"], a["agent"] or a["name"], _exit(a), a["branch"]]
            for a in record["attempts"]
        ]
        out.table(["attempt", "status", "role", "program", "exit", "branch"], rows)
    if record["steps"]:
        out.line()
        out.table(
            ["effect", "status", "path"],
            [[s["effect"], s["status"], s["path"]] for s in record["steps"]],
        )


def _exit(attempt: dict[str, Any]) -> str:
    return "" if attempt["exit_code"] is None else str(attempt["exit_code"])


@click.command(epilog=examples("orch logs @", "orch logs 4f2a:impl -n 50"))
@click.argument("target", metavar="RUN[:AGENT]")
@click.option("--lines", "-n", type=click.IntRange(min=0), default=0, help="Only the last lines.")
@shared
def logs(target: str, lines: int, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what the programs of a run have written, oldest first."""
    import sys

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
            if text:
                texts.append({"attempt": attempt["id"], "stream": stream, "text": text})
    if as_json:
        out.data(texts)
        return
    for item in texts:
        out.note(f"--- {item['attempt']} {item['stream']}")
        text = clean_lines(item["text"]) if sys.stdout.isatty() else item["text"]
        out.raw(text if text.endswith("\n") else text + "\n")
    if not texts:
        out.note("nothing was written yet")


def _last(text: str, lines: int) -> str:
    return text if not lines else "".join(text.splitlines(keepends=True)[-lines:])
