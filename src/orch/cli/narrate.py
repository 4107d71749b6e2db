"""Events as lines for whoever watches: on stderr, one line a change, a heartbeat while it is quiet.

Invariant: shows only what happened; never guesses, never moves a cursor, and never raises because of
what it shows: a run goes on whoever watches it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from orch.cli.output import Output
from orch.cli.spans import elapsed
from orch.model import event as ev
from orch.model.attempt import Attempt
from orch.model.effect import COMPOSITE_KINDS
from orch.model.event import Event
from orch.model.step import SETTLED, Step
from orch.ports import Store

HEARTBEAT_S = 30.0
PLAIN = {
    "CreateWorktree/1": "worktree", "ResolveBase/1": "base", "AddWorktree/1": "worktree",
    "InstallDependencies/1": "dependencies", "RunAgent/1": "agent", "RunCommand/1": "command",
    "SpawnAgent/1": "agent",
    "MergeBranches/1": "merge", "Merge/1": "merge", "Commit/1": "commit", "Push/1": "push",
    "CreatePR/1": "pull request", "OpenPR/1": "pull request", "Gate/1": "gate",
}  # fmt: skip


class _Open:
    """A step that is not settled: its number in the run, what it is called, since when we know."""

    def __init__(self, number: int, kind: str, since: float) -> None:
        self.number = number
        self.kind = kind
        self.since = since
        self.label = PLAIN.get(kind, kind)


class _Seen:
    """What is known of one run's steps."""

    def __init__(self, steps: Sequence[Step], now: float) -> None:
        self.count = len(steps)
        self.open = {
            step.path: _Open(number, step.kind, now)
            for number, step in enumerate(steps, 1)
            if step.status not in SETTLED
        }


