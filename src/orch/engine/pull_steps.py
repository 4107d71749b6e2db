"""The steps that see a pull request through: see `orch.model.pull_effects` for what each promises.

Invariant: what a step says of a pull request it has looked at itself, at the remote, in that step;
what differs from the books goes there with the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.engine import outgoing, reviews
from orch.engine.step_context import Done, PutAway, StepContext, done, may_pass
from orch.model import effect as fx
from orch.model.command import PullOpened, RecordPull
from orch.model.errors import Conflict, MergeConflict, OrchError
from orch.model.pull import Check, FileChange, PullRequest, Verdict
from orch.model.pull_rules import asks_checks, asks_people, news_of, reason_of


async def policy(ctx: StepContext, effect: fx.TaskPolicy) -> Done:
    world, run = ctx.world, ctx.run
    config = world.config(run.repo).review
    task = world.store.task(run.task)
    author = task.agent if task is not None else ""
    reviewer = _reviewer(config.agent, author, world.agents.startable(run.repo))
    people = reviews.forge_of(world, ctx.repo) is not None
    issue = run.issue
    title = issue.title if issue is not None else task.title if task is not None else run.workflow
    body = issue.body if issue is not None else task.body if task is not None else ""
    return done(
        fx.ReviewPolicy(
            repo=run.repo, title=title, text=f"{title}\n\n{body}".strip(), author=author,
            reviewer=reviewer, people=people, begin_s=config.begin_s if people else 0.0,
            approval=people and bool(config.owner) and not reviewer, checks=list(config.checks),
            max_cycles=config.max_cycles,
            conflict_cap=config.conflict_cap, auto_merge=config.auto_merge,
            strategy=config.strategy, delete_branch=config.delete_branch, drafts=config.drafts,
            timeout_s=config.timeout_s, clean_up=config.clean_up,
        )
    )  # fmt: skip


def _reviewer(asked: str, author: str, names: list[str]) -> str:
    """Another agent than the author where there is one; empty where none is asked for."""
    if not asked:
        return ""
    if asked not in ("auto", author):
        return asked
    others = [name for name in names if name != author]
    return others[0] if others else author


async def find_work(ctx: StepContext, effect: fx.FindWork) -> Done:
    world, found = ctx.world, []
    for env in reversed(world.store.worktrees()):
        if env.run != ctx.run.id or not env.branch or env.repo != ctx.repo.slug:
            continue
        pushed = await _pushed(ctx, env.branch)
        pull = await world.call("forge.find_pr", world.forge.find_pr, ctx.repo, env.branch)
        found.append(fx.Work(env=env, pushed=pushed, pull=pull))
    return done(found)


async def _pushed(ctx: StepContext, branch: str) -> str:
    """The branch's tip at the remote; empty also where that cannot be asked."""
    world = ctx.world
    if not ctx.repo.remote_url:
        return ""
    try:
        return await world.call("git.remote_tip", world.git.remote_tip, ctx.repo, branch)
    except OrchError as error:
        if may_pass(error):
            return ""
        raise


async def look(ctx: StepContext, effect: fx.LookAtPR) -> Done:
    world, repo = ctx.world, ctx.repo
    pull = await _refreshed(ctx, effect.pr)
    if pull.state != "open":
        return done(fx.PullLook(pull=pull), PullOpened(pull))
    checks = await world.call("forge.checks", world.forge.checks, repo, pull.head_sha)
    seen = await world.call(
        "git.landing", world.git.landing, repo, head=pull.head, base=pull.base,
        head_sha=pull.head_sha,
    )  # fmt: skip
    changed: Sequence[FileChange] = ()
    if pull.base_sha:
        changed = await world.call(
            "git.diff_stat", world.git.diff_stat, repo, pull.base_sha, pull.head_sha
        )
    found = fx.PullLook(
        pull=pull, checks=list(checks), files=[change.path for change in changed],
        base_tip=seen.base_tip, conflicts=await _conflicts(ctx, pull, effect.strategy),
        verdicts=list(await reviews.verdicts(world, repo, pull.number)),
    )  # fmt: skip
    return done(found, PullOpened(pull))


async def _refreshed(ctx: StepContext, pull: PullRequest) -> PullRequest:
    forge = ctx.world.forge
    return await ctx.world.call("forge.refresh_pr", forge.refresh_pr, ctx.repo, pull.number)


async def _conflicts(ctx: StepContext, pull: PullRequest, strategy: fx.Strategy) -> list[str]:
    """The files in which it conflicts with its base; nothing is changed by that."""
    forge = ctx.world.forge
    try:
        await ctx.world.call(
            "forge.try_pr", forge.merge_pr, ctx.repo, pull.number, strategy=strategy,
            expected_head=pull.head_sha, key=ctx.key, ignore_checks=True, trial=True,
        )  # fmt: skip
    except MergeConflict as conflict:
        return list(conflict.data.get("files", ())) or ["?"]
    except Conflict:  # it has moved since: whoever acts on it is told then
        return []
    return []


async def set_check(ctx: StepContext, effect: fx.SetCheck) -> Done:
    forge, pull = ctx.world.forge, effect.pr
    effect = outgoing.check(ctx, effect)
    known = await ctx.world.call("forge.checks", forge.checks, ctx.repo, pull.head_sha)
    for check in known:
        said = (check.name, check.state, check.summary)
        if said == (effect.name, effect.state, effect.summary):
            return done(check)
    check = await ctx.world.call(
        "forge.set_check", forge.set_check, ctx.repo, pull.head_sha, effect.name, effect.state,
        summary=effect.summary,
    )  # fmt: skip
    return done(check)


async def rebase(ctx: StepContext, effect: fx.Rebase) -> Done:
    git = ctx.world.git
    return done(
        await ctx.world.call(
            "git.rebase", git.rebase, ctx.repo, effect.env, effect.onto, key=ctx.key
        )
    )


async def wait(ctx: StepContext, effect: fx.WaitForPR) -> Done:
    """One look; without news the run is put away, and `orch.engine.pulls` has it taken up again."""
    world = ctx.world
    pull = await _refreshed(ctx, effect.pr)
    checks: Sequence[Check] = ()
    if asks_checks(effect):
        checks = await world.call("forge.checks", world.forge.checks, ctx.repo, pull.head_sha)
    step, now = world.store.step(ctx.run.id, ctx.path), world.clock.now()
    since = step.planned_at if step is not None else now
    run = world.store.run(ctx.run.id) or ctx.run
    said: Sequence[Verdict] = ()
    if asks_people(effect):
        said = await reviews.verdicts(world, ctx.repo, pull.number)
    what = news_of(
        effect, pull, checks, since=since, now=now, asked=run.resumed_at > since, verdicts=said
    )
    if what is None and await _conflicts(ctx, pull, "squash") and effect.until != "person":
        what = "conflict"
    if what is None:
        await world.journal.send(RecordPull(pull))
        raise PutAway(reason_of(effect, ctx.run.task))
    return done(fx.PullNews(what=what, pull=pull), PullOpened(pull))
