"""Carrying out one command inside a transaction, and events as rows.

Invariant: decides and applies by the rules of the model alone. Loaded by whoever writes or follows;
a command that only reads state does without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from orch.model.command import Command, CreateRun
from orch.model.decide import decide
from orch.model.errors import OrchError
from orch.model.event import DATA_DECODER, DATA_ENCODER, Actor, Event, EventData
from orch.model.ledger import apply, envelope
from orch.model.run import Run
from orch.store.statements import statement
from orch.store.tables import SqliteTables, text_of


def carry_out(
    db: apsw.Connection,
    tables: SqliteTables,
    command: Command,
    actor: Actor,
    now: Callable[[], float],
) -> list[Event] | OrchError:
    """The events of one command, applied; or its refusal, with nothing changed."""
    decision = decide(tables, command)
    if isinstance(decision, OrchError):
        return decision
    events: list[Event] = []
    run = command.id if isinstance(command, CreateRun) else str(getattr(command, "run", ""))
    held: Run | None = None
    for data in decision:
        held = held or (tables.run(run) if run else None)
        cause = events[0].seq if events else 0
        event = _record(db, tables, data, actor, now(), cause, run, held)
        apply(tables, event)
        events.append(event)
    if isinstance(command, CreateRun):
        tables.put_sources(command.id, command.sources)
    return events


def _record(
    db: apsw.Connection, tables: SqliteTables, data: EventData, actor: Actor, at: float,
    cause: int, run: str, held: Run | None,
) -> Event:  # fmt: skip
    repo, task, step = envelope(tables, data, held)
    kind = str(type(data).__struct_config__.tag)
    body = DATA_ENCODER.encode(data).decode()
    db.execute(
        statement("insert_event"),
        (at, kind, 1, actor.kind, actor.id, cause, repo, task, run, step, body),
    )
    return Event(
        seq=db.last_insert_rowid(), at=at, actor=actor, cause=cause, data=data, repo=repo, task=task,
        run=run, step=step,
    )  # fmt: skip


def event_of(row: tuple[Any, ...]) -> Event:
    """A row of `events` as it was written."""
    seq, at, v, actor_kind, actor_id, cause, repo, task, run, step, data = row
    return Event(
        seq=seq, at=at, v=v, actor=Actor(actor_kind, actor_id), cause=cause, repo=repo, task=task,
        run=run, step=step, data=DATA_DECODER.decode(text_of(data)),
    )  # fmt: skip
