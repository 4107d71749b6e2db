"""`RunAgent`: choose the agent, run it, judge its answer against git.

Invariant: what an agent says never counts for more than what its exit, its result file and git say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from orch.engine.programs import Judged
from orch.engine.step_context import MENDABLE_CODES, UNKNOWN_CODES, Done, StepContext, done, failed
from orch.engine.world import World
from orch.model.attempt import Attempt, ExitRecord, Launch, ReplyMode, Verdict
from orch.model.briefing import Section, whole
from orch.model.command import AttemptEnd, Noted
from orch.model.effect import Retry, RunAgent
from orch.model.errors import AgentFailed, NoChange, OrchError, StepError, StepTimeout
from orch.model.run import Run
from orch.model.schema import asked
from orch.model.worktree import Worktree
from orch.ports import Agent
from orch.workflow import shapes


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


CONTEXT_FILE = "context.md"
TAIL = 4 * 1024 * 1024
ANSWERS = 3
"""How often an agent is asked in all for an answer of an agreed shape."""
ASK_AGAIN = frozenset({"answer_absent", "answer_invalid"})


def chosen_agent(world: World, run: Run, asked: str | None) -> Agent:
    """The effect's, else the one the task was routed to, else the run's or the configured one."""
    routed = ""
    if run.unattended and not asked:
        task = world.store.task(run.task)
        routed = task.agent if task is not None else ""
    agents = world.agents
    return agents.get(agents.choose(asked or routed or None, run.agent, run.repo))


class AgentProgram:
    """See `orch.engine.programs.Program`."""

    def __init__(self, ctx: StepContext, effect: RunAgent, agent: Agent) -> None:
        self._ctx = ctx
        self._effect = effect
        self._agent = agent
        self._schema = effect.schema
        if self._schema is not None:
            shapes.refuse_broken(self._schema)
        self._reply: ReplyMode = agent.reply
        if effect.output_format is not None and not isinstance(effect.output_format, dict):
            self._reply = effect.output_format
        self.retry = effect.retry or Retry(lost=ctx.world.lost_attempts(ctx.repo.slug))
        self.fields: dict[str, Any] = agent_fields(effect, agent.name)

    async def launch(self, attempt: Attempt) -> Launch:
        ctx, effect = self._ctx, self._effect
        told: tuple[Section, ...] = ()
        if ctx.run.unattended:
            told = await ctx.world.call("briefing", ctx.world.briefing, ctx.run.task, attempt.id)
        request = Asked(
            worktree=effect.env, prompt=self._prompt(attempt, told), model=effect.model or "",
            directory=attempt.directory, run=ctx.run.id, task=str(ctx.run.task),
            attempt=attempt.id, reply=self._reply,
        )  # fmt: skip
        launch = await ctx.world.call(
            "agent.launch", self._agent.launch, request, ctx.world.environ
        )
        if told:
            launch = with_context(launch, attempt.directory, told)
        if effect.timeout is None:
            return launch
        return Launch(
            argv=launch.argv, cwd=launch.cwd, env=launch.env, stdin=launch.stdin, io=launch.io,
            timeout_s=effect.timeout, files=launch.files,
        )  # fmt: skip

    def _prompt(self, attempt: Attempt, told: Sequence[Section]) -> str:
        """The effect's words, of a task's later attempt also what the earlier ones learned; where a
        shape is asked for also that, and what was wrong before."""
        lessons = next((section.text for section in told if section.name == "tries"), "")
        prompt = f"{self._effect.prompt}\n\n{lessons}\n" if lessons else self._effect.prompt
        if self._schema is None:
            return prompt
        before = self._ctx.attempts[attempt.n - 2] if attempt.n > 1 else None
        complaint = before.message if before is not None and before.code in ASK_AGAIN else ""
        return asked(prompt, self._schema, complaint)

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
        if verdict.code in ASK_AGAIN:
            return Judged(end, lambda e: failed(error, end=e), retry=True, tries=ANSWERS, pause=0.0)
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
        text = answer.decode("utf-8", "replace") if answer else None
        if not self._effect.env.repo:  # a folder of its own: there is no history to look at
            facts = Facts(record, stdout, stderr, text, changed=True)
            return self._agent.judge(self._reply, facts, self._schema)
        try:
            state = await world.call("git.state", world.git.state, self._ctx.repo, self._effect.env)
        except OrchError as error:
            if error.code in UNKNOWN_CODES | MENDABLE_CODES:
                raise
            return Verdict(ok=False, code=error.code, message=error.message, retry=False)
        changed = bool(state.dirty) or state.head != self._effect.env.base_commit
        facts = Facts(record, stdout, stderr, text, changed)
        return self._agent.judge(self._reply, facts, self._schema)

    def stopped(self) -> Done:
        name = self._effect.name or self._agent.name
        return failed(
            AgentFailed(
                f"the agent {name} was stopped by a person", code="stopped",
                hint=f"orch logs {self._ctx.run.id}", agent=self._agent.name,
            )
        )  # fmt: skip

    def lost(self, attempt: Attempt) -> Done:
        return failed(
            AgentFailed(
                f"the agent {self._agent.name} was lost {self.retry.lost} times: its terminal went"
                " away without a result",
                code="lost",
                hint=f"orch logs {self._ctx.run.id}",
            )
        )


def with_context(launch: Launch, directory: str, told: Sequence[Section]) -> Launch:
    """The launch with the whole briefing in a file of the attempt, outside of any worktree: it can
    never be committed."""
    return replace(
        launch, files={**launch.files, CONTEXT_FILE: whole(told)},
        env={**launch.env, "ORCH_CONTEXT_FILE": f"{directory}/{CONTEXT_FILE}"},
    )  # fmt: skip


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
