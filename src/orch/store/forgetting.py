"""Old events given up: those of runs that are over, in windows of numbers.

Invariant: a run's events go only when it and its task are over and both are older than the limit;
what a task's history is told from stays. How far events were given up is recorded in the same
transaction, so that whoever asks for them is told to read the state again.
"""

from __future__ import annotations

import apsw

from orch.store.connection import value
from orch.store.statements import statement

FLOOR = "events_floor"


def forget(db: apsw.Connection, after: int, upto: int, before: float) -> int:
    """Give up what is old among the numbers above `after`, up to `upto`; how many went. Within the
    caller's transaction."""
    found = [row[0] for row in db.execute(statement("old_events"), (after, upto, before, before))]
    if not found:
        return 0
    db.executemany(statement("drop_event"), [(seq,) for seq in found])
    db.execute(statement("put_meta"), (FLOOR, str(max(found[-1], floor(db)))))
    return len(found)


def floor(db: apsw.Connection) -> int:
    """Up to which number events may have been given up; 0: none were."""
    return int(value(db, statement("get_meta"), (FLOOR,)) or 0)
