"""What may be asked of work sessions, and what their events change. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model import command as cmd, event as ev
from orch.model.errors import Conflict, OrchError, UsageError
from orch.model.session import Note, Session

if TYPE_CHECKING:
    from orch.model.ledger import Reader, Tables

LONGEST = 64 * 1024
"""Characters of a note or a postmortem."""
_LONGEST_NAME = 200


def start(state: Reader, command: cmd.StartSession) -> list[ev.EventData] | OrchError:
    known = state.open_session()
    if known is not None:
        return open_already(known)
    name = " ".join(command.name.split())
    if (refusal := _unfit(name, _LONGEST_NAME)) is not None:
        return refusal
    number = state.next_session()
    return [ev.SessionStarted(number, name or f"session {number}")]


def note(state: Reader, command: cmd.NoteSession) -> list[ev.EventData] | OrchError:
    known = state.open_session()
    if known is None:
        return none_open()
    if not command.text.strip():
        return UsageError("a note needs a text", code="empty_note", hint='orch session note "TEXT"')
    return _unfit(command.text) or [ev.SessionNoted(known.id, command.text)]


def end(state: Reader, command: cmd.EndSession) -> list[ev.EventData] | OrchError:
    known = state.open_session()
    if known is None:
        return none_open()
    return _unfit(command.postmortem) or [ev.SessionEnded(known.id, command.postmortem)]


def none_open() -> Conflict:
    return Conflict(
        "no session is open", code="no_session", hint='orch session start "WHAT IT IS ABOUT"'
    )


def open_already(known: Session) -> Conflict:
    return Conflict(
        f"the session {known.id} ({known.name}) is open already", code="session_open",
        hint="orch session end",
    )  # fmt: skip


def _unfit(text: str, longest: int = LONGEST) -> UsageError | None:
    """Why the text cannot be kept, if it cannot."""
    if len(text) > longest:
        return UsageError(
            f"the text has {len(text):,} characters; {longest:,} are the most", code="too_large",
            hint="keep it in a file, and name that file",
        )  # fmt: skip
    try:
        text.encode()
    except UnicodeEncodeError:
        return UsageError(
            "the text holds bytes that are no UTF-8 text", code="not_utf8",
            hint="save it as UTF-8 in a file, and give @FILE",
        )  # fmt: skip
    return None


def started(tables: Tables, event: ev.Event, data: ev.SessionStarted) -> None:
    tables.put_session(
        Session(id=data.id, name=data.name, started_at=event.at, first_seq=event.seq)
    )


def noted(tables: Tables, event: ev.Event, data: ev.SessionNoted) -> None:
    known = _session(tables, event, data.id)
    tables.put_session(replace(known, notes=(*known.notes, Note(event.at, data.text))))


def ended(tables: Tables, event: ev.Event, data: ev.SessionEnded) -> None:
    known = _session(tables, event, data.id)
    tables.put_session(
        replace(known, postmortem=data.postmortem, ended_at=event.at, last_seq=event.seq)
    )


def _session(tables: Tables, event: ev.Event, number: int) -> Session:
    known = tables.session(number)
    if known is None:
        raise LookupError(f"event {event.seq} names the unknown session {number}")
    return known
