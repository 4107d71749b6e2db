"""`orch session`: a person's stretches of work, and what happened in them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, may_ask, output, shared, text_or_file
from orch.cli.words import Noun

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output
    from orch.model.session import Session

_LINES = 20


@click.group(cls=Noun)
def session() -> None:
    """Begin, note in, end and look back at work sessions. One is open at a time."""


@session.command(epilog=examples('orch session start "Fix the login"', "orch session start"))
@click.argument("name", default="")
@dry
@shared
def start(name: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Begin a session."""
    from orch.api import sessions
    from orch.model.session_rules import open_already

    out, orch = output(as_json, quiet, no_color), home()
    if dry_run:
        if (known := orch.store.open_session()) is not None:
            raise open_already(known)
        out.data({"name": name}) if as_json else out.line(f"would begin a session {name}".rstrip())
        return
    made = sessions.start(orch, name)
    _told(out, made, f"session {made.id}: {made.name}", "next: orch session note TEXT")


@session.command(
    epilog=examples('orch session note "The cache was stale"', "orch session note @notes.md")
)
@click.argument("text", default="")
@dry
@shared
def note(text: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Write something down in the open session: TEXT, @FILE, -, or nothing for $EDITOR."""
    from orch.api import sessions

    out, orch = output(as_json, quiet, no_color), home()
    known = sessions.current(orch)
    if dry_run:
        _told(out, known, f"would write it down in session {known.id}")
        return
    words = text_or_file(text) if text else _edited(known, "A note on")
    made = sessions.note(orch, words)
    _told(out, made, f"session {made.id}: {len(made.notes)} notes")


@session.command(
    epilog=examples('orch session end --message "Shipped; tests are slow"', "orch session end")
)
@click.option("--message", "--note", "-m", default="", help="What came of it: TEXT, @FILE, or -.")
@click.option("--edit", is_flag=True, help="Write it in $EDITOR (asked for on a terminal anyway).")
@dry
@shared
def end(
    message: str, edit: bool, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:  # fmt: skip
    """End the open session, with what came of it."""
    from orch.api import sessions

    out, orch = output(as_json, quiet, no_color), home()
    known = sessions.current(orch)
    if dry_run:
        _told(out, known, f"would end session {known.id}: {known.name}")
        return
    words = text_or_file(message) if message else ""
    has_editor = bool(os.environ.get("VISUAL") or os.environ.get("EDITOR"))
    if edit or (not message and has_editor and may_ask()):
        words = _edited(known, "What came of", orch)
    made = sessions.end(orch, words)
    _told(out, made, f"session {made.id} ended after {_duration(made)}: {made.name}")


@session.command("list", epilog=examples("orch session list", "orch session list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List sessions, newest first."""
    from orch.api.sessions import session_record

    out, found = output(as_json, quiet, no_color), home().store.sessions()
    if as_json:
        out.data([session_record(item) for item in found])
    elif quiet:
        for item in found:
            out.line(str(item.id))
    elif not found:
        out.note('no session yet; begin one: orch session start "WHAT IT IS ABOUT"')
    else:
        rows = [
            [str(i.id), "open" if i.is_open else "ended", _when(i), _duration(i), i.name]
            for i in found
        ]
        out.table(["id", "state", "began", "took", "name"], rows)


@session.command(epilog=examples("orch session show", "orch session show 3 --json"))
@click.argument("number", default="")
@shared
def show(number: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Look back at a session (the last one without a NUMBER): worktrees, runs, timeline."""
    from orch.api import sessions

    out, orch = output(as_json, quiet, no_color), home()
    found = sessions.session(orch, number)
    if quiet:
        out.line(str(found.id))
        return
    record = sessions.look_back(orch, found)
    if as_json:
        out.data(record)
        return
    state = "open" if found.is_open else "ended"
    out.line(
        f"session {found.id}: {found.name} ({state}, {_duration(found)}, began {_when(found)})"
    )
    for run in record["runs"]:
        issue = f" for {run['issue']}" if run["issue"] else ""
        out.line(f"  run {run['id']} ({run['workflow']}){issue}: {run['status']}")
    for path in record["worktrees"]:
        out.line(f"  worktree {path}")
    for item in record["timeline"]:
        out.line(f"  {item['at'][11:19]}  {_first_line(item['what'])}")
    if found.postmortem:
        out.line()
        out.line(found.postmortem)


def _edited(known: Session, what: str, orch: Orch | None = None) -> str:
    """The text from the editor, with what happened below the scissors."""
    from orch.api.sessions import look_back
    from orch.cli.editor import written

    lines = [f"{what} session {known.id}: {known.name}", "Nothing below this line is kept."]
    if orch is not None:
        lines += [
            f"{item['at'][11:19]}  {_first_line(item['what'])}"
            for item in look_back(orch, known)["timeline"][-_LINES:]
        ]
    return written(os.environ, "\n".join(lines))


def _told(out: Output, found: Session, sentence: str, after: str = "") -> None:
    from orch.api.sessions import session_record

    if out.json:
        out.data(session_record(found))
    elif out.quiet:
        out.line(str(found.id))
    else:
        out.line(sentence)
        if after:
            out.note(after)


def _first_line(text: Any) -> str:
    first, rest, _ = str(text).partition("\n")
    return f"{first} …" if rest else first


def _when(found: Session) -> str:
    from orch.model.naming import moment

    return moment(found.started_at)[:16].replace("T", " ")


def _duration(found: Session) -> str:
    import time

    from orch.cli.spans import elapsed

    return elapsed(max(0.0, (found.ended_at or time.time()) - found.started_at))
