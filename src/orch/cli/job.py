"""`orch job`: schedules that make tasks or run commands."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.words import Noun
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from orch.cli.output import Output
    from orch.model.job import Job


@click.group(cls=Noun)
def job() -> None:
    """Schedule tasks and commands, in cron's words. `orch cron` explains a schedule."""


@job.command(
    epilog=examples(
        'orch job add "30 9 * * mon-fri" "Triage new issues" --repo thing --body @triage.md',
        'orch job add @daily "Update dependencies" --repo thing --precheck "sh outdated.sh"',
        'orch job add @hourly "Mirror" --command -- git fetch --all',
    )
)
@click.argument("schedule")
@click.argument("title")
@click.argument("argv", nargs=-1, metavar="[-- ARGV...]")
@click.option("--body", default="", help="What its tasks ask for: TEXT, @FILE, or -.")
@click.option("--labels", default="", help="Labels of its tasks: A,B.")
@click.option("--repo", default="", help="The repository of its tasks, or of its command.")
@click.option("--agent", default="", help="The agent of its tasks.")
@click.option("--workflow", default="", help="The workflow of its tasks.")
@click.option("--tz", "zone", default="", help="Its time zone (default: this machine's).")
@click.option("--command", is_flag=True, help="It runs the command after -- and makes no task.")
@click.option("--precheck", default="", help="A command that is asked first: 0 means go on.")
@click.option("--timeout", "timeout", type=float, default=600.0, show_default=True,
              help="Seconds a command or pre-check may take.")  # fmt: skip
@dry
@shared
def add(
    schedule: str, title: str, argv: tuple[str, ...], body: str, labels: str, repo: str,
    agent: str, workflow: str, zone: str, command: bool, precheck: str, timeout: float,
    dry_run: bool, as_json: bool, quiet: bool, no_color: bool,
) -> None:  # fmt: skip
    """Add a job named after TITLE. It fires at the next slot of SCHEDULE, and for slots that were
    missed within 24 hours once. No shell runs: ARGV and the pre-check are started as they are."""
    from orch.api import jobs
    from orch.api.moments import local_zone
    from orch.model.job import Job

    if argv and not command:
        raise UsageError("there is a command, and --command is missing", hint="orch job add --help")
    wanted = Job(
        id="", title=title, schedule=schedule, zone=zone or local_zone(os.environ),
        kind="command" if command else "task", body=text_or_file(body) if body else "",
        labels=tuple(filter(None, (label.strip() for label in labels.split(",")))), repo=repo,
        agent=agent, workflow=workflow, argv=argv, precheck=_words(precheck), timeout_s=timeout,
    )  # fmt: skip
    made = jobs.add(home(), wanted, dry_run=dry_run)
    _show(output(as_json, quiet, no_color), made, "would add " if dry_run else "")


def _words(line: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(line))
    except ValueError as error:
        raise UsageError(
            f"the pre-check cannot be read as words: {error}", hint="orch job add --help"
        ) from error


