"""What happened in a run, as it stands in the books: its events, oldest first, as plain JSON data.

Invariant: nothing is left out and nothing is added: an exported trace is the run's journal.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orch.model.errors import Conflict, ToolFailed
from orch.model.event import DATA_ENCODER, Event
from orch.model.naming import moment

if TYPE_CHECKING:
    from orch.ports import Store

_PAGE = 1000


def events_of(store: Store, run: str) -> Iterator[Event]:
    """The events of a run, oldest first."""
    since = 0
    while page := store.events(since, run=run, limit=_PAGE):
        yield from page
        since = page[-1].seq


def event_record(event: Event) -> dict[str, Any]:
    """The envelope: `seq, at, kind, v, actor{kind, id}, cause, repo, task, run, step, data`. `seq` is
    the number of the event in this home, `cause` that of the event it came with (0: none), `at`
    RFC 3339 in UTC, `step` a path. `data` depends on `kind`; what it leaves out is empty or nothing.
    """
    data = msgspec.json.decode(DATA_ENCODER.encode(event.data))
    kind = data.pop("kind")
    return {
        "seq": event.seq, "at": moment(event.at), "kind": kind, "v": event.v,
        "actor": {"kind": event.actor.kind, "id": event.actor.id}, "cause": event.cause,
        "repo": event.repo, "task": event.task, "run": event.run, "step": event.step, "data": data,
    }  # fmt: skip


def export(store: Store, run: str, target: Path) -> int:
    """Write the trace to `target`, one event a line; gives their number. Whole or not at all;
    refused where there is something already."""
    if target.exists() or target.is_symlink():
        raise Conflict(
            f"{target} exists already; nothing was written", code="file_exists",
            hint=f"orch show {run} --export OTHER.jsonl",
        )  # fmt: skip
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("xb") as file:
            count = 0
            for event in events_of(store, run):
                file.write(msgspec.json.encode(event_record(event)) + b"\n")
                count += 1
        partial.rename(target)
    except FileExistsError as error:
        raise Conflict(
            f"{partial} is there: somebody exports to the same place", code="file_exists",
            hint=f"rm {partial}",
        ) from error  # fmt: skip
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ToolFailed(
            f"cannot write {target}: {error.strerror}",
            code="disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "unwritable",
            hint="choose another place: --export FILE",
        ) from error
    return count
