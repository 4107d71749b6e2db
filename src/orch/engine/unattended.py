"""What the service does about a queued task's failed attempts: again, another agent, later, a person.

Invariant: decided by the pure rule alone (`orch.model.retrying`), from what is in the books; so a
restarted engine comes to the same answer. A wait holds no place, and nothing begins that the rule,
the budgets or a cooldown forbid.
"""

from __future__ import annotations

import datetime
from typing import Any, Protocol

import msgspec

from orch.config import Config
from orch.config.prices import in_force
from orch.engine.step_context import GivenUp, StepContext
from orch.engine.vigil import OVERSPENT
from orch.model import standing_rules, stuck
from orch.model.attempt import FINAL, Attempt
from orch.model.command import AttemptEnd, HoldTask
from orch.model.errors import AgentFailed
from orch.model.onward import Again, Defer, GiveUp
from orch.model.price import cost_of, tokens_of
from orch.model.reset_time import reset_time
from orch.model.retrying import AttemptPolicy, Tried, complexity_after, decide_next
from orch.model.routing import candidates
from orch.model.task import Task

LOOK_S = 30.0
"""Seconds after which a wait is thought over: a cooldown may have been cleared, a limit raised."""
LONGEST_S = 300.0
"""Seconds that a limit is believed at most: the clock may have been set, a limit raised."""


class Chosen(Protocol):
    """The part of a program that this is about."""

    fields: dict[str, Any]


class Unattended:
    """The attempts of one step of a queued task's run. `pin`: the agent that this step asks for."""

    def __init__(self, ctx: StepContext, pin: str, tier: str = "") -> None:
        self._ctx = ctx
        self._pin = pin
        self._tier = tier

    @property
    def complexity(self) -> str:
        """What the times an attempt may take go by."""
        return self._task().complexity or "medium"

    def timeout_s(self, own_s: float) -> float:
        """Seconds an attempt may take; 0 for no end."""
        timeouts = self._ctx.world.config(self._ctx.run.repo).timeouts
        return stuck.timeout_s(self.complexity, timeouts, own_s)

    async def next(self, program: Chosen, end: AttemptEnd | None) -> Attempt:
        """The attempt that follows on `end` (None: the first one), begun when its time has come.
        Raises `GivenUp` where a person is needed."""
        ctx = self._ctx
        if end is not None:
            end = ended(ctx, ctx.attempts[-1], end) if end.code == "stuck" else end  # H27
            await ctx.end(end)
            ctx.note_end(end)
        while True:
            now = ctx.world.clock.now()
            answer = self._decided(now)
            if isinstance(answer, GiveUp):
                raise GivenUp(AgentFailed(answer.message, code=answer.code, hint=answer.hint))
            if isinstance(answer, Again) and answer.at <= now:
                fields = {**program.fields, "agent": answer.agent, "model": answer.model}
                attempt = await self._begun(fields, None)
                if attempt is not None:
                    return attempt
                continue
            until = answer.until if isinstance(answer, Defer) else answer.at
            await self._wait(f"waits: {answer.why}", "", until, now)

    async def again(self, program: Chosen, end: AttemptEnd) -> Attempt:
        """One more of the same agent, which answered what cannot be used; it is a call like any
        other. `end` is that of the one before."""
        last = self._ctx.attempts[-1]
        fields = {**program.fields, "agent": last.agent, "model": last.model}
        while (attempt := await self._begun(fields, end)) is None:
            pass
        return attempt

    async def _begun(self, fields: dict[str, Any], end: AttemptEnd | None) -> Attempt | None:
        """The attempt that may begin now, journaled (in place of one with this `end`); None after a
        wait for the budget, when it is worth asking again."""
        ctx, world, agent = self._ctx, self._ctx.world, fields["agent"]
        held = world.may_spend(
            ctx.run, agent, world.clock.now()
        )  # first: a place is not for waiting
        if held is None:
            await ctx.enter()
            async with world.beginning:
                held = world.may_spend(ctx.run, agent, world.clock.now())
                if held is None:
                    attempt = ctx.new_attempt(len(ctx.attempts) + 1, **fields)
                    await ctx.begin(attempt, end)
                    return attempt
        now = world.clock.now()
        await self._wait(held.message, held.command, held.lifts_at or now + LOOK_S, now)
        return None

    async def _wait(self, why: str, hint: str, until: float, now: float) -> None:
        """Until then, or until it is worth asking again; without a place at work."""
        ctx = self._ctx
        await ctx.world.journal.send(HoldTask(ctx.run.task, why, until, hint))
        ctx.world.places.leave(ctx.run.id)
        await ctx.wait(ctx.world.clock.sleep(min(max(until - now, 0.01), LOOK_S)))

    def _decided(self, now: float) -> Again | Defer | GiveUp:
        ctx, task = self._ctx, self._task()
        config = ctx.world.config(ctx.run.repo)
        history = [
            Tried(
                agent=one.agent, model=one.model, code=one.code or "lost", message=one.message,
                ended_at=one.ended_at, reset_at=one.reset_at,
            )
            for one in ctx.attempts
            if one.status in FINAL and one.resumed == ctx.run.resumed
            and one.status != "succeeded" and one.code != OVERSPENT
        ]  # fmt: skip
        tier = self._tier or complexity_after(
            task.complexity or "medium", history, lower=config.router.downgrade == "on_retry"
        )
        agents = ctx.world.agents.startable(ctx.run.repo)
        return decide_next(
            history, policy_of(config),
            candidates(agents, config.model_map.tiers(), tier, task.model if not history else ""),
            standing_rules.cooldowns(
                ctx.world.store.standings(), now, config.metering.keep_for_people
            ),
            now=now, task=str(task.id), pin=self._pin or task.pin, routed=task.agent,
            zone=local_zone(),
        )  # fmt: skip

    def _task(self) -> Task:
        task = self._ctx.world.store.task(self._ctx.run.task)
        assert task is not None, "a queued run has its task"
        return task


