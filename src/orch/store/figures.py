"""The books counted: what `orch metrics` and Prometheus are told.

Invariant: reads only; one statement for each figure.
"""

from __future__ import annotations

import apsw

from orch.model.figures import AttemptFigures, BookFigures
from orch.store.connection import value
from orch.store.statements import statement


def counted(db: apsw.Connection) -> BookFigures:
    return BookFigures(
        tasks=dict(sorted(_counts(db, "count_tasks").items())),
        runs=_counts(db, "count_runs"),
        attempts=[AttemptFigures(*row) for row in db.execute(statement("attempt_figures"))],
        live_attempts=int(value(db, statement("count_live_attempts"))),
        waiting_since=float(value(db, statement("waiting_since"))),
        events=int(value(db, statement("last_event"))),
        unresolved=int(value(db, statement("unresolved_effects"))),
        slots=_counts(db, "count_firings"),
    )


def _counts(db: apsw.Connection, name: str) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in db.execute(statement(name))}
