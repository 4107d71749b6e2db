"""One handler per effect that touches the world: carry it out, or find that it was.

Invariant: every handler may be called again after a crash at any point and brings the effect about
exactly once: ports look for the effect by its key before they act. An effect without a handler here
is composite, pure, or a Gate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from orch.engine import programs
from orch.engine.agent_step import AgentProgram
from orch.engine.command_step import CommandProgram, InstallProgram
from orch.engine.step_context import Done, StepContext, Unknown, done, failed
from orch.model import effect as fx
from orch.model.command import PullOpened, WorktreeMade
from orch.model.errors import OrchError, StepError
from orch.model.naming import run_branch
from orch.model.worktree import Worktree

UNKNOWN_CODES = frozenset({"network", "git_timeout", "remote_missing", "repository_busy"})
"""What may be well in a moment, or after a person has looked: the run waits, nothing is lost."""


async def carry_out(ctx: StepContext, effect: fx.Effect[Any]) -> Done:
    """The step's outcome. `Unknown` when only another look can tell, `Interrupted` when asked to
    end, any other `OrchError` of a port becomes the step's failure."""
    handler = HANDLERS[type(effect)]
    try:
        return await handler(ctx, effect)
    except StepError as error:
        return failed(error)
    except OrchError as error:
        if error.code in UNKNOWN_CODES:
            raise Unknown(error.message) from error
        if error.code == "disk_full":
            raise
        return failed(StepError(error.message, code=error.code, hint=error.hint, **error.data))


async def _resolve_base(ctx: StepContext, effect: fx.ResolveBase) -> Done:
    git = ctx.world.git
    base = await ctx.world.call(
        "git.resolve_base", git.resolve_base, ctx.repo, effect.base_branch, fetch=True
    )
    return done(base)


async def _add_worktree(ctx: StepContext, effect: fx.AddWorktree) -> Done:
    name = ctx.worktree_name
    issue = effect.issue or ctx.run.issue
    worktree = Worktree(
        repo=ctx.repo.slug, name=name, branch=run_branch(name),
        path=f"{ctx.repo.workspace_dir}/{name}", base_branch=effect.base_branch,
        base_commit=effect.base_commit, issue=issue.id if issue else "", run=ctx.run.id,
    )  # fmt: skip
    git = ctx.world.git
    await ctx.world.call("git.add_worktree", git.add_worktree, ctx.repo, worktree, key=ctx.key)
    files = ctx.world.worktree_files(ctx.repo.slug)
    if files.copy or files.link:
        await ctx.world.call(
            "git.carry_ignored", git.carry_ignored, ctx.repo, worktree, copy=files.copy,
            link=files.link,
        )  # fmt: skip
    return done(worktree, WorktreeMade(worktree))


async def _install(ctx: StepContext, effect: fx.InstallDependencies) -> Done:
    plan = await ctx.world.call(
        "dependencies.plan", ctx.world.dependencies, ctx.repo.slug, effect.env.path
    )
    if plan is None:
        return done("")
    if not plan.argv:
        return done(plan.sentence)
    program = InstallProgram(ctx, effect.env, plan)
    return await programs.carry_out(ctx, program, program.lost)


async def _run_agent(ctx: StepContext, effect: fx.RunAgent) -> Done:
    agents = ctx.world.agents
    agent = agents.get(agents.choose(effect.agent, ctx.run.agent, ctx.run.repo))
    program = AgentProgram(ctx, effect, agent)
    return await programs.carry_out(ctx, program, program.lost)


async def _run_command(ctx: StepContext, effect: fx.RunCommand) -> Done:
    program = CommandProgram(ctx, effect)
    return await programs.carry_out(ctx, program, program.lost)


async def _commit(ctx: StepContext, effect: fx.Commit) -> Done:
    git = ctx.world.git
    tip = await ctx.world.call(
        "git.commit", git.commit, ctx.repo, effect.env, effect.message, key=ctx.key
    )
    return done(tip)


async def _merge(ctx: StepContext, effect: fx.Merge) -> Done:
    tip = await ctx.world.call(
        "git.merge", ctx.world.git.merge, ctx.repo, effect.env, effect.branches, effect.strategy,
        key=ctx.key,
    )  # fmt: skip
    return done(tip)


async def _push(ctx: StepContext, effect: fx.Push) -> Done:
    git = ctx.world.git
    expected = ""
    if effect.force:
        expected = _pushed_before(ctx, effect.env.branch)
    tip = await ctx.world.call(
        "git.push", git.push, ctx.repo, effect.env, remote=effect.remote or "",
        force=effect.force, expected=expected,
    )  # fmt: skip
    return done(tip)


def _pushed_before(ctx: StepContext, branch: str) -> str:
    """The tip this run pushed last, from its own journal."""
    tip = ""
    for step in ctx.world.store.steps(ctx.run.id):
        if step.kind == "Push/1" and step.status == "confirmed" and step.outcome is not None:
            effect = fx.decode_effect(step.request)
            if isinstance(effect, fx.Push) and effect.env.branch == branch:
                tip = fx.result_decoder(fx.Push).decode(step.outcome.value)
    return tip


async def _open_pr(ctx: StepContext, effect: fx.OpenPR) -> Done:
    forge = ctx.world.forge
    pull = await ctx.world.call(
        "forge.open_pr", forge.open_pr, ctx.repo, head=effect.env.branch,
        base=effect.target or effect.env.base_branch, head_sha=effect.head_sha,
        title=effect.title, body=effect.body, draft=effect.draft, labels=effect.labels,
        key=ctx.key,
    )  # fmt: skip
    return done(pull, PullOpened(pull))


HANDLERS: dict[type, Callable[[StepContext, Any], Awaitable[Done]]] = {
    fx.ResolveBase: _resolve_base,
    fx.AddWorktree: _add_worktree,
    fx.InstallDependencies: _install,
    fx.RunAgent: _run_agent,
    fx.RunCommand: _run_command,
    fx.Commit: _commit,
    fx.Merge: _merge,
    fx.Push: _push,
    fx.OpenPR: _open_pr,
}