async def unreachable(ctx: StepContext, kind: str, why: str, due: float = 0.0) -> None:
    """What is outside does not answer, or takes nothing before `due`: say so, give the place up, and
    come back for another look."""
    world = ctx.world
    now = world.clock.now()
    until = due if due > now else now + LOOK_S
    told = f"waits: step {ctx.path} ({kind}) cannot go on: {why}"
    await world.journal.send(HoldTask(ctx.run.task, told, until))
    world.places.leave(ctx.run.id)
    await ctx.wait(world.clock.sleep(min(until - now, LONGEST_S)))
    await ctx.enter()


def ended(ctx: StepContext, attempt: Attempt, end: AttemptEnd) -> AttemptEnd:
    """`end` with how agents stand after it, for a queued task's attempt."""
    end = msgspec.structs.replace(end, usage=_priced(ctx, attempt, end.usage))
    if not ctx.run.unattended or end.status not in ("succeeded", "failed"):
        return end
    now = ctx.world.clock.now()
    reset = end.reset_at
    if reset is None and end.code in ("rate_limit", "quota", "usage_window"):
        reset = reset_time(end.message, now, local_zone())
    code = "" if end.status == "succeeded" else end.code
    stood = standing_rules.after(
        ctx.world.store.standings(), attempt.agent, attempt.model, code, now,
        ctx.world.config(ctx.run.repo).retry, reset, tokens_of(end.usage).total,
        attempt.started_at,
    )  # fmt: skip
    return msgspec.structs.replace(end, reset_at=reset, stood=tuple(stood))


def _priced(ctx: StepContext, attempt: Attempt, usage: dict[str, Any]) -> dict[str, Any]:
    """`usage` with what it cost by the list of prices, where it is known and the agent did not say
    so itself."""
    model = str(usage.get("model") or attempt.model)
    if not usage or "cost_usd" in usage or not model:
        return usage
    dollars = cost_of(usage, model, in_force(ctx.world.config(ctx.run.repo).prices))
    return usage if dollars is None else {**usage, "cost_usd": dollars, "cost_by": "prices"}


def policy_of(config: Config) -> AttemptPolicy:
    retry = config.retry
    return AttemptPolicy(
        base_s=retry.base_s, max_s=retry.max_s, max_attempts=retry.max_attempts,
        lost_attempts=config.run.lost_attempts,
    )  # fmt: skip


def local_zone() -> datetime.tzinfo:
    """The zone of whoever reads the times in a reason."""
    return datetime.datetime.now().astimezone().tzinfo or datetime.UTC
