"""Operations on the home as a whole: what there is, what happened, what waits for a person.

Invariant: as `orch.api.operations`. A run may be named as on the command line: id, prefix or `@`.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from orch._version import __version__
from orch.api import records
from orch.api.happened import event_record, events_page
from orch.api.jobs import next_jobs
from orch.api.operations import Operation, Params

if TYPE_CHECKING:
    from orch.api.facade import Orch

PAGE = 1000
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Nothing(Params, frozen=True):
    """No parameters."""


class OfRun(Params, frozen=True):
    run: str


class Stop(Params, frozen=True):
    run: str
    abort: bool = False


class Answer(Params, frozen=True):
    """`gate` is a name or path; empty means the only one that is open."""

    run: str
    decision: Literal["approve", "reject", "answer"]
    text: str = ""
    gate: str = ""


class Page(Params, frozen=True):
    """Events above number `since`, of one run or task where named; at most `limit`."""

    since: _Count = 0
    run: str = ""
    task: _Count = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE)] = PAGE


def version(orch: Orch, params: Nothing) -> dict[str, Any]:
    return {"version": __version__, "python": platform.python_version()}


def status(orch: Orch, params: Nothing) -> dict[str, Any]:
    """`tasks` by state, live attempts, the jobs that come next; `short` says why the machine can
    take no more work now, `config_error` what is wrong with the configuration (each may be empty)."""
    from orch.api.room import Room

    return {
        "tasks": orch.store.task_counts(),
        "attempts_live": len(orch.store.live_attempts()),
        "short": Room(orch.rooms).shortage(),
        "config_error": orch.rooms.config_error(),
        "next_jobs": next_jobs(orch),
    }


def ps(orch: Orch, params: Nothing) -> list[dict[str, Any]]:
    """Run records, newest first."""
    return [orch.record_of(run) for run in orch.runs()]


def show(orch: Orch, params: OfRun) -> dict[str, Any]:
    return orch.run_record(params.run)


def repo_list(orch: Orch, params: Nothing) -> list[dict[str, Any]]:
    return [records.repo_record(repo) for repo in orch.store.repos()]


def events(orch: Orch, params: Page) -> dict[str, Any]:
    """`events`, the number to ask `since` for the next page, and the highest number there is; `gone`
    as in `orch.api.happened.Page`."""
    run = orch.run(params.run).id if params.run else ""
    page = events_page(orch.store, params.since, run=run, task=params.task, limit=params.limit)
    return {"events": [event_record(one) for one in page.events], "next": page.next,
            "last": page.last, "gone": page.gone}  # fmt: skip


def stop(orch: Orch, params: Stop) -> dict[str, Any]:
    """Journal the wish that a run stops (or ends); whoever drives it does so."""
    run = orch.run(params.run)
    orch.request_stop(run, abort=params.abort)
    return orch.run_record(run.id)


def gate_answer(orch: Orch, params: Answer) -> dict[str, Any]:
    run = orch.run(params.run)
    step = orch.answer_gate(run, params.gate, params.decision, params.text)
    return {"run": run.id, "gate": step.path, "decision": params.decision, "text": params.text}


TABLE = {
    "version": Operation(Nothing, version),
    "status": Operation(Nothing, status),
    "ps": Operation(Nothing, ps),
    "show": Operation(OfRun, show),
    "repo.list": Operation(Nothing, repo_list),
    "events": Operation(Page, events),
    "stop": Operation(Stop, stop),
    "gate.answer": Operation(Answer, gate_answer),
}
