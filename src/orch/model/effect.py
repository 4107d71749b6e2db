"""Effects: requests as frozen data. A workflow yields (or awaits) them and gets a result back.

Invariant: an effect says everything that is needed to carry it out, encodes to the same bytes every
time, and carries its version in its tag (`RunAgent/1`), so that a replay can prove it asks for the
same thing again. The result type stands in the class: `Effect[Worktree]` gives a `Worktree`.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

import msgspec

from orch.model.attempt import AgentResult, ReplyMode
from orch.model.errors import EffectMisuse, UsageError
from orch.model.gate import GateAnswer as GateAnswer
from orch.model.pull import PullRequest
from orch.model.ticket import Ticket
from orch.model.worktree import Base, Worktree

T = TypeVar("T")
Strategy = Literal["merge", "rebase", "squash"]


class Effect(msgspec.Struct, Generic[T], frozen=True, tag_field="effect"):
    """A request. `yield` it in a generator, `await` it in an `async def`; both give a `T`.

    `composite` effects are carried out by other effects (sub-steps); `pure` ones touch nothing, so
    they are planned and settled in one transaction.
    """

    composite: ClassVar[bool] = False
    pure: ClassVar[bool] = False

    def __await__(self) -> Generator[Any, Any, T]:
        result: T = yield self
        return result


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
    `text`, `result`) overrides the agent's reply mode. `type` and `agent_type` mean `agent`.
    """

    env: Worktree
    prompt: str
    agent: str | None = None
    model: str | None = None
    name: str | None = None
    timeout: float | None = None
    output_format: ReplyMode | None = None
    retry: Retry | None = None
    type: str | None = None
    agent_type: str | None = None

    def __post_init__(self) -> None:
        if self.output_format not in (None, "diff", "text", "result"):
            raise UsageError(
                f"RunAgent: output_format {self.output_format!r} is not one of diff, text, result",
                code="bad_output_format",
            )
        chosen = self.agent or self.type or self.agent_type
        if chosen is not None:
            msgspec.structs.force_setattr(self, "agent", chosen)
            msgspec.structs.force_setattr(self, "type", None)
            msgspec.structs.force_setattr(self, "agent_type", None)


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
    labels: list[str] = []
    composite: ClassVar[bool] = True


class OpenPR(Effect[PullRequest], frozen=True, tag="OpenPR/1", omit_defaults=True):
    """The act behind `CreatePR`: the record at the forge, one per head branch."""

    env: Worktree
    title: str
    head_sha: str
    body: str = ""
    target: str | None = None
    draft: bool = False
    labels: list[str] = []


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
    | MergeBranches | Merge | Commit | Push | CreatePR | OpenPR | Gate | Log | Now | Random
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_effect_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any_)


_KNOWN: frozenset[type[Effect[Any]]] = frozenset(get_args(Any_))
COMPOSITE_KINDS = frozenset(str(cls.__struct_config__.tag) for cls in _KNOWN if cls.composite)


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
        return typed, _encoder.encode(typed)
    except (TypeError, ValueError, RecursionError) as error:
        raise EffectMisuse(f"{name} cannot be asked for like this: {error}") from error


def encode_effect(effect: Effect[Any]) -> bytes:
    """JSON with the tag first; equal effects give equal bytes."""
    return canonical(effect)[1]


def decode_effect(raw: bytes) -> Effect[Any]:
    effect: Effect[Any] = _effect_decoder.decode(raw)
    return effect


@functools.cache
def result_decoder(cls: type[Effect[Any]]) -> msgspec.json.Decoder[Any]:
    """Decodes what `cls` gives back, by the type parameter it was declared with."""
    for base in vars(cls).get("__orig_bases__", ()):  # not an inherited one: that is `Effect[T]`
        for argument in get_args(base):
            return msgspec.json.Decoder(argument)
    raise TypeError(f"{cls.__name__} does not say what it gives: class X(Effect[Result], ...)")


def encode_result(value: Any) -> bytes:
    return _encoder.encode(value)
