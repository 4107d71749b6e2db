"""A person's work sessions: begun, noted in, ended, looked back at.

Invariant: what happened in a session is read from the events of its time; nothing is written down
twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orch.model import command as cmd, event as ev
from orch.model.errors import NotFound
from orch.model.naming import moment
from orch.model.session import Session
from orch.model.session_rules import none_open

if TYPE_CHECKING:
    from orch.api.facade import Orch
    from orch.model.command import Command

_PAGE = 1000


def start(orch: Orch, name: str) -> Session:
    """Begin one. `Conflict(session_open)` while another is open."""
    return _sent(orch, cmd.StartSession(name))


def note(orch: Orch, text: str) -> Session:
    """Write something down in the open one. `Conflict(no_session)` when there is none."""
    return _sent(orch, cmd.NoteSession(text))


def end(orch: Orch, postmortem: str) -> Session:
    """End the open one. `Conflict(no_session)` when there is none."""
    return _sent(orch, cmd.EndSession(postmortem))


def _sent(orch: Orch, command: Command) -> Session:
    [event] = orch.store.send(command, orch.rooms.person)
    number = getattr(event.data, "id", 0)
    return next(session for session in orch.store.sessions() if session.id == number)


def current(orch: Orch) -> Session:
    """The open one, or `Conflict(no_session)`."""
    found = orch.store.open_session()
    if found is None:
        raise none_open()
    return found


def session(orch: Orch, word: str) -> Session:
    """By number; `@` or nothing is the last one."""
    known = orch.store.sessions()
    wanted = known[:1] if word in ("", "@") else [s for s in known if str(s.id) == word]
    if wanted:
        return wanted[0]
    said = f"there is no session {word!r}" if known else "there is no session yet"
    hint = "orch session list" if known else 'orch session start "WHAT IT IS ABOUT"'
    raise NotFound(said, code="unknown_session", hint=hint)


def session_record(found: Session) -> dict[str, Any]:
    """`id, name, open, started_at, ended_at, notes[{at, text}], postmortem`."""
    return {
        "id": found.id,
        "name": found.name,
        "open": found.is_open,
        "started_at": moment(found.started_at),
        "ended_at": moment(found.ended_at),
        "notes": [{"at": moment(each.at), "text": each.text} for each in found.notes],
        "postmortem": found.postmortem,
    }


def look_back(orch: Orch, found: Session) -> dict[str, Any]:
    """The record with `worktrees`, `runs` and `timeline` of its time, oldest first."""
    worktrees: dict[str, None] = {}
    runs: dict[str, None] = {}
    timeline = []
    for event in _events(orch, found):
        if event.run:
            runs[event.run] = None
        if path := _worktree(event.data):
            worktrees[path] = None
        if what := _sentence(event):
            timeline.append(
                {"seq": event.seq, "at": moment(event.at), "kind": event.kind, "run": event.run,
                 "what": what}
            )  # fmt: skip
    known = [orch.store.run(run) for run in runs]
    return {
        **session_record(found),
        "worktrees": list(worktrees),
        "runs": [
            {"id": run.id, "workflow": run.workflow, "status": run.status, "repo": run.repo,
             "issue": run.issue.id if run.issue else None}
            for run in known if run is not None
        ],
        "timeline": timeline,
    }  # fmt: skip


def _events(orch: Orch, found: Session) -> Iterator[ev.Event]:
    since = found.first_seq - 1
    while page := orch.store.events(since, limit=_PAGE):
        for event in page:
            if found.last_seq and event.seq > found.last_seq:
                return
            yield event
        since = page[-1].seq


def _worktree(data: ev.EventData) -> str:
    match data:
        case ev.WorktreeRecorded():
            return data.worktree.path
        case ev.AttemptStarting():
            return data.attempt.worktree
    return ""


def _sentence(event: ev.Event) -> str:
    """What a person wants to find again; empty for the small steps on the way."""
    data = event.data
    match data:
        case ev.SessionStarted():
            return f"session {data.name!r} began"
        case ev.SessionNoted():
            return f"note: {data.text}"
        case ev.SessionEnded():
            return "the session ended"
        case ev.RepoAdded():
            return f"repository {data.repo.slug} registered"
        case ev.WorktreeRecorded():
            return f"worktree {data.worktree.branch}"
        case ev.PullRecorded():
            return f"pull request {data.pull.repo}#{data.pull.number}: {data.pull.title}"
    return _about_a_run(event)


def _about_a_run(event: ev.Event) -> str:
    data = event.data
    match data:
        case ev.RunCreated():
            about = f" for {data.issue.id}: {data.issue.title}" if data.issue else ""
            return f"run {data.id} ({data.workflow}) in {data.repo}{about}"
        case ev.RunBlocked():
            return f"run {event.run} is blocked: {data.reason.message}"
        case ev.RunFinished():
            return f"run {event.run} is {data.status}"
        case ev.StopRequested():
            return f"run {event.run}: {data.mode} was asked for"
        case ev.GateAnswered():
            return f"gate {data.path} of run {event.run}: {data.answer.decision}"
    return ""
