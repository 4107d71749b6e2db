"""`Route` and `OpenFolder`: who works on a queued task, and where, if not in a repository.

Invariant: the choice is journaled with the step, so a replay and every attempt see the same one.
Look before act: nothing is acted on by a choice; a folder that is there is the folder.
"""

from __future__ import annotations

from pathlib import Path

from orch.engine.step_context import Done, StepContext, done
from orch.model import effect as fx
from orch.model.command import RouteChosen
from orch.model.errors import NotFound
from orch.model.event import TaskRouted
from orch.model.worktree import Worktree


async def route(ctx: StepContext, effect: fx.Route) -> Done:
    task = ctx.world.store.task(ctx.run.task)
    if task is None:
        raise NotFound(f"run {ctx.run.id} is for the unknown task {ctx.run.task}")
    labelled = [label[6:] for label in task.labels if label.startswith("agent:")]
    asked = task.pin or next(iter(labelled), "")
    name = ctx.world.agents.choose(asked or None, ctx.run.agent, ctx.run.repo)
    by = "pin" if task.pin else "label" if labelled else "configuration"
    routed = fx.Routed(agent=name, by=by)
    fact = RouteChosen(TaskRouted(id=task.id, agent=name, by=by))
    return done(routed, fact)


async def open_folder(ctx: StepContext, effect: fx.OpenFolder) -> Done:
    path = ctx.world.home / "folders" / ctx.run.id
    await ctx.world.call("folder.open", _open, path)
    name = f"task-{ctx.run.task}"
    return done(
        Worktree(
            repo="", name=name, branch="", path=str(path), base_branch="", base_commit="",
            run=ctx.run.id,
        )
    )  # fmt: skip


def _open(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
