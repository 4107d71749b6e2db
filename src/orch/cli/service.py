"""`orch service`: the process that drives this home's runs, in the background."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, output, shared
from orch.cli.reaching import service_of
from orch.cli.words import Noun
from orch.model.errors import Conflict, NotFound

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output
    from orch.service.units import Unit

STOP_S = 60.0
_SYSTEMS = ("systemd", "launchd")


@click.group(cls=Noun)
def service() -> None:
    """Start, stop, install and look at the service of this home."""


def _argv() -> list[str]:
    """The service in the foreground, by this very installation."""
    return [sys.executable, "-m", "orch", "serve"]


@service.command(epilog=examples("orch service start", "orch service start --json"))
@dry
@shared
def start(dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Start the service in the background and wait until it answers."""
    out, orch = output(as_json, quiet, no_color), home()
    if dry_run:
        _must_not_run(orch)
        out.data({"would": "start"}) if as_json else out.line(
            f"would start a service of {orch.home}"
        )
        return
    _start(orch, out)


def _must_not_run(orch: Orch) -> None:
    found = service_of(orch)
    if found is not None:
        raise Conflict(
            f"the service runs already (process {found.about['pid']})", code="service_running",
            hint="orch service status",
        )  # fmt: skip


def _start(orch: Orch, out: Output) -> None:
    from orch.service.starting import started

    about = started(orch.home, _argv(), os.environ)
    if out.json:
        out.data({"running": True, "pid": about["pid"], "version": about["version"]})
    elif out.quiet:
        out.line(str(about["pid"]))
    else:
        out.line(f"the service of {orch.home} runs (process {about['pid']})")
        out.note("look: orch service status; orch log watch")


