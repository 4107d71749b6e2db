"""One handler per effect that touches the world: carry it out, or find that it was.

Invariant: every handler may be called again after a crash at any point and brings the effect about
exactly once: ports look for the effect by its key before they act. An effect without a handler here
is composite, pure, or a Gate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from orch.engine import beside, outgoing, programs, pull_steps, reviews, route_step
from orch.engine.agent_step import agent_program
from orch.engine.command_step import CommandProgram, InstallProgram
from orch.engine.step_context import (
    MENDABLE_CODES,
    Done,
    Mendable,
    StepContext,
    Unknown,
    done,
    failed,
    may_pass,
)
from orch.engine.waiting import due_of
from orch.model import effect as fx
from orch.model.attempt import FINAL
from orch.model.command import AttemptEnd, Fact, Noted, PullOpened, WorktreeGone, WorktreeMade
from orch.model.errors import Conflict, OrchError, StepError
from orch.model.naming import moment, run_branch
from orch.model.worktree import Risk, Saved, Worktree


async def carry_out(ctx: StepContext, effect: fx.Effect[Any]) -> Done:
    """The step's outcome. `Unknown` when only another look can tell, `Interrupted` when asked to
    end, any other `OrchError` of a port becomes the step's failure."""
    try:
        return await HANDLERS[type(effect)](ctx, effect)
    except StepError as error:
        return failed(error, end=_unfinished(ctx, error))
    except OrchError as error:
        if may_pass(error):
            raise Unknown(error.message, due_of(error)) from error
        if error.code in MENDABLE_CODES:
            raise Mendable(error) from error
        if error.code == "disk_full":
            raise
        step = StepError(error.message, code=error.code, hint=error.hint, **error.data)
        return failed(step, end=_unfinished(ctx, error))


def _unfinished(ctx: StepContext, error: OrchError) -> AttemptEnd | None:
    """The end of an attempt whose step fails before the program was judged (it could not start)."""
    last = ctx.attempts[-1] if ctx.attempts else None
    if last is None or last.status in FINAL:
        return None
    return AttemptEnd(id=last.id, status="failed", code=error.code, message=error.message)


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
    program = agent_program(ctx, effect)
    return await programs.carry_out(ctx, program, program.lost)


async def _run_command(ctx: StepContext, effect: fx.RunCommand) -> Done:
    program = CommandProgram(ctx, effect)
    return await programs.carry_out(ctx, program, program.lost)


async def _commit(ctx: StepContext, effect: fx.Commit) -> Done:
    git = ctx.world.git
    message, told = outgoing.commit_message(ctx, effect.message)
    tip = await ctx.world.call("git.commit", git.commit, ctx.repo, effect.env, message, key=ctx.key)
    return done(tip, *told)


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


async def _create_issue(ctx: StepContext, effect: fx.CreateIssue) -> Done:
    """Look: an issue with the step's key. Both under the vault's lock."""
    tracker, now = ctx.world.tracker, ctx.world.clock.now()
    effect, told = outgoing.ticket(ctx, effect)
    ticket = await ctx.world.call(
        "tracker.create", tracker.create, effect.title, body=effect.body, labels=effect.labels,
        repo=ctx.repo.slug, created=moment(now), key=ctx.key,
    )  # fmt: skip
    return done(ticket, *told)


async def _list_issues(ctx: StepContext, effect: fx.ListIssues) -> Done:
    tickets, _ = await ctx.world.call("tracker.list", ctx.world.tracker.list)
    found = [
        ticket for ticket in tickets
        if effect.status in ("all", ticket.status)
        and (not effect.labels or set(effect.labels) & set(ticket.labels))
    ]  # fmt: skip
    return done(found if effect.limit is None else found[: effect.limit])


async def _get_issue(ctx: StepContext, effect: fx.GetIssue) -> Done:
    return done(await ctx.world.call("tracker.get", ctx.world.tracker.get, effect.id))


async def _resolve_issue(ctx: StepContext, effect: fx.ResolveIssue) -> Done:
    """Look: an issue that is resolved as asked stays as it is, to the time."""
    tracker = ctx.world.tracker
    identifier = effect.issue if isinstance(effect.issue, str) else effect.issue.id
    ticket = await ctx.world.call("tracker.get", tracker.get, identifier)
    wanted: dict[str, Any] = {"status": "resolved"}
    if effect.pr_url:
        wanted["pr_url"] = effect.pr_url
    if effect.result:
        wanted["resolution"] = effect.result
    if any(getattr(ticket, name) != value for name, value in wanted.items()):
        wanted["resolved"] = moment(ctx.world.clock.now())
        ticket = await ctx.world.call("tracker.update", tracker.update, identifier, **wanted)
    return done(ticket)


async def _sleep(ctx: StepContext, effect: fx.Sleep) -> Done:
    await ctx.wait(ctx.world.clock.sleep(beside.remaining(ctx, effect.seconds)))
    return done(None)


