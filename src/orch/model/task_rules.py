"""What may be asked of tasks, what follows for their parents, and what their events change. Pure.

Invariant: a task is in exactly one state, every state but `done` and `cancelled` is left by a rule or
has a reason with the command that leaves it, and clearing a state clears the route with it (H25).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from orch.model import command as cmd, event as ev, typed
from orch.model.attempt import Attempt
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.pull import PullRequest, spelled
from orch.model.pull_rules import IN_REVIEW, closing
from orch.model.run import Reason, Run
from orch.model.task import CLOSED, Task, TaskState

if TYPE_CHECKING:
    from orch.model.ledger import Reader, Tables

_ENDED: dict[TaskState, str] = {"done": "merged", "cancelled": "closed without being merged"}
LIVE = frozenset({"pending", "running", "blocked"})
"""Runs that are not over."""
LONGEST_TITLE = 500
"""Characters."""
LONGEST_BODY = 256 * 1024
MOST_CHILDREN = 50
"""Children of one task, ever: what delegates without end is stopped."""
DEEPEST = 4
"""Tasks above a task."""


def add(state: Reader, command: cmd.AddTask) -> list[ev.EventData] | OrchError:
    title = " ".join(command.title.split())
    refusal = _unfit(state, title, command)
    if refusal is not None:
        return refusal
    if command.once and command.issue and state.task_of_issue(command.issue) is not None:
        return []
    depth = 0
    if command.parent:
        parent = state.task(command.parent)
        refusal = may_have_child(state, command.parent, parent)
        if refusal is not None:
            return refusal
        assert parent is not None
        depth = parent.depth + 1
    task = state.next_task()
    made: list[ev.EventData] = [
        ev.TaskCreated(
            id=task, title=title, repo=command.repo, issue=command.issue,
            body=command.body, labels=command.labels, workflow=command.workflow, pin=command.pin,
            parent=command.parent, depth=depth, priority=command.priority, source=command.source,
            queued=True,
        )
    ]  # fmt: skip
    if command.held:
        made.append(ev.TaskMoved(task, "blocked", command.held, f"orch task retry {task}"))
    return made


def _unfit(state: Reader, title: str, command: cmd.AddTask) -> OrchError | None:
    again = 'orch task add "TITLE"'
    if not title:
        return UsageError("a task needs a title", code="empty_title", hint=again)
    if len(title) > LONGEST_TITLE:
        told = f"the title has {len(title)} characters, at most {LONGEST_TITLE} are kept"
        return UsageError(told, code="title_too_long", hint=f"{again} --body @FILE")
    if len(command.body) > LONGEST_BODY:
        told = f"the body has {len(command.body)} characters, at most {LONGEST_BODY} are kept"
        return UsageError(told, code="body_too_long", hint="put it into a file of the repository")
    if command.repo and state.repo(command.repo) is None:
        return NotFound(
            f"there is no repository {command.repo!r}", code="unknown_repo", hint="orch repo list"
        )
    return None


def may_have_child(state: Reader, number: int, parent: Task | None) -> OrchError | None:
    if parent is None:
        return unknown(number)
    if parent.state in CLOSED:
        again = f"orch task retry {number}"
        other = "orch task list --global, for another parent; or none"
        return Conflict(
            f"task {number} is {parent.state}: it gets no children any more",
            code="task_closed", hint=other if parent.state == "done" else again,
        )  # fmt: skip
    if parent.depth >= DEEPEST:
        return Conflict(
            f"task {number} has {parent.depth} tasks above it already: deeper is not allowed",
            code="too_deep", hint=f"orch task tree {number}",
        )  # fmt: skip
    if len(state.children(number)) >= MOST_CHILDREN:
        return Conflict(
            f"task {number} has {MOST_CHILDREN} children already", code="too_many_children",
            hint=f"orch task tree {number}",
        )  # fmt: skip
    return None


def unknown(number: int) -> NotFound:
    return NotFound(f"there is no task {number}", code="unknown_task", hint="orch task list")


def may_run(state: Reader, number: int) -> OrchError | None:
    """Only a waiting task gets a run; so two who look at once make one (H21)."""
    task = state.task(number)
    if task is None:
        return unknown(number)
    if task.state != "new":
        return Conflict(
            f"task {number} is {task.state}, not new", code="task_taken",
            hint=f"orch task get {number}",
        )  # fmt: skip
    if open_children(state, number):
        return Conflict(
            f"task {number} waits for its children", code="task_waits",
            hint=f"orch task tree {number}",
        )  # fmt: skip
    return None


def open_children(state: Reader, number: int) -> list[Task]:
    return [child for child in state.children(number) if child.state not in CLOSED]


def queue(state: Reader, command: cmd.QueueTask) -> list[ev.EventData] | OrchError:
    """To the queue once more. Its run, if it has one, must be over."""
    task = state.task(command.task)
    if task is None:
        return unknown(command.task)
    run = state.run(task.run) if task.run else None
    if run is not None and run.status in LIVE:
        return Conflict(
            f"run {run.id} of task {task.id} is not over", code="task_at_work",
            hint=f"orch task get {task.id}",
        )  # fmt: skip
    if task.state == "in_review":
        return _in_review(state, task, run)
    waiting = open_children(state, task.id)
    if waiting:
        return [_waits_for(task.id, waiting)]
    if task.state == "new" and task.queued:
        return [ev.TaskNoted(task.id, "")] if task.wake_at else []
    return [ev.TaskMoved(task.id, "new", command.why)]


def _in_review(state: Reader, task: Task, run: Run | None) -> Conflict:
    """A new run would open another pull request for what waits to be merged already."""
    close = f"orch task close {task.id}"
    if run is None or not _names_pull(run.result):
        told = f"task {task.id} is in review"
        return Conflict(told + (f": {task.reason}" if task.reason else ""),
                        code="in_review", hint=close)  # fmt: skip
    name, number = str(run.result["repo"]), int(run.result["number"])
    beside = state.pulls_beside(name, number)[1]
    pull = next((spelled(one) for one in beside if one.state == "open"), f"{name}#{number}")
    return Conflict(
        f"task {task.id} is in review: its pull request {pull} is open, a new run would open another",
        code="in_review", hint=f"orch pr merge {pull}, or: {close}",
    )  # fmt: skip


def close(state: Reader, command: cmd.CloseTask) -> list[ev.EventData] | OrchError:
    """A person ended it, or (`done`) says that it is done."""
    task = state.task(command.task)
    if task is None:
        return unknown(command.task)
    run = state.run(task.run) if task.run else None
    if run is not None and run.status in LIVE:
        return Conflict(
            f"run {run.id} of task {task.id} is not over", code="task_at_work",
            hint=f"orch stop {run.id} --abort",
        )  # fmt: skip
    wanted: TaskState = "done" if command.done else "cancelled"
    return [] if task.state == wanted else [ev.TaskMoved(task.id, wanted, command.why)]


def refuse(state: Reader, command: cmd.RefuseTask) -> list[ev.EventData] | OrchError:
    task = state.task(command.task)
    if task is None:
        return unknown(command.task)
    if task.state != "new":
        return []
    return [ev.TaskMoved(task.id, "needs_review", command.why, command.hint)]


def hold(state: Reader, command: cmd.HoldTask) -> list[ev.EventData] | OrchError:
    """It is at work and waits: nobody has to do anything."""
    task = state.task(command.task)
    if task is None:
        return unknown(command.task)
    same = (task.reason, task.hint) == (command.why, command.hint)
    if task.state in CLOSED or (task.state == "blocked" and same):
        return []
    return [ev.TaskMoved(task.id, "blocked", command.why, command.hint, command.wake_at)]


def goes_on(state: Reader, run: Run, attempt: Attempt) -> Iterator[ev.EventData]:
    """What a new attempt means for a task that was held."""
    task = state.task(run.task) if run.unattended else None
    if task is not None and task.state in ("blocked", "in_review") and attempt.role != "command":
        if attempt.role == "review":
            why = f"the agent {attempt.agent} reviews it"
            if (task.state, task.reason) != ("in_review", why):
                yield ev.TaskMoved(task.id, "in_review", why)
            return
        yield ev.TaskMoved(task.id, "routed" if attempt.role == "route" else "in_progress")


def note(state: Reader, command: cmd.NoteTask) -> list[ev.EventData] | OrchError:
    """Why it waits: one event for one reason (H32)."""
    task = state.task(command.task)
    if task is None:
        return unknown(command.task)
    same = (task.reason, task.hint) == (command.reason, command.hint)
    if task.state in CLOSED or (same and abs(task.wake_at - command.wake_at) < 1):
        return []
    return [ev.TaskNoted(task.id, command.reason, command.hint, command.wake_at)]


def at_step(
    state: Reader, run: Run, command: cmd.Advance, made: Sequence[ev.EventData] = ()
) -> Iterator[ev.EventData]:
    """A task's state is read off its run's current step (ARCHITECTURE §1). `made` are the events of
    the same move so far: children may be among them."""
    moved = _move_of(command)
    task = state.task(run.task) if moved is not None else None
    if moved is None or task is None or task.state in CLOSED:
        return  # a closed one stays closed, whatever its run still tidies up
    wanted, why, hint = _by_pull(state, command, moved)
    if _may_wait(command.finish):
        waiting = [child.id for child in open_children(state, task.id)]
        waiting += children_in(task.id, made)
        if waiting:
            yield _waits(task.id, waiting)
            return
    if task.state != wanted or (task.reason, task.hint) != (why, hint):
        yield ev.TaskMoved(task.id, wanted, why, hint)


def children_in(parent: int, events: Sequence[ev.EventData]) -> list[int]:
    """The children of `parent` that these events make."""
    return [
        one.id for one in events if isinstance(one, ev.TaskCreated) and parent == one.parent != 0
    ]


def _may_wait(finish: cmd.Finish | None) -> bool:
    """A run after which its task may wait for children: it did well, or it only handed work on."""
    if finish is None or finish.status == "aborted":
        return False
    return finish.error is None or finish.error.code == "no_change"


def _move_of(command: cmd.Advance) -> tuple[TaskState, str, str] | None:
    """(state, why, hint) that a move of the run means for its task."""
    finish = command.finish
    if finish is not None:
        if finish.status == "done":
            opened = _names_pull(finish.result)
            why = f"pull request {finish.result['url']} is open" if opened else ""
            return ("in_review" if opened else "done"), why, ""
        if finish.status == "aborted":
            return "cancelled", "ended by a person", ""
        error = finish.error
        told = f"{error.message} [{error.code}]" if error else "its run failed"
        return "needs_review", told, error.hint if error else ""
    if command.blocked is not None:
        return task_state_of(command.blocked), command.blocked.message, command.blocked.hint
    for plan in command.planned:
        if plan.kind.startswith("RunAgent/"):
            asked = _asked.decode(plan.request)
            if asked.role == "review":
                return "in_review", f"the agent {asked.agent or 'asked'} reviews it", ""
            return "in_progress", "", ""
    return None


class _Asked(msgspec.Struct):
    """What the state of a task needs to know of a `RunAgent`."""

    role: str = "work"
    agent: str | None = None


_asked = typed.decoder(_Asked)


def task_state_of(reason: Reason) -> TaskState:
    """`needs_review` where a human must act, `in_review` while a pull request waits to be merged,
    else `blocked`."""
    if reason.kind == "human":
        return "needs_review"
    return "in_review" if reason.code == IN_REVIEW else "blocked"


def _by_pull(
    state: Reader, command: cmd.Advance, moved: tuple[TaskState, str, str]
) -> tuple[TaskState, str, str]:
    """The same, unless the pull request that a run ends with is merged or closed already."""
    finish = command.finish
    if finish is None or finish.status != "done" or not _names_pull(finish.result):
        return moved
    given = finish.result
    known = state.pull(str(given.get("repo", "")), int(given["number"]))
    was = closing(known.state if known is not None else str(given.get("state", "")))
    return (was, _over(str(given["url"]), was), "") if was else moved


def _over(url: str, ended: TaskState) -> str:
    return f"pull request {url} is {_ENDED[ended]}"


def _names_pull(result: Any) -> bool:
    return isinstance(result, dict) and {"number", "head", "base", "url"} <= result.keys()


def consequences(state: Reader, events: Sequence[ev.EventData]) -> Iterator[ev.EventData]:
    """What follows for parents, in the same transaction: a new child holds its parent back, the last
    one that ends lets it go on (H41: the links are in the store)."""
    for data in events:
        if isinstance(data, ev.TaskCreated) and data.parent:
            parent = state.task(data.parent)
            if parent is not None and _at_rest(state, parent):
                children = [child.id for child in open_children(state, parent.id)]
                yield _waits(parent.id, [*children, data.id])
        elif isinstance(data, ev.TaskMoved) and data.state in CLOSED:
            yield from _let_go_on(state, data.id)
        elif isinstance(data, ev.TaskPlaced):
            yield from _placed(state, data)
        elif isinstance(data, ev.PullRecorded):
            for follows in _pull_told(state, data.pull):
                yield follows
                if follows.state in CLOSED:
                    yield from _let_go_on(state, follows.id)


def _placed(state: Reader, data: ev.TaskPlaced) -> Iterator[ev.EventData]:
    """A task came below another parent: the old one may go on, the new one waits for it."""
    task = state.task(data.id)
    if task is None or task.parent == data.parent or task.state in CLOSED:
        return
    yield from _let_go_on(state, data.id)
    parent = state.task(data.parent) if data.parent else None
    if parent is not None and _at_rest(state, parent):
        yield _waits(parent.id, [*(one.id for one in open_children(state, parent.id)), data.id])


def _pull_told(state: Reader, pull: PullRequest) -> Iterator[ev.TaskMoved]:
    """A merged pull request closes its task in whatever state that is; one that a person closes
    without merging ends it, until they open it again. A run that is at work hears of it at its next
    look, and so does one with another pull request that is still open."""
    ended = closing(pull.state)
    by, beside = state.pulls_beside(pull.repo, pull.number)
    opened_by = state.run(by) if by else None
    task = state.task(opened_by.task) if opened_by is not None else None
    if task is None or task.state == ended:
        return
    if ended is None:
        if task.state == "cancelled" and task.reason == _over(pull.url, "cancelled"):
            again = f"pull request {pull.url} is open again"
            yield ev.TaskMoved(task.id, "in_review", again, f"orch pr merge {spelled(pull)}")
        return
    run = state.run(task.run) if task.run else None
    at_work = run is not None and run.status in ("pending", "running")
    if at_work or any(one.state == "open" and one.number != pull.number for one in beside):
        return
    if ended == "done" or task.state in ("in_review", "needs_review"):
        yield ev.TaskMoved(task.id, ended, _over(pull.url, ended))


def _at_rest(state: Reader, task: Task) -> bool:
    """It waits, and no run of it does."""
    run = state.run(task.run) if task.run else None
    over = run is None or run.status not in LIVE
    return task.state in ("new", "blocked") and over


def _let_go_on(state: Reader, child: int) -> Iterator[ev.EventData]:
    task = state.task(child)
    parent = state.task(task.parent) if task is not None and task.parent else None
    if parent is None or parent.state != "blocked" or task is None or task.state in CLOSED:
        return
    if not _at_rest(state, parent):
        return  # its run waits for something else
    waiting = [other.id for other in open_children(state, parent.id) if other.id != child]
    if waiting:
        yield _waits(parent.id, waiting)
    else:
        yield ev.TaskMoved(parent.id, "new", "all its children are done")


def _waits_for(number: int, children: Sequence[Task]) -> ev.TaskMoved:
    return _waits(number, [child.id for child in children])


def _waits(number: int, children: Sequence[int]) -> ev.TaskMoved:
    listed = ", ".join(map(str, children[:10])) + (", ..." if len(children) > 10 else "")
    several = f"{len(children)} children: {listed}" if len(children) > 1 else f"task {listed}"
    return ev.TaskMoved(number, "blocked", f"waits for {several}", f"orch task tree {number}")


# --- what the events change


def created(tables: Tables, event: ev.Event, data: ev.TaskCreated) -> None:
    tables.put_task(
        Task(
            id=data.id, title=data.title, state="new", repo=data.repo, issue=data.issue,
            body=data.body, labels=data.labels, workflow=data.workflow, pin=data.pin,
            parent=data.parent, depth=data.depth, priority=data.priority, source=data.source,
            queued=data.queued, created_at=event.at, updated_at=event.at, asked_at=event.at,
        )
    )  # fmt: skip


def moved(tables: Tables, event: ev.Event, data: ev.TaskMoved) -> None:
    task = tables.task(data.id)
    if task is None:
        return
    own = event.task == data.id and event.run  # a parent's move may stand in its child's run
    run = tables.run(event.run) if own else None
    task = replace(
        task, state=data.state, reason=data.why, hint=data.hint, wake_at=data.wake_at,
        run=event.run if run is not None and run.task == data.id else task.run,
        updated_at=event.at,
    )  # fmt: skip
    if data.state == "new":
        asked = event.at if event.actor.kind == "person" else task.asked_at
        task = replace(
            task, asked_at=asked, agent="", model="", complexity="", profile=None, queued=True
        )
    tables.put_task(task)


def noted(tables: Tables, event: ev.Event, data: ev.TaskNoted) -> None:
    task = tables.task(data.id)
    if task is not None:
        tables.put_task(
            replace(
                task, reason=data.reason, hint=data.hint, wake_at=data.wake_at, updated_at=event.at
            )
        )


def routed(tables: Tables, event: ev.Event, data: ev.TaskRouted) -> None:
    tables.put_routed(data.agent)
    task = tables.task(data.id)
    if task is not None:
        tables.put_task(
            replace(
                task, agent=data.agent, model=data.model, complexity=data.complexity,
                profile=data.profile, updated_at=event.at,
            )
        )  # fmt: skip
