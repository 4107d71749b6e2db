"""`RunAgent`: choose the agent, run it, judge its answer against git.

Invariant: what an agent says never counts for more than what its exit, its result file and git say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orch.engine.programs import Judged
from orch.engine.step_context import UNKNOWN_CODES, Done, StepContext, done, failed
from orch.model.attempt import Attempt, ExitRecord, Launch, ReplyMode, Verdict
from orch.model.command import AttemptEnd, Noted
from orch.model.effect import Retry, RunAgent
from orch.model.errors import AgentFailed, NoChange, OrchError, StepError, StepTimeout
from orch.model.worktree import Worktree
from orch.ports import Agent


@dataclass(frozen=True)
class Asked:
    """`orch.ports.AgentRequest`."""

    worktree: Worktree
    prompt: str
    model: str
    directory: str
    run: str
    task: str
    attempt: str
    reply: ReplyMode


@dataclass(frozen=True)
class Facts:
    """`orch.ports.AttemptFacts`."""

    exit: ExitRecord
    stdout: bytes
    stderr: bytes
    result_text: str | None
    changed: bool


TAIL = 4 * 1024 * 1024


class AgentProgram:
    """See `orch.engine.programs.Program`."""

    def __init__(self, ctx: StepContext, effect: RunAgent, agent: Agent) -> None:
        self._ctx = ctx
        self._effect = effect
        self._agent = agent
        self._reply: ReplyMode = effect.output_format or agent.reply
        self.retry = effect.retry or Retry(lost=ctx.world.lost_attempts(ctx.repo.slug))
        self.fields: dict[str, Any] = agent_fields(effect, agent.name)

    async def launch(self, attempt: Attempt) -> Launch:
        ctx, effect = self._ctx, self._effect
        request = Asked(
            worktree=effect.env, prompt=effect.prompt, model=effect.model or "",
            directory=attempt.directory, run=ctx.run.id, task=str(ctx.run.task),
            attempt=attempt.id, reply=self._reply,
        )  # fmt: skip
        launch = await ctx.world.call(
            "agent.launch", self._agent.launch, request, ctx.world.environ
        )
        if effect.timeout is None:
            return launch
        return Launch(
            argv=launch.argv, cwd=launch.cwd, env=launch.env, stdin=launch.stdin, io=launch.io,
            timeout_s=effect.timeout, files=launch.files,
        )  # fmt: skip

    async def judge(self, attempt: Attempt, record: ExitRecord) -> Judged:
        verdict = await self._verdict(attempt, record)
        end = AttemptEnd(
            id=attempt.id,
            status="succeeded" if verdict.ok else "failed",
            exit_code=record.exit_code,
            code=verdict.code,
            message=verdict.message,
            usage=verdict.usage,
        )
        if verdict.ok:
            notes = (Noted(verdict.message),) if verdict.message else ()
            return Judged(end, lambda e: done(verdict.value, *notes, end=e), retry=False)
        error = _error(verdict, self._agent.name)
        return Judged(end, lambda e: failed(error, end=e), retry=verdict.retry)

    async def _verdict(self, attempt: Attempt, record: ExitRecord) -> Verdict:
        world, directory = self._ctx.world, attempt.directory
        terminals = world.terminals
        stdout = await world.call(
            "terminal.output", terminals.output, directory, "stdout", tail_bytes=TAIL
        )
        stderr = await world.call(
            "terminal.output", terminals.output, directory, "stderr", tail_bytes=TAIL
        )
        answer = await world.call(
            "terminal.output", terminals.output, directory, "result.json", tail_bytes=TAIL
        )
        try:
            state = await world.call("git.state", world.git.state, self._ctx.repo, self._effect.env)
        except OrchError as error:
            if error.code in UNKNOWN_CODES:
                raise
            return Verdict(ok=False, code=error.code, message=error.message, retry=False)
        changed = bool(state.dirty) or state.head != self._effect.env.base_commit
        text = answer.decode("utf-8", "replace") if answer else None
        facts = Facts(record, stdout, stderr, text, changed)
        return self._agent.judge(self._reply, facts)

    def lost(self, attempt: Attempt) -> Done:
        return failed(
            AgentFailed(
                f"the agent {self._agent.name} was lost {self.retry.lost} times: its terminal went"
                " away without a result",
                code="lost",
                hint=f"orch logs {self._ctx.run.id}",
            )
        )


def agent_fields(effect: RunAgent, agent: str) -> dict[str, Any]:
    """What an attempt's record says about it."""
    return {
        "role": "work",
        "agent": agent,
        "name": effect.name or "",
        "worktree": effect.env.path,
        "branch": effect.env.branch,
    }


def _error(verdict: Verdict, agent: str) -> StepError:
    kinds: dict[str, type[StepError]] = {"no_change": NoChange, "timeout": StepTimeout}
    cls = kinds.get(verdict.code, AgentFailed)
    return cls(
        verdict.message or f"the agent {agent} failed",
        code=verdict.code,
        hint=verdict.hint,
        agent=agent,
    )
