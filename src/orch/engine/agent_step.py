"""`RunAgent`: choose the agent, run it, judge its answer against git.

Invariant: what an agent says never counts for more than what its exit, its result file and git say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from orch.engine import conversation, outgoing, questions, unattended
from orch.engine.programs import Judged
from orch.engine.step_context import MENDABLE_CODES, Done, StepContext, done, failed, may_pass
from orch.engine.unattended import Unattended
from orch.engine.vigil import Watched
from orch.engine.world import World
from orch.model.attempt import (
    AgentRequest,
    Attempt,
    AttemptFacts,
    ExitRecord,
    Launch,
    ReplyMode,
    Role,
    Verdict,
)
from orch.model.briefing import Section, whole
from orch.model.command import AttemptEnd, Fact, Noted
from orch.model.delegating import LABEL, wished
from orch.model.effect import Retry, RunAgent
from orch.model.errors import AgentFailed, NoChange, OrchError, StepError, StepTimeout
from orch.model.failure_class import class_of
from orch.model.profile import profile_text
from orch.model.run import Run
from orch.model.schema import asked
from orch.ports import Agent
from orch.workflow import shapes

CONTEXT_FILE = "context.md"
TAIL = 4 * 1024 * 1024
ANSWERS = 3
"""How often an agent is asked in all for an answer of an agreed shape."""
ASK_AGAIN = frozenset({"answer_absent", "answer_invalid"})


def chosen_agent(world: World, run: Run, asked: str | None) -> Agent:
    """The effect's, else the run's, else the configured one."""
    agents = world.agents
    return agents.get(agents.choose(asked, run.agent, run.repo))


def agent_program(ctx: StepContext, effect: RunAgent, given: Role | None = None) -> AgentProgram:
    """The program of an agent step. In a queued task's run the queue's rules choose the agent, unless
    the effect names it."""
    role: Role = given or effect.role
    if not ctx.run.unattended:
        agent = chosen_agent(ctx.world, ctx.run, effect.agent)
        return AgentProgram(ctx, effect, agent, role)
    task = ctx.world.store.task(ctx.run.task)
    first = effect.agent or (task.agent if task is not None else "") or None
    agent = chosen_agent(ctx.world, ctx.run, first)
    queue = Unattended(ctx, effect.agent or "", "review" if role == "review" else "")
    return AgentProgram(ctx, effect, agent, role, queue)


class AgentProgram:
    """See `orch.engine.programs.Program`."""

    def __init__(
        self, ctx: StepContext, effect: RunAgent, agent: Agent, role: Role = "work",
        queue: Unattended | None = None,
    ) -> None:  # fmt: skip
        self._ctx = ctx
        self._effect = effect
        self._agent = agent
        self.queue = queue
        self._schema = effect.schema
        if self._schema is not None:
            shapes.refuse_broken(self._schema)
        self.retry = effect.retry or Retry(lost=ctx.world.lost_attempts(ctx.repo.slug))
        self.fields: dict[str, Any] = {**agent_fields(effect, agent.name), "role": role}

    def watched(self, attempt: Attempt) -> Watched:
        agent = self._by(attempt)
        complexity = self.queue.complexity if self.queue is not None else ""
        return Watched(complexity, agent.idle_s, agent.asks)

    def _by(self, attempt: Attempt) -> Agent:
        """The agent of an attempt: another one may have taken over."""
        if attempt.agent in ("", self._agent.name):
            return self._agent
        return self._ctx.world.agents.get(attempt.agent)

    def _reply(self, agent: Agent) -> ReplyMode:
        wanted = self._effect.output_format
        return agent.reply if wanted is None or isinstance(wanted, dict) else wanted

    async def launch(self, attempt: Attempt) -> Launch:
        ctx, effect, agent = self._ctx, self._effect, self._by(attempt)
        briefing: tuple[Section, ...] = ()
        if self.queue is not None:
            briefing = await ctx.world.call(
                "briefing", ctx.world.briefing, ctx.run.task, attempt.id
            )
        prompt = self._prompt(attempt, briefing)
        last, session = await conversation.before(ctx, agent, attempt)
        if last is None and effect.onward:
            session = await conversation.had_before(ctx, agent, attempt)
        trusted = ctx.world.config(ctx.repo.slug).trust.agents
        request = AgentRequest(
            worktree=effect.env, model=effect.model or attempt.model,
            prompt=conversation.onward(prompt, last) if last is not None else prompt,
            directory=attempt.directory, run=ctx.run.id, task=str(ctx.run.task),
            attempt=attempt.id, reply=self._reply(agent), session=session,
            checkout=ctx.repo.local_path, trusted=ctx.repo.slug in trusted,
        )  # fmt: skip
        launch = await ctx.world.call("agent.launch", agent.launch, request, ctx.world.environ)
        if briefing:
            launch = with_context(launch, attempt.directory, briefing)
        limit = effect.timeout
        if limit is None and self.queue is not None:
            limit = self.queue.timeout_s(launch.timeout_s)
        if limit is None:
            return launch
        return msgspec.structs.replace(launch, timeout_s=limit)

    def _prompt(self, attempt: Attempt, briefing: Sequence[Section]) -> str:
        """What is told; where a shape is asked for also that, and what was wrong before."""
        prompt = self._told(briefing)
        if self._schema is None:
            return prompt
        before = self._ctx.attempts[attempt.n - 2] if attempt.n > 1 else None
        complaint = before.message if before is not None and before.code in ASK_AGAIN else ""
        return asked(prompt, self._schema, complaint)

    def _told(self, briefing: Sequence[Section]) -> str:
        """The effect's words; for a queued task also who the agent is to be, and what earlier
        attempts learned (the rest is in the briefing's file)."""
        if self.queue is None:
            return self._effect.prompt
        task = self._ctx.world.store.task(self._ctx.run.task)
        profile = profile_text(task.profile) if task is not None and task.profile else ""
        learned = next((section.text for section in briefing if section.name == "tries"), "")
        return "\n\n".join(filter(None, (self._effect.prompt, profile, learned)))

    async def judge(self, attempt: Attempt, record: ExitRecord) -> Judged:
        verdict = self._planned(await self._verdict(attempt, record))
        if self._by(attempt).thread_usage:
            earlier = [
                *conversation.elsewhere(self._ctx, attempt), *self._ctx.attempts[: attempt.n - 1]
            ]  # fmt: skip
            used = conversation.own(verdict.usage, earlier)
            verdict = msgspec.structs.replace(verdict, usage=used)
        if verdict.code == "timeout" and self._by(attempt).asks:
            verdict = await self._unanswered(attempt, verdict)
        elif not verdict.ok and class_of(verdict.code) == "agent" and self._by(attempt).asks:
            verdict = self._refused(attempt, verdict)
        end = AttemptEnd(
            id=attempt.id,
            status="succeeded" if verdict.ok else "failed",
            exit_code=record.exit_code,
            code=verdict.code,
            message=verdict.message,
            usage=verdict.usage,
            reset_at=verdict.reset_at,
        )
        end = unattended.ended(self._ctx, attempt, end)
        if verdict.ok:
            notes = (Noted(verdict.message),) if verdict.message else ()
            facts = (*notes, *self._handed_on(verdict))
            return Judged(end, lambda e: done(verdict.value, *facts, end=e), retry=False)
        error = _error(verdict, attempt.agent)
        if verdict.code in ASK_AGAIN | {conversation.GONE}:
            return Judged(end, lambda e: failed(error, end=e), retry=True, tries=ANSWERS, pause=0.0)
        return Judged(end, lambda e: failed(error, end=e), retry=verdict.retry)

    async def _unanswered(self, attempt: Attempt, verdict: Verdict) -> Verdict:
        """Its time is over; it may have waited for a person all the while."""
        waiting = await questions.waiting(self._ctx, attempt)
        if not waiting:
            return verdict
        return msgspec.structs.replace(
            verdict, code="waiting_input", retry=False,
            message=f"the agent {attempt.agent} asked a person and got no answer in its time:"
            f" {waiting[0].text}",
            hint=f"orch task retry {self._ctx.run.task} --resume" if self._ctx.run.task else "",
        )  # fmt: skip

    def _refused(self, attempt: Attempt, verdict: Verdict) -> Verdict:
        """One that a person said no to: asking again would be no answer."""
        known = self._ctx.world.store.attempt(attempt.id)
        if known is None or "deny" not in known.asked.values():
            return verdict
        return msgspec.structs.replace(
            verdict, code="permission_denied", retry=False,
            message=f"a person refused what the agent {attempt.agent} asked, after which"
            f" {verdict.message or 'it did nothing'}",
            hint="tell it another way, or do that part yourself",
        )  # fmt: skip

    def _planned(self, verdict: Verdict) -> Verdict:
        """Who was asked to plan and handed work on has done well without a change of their own."""
        result = verdict.result
        if verdict.code != "no_change" or result is None or not result.delegations:
            return verdict
        task = self._ctx.world.store.task(self._ctx.run.task)
        if task is None or LABEL not in task.labels or not self._ctx.run.unattended:
            return verdict
        return Verdict(ok=True, value=result.summary, result=result, usage=verdict.usage)

    def _handed_on(self, verdict: Verdict) -> tuple[Fact, ...]:
        """What the agent of a queued task wants others to do."""
        of_queue = self._ctx.run.unattended and self.fields["role"] == "work"
        if verdict.result is None or not of_queue:
            return ()
        fact = wished(verdict.result.delegations)
        return (outgoing.handed_on(self._ctx, fact),) if fact is not None else ()

    async def _verdict(self, attempt: Attempt, record: ExitRecord) -> Verdict:
        world, directory, agent = self._ctx.world, attempt.directory, self._by(attempt)
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
            facts = AttemptFacts(
                exit=record, stdout=stdout, stderr=stderr, result_text=text, changed=True
            )
            return agent.judge(self._reply(agent), facts, self._schema)
        try:
            state = await world.call("git.state", world.git.state, self._ctx.repo, self._effect.env)
        except OrchError as error:
            if may_pass(error) or error.code in MENDABLE_CODES:
                raise
            return Verdict(ok=False, code=error.code, message=error.message, retry=False)
        changed = bool(state.dirty) or state.head != self._effect.env.base_commit
        facts = AttemptFacts(
            exit=record, stdout=stdout, stderr=stderr, result_text=text, changed=changed
        )
        return agent.judge(self._reply(agent), facts, self._schema)

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
    return msgspec.structs.replace(
        launch, files={**launch.files, CONTEXT_FILE: whole(told)},
        env={**launch.env, "ORCH_CONTEXT_FILE": f"{directory}/{CONTEXT_FILE}"},
    )  # fmt: skip


def agent_fields(effect: RunAgent, agent: str) -> dict[str, Any]:
    """What an attempt's record says about it."""
    return {
        "role": effect.role,
        "agent": agent,
        "name": effect.name or "",
        "worktree": effect.env.path,
        "branch": effect.env.branch,
        "model": effect.model or "",
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
