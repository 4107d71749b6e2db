"""`run_sync`: a workflow run from any Python program, as `orch run` would run it.

Invariant: the run is journaled before anything acts, so a program that dies leaves a run that
`orch resume` goes on with; nothing is run twice because a program is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orch.compose import open_orch, person, settle
from orch.model.errors import Conflict, OrchError, StepError, UsageError
from orch.model.event import Event
from orch.model.run import Run
from orch.workflow.program import Workflow

_loading: list[str] = []  # the file whose workflow is being planned: it must not start itself


class RunBlocked(Conflict):
    """The run waits (for a person, something outside, a limit); `data` has `run`. The hint goes on
    with it."""

    default_code = "run_blocked"
    exit_code = 6


def run_sync(
    workflow: Workflow[Any] | str, *, repo: str = "", issue: str = "", agent: str = "",
    params: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """Run a workflow to its end and give its result as plain data.

    `workflow` is a function made with `@do` (in a file: its source is kept with the run), a
    template's name, or `FILE.py[:FUNCTION]`. `repo`, `issue`, `agent` and `params` are those of
    `orch run`. Raises what the workflow failed with (a `StepError`), `RunBlocked` when it waits.
    """
    try:
        return _run(workflow, repo, issue, agent, params, environ)
    except OrchError as error:
        if error.hint:
            error.add_note(f"try: {error.hint}")
        raise


def _run(
    workflow: Workflow[Any] | str, repo: str, issue: str, agent: str,
    params: Mapping[str, Any] | None, environ: Mapping[str, str] | None,
) -> Any:  # fmt: skip
    word = workflow if isinstance(workflow, str) else _place(workflow)
    if _loading:
        raise UsageError(
            f"run_sync was called while {_loading[0]} is loaded to be run", code="run_sync_inside",
            hint='put the call below: if __name__ == "__main__":',
        )  # fmt: skip
    _refuse_loop()
    surroundings = dict(os.environ if environ is None else environ)
    orch = open_orch(surroundings, Path.cwd(), person=person(surroundings))
    try:
        _loading.append(word)
        try:
            run = orch.plan_run(
                word, repo=repo, issue=issue, agent=agent, params=dict(params or {})
            )
        finally:
            _loading.pop()
        if not settle(orch, [run.id], _silent):
            raise KeyboardInterrupt
        return _result(orch.run(run.id))
    finally:
        orch.close()


def _refuse_loop() -> None:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "run_sync waits, and an event loop runs in this thread", code="run_sync_in_loop",
        hint="await asyncio.to_thread(run_sync, workflow)",
    )  # fmt: skip


def _silent(events: Sequence[Event]) -> None:
    """The program tells its own story."""


def _result(run: Run) -> Any:
    if run.status == "done":
        return run.result
    if run.error is not None:
        raise run.error.raised()
    if run.status == "blocked" and run.reason is not None:
        raise RunBlocked(
            f"run {run.id}: {run.reason.message}", hint=run.reason.hint, run=run.id,
            reason=run.reason.code,
        )  # fmt: skip
    raise StepError(f"run {run.id} was ended by a person", code=run.status, run=run.id)


def _place(workflow: Workflow[Any]) -> str:
    import inspect

    try:
        file = inspect.getsourcefile(workflow.function)
    except TypeError as error:
        raise OrchError(str(error)) from error
    name = workflow.function.__qualname__
    if file is None or not Path(file).is_file() or not name.isidentifier():
        raise UsageError(
            f"the workflow {name} has no file of its own: its source cannot be kept with the run",
            code="no_source",
            hint="put it at the top level of a file",
        )
    return f"{Path(file).resolve()}:{name}"
