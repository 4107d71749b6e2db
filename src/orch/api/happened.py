"""Events as people and programs read them: pages, and the envelope as JSON data.

Invariant: the envelope's keys are always all there (`seq, at, kind, v, actor, cause, repo, task, run,
step, data`); keys are only ever added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orch.model.event import DATA_ENCODER, Event
from orch.model.naming import moment
from orch.model.repo import shown_url

if TYPE_CHECKING:
    from orch.ports import Store


class Page(NamedTuple):
    """`next` is the cursor after this page, `last` the highest number that there is. `gone`: up to
    this number events were given up that were asked for, so read the state again; 0: none."""

    events: list[Event]
    next: int
    last: int
    gone: int = 0


def events_page(store: Store, since: int, *, run: str, task: int, limit: int) -> Page:
    """At most `limit` events above `since`, of one run or task where given."""
    last = store.last_event()
    gone = given_up(store, since, run=run, task=task)
    since = max(since, gone)
    found = store.events(since, run=run, task=task, limit=limit)
    cursor = found[-1].seq if len(found) == limit else max(since, last)
    if found:
        cursor = max(cursor, found[-1].seq)
    return Page([one for one in found if task in (0, one.task)], cursor, max(last, cursor), gone)


def given_up(store: Store, since: int, *, run: str = "", task: int = 0) -> int:
    """Up to which number events above `since` were given up; 0: none. A run's events are given up
    as a whole, so what is left of a run or task that is at work is complete."""
    floor = store.events_floor()
    if since >= floor:
        return 0
    runs = [run] if run else [known.id for known in store.runs_of_task(task)] if task else []
    complete = bool(run or task) and all(_has_all(store, one) for one in runs)
    return 0 if complete else floor


def _has_all(store: Store, run: str) -> bool:
    """Its first event is still there (what its task's history is told from stays in any case)."""
    return any(event.kind == "RunCreated" for event in store.events(0, run=run, limit=5))


def event_record(event: Event) -> dict[str, Any]:
    """The envelope. `at` is RFC 3339; `task` 0 and empty texts mean none."""
    data = msgspec.json.decode(DATA_ENCODER.encode(event.data))  # as it is in the books
    data.pop("kind", None)
    for repo in (data, data.get("repo")):  # a credential in a remote's address is nobody's to read
        if isinstance(repo, dict) and "remote_url" in repo:
            repo["remote_url"] = shown_url(repo["remote_url"])
    return {
        "seq": event.seq, "at": moment(event.at), "kind": event.kind, "v": event.v,
        "actor": {"kind": event.actor.kind, "id": event.actor.id}, "cause": event.cause,
        "repo": event.repo, "task": event.task, "run": event.run, "step": event.step, "data": data,
    }  # fmt: skip
