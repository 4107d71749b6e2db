"""What people say below tickets counts once: the rule, and what is remembered of it. Pure.

Invariant: what a comment asks for and the note that it was heard are one transaction, by the
comment's id: whoever reads it again, edited or not, changes nothing. What cannot be done is heard
too, with the refusal, so that it is answered and never tried again later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model import event as ev
from orch.model.errors import Conflict, NotFound, OrchError
from orch.model.heard import HELD
from orch.model.run import Reason
from orch.model.task import CLOSED

if TYPE_CHECKING:
    from orch.model import command as cmd
    from orch.model.ledger import Reader, Tables

Decision = list[ev.EventData] | OrchError


def hear(state: Reader, command: cmd.Hear, decide: Callable[[cmd.Command], Decision]) -> Decision:
    """Everything that it asks for, or nothing and why."""
    heard = command.heard
    if state.heard(heard.source, heard.remark) is not None:
        return []
    follows: list[ev.EventData] = []
    for wish in command.wishes:
        decision = decide(wish)
        if isinstance(decision, OrchError):
            refused = replace(heard, refused=decision.message)
            return [ev.RemarkHeard(refused)]
        follows += decision
    made = next((one.id for one in follows if isinstance(one, ev.TaskCreated)), heard.task)
    return [ev.RemarkHeard(replace(heard, task=made)), *follows]


def kept(tables: Tables, event: ev.Event, data: ev.RemarkHeard) -> None:
    tables.put_heard(data.heard)


def block(state: Reader, command: cmd.BlockTask) -> Decision:
    """A person puts a task aside. What works for it is stopped, and no news wakes it again."""
    task = state.task(command.task)
    if task is None:
        return NotFound(
            f"there is no task {command.task}", code="unknown_task", hint="orch task list"
        )
    again = f"orch task retry {task.id}"
    if task.state in CLOSED:
        return Conflict(
            f"task {task.id} is {task.state}: there is nothing to put aside",
            code="task_closed", hint=again,
        )  # fmt: skip
    run = state.run(task.run) if task.run else None
    live = run is not None and run.status in ("pending", "running", "blocked")
    if run is not None and live and command.run != run.id:
        return Conflict(
            f"task {task.id} has begun meanwhile: say it again", code="task_taken", hint=again
        )
    if run is not None and run.status in ("pending", "running"):
        stopped: list[ev.EventData] = [ev.StopRequested("stop", command.why)]
        if run.stop == "abort":  # it is ended for good already
            stopped = []
        return [*stopped, ev.TaskNoted(task.id, command.why, again)]
    moved = ev.TaskMoved(task.id, "needs_review", command.why, again)
    if run is not None and live:
        return [ev.RunBlocked(Reason("human", HELD, command.why, again)), moved]
    return [moved]