async def _open_pr(ctx: StepContext, effect: fx.OpenPR) -> Done:
    forge = ctx.world.forge
    effect, told = outgoing.pull(ctx, effect)
    pull = await ctx.world.call(
        "forge.open_pr", forge.open_pr, ctx.repo, head=effect.env.branch,
        base=effect.target or effect.env.base_branch, head_sha=effect.head_sha,
        title=effect.title, body=effect.body, draft=effect.draft, labels=effect.labels,
        key=ctx.key,
    )  # fmt: skip
    facts: list[Fact] = [PullOpened(pull), *told]
    if pull.state == "open" and not pull.draft:
        owners = ctx.world.config(ctx.repo.slug).review.owner
        facts += await reviews.asked(ctx, pull, owners)
    return done(pull, *facts)


async def _merge_pr(ctx: StepContext, effect: fx.MergePR) -> Done:
    """Look and act are the forge's (see `Forge.merge_pr`): the key lands once."""
    forge, pr = ctx.world.forge, effect.pr
    await reviews.refuse_unwanted(ctx, pr)
    pull = await ctx.world.call(
        "forge.merge_pr", forge.merge_pr, ctx.repo, pr.number, strategy=effect.strategy,
        expected_head=pr.head_sha, key=ctx.key,
    )  # fmt: skip
    facts: list[Fact] = [PullOpened(pull)]
    if effect.delete_branch:
        try:
            await ctx.world.call("forge.delete_head", forge.delete_head, ctx.repo, pr.number)
        except Conflict as kept:  # the merge stands; the branch is somebody else's, or has moved on
            facts.append(Noted(f"the branch {pr.head} is kept: {kept.message}", "warning"))
    return done(pull, *facts)


async def _delete_worktree(ctx: StepContext, effect: fx.DeleteWorktree) -> Done:
    """Look: both calls know what was saved and removed under the step's key."""
    git, env, now = ctx.world.git, effect.env, ctx.world.clock.now()
    keep = ctx.world.worktree_files(ctx.repo.slug).copy
    risk = await ctx.world.call("git.at_risk", git.at_risk, ctx.repo, env, keep=keep)
    if not (effect.force or risk.nothing or await _landed(ctx, env, risk)):
        raise StepError(
            f"the worktree {env.name} holds what exists nowhere else", code="worktree_has_work",
            hint=f"orch worktree show {env.name}; DeleteWorktree(env, force=True) saves it first",
        )  # fmt: skip
    saved: Sequence[Saved] = ()
    for left in (2, 1, 0):
        saved = await ctx.world.call(
            "git.rescue", git.rescue, ctx.repo, env, key=ctx.key, at=now, keep=keep
        )
        try:
            await ctx.world.call(
                "git.discard", git.discard_worktree, ctx.repo, env, key=ctx.key, keep=keep
            )
            break
        except Conflict as error:
            if error.code != "worktree_changed" or not left:
                raise
    refs = [] if risk.nothing else [item.ref for item in saved]
    return done(refs, WorktreeGone(env.repo, env.name))


async def _landed(ctx: StepContext, env: Worktree, risk: Risk) -> bool:
    """Whether all that is there beside the saved is commits that a squash has brought to the base."""
    if risk.dirty or risk.ignored or risk.unfinished or risk.missing:
        return False
    state = await ctx.world.call("git.state", ctx.world.git.state, ctx.repo, env)
    return any(
        pull.state == "merged" and (pull.head, pull.head_sha) == (env.branch, state.head)
        for pull in ctx.world.store.pulls(ctx.run.id)
    )


HANDLERS: dict[type, Callable[[StepContext, Any], Awaitable[Done]]] = {
    fx.ResolveBase: _resolve_base,
    fx.AddWorktree: _add_worktree,
    fx.InstallDependencies: _install,
    fx.RunAgent: _run_agent,
    fx.RunCommand: _run_command,
    fx.SpawnAgent: beside.spawn,
    fx.WaitForStatus: beside.wait_for,
    fx.CaptureOutput: beside.capture,
    fx.SendMessage: beside.send,
    fx.CreateIssue: _create_issue,
    fx.ListIssues: _list_issues,
    fx.GetIssue: _get_issue,
    fx.ResolveIssue: _resolve_issue,
    fx.Sleep: _sleep,
    fx.Commit: _commit,
    fx.Merge: _merge,
    fx.Push: _push,
    fx.OpenPR: _open_pr,
    fx.MergePR: _merge_pr,
    fx.DeleteWorktree: _delete_worktree,
    fx.Route: route_step.route,
    fx.OpenFolder: route_step.open_folder,
    fx.TaskPolicy: pull_steps.policy,
    fx.FindWork: pull_steps.find_work,
    fx.LookAtPR: pull_steps.look,
    fx.SetCheck: pull_steps.set_check,
    fx.Rebase: pull_steps.rebase,
    fx.JudgePR: reviews.judge,
    fx.TellReviewers: reviews.tell,
    fx.WaitForPR: pull_steps.wait,
}
