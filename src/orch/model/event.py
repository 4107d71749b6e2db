"""A numbered fact. Everything that happened is an event; every face shows events.

Envelope: `seq, at, kind, v, actor, cause, repo, task, run, step, data`. `seq` is the cursor of every
follower. One Struct per kind, its tag is the kind; `v` is the version of that Struct.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orch.model import typed
from orch.model.attempt import Attempt, AttemptStatus
from orch.model.errors import Failure
from orch.model.gate import GateAnswer
from orch.model.heard import Heard
from orch.model.job import Job
from orch.model.profile import Profile
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import Owner, Reason, RunStatus, Unresolved
from orch.model.standing import Standing
from orch.model.step import Outcome
from orch.model.task import TaskState
from orch.model.ticket import Ticket
from orch.model.worktree import Worktree


class Data(msgspec.Struct, frozen=True, tag_field="kind", tag=True, omit_defaults=True):
    """Base of all kinds."""


class EngineTaken(Data, frozen=True):
    epoch: int
    owner: Owner


class RepoAdded(Data, frozen=True):
    repo: Repo


class TaskCreated(Data, frozen=True):
    """Fields as in `orch.model.task.Task`; `queued`: the service is to take it up."""

    id: int
    title: str
    repo: str
    issue: str
    body: str = ""
    labels: tuple[str, ...] = ()
    workflow: str = ""
    pin: str = ""
    parent: int = 0
    depth: int = 0
    priority: int = 0
    source: str = ""
    queued: bool = False


class TaskMoved(Data, frozen=True):
    """`why` is one sentence, `hint` the command that helps a person where one must act."""

    id: int
    state: TaskState
    why: str = ""
    hint: str = ""
    wake_at: float = 0.0


class TaskNoted(Data, frozen=True):
    """Why a task waits in the state it is in, and until when by itself (0: not known)."""

    id: int
    reason: str
    hint: str = ""
    wake_at: float = 0.0


class TaskRouted(Data, frozen=True, kw_only=True):
    """The router's choice; `by` says what decided (`label`, `pin`, `only`, `round_robin`, ...)."""

    id: int
    agent: str
    model: str = ""
    complexity: str = ""
    profile: Profile | None = None
    by: str = ""
    reason: str = ""


class TaskRerouted(Data, frozen=True):
    """`agent` and no other is to do it; empty: whoever the router chooses."""

    id: int
    agent: str = ""


class TaskLinked(Data, frozen=True):
    id: int
    issue: str


class TaskNoteSet(Data, frozen=True):
    """`value` None: the note is gone."""

    id: int
    key: str
    value: Any = None


class TaskPlaced(Data, frozen=True):
    """Below `parent` (0: at the top), with `depth` tasks above it."""

    id: int
    parent: int
    depth: int


class RemarkHeard(Data, frozen=True):
    """What somebody said below a ticket counts, or cannot be done (`heard.refused`)."""

    heard: Heard

    @property
    def id(self) -> int:
        """The task that it is about, 0 for none."""
        return self.heard.task


class RunCreated(Data, frozen=True, kw_only=True):
    id: str
    workflow: str
    entry: str
    repo: str
    task: int
    params: dict[str, Any]
    issue: Ticket | None
    agent: str
    owner: Owner | None
    sources: tuple[str, ...]
    unattended: bool = False


class RunTaken(Data, frozen=True):
    """`converses`: agents go on with their conversations."""

    owner: Owner
    status: RunStatus
    resumed: bool = False
    converses: bool = False


class RunCancelling(Data, frozen=True):
    """The workflow is told to end; outcomes with a higher number come after it."""


class RunBlocked(Data, frozen=True):
    reason: Reason


class RunFinished(Data, frozen=True):
    status: RunStatus
    result: Any = None
    error: Failure | None = None
    unresolved: tuple[Unresolved, ...] = ()


class StopRequested(Data, frozen=True):
    """`why` are the words of a person who puts the task aside."""

    mode: Literal["stop", "abort"]
    why: str = ""


class StepPlanned(Data, frozen=True):
    """With `intended` the step is both in one transaction."""

    path: str
    effect: str
    request: str
    intended: bool


class StepIntended(Data, frozen=True):
    path: str
    attempt: int


class StepSettled(Data, frozen=True):
    path: str
    effect: str
    status: Literal["confirmed", "refused", "abandoned"]
    outcome: Outcome
    request: str | None = None


class AttemptStarting(Data, frozen=True):
    attempt: Attempt


class AttemptRunning(Data, frozen=True):
    id: str


