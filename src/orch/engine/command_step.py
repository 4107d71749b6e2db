"""`RunCommand` and `InstallDependencies`: programs whose exit code is the verdict."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from orch.engine.programs import Judged
from orch.engine.step_context import Done, StepContext, done, failed
from orch.engine.unattended import Unattended
from orch.model.attempt import Attempt, ExitRecord, Launch
from orch.model.command import AttemptEnd, Noted
from orch.model.dependencies import Install
from orch.model.effect import CommandResult, Retry, RunCommand
from orch.model.errors import CommandFailed, StepError, StepTimeout, UsageError
from orch.model.worktree import Worktree

SHOWN = 64 * 1024
_TERMINATED = 128 + 15


def words(command: list[str] | str) -> list[str]:
    """The argv of a command: a list as it is, a text split like a shell would split it."""
    try:
        argv = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise UsageError(f"cannot split the command {command!r}: {error}") from error
    if not argv:
        raise UsageError("RunCommand was given an empty command", code="empty_command")
    return argv


class CommandProgram:
    """A command in a worktree; its `CommandResult` is the value."""

    def __init__(self, ctx: StepContext, effect: RunCommand) -> None:
        self._ctx = ctx
        self._effect = effect
        self._argv = words(effect.command)
        self.retry = effect.retry or Retry(lost=ctx.world.lost_attempts(ctx.repo.slug))
        self.queue: Unattended | None = None
        self.fields: dict[str, Any] = command_fields(effect.env, effect.name or self._argv[0])

    def watched(self, attempt: Attempt) -> None:
        """Its own time is its limit."""

    async def launch(self, attempt: Attempt) -> Launch:
        return command_launch(
            self._ctx, attempt, self._effect.env, self._argv, self._effect.timeout or 0.0
        )

    async def judge(self, attempt: Attempt, record: ExitRecord) -> Judged:
        result = await collected(self._ctx, attempt, record)
        end = ended(attempt, record, result.ok)
        if result.ok:
            return Judged(end, lambda e: done(result, end=e), retry=False)
        if not self._effect.check:
            return Judged(end, lambda e: done(result, end=e), retry=True)
        shown = " ".join(self._argv)
        if result.timed_out:
            late = StepTimeout(
                f"`{shown:.200}` ran out of time after {self._effect.timeout:g} s", code="timeout",
                hint=f"orch logs {self._ctx.run.id}", stderr=result.stderr[-2000:],
            )  # fmt: skip
            return Judged(end, lambda e: failed(late, end=e), retry=True)
        error = CommandFailed(
            f"`{shown:.200}` ended with exit code {result.exit_code}",
            hint=f"orch logs {self._ctx.run.id}",
            exit_code=result.exit_code,
            stderr=result.stderr[-2000:],
            stdout=result.stdout[-2000:],
        )
        return Judged(end, lambda e: failed(error, end=e), retry=True)

    def stopped(self) -> Done:
        return failed(
            CommandFailed(
                f"`{shlex.join(self._argv):.200}` was stopped by a person", code="stopped",
                hint=f"orch logs {self._ctx.run.id}", exit_code=_TERMINATED, stderr="", stdout="",
            )
        )  # fmt: skip

    def lost(self, attempt: Attempt) -> Done:
        return failed(
            StepError(
                f"the command `{self._argv[0]}` was lost {self.retry.lost} times",
                code="lost",
                hint=f"orch logs {self._ctx.run.id}",
            )
        )


class InstallProgram:
    """Dependencies of a fresh worktree. Gives one sentence; never fails the step."""

    def __init__(self, ctx: StepContext, env: Worktree, plan: Install) -> None:
        self._ctx = ctx
        self._env = env
        self._argv = list(plan.argv)
        self._tool = plan.tool
        self._sentence = plan.sentence
        self.retry = Retry(lost=ctx.world.lost_attempts(ctx.repo.slug))
        self.queue: Unattended | None = None
        self.fields = command_fields(env, plan.tool)

    def watched(self, attempt: Attempt) -> None:
        """Its own time is its limit."""

    async def launch(self, attempt: Attempt) -> Launch:
        return command_launch(self._ctx, attempt, self._env, self._argv, 900.0)

    async def judge(self, attempt: Attempt, record: ExitRecord) -> Judged:
        result = await collected(self._ctx, attempt, record)
        end = ended(attempt, record, result.ok)
        if result.ok:
            text = f"dependencies installed with {self._tool}"
            text += f"; {self._sentence}" if self._sentence else ""
            return Judged(end, lambda e: done(text, end=e), retry=False)
        reason = record.error or f"exit code {result.exit_code}"
        return Judged(end, lambda e: self._reported(reason, e), retry=False)

    def _reported(self, reason: str, end: AttemptEnd | None) -> Done:
        text = f"dependencies were not installed: {self._tool}: {reason}"
        return done(text, Noted(text, "warning"), end=end)

    def stopped(self) -> Done:
        return self._reported("a person stopped it", None)

    def lost(self, attempt: Attempt) -> Done:
        return self._reported("its terminal went away", None)


def command_fields(env: Worktree, name: str) -> dict[str, Any]:
    return {
        "role": "command",
        "agent": "",
        "name": name[:80],
        "worktree": env.path,
        "branch": env.branch,
    }


def command_launch(
    ctx: StepContext, attempt: Attempt, env: Worktree, argv: list[str], timeout_s: float
) -> Launch:
    environ: Mapping[str, str] = ctx.world.command_environ
    words_of_orch = {
        "ORCH_RUN": ctx.run.id,
        "ORCH_TASK": str(ctx.run.task),
        "ORCH_ATTEMPT": attempt.id,
    }
    return Launch(
        argv=tuple(argv), cwd=env.path, env={**environ, **words_of_orch}, timeout_s=timeout_s
    )


async def collected(ctx: StepContext, attempt: Attempt, record: ExitRecord) -> CommandResult:
    world = ctx.world
    texts = []
    for stream in ("stdout", "stderr"):
        raw = await world.call(
            "terminal.output",
            world.terminals.output,
            attempt.directory,
            stream,
            tail_bytes=SHOWN,
        )
        texts.append(raw.decode("utf-8", "replace"))
    return CommandResult(
        exit_code=124 if record.timed_out else record.exit_code,
        stdout=texts[0],
        stderr=texts[1],
        timed_out=record.timed_out,
    )


def ended(attempt: Attempt, record: ExitRecord, ok: bool) -> AttemptEnd:
    code = "" if ok else "timeout" if record.timed_out else "exit_nonzero"
    told = f"exit code {record.exit_code}"
    return AttemptEnd(
        id=attempt.id,
        status="succeeded" if ok else "failed",
        exit_code=124 if record.timed_out else record.exit_code,
        code=code,
        message="" if ok else record.error or ("out of time" if record.timed_out else told),
    )
