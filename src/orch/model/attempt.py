"""One try of one program inside a step: what was started, how it ended, what it said.

Invariant: an attempt runs at most once. Its id follows from its step, its terminal's name from its
id, and the wrapper refuses to start where a start was recorded.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orch.model.worktree import Worktree

Role = Literal["work", "review", "route", "command"]
AttemptStatus = Literal["starting", "running", "ended", "succeeded", "failed", "lost", "stopped"]
FINAL: frozenset[str] = frozenset({"succeeded", "failed", "lost", "stopped"})
ReplyMode = Literal["diff", "text", "result"]
IoMode = Literal["pipes", "tty"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """`n` counts from 1 within a step. `ended`: its program is over, and what it did cannot be judged
    until a person has mended something. `exit_code` is None while it runs and when it was lost.
    Times are seconds since the epoch. `code` is the failure class, `message` its sentence. `stop`: a
    person wants it to end, for good: no other attempt follows. `model`: that was asked for, empty for
    the agent's own.
    `resumed`: how often a person had let the run go on when it began. `asked`: its questions to a
    person, and what was answered ("" for nothing yet)."""

    id: str
    run: str
    path: str
    n: int
    role: Role
    agent: str
    status: AttemptStatus
    terminal: str
    directory: str
    worktree: str = ""
    branch: str = ""
    name: str = ""
    exit_code: int | None = None
    code: str = ""
    message: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    usage: dict[str, Any] = {}
    stop: bool = False
    model: str = ""
    reset_at: float | None = None
    resumed: int = 0
    asked: dict[str, str] = {}


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What a terminal is to run. `argv` is never given to a shell; `env` is the whole environment
    (it travels in a 0600 file); `stdin` is the prompt's text in `pipes` mode; `timeout_s` is wall
    time, 0 for none; `files` are written into the attempt's directory first (name -> text). `turns`:
    the program waits for a person at the end of its turn and tells of it over the attempt's pipe
    `turn`; then it is ended, which is a good end, unless a person has joined it."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    stdin: str = ""
    io: IoMode = "pipes"
    timeout_s: float = 0.0
    files: dict[str, str] = {}
    turns: bool = False

    def __repr__(self) -> str:
        """Without the environment: it may hold an agent's credentials."""
        return f"Launch(argv={self.argv!r}, cwd={self.cwd!r}, io={self.io!r})"


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The exit file of an attempt, written once by the wrapper (temporary, fsync, rename).

    `exit_code` is what the program returned, or 128 + signal. `signal` is 0 unless a signal ended
    it; `timed_out` when the wrapper ended it for its wall time; `lost` when the terminal went away
    under it (SIGHUP); `error` when it could not be started at all (`exit_code` 127 or 126).
    `stdout_bytes` and `stderr_bytes` count what the program wrote, `…_dropped` what of it was not
    kept (out of the middle).
    """

    attempt: str
    exit_code: int
    signal: int = 0
    timed_out: bool = False
    lost: bool = False
    stopped: bool = False
    error: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    stdout_dropped: int = 0
    stderr_dropped: int = 0


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """Signs of life of a program; None: could not be read. `cpu_s`: seconds that its processes have
    used; `files` and `output`: texts that differ when something was written."""

    process: Literal["alive", "dead", "unknown"]
    cpu_s: float | None = None
    files: str | None = None
    output: str | None = None


class AgentResult(msgspec.Struct, frozen=True, kw_only=True):
    """The normalised answer of an agent, from `ORCH_RESULT_FILE` or from its output.

    `status` is `done`, `in_progress`, `blocked`, `needs_review`, `failed` or `unknown`. It can also
    be read like a mapping (`result["summary"]`).
    """

    status: str
    summary: str = ""
    accomplished: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    error: str = ""
    reason: str = ""
    blockers: tuple[str, ...] = ()
    learnings: tuple[str, ...] = ()
    delegations: tuple[dict[str, Any], ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    extra: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key in self.__struct_fields__:
            return getattr(self, key)
        return self.extra[key]

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an ended attempt means. `ok` with `value` (text, an `AgentResult`, or the JSON value that
    a schema asked for), or not ok with a
    failure `code` (`no_change`, `empty`, `unparseable`, `exit_nonzero`, `killed`, `timeout`,
    `missing_tool`, `permission_denied`, `reported_failure`, ...) and one sentence. `usage` is what
    the agent reported, `reset_at` (seconds since the epoch) when its limit is over, as a field of
    its output says."""

    ok: bool
    value: Any = ""
    code: str = ""
    message: str = ""
    hint: str = ""
    retry: bool = True
    result: AgentResult | None = None
    usage: dict[str, Any] = {}
    reset_at: float | None = None


class AgentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter turns into a command line. `worktree` is where the agent works, `directory` the
    attempt's own folder. `model` is empty for the agent's own. `session`: the conversation that it
    is to go on with, empty for a new one. `checkout`: the repository's main checkout, which is a
    person's and not to be touched; empty where there is none. `trusted`: a person allowed what the
    repository brings along for agents (their settings, hooks, servers)."""

    worktree: Worktree
    prompt: str
    directory: str
    model: str = ""
    run: str = ""
    task: str = ""
    attempt: str = ""
    reply: ReplyMode = "diff"
    session: str = ""
    checkout: str = ""
    trusted: bool = False


class AttemptFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent's adapter may look at to judge an ended attempt. `result_text` is what the agent
    wrote into its result file, None for nothing; `changed`: git sees work."""

    exit: ExitRecord
    stdout: bytes = b""
    stderr: bytes = b""
    result_text: str | None = None
    changed: bool = False
