"""What goes wrong in a workflow, said so that its author finds the place.

Invariant: whatever the workflow's own code raises becomes a `Failure`; where it is the author's to
mend, it names the line in the workflow's file.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from orch.model.effect import Effect, kind_of
from orch.model.errors import Cancelled, EffectMisuse, Failure, OrchError, failure_of
from orch.model.step import Outcome

NO_LOOP = ("no running event loop", "no current event loop")


def cancelled() -> Cancelled:
    return Cancelled("the run is being ended")


def misuse(what: str) -> EffectMisuse:
    """`what` was yielded or awaited and is no effect."""
    return EffectMisuse(
        f"the workflow asked for {what}, which is no effect: time, randomness, files and"
        " processes are reached through effects only",
        hint="orch help effects",
    )


def shown(item: Any) -> str:
    """At most 80 characters, also of what cannot be printed."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    return short.repr(item)[:80]


def failure_in(error: BaseException, files: Collection[str]) -> Failure:
    """The failure a program ends with. `files` are the names of the workflow's own files."""
    failure = failure_of(error)
    if isinstance(error, RuntimeError) and any(word in failure.message for word in NO_LOOP):
        failure = failure_of(misuse("an asyncio call"))
    place = _place(error, files)
    if place and failure.code in ("workflow_error", EffectMisuse.default_code):
        return msgspec.structs.replace(
            failure, message=f"{failure.message} ({place})", data={**failure.data, "at": place}
        )
    return failure


def _place(error: BaseException, files: Collection[str]) -> str:
    """The innermost line of the workflow's own files, not of a library it called. A `StopIteration`
    reaches us as a `RuntimeError` without it."""
    trace = (error.__cause__ or error).__traceback__ if _is_stop(error) else error.__traceback__
    found = ""
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename in files:
            found = f"{filename.rsplit('/', 1)[-1]} line {trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _is_stop(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration)


def file_of(function: Callable[..., Any]) -> str:
    """The file a function was written in; empty when Python cannot tell."""
    code = getattr(function, "__code__", None)
    return str(code.co_filename) if code is not None else ""


def decoded(path: str, effect: Effect[Any], outcome: Outcome) -> Any:
    """The value of a journaled outcome. H105: one that cannot be read is never passed over."""
    try:
        return effect.given(outcome.value)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
        raise OrchError(
            f"the journal's outcome of step {path} ({kind_of(effect)}) cannot be read: {error}",
            code="database_corrupt",
            hint="orch doctor",
            path=path,
            scope="row",
        ) from error
