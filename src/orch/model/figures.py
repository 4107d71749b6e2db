"""The figures of a home, for people and for Prometheus. Pure.

Invariant: everything is counted in the books, so that a service that was restarted, and a command
without a service, tell the same. What nobody reported is left out and counted as unknown: it is not
zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec


class AttemptFigures(msgspec.Struct, frozen=True):
    """Attempts of one agent in one role that ended in one way (or are at work): how many, the
    seconds they took, the tokens and US dollars they told of (None: none of them did); `usd_unknown`
    and `tokens_unknown` count those that ended and did not."""

    agent: str
    role: str
    status: str
    count: int = 0
    seconds: float = 0.0
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    usd_unknown: int = 0
    tokens_unknown: int = 0


class BookFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the books count. `waiting_since` is when the longest waiting task was asked for, 0 for
    none; `events` is the number of the last one; `unresolved` counts effects whose outcome was still
    unknown when their run ended; `slots` what became of the jobs' slots of the last weeks."""

    tasks: Mapping[str, int] = {}
    runs: Mapping[str, int] = {}
    attempts: Sequence[AttemptFigures] = ()
    live_attempts: int = 0
    waiting_since: float = 0.0
    events: int = 0
    unresolved: int = 0
    slots: Mapping[str, int] = {}


class CareViews(Protocol):
    """What a store counts, and gives up when it is asked to."""

    def figures(self) -> BookFigures:
        """What there is, counted."""

    def forget_events(self, after: int, upto: int, before: float) -> int:
        """Give up the old among the numbers above `after`, up to `upto`: events from before that
        time, of runs that were over by then, as are their tasks. What a task's history is told from
        stays. How many went. The last event must not be among them."""

    def events_floor(self) -> int:
        """Up to which number events may have been given up; 0: none were."""


class Sample(msgspec.Struct, frozen=True):
    """One figure, named as Prometheus wants it."""

    name: str
    value: float
    labels: Mapping[str, str] = {}
    kind: Literal["gauge", "counter"] = "gauge"
    help: str = ""


_OF_ATTEMPTS = (
    ("orch_attempts_total", "count", "Attempts, by agent, role and how they ended."),
    ("orch_attempt_seconds_total", "seconds", "Seconds that attempts took."),
    ("orch_tokens_in_total", "tokens_in", "Tokens that agents told they were given."),
    ("orch_tokens_out_total", "tokens_out", "Tokens that agents told they wrote."),
    ("orch_cost_usd_total", "usd", "US dollars that agents told they cost."),
    ("orch_tokens_unknown_attempts_total", "tokens_unknown", "Attempts that told no tokens."),
    ("orch_cost_unknown_attempts_total", "usd_unknown", "Attempts whose cost is not known."),
)


def samples(book: BookFigures, now: float) -> Iterator[Sample]:
    """All figures, those of one name one after another."""
    for state, count in book.tasks.items():
        yield Sample("orch_tasks", count, {"state": state}, help="Tasks, by state.")
    for status, count in book.runs.items():
        yield Sample("orch_runs", count, {"status": status}, help="Runs, by status.")
    for name, field, text in _OF_ATTEMPTS:
        for one in book.attempts:
            labels = {"agent": one.agent, "role": one.role, "status": one.status}
            value = getattr(one, field)
            if value is not None:
                yield Sample(name, value, labels, "counter", text)
    age = max(0.0, now - book.waiting_since) if book.waiting_since else 0.0
    for name, value, text in (
        ("orch_attempts_live", book.live_attempts, "Attempts that are at work."),
        ("orch_queue_age_seconds", age, "How long the longest waiting task has waited."),
        ("orch_unresolved_effects", book.unresolved, "Effects of unknown outcome; must be 0."),
    ):
        yield Sample(name, value, help=text)
    yield Sample("orch_events_total", book.events, {}, "counter", "Events there have been.")
    for outcome, count in book.slots.items():
        told = "Slots of jobs in the last 32 days, by what became of them."
        yield Sample("orch_job_slots", count, {"outcome": outcome}, help=told)


def exposition(found: Sequence[Sample]) -> str:
    """The text that Prometheus reads (format 0.0.4)."""
    lines, last = [], ""
    for one in found:
        if one.name != last:
            last = one.name
            lines += [f"# HELP {one.name} {one.help}", f"# TYPE {one.name} {one.kind}"]
        labels = ",".join(f'{name}="{_escaped(text)}"' for name, text in one.labels.items())
        lines.append(f"{one.name}{{{labels}}} {_number(one.value)}" if labels else
                     f"{one.name} {_number(one.value)}")  # fmt: skip
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