class AttemptOver(Data, frozen=True):
    """Its program has ended; what it did is not judged yet: a person has to mend something first."""

    id: str


class AttemptEnded(Data, frozen=True, kw_only=True):
    id: str
    status: AttemptStatus
    exit_code: int | None = None
    code: str = ""
    message: str = ""
    usage: dict[str, Any] = {}
    reset_at: float | None = None


class AgentStood(Data, frozen=True):
    """An agent's cooldown or weight is another one now."""

    standing: Standing


class AttemptStopRequested(Data, frozen=True):
    id: str


class GateAnswered(Data, frozen=True):
    path: str
    answer: GateAnswer


class WorktreeRecorded(Data, frozen=True):
    worktree: Worktree


class WorktreeForgotten(Data, frozen=True):
    repo: str
    name: str


class RepoForgotten(Data, frozen=True):
    slug: str


class PullRecorded(Data, frozen=True):
    pull: PullRequest


class Logged(Data, frozen=True):
    message: str
    level: Literal["debug", "info", "warning", "error"] = "info"


class MessageSent(Data, frozen=True, kw_only=True):
    """A person's message to a running program; `size` in bytes, the text itself is nobody's record.
    `proof`, `code` and `reason` as in `orch.model.delivery.Delivery`."""

    attempt: str
    size: int
    delivered: bool
    proof: str = ""
    code: str = ""
    reason: str = ""


class QuestionAsked(Data, frozen=True, kw_only=True):
    """An agent asks a person and waits. `id` and `text` as in `orch.model.question.Question`."""

    attempt: str
    id: str
    text: str


class QuestionAnswered(Data, frozen=True, kw_only=True):
    attempt: str
    id: str
    decision: Literal["approve", "deny", "answer"]
    by: str = ""


class SessionStarted(Data, frozen=True):
    id: int
    name: str


class SessionNoted(Data, frozen=True):
    id: int
    text: str


class SessionEnded(Data, frozen=True):
    id: int
    postmortem: str = ""


class ServiceNoted(Data, frozen=True):
    """The service came up, or left."""

    state: Literal["started", "stopped"]
    pid: int


class JobAdded(Data, frozen=True):
    job: Job


class JobRemoved(Data, frozen=True):
    id: str


class JobEnabled(Data, frozen=True):
    id: str


class JobDisabled(Data, frozen=True):
    id: str
    reason: str = ""


class JobFired(Data, frozen=True):
    """A slot was taken: with a `task`, or for `owner`, who runs its pre-check or command first."""

    id: str
    slot: int
    task: int = 0
    owner: Owner | None = None


class JobSkipped(Data, frozen=True):
    """A slot was taken, and nothing comes of it."""

    id: str
    slot: int
    reason: str


class JobRan(Data, frozen=True, kw_only=True):
    """The command of a taken slot is over."""

    id: str
    slot: int
    outcome: Literal["done", "failed", "lost"]
    reason: str = ""
    exit_code: int | None = None
    output: str = ""


EventData = (
    EngineTaken | RepoAdded | TaskCreated | TaskMoved | RunCreated | RunTaken | RunCancelling
    | RunBlocked | RunFinished | StopRequested | StepPlanned | StepIntended | StepSettled
    | AttemptStarting | AttemptRunning | AttemptEnded | GateAnswered | WorktreeRecorded
    | PullRecorded | Logged | MessageSent | QuestionAsked | QuestionAnswered
    | AttemptStopRequested | WorktreeForgotten | RepoForgotten
    | SessionStarted | SessionNoted | SessionEnded
    | JobAdded | JobRemoved | JobEnabled | JobDisabled | JobFired | JobSkipped | JobRan
    | TaskNoted | TaskRouted | AgentStood | ServiceNoted
    | AttemptOver | TaskRerouted | TaskLinked | TaskNoteSet | TaskPlaced
    | RemarkHeard
)  # fmt: skip


class Actor(msgspec.Struct, frozen=True):
    """Who caused it: `kind` is `person`, `engine` or `agent`; `id` a user name or process."""

    kind: Literal["person", "engine", "agent"]
    id: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope. `at` is seconds since the epoch; `step` is a path; empty means none."""

    seq: int
    at: float
    actor: Actor
    data: EventData
    v: int = 1
    cause: int = 0
    repo: str = ""
    task: int = 0
    run: str = ""
    step: str = ""

    @property
    def kind(self) -> str:
        return str(type(self.data).__struct_config__.tag)


DATA_ENCODER = msgspec.json.Encoder()
DATA_DECODER: msgspec.json.Decoder[EventData] = typed.decoder(EventData)