class Narrator:
    """`show` is given to whoever drives; it gets new events, or none every second. `now` gives
    seconds that never go back. A step's number is its place in the run record."""

    def __init__(
        self, out: Output, store: Store, runs: Sequence[str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._out = out
        self._store = store
        self._runs = frozenset(runs)
        self._now = now
        self._began = self._last = now()
        self._seen: dict[str, _Seen] = {}
        self._told = ""

    def show(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.run not in self._runs:
                continue  # whoever drives gets the events of everybody's runs
            text = self._line(event)
            if text:
                self._say(text, event.run)
        if self._now() - self._last >= HEARTBEAT_S:
            self._beat()

    def _beat(self) -> None:
        now, waiting = self._now(), []
        for seen in self._seen.values():
            waiting += [
                f"step {step.number} {step.label} ({elapsed(now - step.since)})"
                for step in seen.open.values()
                if step.kind not in COMPOSITE_KINDS
            ]
        self._say(f"still at work: {', '.join(waiting) or 'the next step'}")

    def _say(self, text: str, run: str = "") -> None:
        self._last = self._now()
        whose = f"{run[:7]}  " if len(self._runs) > 1 and run else ""
        self._out.note(f"{elapsed(self._last - self._began):>7}  {whose}{text}")

    def _line(self, event: Event) -> str:
        data = event.data
        match data:
            case ev.StepPlanned():
                return self._planned(event, data)
            case ev.StepSettled():
                return self._settled(event, data)
            case ev.AttemptStarting():
                return self._starting(event, data.attempt)
            case ev.AttemptEnded():
                return self._ended(event, data)
            case ev.AttemptStopRequested():
                stopped = self._store.attempt(data.id)
                return f"{called(stopped) if stopped else data.id}: a stop was asked for"
            case ev.QuestionAsked():
                return f"asks: {data.text} (orch inbox approve|deny {data.id})"
            case ev.QuestionAnswered():
                return f"answered by {data.by}: {data.decision}"
            case ev.Logged():
                told = data.level in ("info", "debug")
                return data.message if told else f"{data.level}: {data.message}"
            case ev.PullRecorded():
                return f"pull request {data.pull.repo}#{data.pull.number}: {data.pull.title}"
        return _about_the_run(event)

    def _steps(self, event: Event) -> _Seen:
        """The run's steps as they were before `event`."""
        if event.run not in self._seen:
            known = [s for s in self._store.steps(event.run) if s.planned_seq < event.seq]
            self._seen[event.run] = _Seen(known, self._now())
        return self._seen[event.run]

    def _planned(self, event: Event, data: ev.StepPlanned) -> str:
        seen = self._steps(event)
        seen.count += 1
        step = seen.open[data.path] = _Open(seen.count, data.effect, self._now())
        if data.effect.startswith("Gate/"):
            question = _decoded(data.request.encode()).get("question", "")
            return f"step {step.number:>2}  asks: {question} (orch gate approve {event.run[:7]})"
        return ""

    def _settled(self, event: Event, data: ev.StepSettled) -> str:
        seen = self._steps(event)
        step = seen.open.pop(data.path, None)
        if step is None:  # planned and settled in one: pure, or settled before we looked
            seen.count += data.request is not None
            step = _Open(seen.count, data.effect, self._now())
        if data.status == "confirmed":
            what = _result(step.kind, _decoded(data.outcome.value))
            return f"step {step.number:>2}  {what}" if what else ""
        failure = data.outcome.failure
        why = f": {failure.message} [{failure.code}]" if failure and failure.message else ""
        if failure and failure.message == self._told:  # its attempt's end has said it
            why = f" [{failure.code}]"
        return f"step {step.number:>2}  {step.label} {data.status}{why}"

    def _starting(self, event: Event, attempt: Attempt) -> str:
        step = self._steps(event).open.get(attempt.path)
        again = f", attempt {attempt.n}" if attempt.n > 1 else ""
        who, number = called(attempt), ""
        if step is not None:
            step.label, number = who, f"step {step.number:>2}  "
        return f"{number}{who} starts in {os.path.basename(attempt.worktree)}{again}"

    def _ended(self, event: Event, data: ev.AttemptEnded) -> str:
        attempt = self._store.attempt(data.id)
        step = self._steps(event).open.get(attempt.path) if attempt else None
        number = f"step {step.number:>2}  " if step is not None else ""
        why = f": {data.message}" if data.message else ""
        self._told = data.message
        return f"{number}{called(attempt) if attempt else data.id} {data.status}{why}"


def _about_the_run(event: Event) -> str:
    data = event.data
    match data:
        case ev.RunCreated():
            about = f" for {data.issue.id}: {data.issue.title}" if data.issue else ""
            where = f" in {data.repo}" if data.repo else ""
            return f"run {data.id} ({data.workflow}){where}{about}"
        case ev.RunTaken():
            return f"run {event.run} goes on" if data.resumed else ""
        case ev.RunBlocked():
            answered = data.reason.code == "gate_answered"  # told when it was answered
            return "" if answered else f"run {event.run} is blocked: {data.reason.message}"
        case ev.RunFinished():
            return f"run {event.run} is {data.status}"
        case ev.StopRequested():
            return f"run {event.run}: {data.mode} was asked for"
        case ev.GateAnswered():
            return f"gate {data.path}: {data.answer.decision}"
    return ""


def _result(kind: str, value: Any) -> str:
    """What a confirmed step gave, where that is worth a line; agents and commands have told theirs
    when they ended."""
    match kind, value:
        case "AddWorktree/1", {"branch": branch}:
            return f"worktree {branch}"
        case "Commit/1" | "Merge/1" | "Push/1", str():
            return f"{PLAIN[kind]} {value[:9]}"
        case "Gate/1", {"decision": decision}:
            return f"gate answered: {decision}"
    return ""


def _decoded(raw: bytes | msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return {}


def called(attempt: Attempt) -> str:
    """`impl (one)`: the program's name, and the agent's where that is another."""
    name = attempt.name or attempt.agent or "command"
    return f"{name} ({attempt.agent})" if attempt.agent and name != attempt.agent else name