@job.command("list", epilog=examples("orch job list", "orch job list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the jobs, with the next time of each."""
    from orch.api.jobs import job_record

    out, orch = output(as_json, quiet, no_color), home()
    found, now = orch.store.jobs(), orch.rooms.clock.now()
    if as_json:
        out.data([job_record(each, now) for each in found])
    elif quiet:
        for each in found:
            out.line(each.id)
    elif not found:
        out.note('no job yet; add one: orch job add "30 9 * * mon-fri" "TITLE"')
    else:
        rows = []
        for each in found:
            record = job_record(each, now)
            upcoming = record["next_local"][:16].replace("T", " ") if each.enabled else "disabled"
            last = record["last"]["outcome"] or "-"
            told = f"{last}: {record['reason']}" if record["reason"] else last
            rows.append([each.id, each.kind, each.schedule, upcoming, each.repo or "-", told])
        out.table(["id", "kind", "schedule", "next", "repo", "last"], rows)


@job.command(epilog=examples("orch job remove update-dependencies"))
@click.argument("job")
@dry
@shared
def remove(job: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Remove a job and the list of its runs. Its tasks stay."""
    from orch.api import jobs

    out, orch = output(as_json, quiet, no_color), home()
    found = jobs.get(orch, job)
    if not dry_run:
        jobs.remove(orch, found.id)
    if as_json:
        out.data({"id": found.id, "removed": not dry_run})
    else:
        out.line(found.id if quiet else f"{'would remove' if dry_run else 'removed'} {found.id}")


@job.command(epilog=examples("orch job enable update-dependencies"))
@click.argument("job")
@dry
@shared
def enable(job: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Let a job fire again, from its next slot on."""
    from orch.api import jobs

    orch = home()
    found = jobs.get(orch, job) if dry_run else jobs.enable(orch, job)
    _show(output(as_json, quiet, no_color), found, "would enable " if dry_run else "enabled ")


@job.command(epilog=examples("orch job disable update-dependencies"))
@click.argument("job")
@dry
@shared
def disable(job: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Let a job rest until it is enabled."""
    from orch.api import jobs

    orch = home()
    found = jobs.get(orch, job) if dry_run else jobs.disable(orch, job)
    _show(output(as_json, quiet, no_color), found, "would disable " if dry_run else "disabled ")


@job.command(epilog=examples("orch job tick", "orch job tick --dry-run --json"))
@dry
@shared
def tick(dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Fire what is due now, once, and say what was not and why. The service does it by itself."""
    from orch.api import jobs
    from orch.compose import make_firings

    out, orch = output(as_json, quiet, no_color), home()
    told = jobs.tick(orch, make_firings(orch, orch.rooms.person), dry_run=dry_run)
    if as_json:
        out.data(told)
        return
    for each in told:
        idle = each["outcome"] == "not_due"
        if quiet:
            if not idle:
                out.line(each["job"])
            continue
        _tell(out, each)
    if not told:
        out.note("no job is enabled")


def _tell(out: Output, said: dict[str, Any]) -> None:
    parts = [f"{said['job']}: {said['outcome'].replace('_', ' ')}"]
    if said["slot"]:
        parts.append(f"slot {said['slot'][:16]}Z")
    if said["task"]:
        parts.append(f"task {said['task']}")
    if said["reason"] and said["outcome"] != "not_due":
        parts.append(said["reason"])
    if said["next"]:
        parts.append(f"next {said['next'][:16]}Z")
    out.line("; ".join(parts))
    if said["output"]:
        out.note(said["output"].rstrip())


@job.command(epilog=examples("orch job runs", "orch job runs update-dependencies --limit 5"))
@click.argument("job", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True,
              help="So many at most.")  # fmt: skip
@shared
def runs(job: str, limit: int, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what became of past slots, of one JOB or of all, the last first (32 days are kept)."""
    from orch.api import jobs

    out, orch = output(as_json, quiet, no_color), home()
    if job:
        jobs.get(orch, job)
    found = [jobs.firing_record(each) for each in orch.store.firings(job, limit=limit)]
    if as_json:
        out.data(found)
    elif quiet:
        for each in found:
            out.line(f"{each['job']} {each['slot']}")
    elif not found:
        out.note("nothing has fired yet: orch job list")
    else:
        rows = [
            [f"{each['slot'][:16]}Z".replace("T", " "), each["job"], each["outcome"],
             str(each["task"] or "-"), each["reason"] or "-"]
            for each in found
        ]  # fmt: skip
        out.table(["slot", "job", "status", "task", "reason"], rows)


def _show(out: Output, found: Job, before: str) -> None:
    import time

    from orch.api.jobs import job_record

    record = job_record(found, time.time())
    if out.json:
        out.data(record)
    elif out.quiet:
        out.line(found.id)
    else:
        out.line(f"{before}{found.id}: {found.schedule} ({found.zone}), a {found.kind} job")
        if record["next_local"]:
            out.line(f"next: {record['next_local']}")
