"""`Route` and `OpenFolder`: who works on a queued task, and where, if not in a repository.

Invariant: the choice is journaled with the step, so a replay and every attempt see the same one.
Look before act: nothing is acted on by a choice; a classifier is an attempt like any other (role
`route`), found again by its terminal and exit file; a folder that is there is the folder.
"""

from __future__ import annotations

from pathlib import Path

from orch.engine import programs
from orch.engine.agent_step import AgentProgram
from orch.engine.step_context import Done, GivenUp, StepContext, done
from orch.engine.unattended import LOOK_S, local_zone
from orch.model import effect as fx, routing, standing_rules
from orch.model.attempt import FINAL
from orch.model.command import AttemptEnd, Fact, HoldTask, Noted, RouteChosen
from orch.model.errors import AgentFailed, NotFound
from orch.model.event import TaskRouted
from orch.model.labels import evidence
from orch.model.onward import Defer, GiveUp
from orch.model.route_answer import RouteError, parse_route_answer, route_prompt
from orch.model.task import Task
from orch.model.worktree import Worktree


async def route(ctx: StepContext, effect: fx.Route) -> Done:
    """Ask the rule until it names somebody; wait where everybody cools."""
    failed = sum(1 for one in ctx.attempts if one.status in FINAL and one.status != "succeeded")
    odd: list[str] = []
    while True:
        await ctx.enter()
        task = _task(ctx)
        asked, around = _to_route(task, failed), _around(ctx, task.pin)
        rules = ctx.world.config(ctx.run.repo).router
        answer = routing.route(asked, rules, around)
        if isinstance(answer, routing.AskLlm):
            said = await _classified(ctx, task, answer)
            if isinstance(said.parsed, RouteError):
                failed += 1
                odd.append(f"the classifier {answer.agent} was of no help: {said.why}")
                await _close(ctx, said)
                continue
            answer = routing.settle(said.parsed, asked, rules, around)
            if isinstance(answer, routing.Routed):
                return _chosen(task, answer, odd, said.end)
        if isinstance(answer, routing.Routed):
            return _chosen(task, answer, odd, None)
        if isinstance(answer, GiveUp):
            raise GivenUp(AgentFailed(answer.message, code=answer.code, hint=answer.hint))
        await _hold(ctx, answer)


def _chosen(task: Task, choice: routing.Routed, odd: list[str], end: AttemptEnd | None) -> Done:
    facts: list[Fact] = [
        RouteChosen(
            TaskRouted(
                id=task.id, agent=choice.agent, model=choice.model, complexity=choice.complexity,
                profile=choice.profile, by=choice.how, reason=choice.reason,
            )
        )
    ]  # fmt: skip
    facts += [Noted(sentence, "warning") for sentence in (*odd, *choice.warnings)]
    routed = fx.Routed(
        agent=choice.agent, model=choice.model, complexity=choice.complexity,
        profile=choice.profile, by=choice.how,
    )  # fmt: skip
    return done(routed, *facts, end=end)


def _task(ctx: StepContext) -> Task:
    task = ctx.world.store.task(ctx.run.task)
    if task is None:
        raise NotFound(f"run {ctx.run.id} is for the unknown task {ctx.run.task}")
    return task


def _to_route(task: Task, failed: int) -> routing.ToRoute:
    return routing.ToRoute(id=str(task.id), labels=task.labels, pin=task.pin, failed_routes=failed)


def _around(ctx: StepContext, pin: str) -> routing.Around:
    world = ctx.world
    agents = world.agents.startable(ctx.run.repo)
    if pin and pin not in agents:  # it may have been configured a moment ago
        world.agents.refresh()
        agents = world.agents.startable(ctx.run.repo)
    config = world.config(ctx.run.repo)
    standings, keep = world.store.standings(), config.metering.keep_for_people
    held = standing_rules.cooldowns(standings, world.clock.now(), keep)
    return routing.Around(
        agents=tuple(agents), now=world.clock.now(),
        models=config.model_map.tiers(), cooldowns=held,
        default_agent=config.defaults.agent, last_agent=world.store.last_routed(),
        weights=standing_rules.weighed(standings), zone=local_zone(),
    )  # fmt: skip


async def _hold(ctx: StepContext, wait: Defer) -> None:
    """Without a place at work, until somebody is free, or until it is worth looking again."""
    world, now = ctx.world, ctx.world.clock.now()
    await world.journal.send(HoldTask(ctx.run.task, f"waits: {wait.why}", wait.until))
    world.places.leave(ctx.run.id)
    await ctx.wait(world.clock.sleep(min(max(wait.until - now, 0.01), LOOK_S)))


class _Said:
    """A classifier's answer: parsed or not, with the end of its attempt."""

    def __init__(self, done: Done) -> None:
        self.end = done.end
        failure = done.outcome.failure
        text = "" if failure else str(fx.result_decoder(fx.RunAgent).decode(done.outcome.value))
        self.parsed = parse_route_answer(text)
        told = self.parsed.message if isinstance(self.parsed, RouteError) else ""
        self.why = failure.message if failure else told


async def _classified(ctx: StepContext, task: Task, asked: routing.AskLlm) -> _Said:
    """One attempt of role `route`; a restarted engine finds it again."""
    env = await _folder(ctx)
    prompt = route_prompt(
        title=task.title, body=task.body, labels=evidence(task.labels), agents=asked.agents
    )
    effect = fx.RunAgent(
        env=env, prompt=prompt, agent=asked.agent, model=asked.model or None,
        timeout=asked.timeout_s, output_format="text",
    )  # fmt: skip
    program = AgentProgram(ctx, effect, ctx.world.agents.get(asked.agent), "route")
    return _Said(await programs.carry_out(ctx, program, program.lost))


async def _close(ctx: StepContext, said: _Said) -> None:
    """A classifier that did not help has ended all the same."""
    if said.end is not None:
        await ctx.end(said.end)
        ctx.note_end(said.end)


async def open_folder(ctx: StepContext, effect: fx.OpenFolder) -> Done:
    return done(await _folder(ctx))


async def _folder(ctx: StepContext) -> Worktree:
    path = ctx.world.home / "folders" / ctx.run.id
    await ctx.world.call("folder.open", _open, path)
    name = f"task-{ctx.run.task}"
    return Worktree(
        repo="", name=name, branch="", path=str(path), base_branch="", base_commit="",
        run=ctx.run.id,
    )  # fmt: skip


def _open(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
