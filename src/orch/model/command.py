"""Something asked for. Faces send them, the engine sends them; `decide` answers with events.

Invariant: a command carries facts and wishes, never a state to be set.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orch.model.attempt import Attempt, AttemptStatus
from orch.model.delivery import Delivery
from orch.model.errors import Failure
from orch.model.event import TaskRouted
from orch.model.gate import GateAnswer
from orch.model.heard import Heard
from orch.model.job import Job
from orch.model.pull import PullRequest
from orch.model.question import Answer, Question
from orch.model.repo import Repo
from orch.model.run import Owner, Reason, Source, Unresolved
from orch.model.standing import Standing
from orch.model.step import Outcome
from orch.model.ticket import Ticket
from orch.model.worktree import Worktree


class Command(msgspec.Struct, frozen=True, tag_field="command", tag=True):
    """Base of all commands."""


class RegisterRepo(Command, frozen=True):
    """`moved_from`: the common directory it had before, where its checkout was moved."""

    repo: Repo
    moved_from: str = ""


class TakeEngine(Command, frozen=True):
    """The sender holds the engine's lock: from now on only its epoch may move runs."""

    owner: Owner


class CreateRun(Command, frozen=True, kw_only=True):
    """A run, planned and owned by the sender, for the waiting `task`, or (0) for a task of its own.
    Nothing is acted on yet."""

    id: str
    workflow: str
    entry: str
    repo: str
    title: str
    params: dict[str, Any]
    sources: tuple[Source, ...]
    issue: Ticket | None = None
    agent: str = ""
    owner: Owner | None = None
    task: int = 0
    unattended: bool = False


class WorktreeMade(msgspec.Struct, frozen=True, tag=True):
    """Fact: a worktree exists."""

    worktree: Worktree


class PullOpened(msgspec.Struct, frozen=True, tag=True):
    """Fact: a pull request is at the forge."""

    pull: PullRequest


class Noted(msgspec.Struct, frozen=True, tag=True):
    """Fact for whoever watches: one sentence."""

    message: str
    level: Literal["debug", "info", "warning", "error"] = "info"


class WorktreeGone(msgspec.Struct, frozen=True, tag=True):
    """Fact: a worktree was removed, after what was in it had been saved."""

    repo: str
    name: str


class RouteChosen(msgspec.Struct, frozen=True, tag=True):
    """Fact: who is to work on the task."""

    routed: TaskRouted


class Delegated(msgspec.Struct, frozen=True, tag=True):
    """Fact: an agent hands parts of its task on, as it put them ({title, body, labels})."""

    items: tuple[dict[str, Any], ...]


Fact = WorktreeMade | WorktreeGone | PullOpened | Noted | RouteChosen | Delegated


class AttemptEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended; `status` is final. `reset_at`: when the vendor's limit is over, as it
    said; `stood`: how agents stand after it."""

    id: str
    status: AttemptStatus
    exit_code: int | None = None
    code: str = ""
    message: str = ""
    usage: dict[str, Any] = {}
    reset_at: float | None = None
    stood: tuple[Standing, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """A step the workflow asked for. With `intend` it is intended in the same transaction;
    `attempt` is its first try, where it starts a program."""

    path: str
    kind: str
    request: bytes
    intend: bool = True
    attempt: Attempt | None = None


class Settle(msgspec.Struct, frozen=True):
    """The outcome of a step, with the facts it made true and the end of its attempt. A `plan` is
    given when the step was never journaled before (pure effects)."""

    path: str
    outcome: Outcome
    facts: tuple[Fact, ...] = ()
    end: AttemptEnd | None = None
    plan: Plan | None = None
    abandoned: bool = False


class Finish(msgspec.Struct, frozen=True):
    status: Literal["done", "error", "aborted"]
    result: Any = None
    error: Failure | None = None
    unresolved: tuple[Unresolved, ...] = ()


class Advance(Command, frozen=True, kw_only=True):
    """One move of a run, in one transaction: outcomes in the order in which the workflow received
    them, then what it asked for next, then its end or why it waits."""

    run: str
    epoch: int
    settled: tuple[Settle, ...] = ()
    planned: tuple[Plan, ...] = ()
    cancel: bool = False
    finish: Finish | None = None
    blocked: Reason | None = None


class NextAttempt(Command, frozen=True):
    """An attempt of an intended step begins, in place of one that ended (`end`, if there is one)."""

    run: str
    epoch: int
    path: str
    attempt: Attempt
    end: AttemptEnd | None = None


class EndAttempt(Command, frozen=True):
    """An attempt ended without settling its step (stopped by a person; a later one continues)."""

    run: str
    epoch: int
    end: AttemptEnd


class NoteAttempt(Command, frozen=True):
    """The terminal of an attempt is up, or (`over`) its program has ended and is not judged yet."""

    run: str
    epoch: int
    attempt: str
    over: bool = False


class TakeRun(Command, frozen=True):
    """The sender answers for this run from now on; a blocked one goes on. With `dead` it is only
    taken while its owner is still that one (who is known to be dead). `resume`: a person wants it
    to go on, so an earlier wish to stop it is over; with `converse` agents go on with their
    conversations."""

    run: str
    owner: Owner
    dead: Owner | None = None
    resume: bool = False
    converse: bool = False


class RequestStop(Command, frozen=True):
    """A person wants the run to stop (resumable) or to end (`abort`)."""

    run: str
    abort: bool = False


class StopAttempts(Command, frozen=True):
    """A person wants these attempts to end, for good; the run goes on with the failure."""

    run: str
    attempts: tuple[str, ...]


class DetachRun(Command, frozen=True):
    """A person stopped watching: agents go on, the run waits for `orch resume`."""

    run: str


class AnswerGate(Command, frozen=True):
    """`decision` is `approve`, `reject` or `answer`."""

    run: str
    path: str
    answer: GateAnswer


class RecordWorktree(Command, frozen=True):
    """A person's own worktree was made."""

    worktree: Worktree


class NoteMessage(Command, frozen=True):
    """A message of `size` bytes was sent to a running program; what became of it."""

    run: str
    attempt: str
    size: int
    delivery: Delivery


class NoteQuestion(Command, frozen=True):
    """An agent asks a person. Told twice is told once."""

    run: str
    attempt: str
    question: Question


class NoteAnswer(Command, frozen=True):
    """A person has answered; the first answer counts."""

    run: str
    attempt: str
    question: str
    answer: Answer


class RecordPull(Command, frozen=True):
    """A pull request as its forge shows it now, looked at or acted on by a person."""

    pull: PullRequest


class ForgetWorktree(Command, frozen=True):
    """A worktree was removed. Refused while its run is live; harmless when it is not known."""

    repo: str
    name: str


class ForgetRepo(Command, frozen=True):
    """A person wants a repository out of the books. Refused while it has worktrees or live runs."""

    slug: str


class StartSession(Command, frozen=True):
    """A person begins a work session."""

    name: str


class NoteSession(Command, frozen=True):
    """A person writes something down in the open session."""

    text: str


class EndSession(Command, frozen=True):
    """A person ends the open session."""

    postmortem: str = ""


class AddJob(Command, frozen=True):
    """A person (or the configuration) wants a job. Its id and what it remembers are made here."""

    job: Job


class RemoveJob(Command, frozen=True):
    id: str


class EnableJob(Command, frozen=True):
    """It fires again, at its next slot."""

    id: str


class DisableJob(Command, frozen=True):
    id: str
    reason: str = ""


class FireJob(Command, frozen=True):
    """A slot of a job is due. Taken once; its task is made in the same transaction, unless a
    pre-check or command has to run first: that is then `owner`'s to do and to settle."""

    id: str
    slot: int
    owner: Owner | None = None


