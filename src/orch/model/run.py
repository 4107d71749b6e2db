"""One execution of a workflow.

Invariant: `done`, `error` and `aborted` never change again (H106). `blocked` always has a reason
with a sentence and the command that helps.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orch.model.errors import Failure
from orch.model.ticket import Ticket

RunStatus = Literal["pending", "running", "blocked", "done", "error", "aborted"]
TERMINAL: frozenset[str] = frozenset({"done", "error", "aborted"})
ReasonKind = Literal["human", "dependency", "quota", "stopped"]


class Reason(msgspec.Struct, frozen=True):
    """Why a run is blocked. `code`: `gate`, `detached`, `stopped`, `non_determinism`, `stuck`, ..."""

    kind: ReasonKind
    code: str
    message: str
    hint: str = ""


class Owner(msgspec.Struct, frozen=True):
    """The process that answers for something: alive if and only if this very process lives.

    `started` is the process's start time in clock ticks since boot, `boot` the boot id, so that a
    recycled pid is not taken for a live owner (H90)."""

    pid: int
    started: int
    boot: str


class Unresolved(msgspec.Struct, frozen=True):
    """An effect whose outcome was still unknown when its run ended."""

    path: str
    effect: str
    message: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """`repo` is a slug, `issue` the snapshot taken at the start, `params` the workflow's arguments.
    `entry` names the module and function in the stored sources. An `unattended` run was made for a
    task of the queue: its agents are routed, tried again and replaced by the service's rules;
    a person let it go on `resumed` times, at `resumed_at` the last time, with the agents'
    conversations where it `converses`. Times are seconds since the epoch."""

    id: str
    workflow: str
    status: RunStatus
    repo: str
    task: int
    entry: str
    params: dict[str, Any] = {}
    issue: Ticket | None = None
    agent: str = ""
    reason: Reason | None = None
    result: Any = None
    error: Failure | None = None
    owner: Owner | None = None
    stop: Literal["", "stop", "abort"] = ""
    stop_why: str = ""
    unattended: bool = False
    resumed_at: float = 0.0
    resumed: int = 0
    converses: bool = False
    unresolved: tuple[Unresolved, ...] = ()
    cancel_seq: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0
    ended_at: float = 0.0


class Source(msgspec.Struct, frozen=True):
    """One workflow module as a run loaded it. `digest` is the SHA-256 of the text, in hex."""

    module: str
    filename: str
    text: str
    digest: str
