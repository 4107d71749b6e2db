"""What steps write outward, cleaned where they are carried out.

Invariant: the one place at which words of a workflow, and so of agents, leave through the forge, the
tracker or a commit; the journal keeps what was asked for, the answer what was sent, and a repetition
sends the same. How often a run may open something is bounded too. (RELIABILITY §2, 3.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from orch.engine.step_context import StepContext
from orch.model import effect as fx, outward
from orch.model.command import Delegated, Noted
from orch.model.errors import StepError

MOST_OPENED = 50
"""Pull requests, and tickets, that one run may open."""
_REMOTE = re.compile(r"(?:[a-z+]+://(?:[^/@\s]*@)?|[^/@\s:]+@)([^/:\s]+)")


def bounds(ctx: StepContext) -> outward.Bounds:
    """What the texts of this run may name: its own ticket and pull requests, and the host that its
    repository is at."""
    world, run = ctx.world, ctx.run
    task = world.store.task(run.task)
    tickets = [
        run.issue.id if run.issue is not None else "",
        task.issue if task is not None else "",
    ]
    own = [re.split("[:#]", ticket)[-1] for ticket in tickets if ticket]
    own += [str(pull.number) for pull in world.store.pulls(run.id)]
    host = _REMOTE.match(ctx.repo.remote_url)
    return outward.Bounds(
        own=tuple(dict.fromkeys(own)), hosts=(host[1].lower(),) if host else (),
        known=tuple(world.secrets(ctx.repo.slug)),
    )  # fmt: skip


def commit_message(ctx: StepContext, text: str) -> tuple[str, list[Noted]]:
    fit = outward.message(text, bounds(ctx))
    return fit.text, _told("the commit message", fit)


def pull(ctx: StepContext, effect: fx.OpenPR) -> tuple[fx.OpenPR, list[Noted]]:
    """As it may be opened, with the address of the run's ticket below it. Refused where the run has
    opened too many."""
    _refuse_many(ctx, "OpenPR/1", "pull requests")
    fit, told = _fit(ctx, effect, "the pull request")
    url = _ticket_url(ctx)
    if url and not fit.body.rstrip().endswith(url):
        fit = replace(fit, body=f"{fit.body.rstrip()}\n\nTicket: {url}".lstrip())
    return fit, told


def _ticket_url(ctx: StepContext) -> str:
    issue = ctx.run.issue
    known = ctx.world.store.tickets.ticket(issue.id) if issue is not None else None
    return known.ticket.url if known is not None else ""


def ticket(ctx: StepContext, effect: fx.CreateIssue) -> tuple[fx.CreateIssue, list[Noted]]:
    """As it may be made. Refused where the run has made too many."""
    _refuse_many(ctx, "CreateIssue/1", "issues")
    return _fit(ctx, effect, "the issue")


def words(ctx: StepContext, text: str) -> str:
    """What an agent says of a pull request."""
    return outward.body(text, bounds(ctx)).text


def check(ctx: StepContext, effect: fx.SetCheck) -> fx.SetCheck:
    return replace(effect, summary=outward.title(effect.summary, bounds(ctx)).text)


def handed_on(ctx: StepContext, fact: Delegated) -> Delegated:
    """Parts of a task become tasks, and those may become tickets."""
    around = bounds(ctx)
    return Delegated(tuple(_part(item, around) for item in fact.items))


def _part(item: dict[str, Any], around: outward.Bounds) -> dict[str, Any]:
    fit = dict(item)
    for name, clean in (("title", outward.title), ("body", outward.body),
                        ("description", outward.body)):  # fmt: skip
        if isinstance(fit.get(name), str):
            fit[name] = clean(fit[name], around).text
    given = fit.get("labels")
    if isinstance(given, list | tuple):
        words = [word for word in given if isinstance(word, str)]
        fit["labels"] = list(outward.labels(words, around))
    return fit


def _fit(ctx: StepContext, effect: Any, what: str) -> tuple[Any, list[Noted]]:
    around = bounds(ctx)
    title, body = outward.title(effect.title, around), outward.body(effect.body, around)
    fit = replace(
        effect, title=title.text or "Untitled", body=body.text,
        labels=list(outward.labels(effect.labels, around)),
    )  # fmt: skip
    return fit, [*_told(f"the title of {what}", title), *_told(f"the text of {what}", body)]


def _told(what: str, fit: outward.Outward) -> list[Noted]:
    return [Noted(f"{what} was cleaned: {fit.told}", "warning")] if fit.told else []


def _refuse_many(ctx: StepContext, kind: str, what: str) -> None:
    steps: Sequence[Any] = ctx.world.store.steps(ctx.run.id)
    done = sum(step.kind == kind and step.status == "confirmed" for step in steps)
    if done >= MOST_OPENED:
        raise StepError(
            f"the run has opened {done} {what}, more are not opened",
            code="too_many_opened", hint=f"orch show {ctx.run.id}",
        )  # fmt: skip