class SettleFiring(Command, frozen=True, kw_only=True):
    """How the pre-check (`passed`, `skipped`) or command (`done`, `failed`) of a taken slot ended;
    `lost` where its owner died. `disable`: it cannot work next time either."""

    id: str
    slot: int
    outcome: Literal["passed", "skipped", "done", "failed", "lost"]
    reason: str = ""
    exit_code: int | None = None
    output: str = ""
    disable: bool = False


class AddTask(Command, frozen=True, kw_only=True):
    """Somebody wants something done: into the queue with it. Fields as in `orch.model.task.Task`.
    `once`: nothing where its ticket ever had a task. `held`: what it waits for, from the start."""

    title: str
    body: str = ""
    repo: str = ""
    issue: str = ""
    labels: tuple[str, ...] = ()
    workflow: str = ""
    pin: str = ""
    parent: int = 0
    priority: int = 0
    source: str = ""
    once: bool = False
    held: str = ""


class QueueTask(Command, frozen=True):
    """Back to the queue: a person wants it tried once more, or what it waited for is there."""

    task: int
    why: str = ""


class CloseTask(Command, frozen=True):
    """A person ends a task that is not at work, or (`done`) says that it is done."""

    task: int
    why: str = ""
    done: bool = False


class RefuseTask(Command, frozen=True):
    """No run can be made of a waiting task; why, and the command that helps a person to mend it."""

    task: int
    why: str
    hint: str


class HoldTask(Command, frozen=True):
    """A task at work waits for something outside until `wake_at` (seconds since the epoch)."""

    task: int
    why: str
    wake_at: float = 0.0
    hint: str = ""


class ClearCooldown(Command, frozen=True):
    """A person lets an agent (or `agent:model`) be used again; empty: all of them."""

    subject: str = ""


class NoteTask(Command, frozen=True):
    """Why a task waits, and until when by itself (seconds since the epoch, 0: not known)."""

    task: int
    reason: str
    hint: str = ""
    wake_at: float = 0.0


class NoteService(Command, frozen=True):
    """The service came up, or is about to leave."""

    state: Literal["started", "stopped"]
    pid: int


class RerouteTask(Command, frozen=True):
    """This agent is to do it and no other; empty: whoever the router chooses, anew."""

    task: int
    agent: str = ""


class LinkTask(Command, frozen=True):
    """The task has a ticket from now on."""

    task: int
    issue: str


class SetTaskNote(Command, frozen=True):
    """A script keeps a JSON value with a task under a name; None takes it away."""

    task: int
    key: str
    value: Any = None


class BlockTask(Command, frozen=True):
    """A person puts a task aside; `run` is its run, where that is not over."""

    task: int
    why: str
    run: str = ""


class Hear(Command, frozen=True):
    """Somebody who may has said something: it counts once, with all that it asks for."""

    heard: Heard
    wishes: tuple[Command, ...] = ()

    @property
    def run(self) -> str:
        """The run that the wishes are about."""
        return next(filter(None, (str(getattr(one, "run", "")) for one in self.wishes)), "")


class MoveTask(Command, frozen=True):
    """A task becomes part of another one, or (0) of none."""

    task: int
    parent: int = 0


Any_ = (
    RegisterRepo | TakeEngine | CreateRun | Advance | NextAttempt | EndAttempt
    | NoteAttempt | TakeRun | RequestStop | DetachRun | AnswerGate | RecordWorktree
    | NoteMessage
    | NoteQuestion
    | NoteAnswer
    | RecordPull
    | ForgetWorktree | ForgetRepo
    | StopAttempts
    | StartSession | NoteSession | EndSession
    | AddJob | RemoveJob | EnableJob | DisableJob | FireJob | SettleFiring
    | AddTask | QueueTask | CloseTask | NoteTask | RefuseTask | NoteService
    | RerouteTask | LinkTask | SetTaskNote | MoveTask
    | HoldTask | ClearCooldown | BlockTask | Hear
)  # fmt: skip
