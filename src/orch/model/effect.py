"""Effects: requests as frozen data. A workflow yields (or awaits) them and gets a result back.

Invariant: an effect says everything that is needed to carry it out, encodes to the same bytes every
time, and carries its version in its tag (`RunAgent/1`), so that a replay can prove it asks for the
same thing again. The result type stands in the class: `Effect[Worktree]` gives a `Worktree`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal, get_args

import msgspec

from orch.model import typed
from orch.model.attempt import AgentResult, AttemptStatus, ReplyMode
from orch.model.delivery import Delivery
from orch.model.errors import EffectMisuse, UsageError
from orch.model.form import Effect as Effect, Strategy as Strategy, result_decoder as result_decoder
from orch.model.gate import GateAnswer as GateAnswer
from orch.model.profile import Profile
from orch.model.pull import PullRequest
from orch.model.pull_effects import (
    FindWork as FindWork,
    JudgePR as JudgePR,
    LookAtPR as LookAtPR,
    PullLook as PullLook,
    PullNews as PullNews,
    Rebase as Rebase,
    ReviewPolicy as ReviewPolicy,
    SetCheck as SetCheck,
    TaskPolicy as TaskPolicy,
    TellReviewers as TellReviewers,
    WaitForPR as WaitForPR,
    Work as Work,
)
from orch.model.schema import Schema, schema_of, shaped
from orch.model.ticket import Ticket
from orch.model.worktree import Base, Worktree


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often a failed program is tried again. `attempts` counts all tries; waits grow from
    `base_s` by doubling up to `max_s` seconds. Lost terminals have their own count, `lost`."""

    attempts: int = 1
    base_s: float = 1.0
    max_s: float = 60.0
    lost: int = 3


class CreateWorktree(Effect[Worktree], frozen=True, tag="CreateWorktree/1", omit_defaults=True):
    """A new worktree with its own branch, from `base_branch` (default: the repository's).

    Branch: `orch/<issue or task>-<slug>[-<suffix>]-<short run id>`; `name` replaces the slug.
    """

    issue: Ticket | None = None
    base_branch: str | None = None
    suffix: str | None = None
    name: str | None = None
    composite: ClassVar[bool] = True


class ResolveBase(Effect[Base], frozen=True, tag="ResolveBase/1", omit_defaults=True):
    """The commit that new work starts from, resolved (and fetched) before any branch is made."""

    base_branch: str | None = None


class AddWorktree(Effect[Worktree], frozen=True, tag="AddWorktree/1", omit_defaults=True):
    """The act behind `CreateWorktree`: branch and directory at a base that is known."""

    base_branch: str
    base_commit: str
    issue: Ticket | None = None
    suffix: str | None = None
    name: str | None = None


class InstallDependencies(
    Effect[str], frozen=True, tag="InstallDependencies/1", omit_defaults=True
):
    """Dependencies by lockfile, package scripts off unless the repository is trusted. Gives one
    sentence on what was done; a failure is reported there and fails nothing."""

    env: Worktree


class RunAgent(Effect[str | AgentResult], frozen=True, tag="RunAgent/1", omit_defaults=True):
    """Run an agent in `env` to its end. `timeout` is seconds of wall time (default: the agent's).

    Gives text, or an `AgentResult` where the reply mode is `result`. `output_format` (`diff`,
    `text`, `result`) overrides the agent's reply mode. Or it is a shape (a msgspec Struct, a
    dataclass, a pydantic model, a JSON Schema): then the agent is asked for JSON of that shape, told
    what was wrong when it does not fit (three tries in all), and the result is an instance of it.
    `type` and `agent_type` mean `agent`. `role` is what its attempts are recorded as. `onward`: it
    goes on with the conversation that it had last in this worktree, where it can.
    """

    env: Worktree
    prompt: str
    agent: str | None = None
    model: str | None = None
    name: str | None = None
    timeout: float | None = None
    output_format: ReplyMode | dict[str, Any] | None = None
    retry: Retry | None = None
    type: str | None = None
    agent_type: str | None = None
    role: Literal["work", "review"] = "work"
    onward: bool = False

    def __post_init__(self) -> None:
        _take_format(self)
        _take_agent(self)

    @property
    def schema(self) -> Schema | None:
        """The shape that is asked for, None for a reply mode."""
        return self.output_format if isinstance(self.output_format, Schema) else None

    def given(self, raw: bytes | msgspec.Raw) -> Any:
        if self.schema is None:
            return result_decoder(RunAgent).decode(raw)
        return shaped(msgspec.json.decode(raw), self.schema)

    def like(self, asked: Effect[Any]) -> RunAgent:
        if isinstance(asked, RunAgent) and asked.schema is not None:
            msgspec.structs.force_setattr(self, "output_format", asked.schema)
        return self


