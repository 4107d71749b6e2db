"""Events as people and programs read them: pages, and the envelope as JSON data.

Invariant: the envelope's keys are always all there (`seq, at, kind, v, actor, cause, repo, task, run,
step, data`); keys are only ever added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orch.model.event import DATA_ENCODER, Event
from orch.model.naming import moment

if TYPE_CHECKING:
    from orch.ports import Store


class Page(NamedTuple):
    """`next` is the cursor after this page, `last` the highest number that there is."""

    events: list[Event]
    next: int
    last: int


def events_page(store: Store, since: int, *, run: str, task: int, limit: int) -> Page:
    """At most `limit` events above `since`, of one run or task where given."""
    last = store.last_event()
    found = store.events(since, run=run, task=task, limit=limit)
    cursor = found[-1].seq if len(found) == limit else max(since, last)
    if found:
        cursor = max(cursor, found[-1].seq)
    return Page([one for one in found if task in (0, one.task)], cursor, max(last, cursor))


def event_record(event: Event) -> dict[str, Any]:
    """The envelope. `at` is RFC 3339; `task` 0 and empty texts mean none."""
    data = msgspec.json.decode(DATA_ENCODER.encode(event.data))  # as it is in the books
    data.pop("kind", None)
    return {
        "seq": event.seq, "at": moment(event.at), "kind": event.kind, "v": event.v,
        "actor": {"kind": event.actor.kind, "id": event.actor.id}, "cause": event.cause,
        "repo": event.repo, "task": event.task, "run": event.run, "step": event.step, "data": data,
    }  # fmt: skip