@service.command(epilog=examples("orch service stop", "orch service stop --timeout 300"))
@click.option("--timeout", default=STOP_S, type=click.FloatRange(min=0), help="Seconds to wait.")
@dry
@shared
def stop(timeout: float, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Ask the service to end: no new work, acts in flight are finished.

    Agents go on in their terminals; the next service takes them up.
    """
    out, orch = output(as_json, quiet, no_color), home(checked=False)
    _stop(orch, out, timeout, dry_run=dry_run)


def _stop(orch: Orch, out: Output, limit_s: float, *, dry_run: bool) -> None:
    from orch.service.starting import stopped

    found = service_of(orch)
    pid = found.about["pid"] if found is not None else None
    if found is not None and not dry_run:
        stopped(found, limit_s=limit_s)
    left = [attempt.id for attempt in orch.store.live_attempts()]
    done = found is not None and not dry_run
    if out.json:
        would = {"would": "stop"} if dry_run else {}
        out.data({"stopped": done, "pid": pid, "attempts_live": left, **would})
    elif found is None:
        out.note("no service runs")
    elif out.quiet:
        out.line(str(pid))
    else:
        out.line(f"{'would stop' if dry_run else 'stopped'} the service (process {pid})")
        if left:
            shown = ", ".join(left[:5]) + (" …" if len(left) > 5 else "")
            out.note(f"left at work in their terminals: {len(left)} ({shown})")


@service.command(epilog=examples("orch service restart"))
@click.option("--timeout", default=STOP_S, type=click.FloatRange(min=0), help="Seconds to wait.")
@dry
@shared
def restart(timeout: float, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Stop the service, if one runs, and start it: after an upgrade, say."""
    from orch.service.starting import stopped

    out, orch = output(as_json, quiet, no_color), home()
    found = service_of(orch)
    if dry_run:
        out.data({"would": "restart"}) if as_json else out.line("would restart the service")
        return
    if found is not None:
        stopped(found, limit_s=timeout)
    _start(orch, out)


@service.command(epilog=examples("orch service status", "orch service status --json"))
@shared
def status(as_json: bool, quiet: bool, no_color: bool) -> None:
    """Say whether the service runs, and what it has to do."""
    out, orch = output(as_json, quiet, no_color), home(checked=False)
    known = status_of(orch)
    if as_json:
        out.data(known)
    elif quiet:
        out.line(str(known["pid"]) if known["running"] else "")
    else:
        _tell_status(known, orch, out)


def status_of(orch: Orch) -> dict[str, Any]:
    """`running, pid, version, uptime_s, tasks, attempts_live, next_jobs`; of the service, or of the
    books where none runs."""
    from orch._version import __version__
    from orch.api.operations import Operations

    found = service_of(orch)
    if found is not None:
        known: dict[str, Any] = found.call("service.status")
        return known
    about = {"running": False, "pid": None, "version": __version__, "uptime_s": 0}
    return {**about, **Operations(orch).call("status")}


def _tell_status(known: dict[str, Any], orch: Orch, out: Output) -> None:
    if known["running"]:
        from orch.cli.spans import age

        out.line(
            f"the service runs: process {known['pid']}, orch {known['version']}, for"
            f" {age(known['uptime_s'])}"
        )
    else:
        driver = orch.rooms.engine_pid()
        out.line("no service runs" + (f"; process {driver} drives runs" if driver else ""))
    for state, count in known["tasks"].items():
        out.line(f"  tasks {state}: {count}")
    out.line(f"  attempts at work: {known['attempts_live']}")
    for word, told in (("short", "nothing new is begun"), ("config_error", "configuration")):
        if known.get(word):
            out.warn(f"{told}: {known[word]}")
    for job in known["next_jobs"]:
        out.line(f"  next: {job['name']} at {job['at']}")
    if not known["running"]:
        out.note("start it: orch service start")


@service.command(epilog=examples("orch service install --dry-run", "orch service install"))
@click.option(
    "--system", type=click.Choice(_SYSTEMS), default=None, help="Default: this machine's."
)
@dry
@shared
def install(system: str | None, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Write the file by which the system starts the service: a systemd user unit or a launchd agent.

    Nothing is started; the commands that do are printed.
    """
    from orch.service.units import LINGER

    out, orch = output(as_json, quiet, no_color), home()
    unit = _unit(orch, system)
    if not dry_run:
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        beside = unit.path.with_name(f".{unit.path.name}.{os.getpid()}")
        beside.write_text(unit.text, encoding="utf-8")
        beside.replace(unit.path)
    if as_json:
        would = {"would": "install"} if dry_run else {}
        out.data({"path": str(unit.path), "text": unit.text, "next": unit.enable, **would})
    elif quiet:
        out.line(str(unit.path))
    elif dry_run:
        out.line(unit.text.rstrip("\n"))
        out.note(f"would write {unit.path}")
    else:
        out.line(f"wrote {unit.path}")
        out.note("now:\n" + "\n".join(f"  {command}" for command in unit.enable))
        if unit.path.suffix == ".service":
            out.note(LINGER)


@service.command(epilog=examples("orch service uninstall", "orch service uninstall --dry-run"))
@click.option(
    "--system", type=click.Choice(_SYSTEMS), default=None, help="Default: this machine's."
)
@dry
@shared
def uninstall(
    system: str | None, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Remove the file that `orch service install` wrote. A service that runs goes on."""
    out, orch = output(as_json, quiet, no_color), home()
    unit = _unit(orch, system)
    if not unit.path.exists():
        raise NotFound(
            f"{unit.path} is not there", code="not_installed", hint="orch service install"
        )
    if not dry_run:
        unit.path.unlink()
    if as_json:
        would = {"would": "uninstall"} if dry_run else {}
        out.data({"path": str(unit.path), "next": unit.disable, **would})
    elif quiet:
        out.line(str(unit.path))
    else:
        out.line(f"{'would remove' if dry_run else 'removed'} {unit.path}")
        out.note("the system may still know it:\n" + "\n".join(f"  {c}" for c in unit.disable))


def _unit(orch: Orch, system: str | None) -> Unit:
    from orch.service import units

    chosen = system or ("launchd" if sys.platform == "darwin" else "systemd")
    person = Path(os.environ.get("HOME") or Path.home())
    if chosen == "launchd":
        return units.launchd(orch.home, _argv(), os.environ, person, os.getuid())
    return units.systemd(orch.home, _argv(), os.environ, person)
