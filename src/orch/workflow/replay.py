"""Replay: bring a fresh driver to where the journal stands.

Invariant: outcomes are delivered in the order in which they were journaled, never by count, and
everything the program asks for must equal what the journal holds at that path. Anything else is
`NonDeterminism`, with the path and both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orch.model.effect import COMPOSITE_KINDS
from orch.model.errors import NonDeterminism
from orch.model.step import SETTLED, Step
from orch.workflow.driver import Driver, Progress, Request

INSIDE = "steps inside a Gather or a called workflow"


class Replayed:
    """Where a replay arrived: `progress` of its last move; `requests` by path, all that were asked
    for; `open` are those without an outcome; `unknown` those the journal has never seen (all of
    them when the journal is empty: the run starts here)."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.requests: dict[str, Request] = {}
        self.unknown: list[Request] = []
        self.open: list[Request] = []
        self.closed: dict[str, object] = {}
        self.interrupted: list[str] = []


def replay(driver: Driver, steps: Sequence[Step], cancel_seq: int = 0) -> Replayed:
    """Start `driver` and deliver all outcomes of `steps`. `cancel_seq` is the event number at which
    the program was told to end, 0 for never. Raises `NonDeterminism`."""
    journal = {step.path: step for step in steps}
    inner = {prefix for path in journal for prefix in _parents(path)}
    driver.check = lambda path, kind, raw: _compare(journal, inner, path, kind, raw)
    arrived = Replayed()
    _note(arrived, driver.start())
    settled = sorted(
        (s for s in steps if s.status in SETTLED and not _composite(s)), key=lambda s: s.settled_seq
    )
    cancelled = cancel_seq == 0
    for step in settled:
        if not cancelled and step.settled_seq > cancel_seq:
            cancelled = True
            _note(arrived, driver.cancel())
        if step.path not in arrived.requests or arrived.progress.finished:
            raise _unasked(journal, arrived, step)
        assert step.outcome is not None
        _note(arrived, driver.settle(step.path, step.outcome))
    if not cancelled and not arrived.progress.finished:
        _note(arrived, driver.cancel())
    driver.check = None
    for step in steps:
        if step.path not in arrived.requests:
            raise _unasked(journal, arrived, step)
    waiting = set(driver.waiting)
    arrived.open = [r for p, r in arrived.requests.items() if p in waiting]
    arrived.unknown = [r for p, r in arrived.requests.items() if p not in journal]
    return arrived


def _note(arrived: Replayed, progress: Progress) -> None:
    arrived.progress = progress
    for request in progress.requests:
        arrived.requests[request.path] = request
    arrived.closed.update(progress.closed)
    arrived.interrupted.extend(progress.interrupt)


def _parents(path: str) -> list[str]:
    """`2/gather.1/0` -> [`2`]; `3/a/1/gather.0/0` -> [`3`, `3/a/1`]."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) - 1, 2)]


def _composite(step: Step) -> bool:
    return step.kind in COMPOSITE_KINDS


def _compare(journal: dict[str, Step], inner: set[str], path: str, kind: str, raw: bytes) -> None:
    """What a move asks for is journaled together with the outcomes that led to it: once a journal
    is begun, it holds everything that was asked for."""
    known = journal.get(path)
    if known is not None:
        if known.kind != kind:
            raise _different(path, f"{known.kind} {_start(known.request)}", f"{kind} {_start(raw)}")
        if known.request != raw:
            raise _different(path, *_fields(kind, known.request, raw))
    elif path in inner:
        raise _different(path, INSIDE, f"{kind} {_start(raw)}")
    elif journal:
        for parent in _parents(path):
            leaf = journal.get(parent)
            if leaf is not None and not _composite(leaf):
                raise _different(parent, f"{leaf.kind} {_start(leaf.request)}", INSIDE)
        raise _different(path, "nothing", f"{kind} {_start(raw)}")


def _start(raw: bytes) -> str:
    return f"{raw.decode():.200}"


def _fields(kind: str, held: bytes, asked: bytes) -> tuple[str, str]:
    """The fields in which two requests of one kind differ, as (held, asked)."""
    then, now = msgspec.json.decode(held), msgspec.json.decode(asked)
    names = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    sides = (
        ", ".join(f"{name} {side.get(name)!r:.80}" for name in names[:3]) for side in (then, now)
    )
    held_words, asked_words = sides
    return f"{kind} with {held_words}", f"{kind} with {asked_words}"


def _different(path: str, journal: str, asked: str) -> NonDeterminism:
    return NonDeterminism(
        f"at {path} the workflow now asks for {asked}, but the journal holds {journal}",
        hint="take clocks, randomness, files and environment out of the workflow; they are effects",
        path=path,
    )


def _unasked(journal: dict[str, Step], arrived: Replayed, step: Step) -> NonDeterminism:
    """The outermost step that was not asked for: a composite rather than what is inside it."""
    paths = [*_parents(step.path), step.path]
    missing = [journal[p] for p in paths if p in journal and p not in arrived.requests]
    step = missing[0] if missing else step
    return _different(step.path, f"{step.kind} {_start(step.request)}", "nothing")
