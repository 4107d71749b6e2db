"""What people say of a pull request at its forge, and what we say there.

Invariant: only a forge where people review is asked, through `orch.ports.reviews.Reviewed`; another
one has no verdicts, and nothing is said there. What reviewers wrote reaches a workflow without what
their page does not show. What we say carries a mark of the head that it is about, so that it is said
once however often a step is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Sequence
from typing import Any

from msgspec.structs import replace

from orch.engine import outgoing
from orch.engine.step_context import Done, StepContext, done, may_pass
from orch.engine.world import World
from orch.model import effect as fx, review_rules
from orch.model.command import Fact, Noted
from orch.model.errors import OrchError, StepError
from orch.model.pull import PullRequest, Verdict, spelled
from orch.model.repo import Repo
from orch.ports.reviews import Chosen, Reviewed

OPENING = "## Automated Review"
"""How each of our verdicts begins (a form that people and other tools know us by)."""

LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
"""A name that may be mentioned: what else a forge gave as one is no name."""


def forge_of(world: World, repo: Repo) -> Reviewed | None:
    """The repository's forge, where people review."""
    forge = world.forge
    own = forge.of(repo) if isinstance(forge, Chosen) else forge
    return own if isinstance(own, Reviewed) else None


async def verdicts(world: World, repo: Repo, number: int) -> Sequence[Verdict]:
    """The newest of each reviewer, oldest first; none where nobody reviews."""
    forge = forge_of(world, repo)
    if forge is None:
        return ()
    found: Sequence[Verdict] = await world.call("forge.verdicts", forge.verdicts, repo, number)
    return [_shown(one) for one in found]


def _shown(verdict: Verdict) -> Verdict:
    from orch.model import hidden

    remarks = tuple(replace(one, body=hidden.shown(one.body).text) for one in verdict.remarks)
    return replace(verdict, body=hidden.shown(verdict.body).text, remarks=remarks)


async def refuse_unwanted(ctx: StepContext, pull: PullRequest) -> None:
    """Refuse a merge that a reviewer does not want, at the last moment before it (H80). One that is
    done already stays done."""
    against = review_rules.standing(await verdicts(ctx.world, ctx.repo, pull.number))
    if not against:
        return
    forge = ctx.world.forge
    now = await ctx.world.call("forge.refresh_pr", forge.refresh_pr, ctx.repo, pull.number)
    if now.state != "merged":
        names = ", ".join(one.reviewer for one in against)
        raise StepError(
            f"pull request {spelled(pull)} is not merged: {names} asked for changes",
            code=review_rules.CHANGES, hint=f"orch pr show {spelled(pull)}",
        )  # fmt: skip


async def judge(ctx: StepContext, effect: fx.JudgePR) -> Done:
    """Look and act are the forge's (`Reviewed.judge`), by the mark."""
    forge, pull = forge_of(ctx.world, ctx.repo), effect.pr
    if forge is not None:
        verdict = "Approve" if effect.approve else "Changes Requested"
        body = "\n\n".join(
            filter(None, (f"{OPENING}\n\n**{verdict}**", outgoing.words(ctx, effect.body)))
        )
        await ctx.world.call(
            "forge.judge", forge.judge, ctx.repo, pull.number, approve=effect.approve, body=body,
            head_sha=pull.head_sha, key=ctx.world.mark(spelled(pull), f"review/{pull.head_sha}"),
        )  # fmt: skip
    return done(None)


async def tell(ctx: StepContext, effect: fx.TellReviewers) -> Done:
    """Look and act are the forge's (`Reviewed.say`), by the mark."""
    forge, pull = forge_of(ctx.world, ctx.repo), effect.pr
    if forge is None:
        return done(None)
    names = ", ".join(f"@{name}" for name in effect.names if re.fullmatch(LOGIN, name))
    body = f"{names or 'Reviewers'}: what you asked for was worked on. Please look again."
    key = ctx.world.mark(spelled(pull), f"answer/{'.'.join(effect.verdicts)}")
    called = ctx.world.call("forge.say", forge.say, ctx.repo, pull.number, body, key=key)
    return done(None, *await _tried(called, f"reviewers of {spelled(pull)} could not be told"))


async def asked(ctx: StepContext, pull: PullRequest, names: Sequence[str]) -> list[Fact]:
    """Ask these people for a review; what is to be noted where they cannot be asked."""
    forge = forge_of(ctx.world, ctx.repo)
    if forge is None or not names:
        return []
    called = ctx.world.call("forge.ask", forge.ask_reviewers, ctx.repo, pull.number, names)
    return await _tried(called, f"{', '.join(names)} could not be asked to review {spelled(pull)}")


async def _tried(called: Coroutine[Any, Any, Any], what: str) -> list[Fact]:
    """A warning where a forge refuses what is a courtesy; what may be well in a moment is tried
    again."""
    try:
        await called
    except OrchError as error:
        if may_pass(error):
            raise
        return [Noted(f"{what}: {error.message}", "warning")]
    return []