class AgentRef(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that works beside the workflow: the step that started it, its first attempt."""

    step: str
    attempt: str
    agent: str
    env: Worktree
    name: str = ""


class AgentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a spawned agent stands: `running`, or how it ended (`succeeded`, `failed`, `lost`,
    `stopped`), then with its `value`, or the failure's `code` and `message`."""

    attempt: str
    status: AttemptStatus
    value: Any = None
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "succeeded"


class SpawnAgent(Effect[AgentRef], frozen=True, tag="SpawnAgent/1", omit_defaults=True):
    """Start an agent in `env` and go on. Fields as in `RunAgent`. One that is still at work when its
    run ends is stopped then."""

    env: Worktree
    prompt: str
    agent: str | None = None
    model: str | None = None
    name: str | None = None
    timeout: float | None = None
    output_format: ReplyMode | dict[str, Any] | None = None
    type: str | None = None
    agent_type: str | None = None

    def __post_init__(self) -> None:
        _take_format(self)
        _take_agent(self)

    @property
    def to_run(self) -> RunAgent:
        """The same agent's work as `RunAgent` would ask for it."""
        return RunAgent(
            env=self.env, prompt=self.prompt, agent=self.agent, model=self.model, name=self.name,
            timeout=self.timeout, output_format=self.output_format,
        )  # fmt: skip


class WaitForStatus(
    Effect[AgentStatus | list[AgentStatus]], frozen=True, tag="WaitForStatus/1", omit_defaults=True
):
    """Wait until spawned agents stand as asked: `running` (it was started) or, by default, `ended`.
    Gives an `AgentStatus`, or a list for a list of targets; a failure is a value here. `timeout` is
    seconds since the step began; when they are over, `StepTimeout` is raised and the agents go on.
    """

    targets: AgentRef | list[AgentRef]
    status: Literal["running", "ended"] = "ended"
    timeout: float | None = None


class CaptureOutput(Effect[str], frozen=True, tag="CaptureOutput/1", omit_defaults=True):
    """The last `lines` lines of what a spawned agent has written by now."""

    target: AgentRef
    lines: int = 500


class SendMessage(Effect[Delivery], frozen=True, tag="SendMessage/1", omit_defaults=True):
    """Type `message` into a spawned agent that reads its terminal (`io = "tty"`). Gives a `Delivery`:
    delivered, with what proves it, or not, with why. Typed at most once: after a crash in between the
    answer is `unknown`."""

    target: AgentRef
    message: str


class DeleteWorktree(Effect[list[str]], frozen=True, tag="DeleteWorktree/1", omit_defaults=True):
    """Remove `env` and its branch. What is not saved elsewhere is refused (`worktree_has_work`), or
    with `force` rescued first, for 14 days; gives the refs of what was rescued."""

    env: Worktree
    force: bool = False


class MergePR(Effect[PullRequest], frozen=True, tag="MergePR/1", omit_defaults=True):
    """Merge a pull request at its forge, at the head it had when this was asked for. A conflict or
    a moved head changes nothing and raises. `delete_branch` removes the merged head there."""

    pr: PullRequest
    strategy: Strategy = "merge"
    delete_branch: bool = True


class CreateIssue(Effect[Ticket], frozen=True, tag="CreateIssue/1", omit_defaults=True):
    """A new issue in the vault, for the run's repository."""

    title: str
    body: str = ""
    labels: list[str] = []  # noqa: RUF012 - a Struct makes it anew


class ListIssues(Effect[list[Ticket]], frozen=True, tag="ListIssues/1", omit_defaults=True):
    """The issues with that `status` (`all` for every one) and any of `labels`, newest first."""

    status: Literal["open", "in_progress", "resolved", "closed", "all"] = "open"
    labels: list[str] = []  # noqa: RUF012 - a Struct makes it anew
    limit: int | None = None


class GetIssue(Effect[Ticket], frozen=True, tag="GetIssue/1", omit_defaults=True):
    """The issue with that id, as it stands now."""

    id: str


class ResolveIssue(Effect[Ticket], frozen=True, tag="ResolveIssue/1", omit_defaults=True):
    """Mark an issue resolved, with the pull request that did it."""

    issue: Ticket | str
    pr_url: str | None = None
    result: str | None = None


class Sleep(Effect[None], frozen=True, tag="Sleep/1", omit_defaults=True):
    """Wait `seconds` of wall time since the step began; a crash does not make it longer."""

    seconds: float


class Routed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is to work on the run's task: `by` says what decided."""

    agent: str
    model: str = ""
    complexity: str = ""
    profile: Profile | None = None
    by: str = ""


class Route(Effect[Routed], frozen=True, tag="Route/1"):
    """Choose the agent, model and profile for the run's task; every `RunAgent` without an agent of
    its own then takes them."""


class OpenFolder(Effect[Worktree], frozen=True, tag="OpenFolder/1"):
    """An empty folder of the run's own, for work that needs no repository."""


def _take_format(effect: RunAgent | SpawnAgent) -> None:
    """A shape becomes its schema; a word must be a reply mode."""
    wanted = effect.output_format
    if wanted is None or wanted in ("diff", "text", "result"):
        return
    if isinstance(wanted, str):
        raise UsageError(
            f"RunAgent: output_format {wanted!r} is not one of diff, text, result",
            code="bad_output_format",
            hint="or give a msgspec Struct, a dataclass, a pydantic model or a JSON Schema",
        )
    msgspec.structs.force_setattr(effect, "output_format", schema_of(wanted))


def _take_agent(effect: RunAgent | SpawnAgent) -> None:
    """`type` and `agent_type` are other words for `agent`."""
    chosen = effect.agent or effect.type or effect.agent_type
    if chosen is not None:
        msgspec.structs.force_setattr(effect, "agent", chosen)
        msgspec.structs.force_setattr(effect, "type", None)
        msgspec.structs.force_setattr(effect, "agent_type", None)


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """`exit_code` is the verdict. `stdout` and `stderr` are the last 64 KiB of each, as text."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class RunCommand(Effect[CommandResult], frozen=True, tag="RunCommand/1", omit_defaults=True):
    """Run `command` (an argv list, or words split like a shell would, never run by one) in `env`.

    The exit code is the verdict: a nonzero one comes back as a value, or is raised as
    `CommandFailed` with `check=True`. `timeout` is seconds of wall time.
    """

    env: Worktree
    command: list[str] | str
    name: str | None = None
    timeout: float | None = None
    check: bool = False
    retry: Retry | None = None


class MergeBranches(Effect[Worktree], frozen=True, tag="MergeBranches/1", omit_defaults=True):
    """Bring the work of several worktrees into a new one, in order. Uncommitted work is committed
    first. A conflict changes nothing and raises `MergeConflict` with the files' names."""

    envs: list[Worktree]
    strategy: Strategy = "merge"
    name: str | None = None
    composite: ClassVar[bool] = True


class Merge(Effect[str], frozen=True, tag="Merge/1", omit_defaults=True):
    """The act behind `MergeBranches`: merge `branches` into `env`'s branch. Gives the new tip."""

    env: Worktree
    branches: list[str]
    strategy: Strategy = "merge"


class Commit(Effect[str], frozen=True, tag="Commit/1", omit_defaults=True):
    """Commit everything in `env`; gives the branch's full commit id. Nothing to commit is success
    (H69). A repository's hooks never run."""

    env: Worktree
    message: str


class Push(Effect[str], frozen=True, tag="Push/1", omit_defaults=True):
    """Push `env`'s branch; gives the pushed commit id. Never forced over what others pushed:
    `force` replaces only the tip we pushed ourselves."""

    env: Worktree
    remote: str | None = None
    force: bool = False


class CreatePR(Effect[PullRequest], frozen=True, tag="CreatePR/1", omit_defaults=True):
    """Open a pull request for `env`'s branch, after committing and pushing what is missing."""

    env: Worktree
    title: str
    body: str = ""
    target: str | None = None
    draft: bool = False
    labels: list[str] = []  # noqa: RUF012 - a Struct makes it anew
    composite: ClassVar[bool] = True


class OpenPR(Effect[PullRequest], frozen=True, tag="OpenPR/1", omit_defaults=True):
    """The act behind `CreatePR`: the record at the forge, one per head branch."""

    env: Worktree
    title: str
    head_sha: str
    body: str = ""
    target: str | None = None
    draft: bool = False
    labels: list[str] = []  # noqa: RUF012 - a Struct makes it anew


class Gate(Effect[GateAnswer], frozen=True, tag="Gate/1", omit_defaults=True):
    """Wait for a person. Rejection raises `GateRejected`."""

    question: str = "Continue?"
    name: str | None = None


class Log(Effect[None], frozen=True, tag="Log/1", omit_defaults=True):
    """One line for whoever watches."""

    message: str
    level: Literal["debug", "info", "warning", "error"] = "info"
    pure: ClassVar[bool] = True


class Now(Effect[datetime], frozen=True, tag="Now/1", omit_defaults=True):
    """The time (UTC, aware), the same after every replay."""

    pure: ClassVar[bool] = True


class Random(Effect[float], frozen=True, tag="Random/1", omit_defaults=True):
    """A number in [0, 1), the same after every replay."""

    pure: ClassVar[bool] = True


Any_ = (
    CreateWorktree | ResolveBase | AddWorktree | InstallDependencies | RunAgent | RunCommand
    | SpawnAgent | WaitForStatus | CaptureOutput | SendMessage
    | DeleteWorktree | MergePR | CreateIssue | ListIssues | GetIssue | ResolveIssue
    | MergeBranches | Merge | Commit | Push | CreatePR | OpenPR | Gate | Log | Now | Random | Sleep
    | Route | OpenFolder
    | TaskPolicy | FindWork | LookAtPR | SetCheck | Rebase | WaitForPR | JudgePR
    | TellReviewers
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_effect_decoder: msgspec.json.Decoder[Any] = typed.decoder(Any_)


_KNOWN: frozenset[type[Effect[Any]]] = frozenset(get_args(Any_))
COMPOSITE_KINDS = frozenset(str(cls.__struct_config__.tag) for cls in _KNOWN if cls.composite)


def effect_names() -> frozenset[str]:
    """The names of all effects there are."""
    return frozenset(cls.__name__ for cls in _KNOWN)


def kind_of(effect: Effect[Any]) -> str:
    """`RunAgent/1`: the name and version under which an effect is journaled."""
    return str(type(effect).__struct_config__.tag)


def canonical(effect: Effect[Any]) -> tuple[Effect[Any], bytes]:
    """`effect` with every field in the type it is declared with (a timeout of `60` is `60.0`), and
    its encoding. `EffectMisuse` names the field that cannot be read that way."""
    name = type(effect).__name__
    if type(effect) not in _KNOWN:
        raise EffectMisuse(f"{name} is no effect that this Orch can carry out")
    try:
        typed = decode_effect(_encoder.encode(effect))
        return typed.like(effect), _encoder.encode(typed)
    except (TypeError, ValueError, RecursionError) as error:
        raise EffectMisuse(f"{name} cannot be asked for like this: {error}") from error


def encode_effect(effect: Effect[Any]) -> bytes:
    """JSON with the tag first; equal effects give equal bytes."""
    return canonical(effect)[1]


def decode_effect(raw: bytes) -> Effect[Any]:
    effect: Effect[Any] = _effect_decoder.decode(raw)
    return effect


def encode_result(value: Any) -> bytes:
    return _encoder.encode(value)
