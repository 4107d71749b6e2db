"""What is allowed: a command against the present state gives events, or a refusal. Pure.

Invariant: called inside the transaction that reads the state, so that what it allows is still true
when the events are applied. No clock, no IO. A refusal is an `OrchError` as a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set as AbstractSet
from typing import Any, Literal

from msgspec.structs import replace

from orch.model import (
    command as cmd,
    delegating,
    event as ev,
    hearing,
    job_rules,
    session_rules,
    standing_rules,
    talking_rules,
    task_rules,
    task_wishes,
)
from orch.model.attempt import FINAL, Attempt
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.ledger import Reader
from orch.model.repo import name_taken, registered_already
from orch.model.run import TERMINAL, Reason, Run
from orch.model.step import SETTLED

Decision = list[ev.EventData] | OrchError
DECISIONS = ("approve", "reject", "answer")


def decide(state: Reader, command: cmd.Command) -> Decision:
    """The events that `command` causes in `state`, in order, or why it is refused."""
    decision = _DECIDE[type(command)](state, command)
    if isinstance(decision, OrchError):
        return decision
    return [*decision, *task_rules.consequences(state, decision)]


def _register_repo(state: Reader, command: cmd.RegisterRepo) -> Decision:
    known = state.repo(command.repo.slug)
    allowed = (command.repo.common_dir, command.moved_from)
    if known is not None and known.common_dir not in allowed:
        return name_taken(known, command.repo.local_path)
    if known is None:
        same = (one for one in state.repos() if one.common_dir == command.repo.common_dir)
        twin = next(same, None)
        if twin is not None:
            return registered_already(twin, command.repo.local_path)
    return [] if known == command.repo else [ev.RepoAdded(command.repo)]


def _take_engine(state: Reader, command: cmd.TakeEngine) -> Decision:
    return [ev.EngineTaken(state.epoch() + 1, command.owner)]


def _create_run(state: Reader, command: cmd.CreateRun) -> Decision:
    if state.run(command.id) is not None:
        return Conflict(f"run {command.id} exists already", code="run_exists")
    task = command.task or state.next_task()
    begun: list[ev.EventData] = []
    if command.task:
        refusal = task_rules.may_run(state, command.task)
        if refusal is not None:
            return refusal
    else:
        issue = command.issue.id if command.issue else ""
        begun.append(ev.TaskCreated(task, command.title, command.repo, issue))
    return [
        *begun,
        ev.RunCreated(
            id=command.id, workflow=command.workflow, entry=command.entry, repo=command.repo,
            task=task, params=command.params, issue=command.issue, agent=command.agent,
            owner=command.owner, sources=tuple(s.digest for s in command.sources),
            unattended=command.unattended,
        ),
        ev.TaskMoved(task, "routed"),
    ]  # fmt: skip


def _live_run(state: Reader, run_id: str, epoch: int) -> Run | OrchError:
    """The run, if the sender may still move it."""
    if epoch != state.epoch():
        return Conflict(
            "another process drives the runs now; this one has stopped acting",
            code="engine_replaced",
        )
    run = state.run(run_id)
    if run is None:
        return NotFound(f"there is no run {run_id}", code="unknown_run")
    if run.status in TERMINAL:
        return final(run)
    return run


def final(run: Run) -> Conflict:
    """The refusal for everything that is asked of an ended run (H106)."""
    return Conflict(
        f"run {run.id} is {run.status}; that never changes again",
        code="run_is_final",
        hint=f"orch show {run.id}",
    )


def _advance(state: Reader, command: cmd.Advance) -> Decision:
    run = _live_run(state, command.run, command.epoch)
    if isinstance(run, OrchError):
        return run
    events: list[ev.EventData] = []
    seen: set[str] = set()  # paths and attempts of this very move
    for settle in command.settled:
        refusal = _may_settle(state, command.run, settle, seen)
        if refusal is not None:
            return refusal
        seen.add(settle.path)
        events.extend(_settled(state, settle))
        events.extend(list(delegating.handed_on(state, run, settle, events)))
    if command.cancel:
        events.append(ev.RunCancelling())
    for plan in command.planned:
        refusal = _may_plan(state, command.run, plan, seen)
        if refusal is not None:
            return refusal
        seen.add(plan.path)
        events.append(ev.StepPlanned(plan.path, plan.kind, plan.request.decode(), plan.intend))
        if plan.attempt is not None:
            seen.add(plan.attempt.id)
            events.append(ev.AttemptStarting(plan.attempt))
    if command.finish is not None:
        end = command.finish
        events.append(ev.RunFinished(end.status, end.result, end.error, end.unresolved))
    elif command.blocked is not None:
        events.append(ev.RunBlocked(command.blocked))
    events.extend(list(task_rules.at_step(state, run, command, events)))
    return events


def _may_plan(state: Reader, run: str, plan: cmd.Plan, seen: set[str]) -> OrchError | None:
    if plan.path in seen or state.step(run, plan.path) is not None:
        return _planned_already(run, plan.path)
    return _may_begin(state, plan.attempt, seen) if plan.attempt is not None else None


def _may_begin(state: Reader, attempt: Attempt, seen: AbstractSet[str]) -> OrchError | None:
    """An attempt runs at most once."""
    if attempt.id not in seen and state.attempt(attempt.id) is None:
        return None
    return Conflict(f"attempt {attempt.id} exists already", code="attempt_exists")


def _may_settle(state: Reader, run: str, settle: cmd.Settle, seen: set[str]) -> OrchError | None:
    if settle.path in seen:
        return _settled_already(run, settle.path)
    if settle.plan is None:
        return _may_act(state, run, settle.path)
    return None if state.step(run, settle.path) is None else _planned_already(run, settle.path)


def _may_act(state: Reader, run: str, path: str) -> OrchError | None:
    """The refusal for a step that nothing may be done about: there is none, or it is settled."""
    step = state.step(run, path)
    if step is None:
        return NotFound(f"run {run} has no step {path}", code="unknown_step")
    return _settled_already(run, path) if step.status in SETTLED else None


def _planned_already(run: str, path: str) -> Conflict:
    return Conflict(f"step {path} of run {run} is planned already", code="step_exists")


def _settled_already(run: str, path: str) -> Conflict:
    return Conflict(f"step {path} of run {run} is settled already", code="step_settled")


def _settled(state: Reader, settle: cmd.Settle) -> Iterator[ev.EventData]:
    for fact in settle.facts:
        match fact:
            case cmd.WorktreeMade():
                yield ev.WorktreeRecorded(fact.worktree)
            case cmd.WorktreeGone():
                yield ev.WorktreeForgotten(fact.repo, fact.name)
            case cmd.PullOpened():
                yield ev.PullRecorded(fact.pull)
            case cmd.Noted():
                yield ev.Logged(fact.message, fact.level)
            case cmd.RouteChosen():
                yield fact.routed
    if settle.end is not None:
        yield from _end_once(state, settle.end)
    plan = settle.plan
    yield ev.StepSettled(
        settle.path,
        plan.kind if plan else "",
        _verdict(settle),
        settle.outcome,
        plan.request.decode() if plan else None,
    )


def _verdict(settle: cmd.Settle) -> Any:
    if settle.abandoned:
        return "abandoned"
    return "confirmed" if settle.outcome.ok else "refused"


def _ended(end: cmd.AttemptEnd) -> ev.AttemptEnded:
    return ev.AttemptEnded(
        id=end.id, status=end.status, exit_code=end.exit_code, code=end.code,
        message=end.message, usage=end.usage, reset_at=end.reset_at,
    )  # fmt: skip


def _next_attempt(state: Reader, command: cmd.NextAttempt) -> Decision:
    run = _live_run(state, command.run, command.epoch)
    if isinstance(run, OrchError):
        return run
    beside = _works_beside(state, command.run, command.path)
    refusal = None if beside else _may_act(state, command.run, command.path)
    refusal = refusal or _may_begin(state, command.attempt, set())
    if refusal is not None:
        return refusal
    ended = _end_once(state, command.end) if command.end else []
    before = state.attempt(command.end.id) if command.end else None
    if before is not None and before.stop:  # asked for while it ended: the next one is meant too
        command = replace(command, attempt=replace(command.attempt, stop=True))
    if beside:
        return [*ended, ev.AttemptStarting(command.attempt)]
    return [
        *ended,
        ev.StepIntended(command.path, command.attempt.n),
        ev.AttemptStarting(command.attempt),
        *task_rules.goes_on(state, run, command.attempt),
    ]


def _works_beside(state: Reader, run: str, path: str) -> bool:
    """A spawned agent goes on after its step is settled, with another attempt where one was lost."""
    step = state.step(run, path)
    return step is not None and step.kind.startswith("SpawnAgent/") and step.status == "confirmed"


def _end_attempt(state: Reader, command: cmd.EndAttempt) -> Decision:
    run = _live_run(state, command.run, command.epoch)
    if isinstance(run, OrchError):
        return run
    return _end_once(state, command.end)


def _end_once(state: Reader, end: cmd.AttemptEnd) -> list[ev.EventData]:
    attempt = state.attempt(end.id)
    if attempt is None or attempt.status in FINAL:
        return []
    return [_ended(end), *(ev.AgentStood(one) for one in end.stood)]


def _note_attempt(state: Reader, command: cmd.NoteAttempt) -> Decision:
    run = _live_run(state, command.run, command.epoch)
    if isinstance(run, OrchError):
        return run
    attempt = state.attempt(command.attempt)
    if attempt is None:
        return []
    if command.over and attempt.status in ("starting", "running"):
        return [ev.AttemptOver(command.attempt)]
    return [ev.AttemptRunning(command.attempt)] if attempt.status == "starting" else []


def _take_run(state: Reader, command: cmd.TakeRun) -> Decision:
    run = state.run(command.run)
    if run is None:
        return NotFound(f"there is no run {command.run}", code="unknown_run")
    if run.status in TERMINAL:
        return final(run)
    if command.dead is not None and run.owner != command.dead:
        return Conflict(f"run {run.id} has an owner again", code="run_owned")
    events: list[ev.EventData] = [
        ev.RunTaken(command.owner, "running", command.resume, command.converse)
    ]
    task = state.task(run.task)
    goes_on = command.resume or run.status == "blocked"  # else its task waits on, and says for what
    if goes_on and task is not None and task.state in ("blocked", "needs_review"):
        events.append(ev.TaskMoved(task.id, "in_progress"))
    return events


def _request_stop(state: Reader, command: cmd.RequestStop) -> Decision:
    run = state.run(command.run)
    if run is None:
        return NotFound(f"there is no run {command.run}", code="unknown_run")
    if run.status in TERMINAL:
        return final(run)
    mode: Literal["stop", "abort"] = "abort" if command.abort or run.stop == "abort" else "stop"
    if run.stop == mode:
        return []
    if mode == "stop" and run.status == "blocked" and run.reason and run.reason.code == "stopped":
        return []
    return [ev.StopRequested(mode)]


def _stop_attempts(state: Reader, command: cmd.StopAttempts) -> Decision:
    run = state.run(command.run)
    if run is None:
        return NotFound(f"there is no run {command.run}", code="unknown_run")
    if run.status in TERMINAL:
        return final(run)
    found = [state.attempt(one) for one in command.attempts]
    known = [one for one in found if one is not None and one.run == run.id]
    if len(known) < len(found):
        return NotFound(f"run {run.id} has no such attempt", code="unknown_attempt")
    live = [one for one in known if one.status not in FINAL]
    if not live:
        return Conflict(
            f"nothing of what was to be stopped in run {run.id} is at work any more",
            code="no_live_attempt",
            hint=f"orch show {run.id}",
        )
    return [ev.AttemptStopRequested(one.id) for one in live if not one.stop]


def _detach_run(state: Reader, command: cmd.DetachRun) -> Decision:
    run = state.run(command.run)
    if run is None:
        return NotFound(f"there is no run {command.run}", code="unknown_run")
    if run.status in TERMINAL or run.status == "blocked":
        return []  # it ended, or waits, by itself: there is nothing left to detach from
    reason = Reason(
        "human",
        "detached",
        "detached by a person; programs that were started go on in their terminals",
        f"orch resume {run.id}",
    )
    moved = ev.TaskMoved(run.task, "needs_review", reason.message, reason.hint)
    return [ev.RunBlocked(reason), moved]


def _answer_gate(state: Reader, command: cmd.AnswerGate) -> Decision:
    run = state.run(command.run)
    if run is None:
        return NotFound(f"there is no run {command.run}", code="unknown_run")
    if run.status in TERMINAL:
        return final(run)
    step = state.step(command.run, command.path)
    if step is None or not step.kind.startswith("Gate/"):
        return NotFound(
            f"run {run.id} has no gate at {command.path}",
            code="unknown_gate",
            hint=f"orch gate list {run.id}",
        )
    if command.answer.decision not in DECISIONS:
        return UsageError(
            f"{command.answer.decision!r} is no answer to a gate",
            code="bad_decision",
            hint=f"orch gate approve|reject|answer {run.id}",
        )
    if step.answer is not None or step.status in SETTLED:
        return Conflict(
            f"the gate {command.path} of run {run.id} was answered already",
            code="gate_answered",
            hint=f"orch show {run.id}",
        )
    events: list[ev.EventData] = [ev.GateAnswered(command.path, command.answer)]
    if run.status == "blocked" and run.reason is not None and run.reason.code == "gate":
        told = f"the gate {command.path} was answered: {command.answer.decision}"
        events.append(
            ev.RunBlocked(Reason("human", "gate_answered", told, f"orch resume {run.id}"))
        )
    return events


def _record_worktree(state: Reader, command: cmd.RecordWorktree) -> Decision:
    known = state.worktree(command.worktree.repo, command.worktree.name)
    return [] if known == command.worktree else [ev.WorktreeRecorded(command.worktree)]


def _record_pull(state: Reader, command: cmd.RecordPull) -> Decision:
    known = state.pull(command.pull.repo, command.pull.number)
    merged = known is not None and known.state == "merged" != command.pull.state
    # Merged is final: a look that began before the merge knows less than the books.
    return [] if known == command.pull or merged else [ev.PullRecorded(command.pull)]


def _forget_worktree(state: Reader, command: cmd.ForgetWorktree) -> Decision:
    known = state.worktree(command.repo, command.name)
    if known is None:
        return []
    run = state.run(known.run) if known.run else None
    if run is not None and run.status not in TERMINAL:
        return in_use(known.name, run.id)
    return [ev.WorktreeForgotten(command.repo, command.name)]


def in_use(worktree: str, run: str) -> Conflict:
    """The refusal for taking a worktree away from a run that is not over."""
    return Conflict(
        f"the worktree {worktree} belongs to run {run}, which is not over",
        code="worktree_in_use",
        hint=f"orch stop {run} --abort",
    )


def _forget_repo(state: Reader, command: cmd.ForgetRepo) -> Decision:
    if state.repo(command.slug) is None:
        return []
    names, runs = state.worktree_names(command.slug), state.live_run_ids(command.slug)
    return repo_in_use(command.slug, names, runs) or [ev.RepoForgotten(command.slug)]


def repo_in_use(slug: str, worktrees: Sequence[str], runs: Sequence[str]) -> Conflict | None:
    """The refusal for a repository that has worktrees or live runs."""
    if runs:
        return Conflict(
            f"{slug} has {_counted(runs, 'run')} that {_is_are(runs)} not over: {runs[0]}",
            code="repo_in_use",
            hint=f"orch stop {runs[0]} --abort",
        )
    if worktrees:
        return Conflict(
            f"{slug} still has {_counted(worktrees, 'worktree')}: {worktrees[0]}"
            f"{', …' if len(worktrees) > 1 else ''}",
            code="repo_in_use",
            hint=f"orch env cleanup (those of ended runs), then for each other one: orch worktree"
            f" delete {worktrees[0]} --repo {slug}"
            if len(worktrees) > 1
            else f"orch worktree delete {worktrees[0]} --repo {slug}",
        )
    return None


def _counted(things: Sequence[str], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _is_are(things: Sequence[str]) -> str:
    return "is" if len(things) == 1 else "are"


_DECIDE: dict[type, Callable[[Reader, Any], Decision]] = {
    cmd.RegisterRepo: _register_repo,
    cmd.TakeEngine: _take_engine,
    cmd.CreateRun: _create_run,
    cmd.Advance: _advance,
    cmd.NextAttempt: _next_attempt,
    cmd.EndAttempt: _end_attempt,
    cmd.NoteAttempt: _note_attempt,
    cmd.TakeRun: _take_run,
    cmd.RequestStop: _request_stop,
    cmd.DetachRun: _detach_run,
    cmd.AnswerGate: _answer_gate,
    cmd.RecordWorktree: _record_worktree,
    cmd.NoteMessage: talking_rules.note_message,
    cmd.NoteQuestion: talking_rules.note_question,
    cmd.NoteAnswer: talking_rules.note_answer,
    cmd.ForgetWorktree: _forget_worktree,
    cmd.ForgetRepo: _forget_repo,
    cmd.RecordPull: _record_pull,
    cmd.StopAttempts: _stop_attempts,
    cmd.StartSession: session_rules.start,
    cmd.NoteSession: session_rules.note,
    cmd.EndSession: session_rules.end,
    cmd.AddJob: job_rules.add,
    cmd.RemoveJob: job_rules.remove,
    cmd.EnableJob: job_rules.enable,
    cmd.DisableJob: job_rules.disable,
    cmd.FireJob: job_rules.fire,
    cmd.SettleFiring: job_rules.settle,
    cmd.AddTask: task_rules.add,
    cmd.QueueTask: task_rules.queue,
    cmd.CloseTask: task_rules.close,
    cmd.NoteTask: task_rules.note,
    cmd.NoteService: lambda state, command: [ev.ServiceNoted(command.state, command.pid)],
    cmd.RefuseTask: task_rules.refuse,
    cmd.RerouteTask: task_wishes.reroute,
    cmd.LinkTask: task_wishes.link,
    cmd.SetTaskNote: task_wishes.keep_note,
    cmd.MoveTask: task_wishes.move,
    cmd.HoldTask: task_rules.hold,
    cmd.BlockTask: hearing.block,
    cmd.Hear: lambda state, command: hearing.hear(
        state, command, lambda wish: _DECIDE[type(wish)](state, wish)
    ),
    cmd.ClearCooldown: standing_rules.clear,
}
