"""Events as lines for whoever watches: on stderr, one line a change, a heartbeat while it is quiet.

Invariant: shows only what happened; never guesses, never counts on a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from orch.cli.output import Output
from orch.model import event as ev
from orch.model.attempt import Attempt
from orch.model.event import Event
from orch.ports import Store

HEARTBEAT_S = 30.0
QUIET_EFFECTS = ("ResolveBase/1", "InstallDependencies/1", "AddWorktree/1", "Merge/1", "OpenPR/1")
PLAIN = {
    "CreateWorktree/1": "worktree", "RunAgent/1": "agent", "RunCommand/1": "command",
    "MergeBranches/1": "merge", "Commit/1": "commit", "Push/1": "push",
    "CreatePR/1": "pull request", "Gate/1": "gate",
}  # fmt: skip


class Narrator:
    """`show` is given to whoever drives; it gets new events, or none every second."""

    def __init__(self, out: Output, store: Store) -> None:
        self._out = out
        self._store = store
        self._began = time.monotonic()
        self._last = self._began
        self._agents: dict[str, str] = {}

    def show(self, events: Sequence[Event]) -> None:
        for event in events:
            text = self._line(event)
            if text:
                self._say(text)
        if not events and time.monotonic() - self._last > HEARTBEAT_S:
            waiting = ", ".join(sorted(self._agents.values())) or "the next step"
            self._say(f"still at work: {waiting}")

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        elapsed = self._last - self._began
        self._out.note(f"{elapsed:6.1f}s  {text}")

    def _line(self, event: Event) -> str:
        data = event.data
        match data:
            case ev.StepPlanned():
                return self._planned(event, data)
            case ev.StepSettled():
                return self._settled(event, data)
            case ev.AttemptStarting():
                attempt = data.attempt
                who = _who(attempt)
                self._agents[attempt.id] = who
                again = f", attempt {attempt.n}" if attempt.n > 1 else ""
                return f"{who} starts in {attempt.worktree}{again}"
            case ev.AttemptEnded():
                known = self._store.attempt(data.id)
                who = self._agents.pop(data.id, "") or (_who(known) if known else data.id)
                why = f": {data.message}" if data.message else ""
                return f"{who} {data.status}{why}"
            case ev.Logged():
                return (
                    data.message
                    if data.level in ("info", "debug")
                    else f"{data.level}: {data.message}"
                )
            case ev.WorktreeRecorded():
                return f"worktree {data.worktree.branch}"
            case ev.PullRecorded():
                return f"pull request {data.pull.repo}#{data.pull.number}: {data.pull.title}"
        return self._run_line(event)

    def _run_line(self, event: Event) -> str:
        data = event.data
        match data:
            case ev.RunCreated():
                return f"run {data.id} ({data.workflow}) in {data.repo}"
            case ev.RunBlocked():
                return f"run {event.run} is blocked: {data.reason.message}"
            case ev.RunFinished():
                return f"run {event.run} is {data.status}"
            case ev.StopRequested():
                return f"run {event.run}: {data.mode} was asked for"
            case ev.GateAnswered():
                return f"gate {data.path}: {data.answer.decision}"
        return ""

    def _planned(self, event: Event, data: ev.StepPlanned) -> str:
        if data.effect in QUIET_EFFECTS or data.effect in (
            "RunAgent/1",
            "RunCommand/1",
            "CreateWorktree/1",
        ):
            return ""
        return f"{PLAIN.get(data.effect, data.effect)} …"

    def _settled(self, event: Event, data: ev.StepSettled) -> str:
        if data.status == "confirmed":
            return ""
        kind = data.effect or self._kind(event.run, data.path)
        failure = data.outcome.failure
        why = f": {failure.message}" if failure else ""
        return f"{PLAIN.get(kind, kind)} at {data.path} {data.status}{why}"

    def _kind(self, run: str, path: str) -> str:
        step = self._store.step(run, path)
        return step.kind if step is not None else ""


def _who(attempt: Attempt) -> str:
    """`impl (one)`: the program's name, and the agent's where that is another."""
    name = attempt.name or attempt.agent or "command"
    return f"{name} ({attempt.agent})" if attempt.agent and name != attempt.agent else name
