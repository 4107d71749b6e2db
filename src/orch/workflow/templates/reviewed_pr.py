"""From an issue to a pull request that a reviewing agent has approved, in bounded rounds."""

import msgspec

from orch import (
    Commit,
    CreatePR,
    CreateWorktree,
    DeleteWorktree,
    NoChange,
    ReviewRejected,
    RunAgent,
    Ticket,
    do,
)
from orch.model.effect import AddWorktree


class Verdict(msgspec.Struct, frozen=True):
    """A reviewer's answer. `comments` name what has to change, or say nothing."""

    approved: bool
    comments: list[str] = []


@do
def reviewed_pr(  # type: ignore[no-untyped-def]
    issue,
    max_reviews: int = 2,
    impl_agent: str | None = None,
    review_agent: str | None = None,
    base_branch: str | None = None,
    prompt: str | None = None,
):
    """One agent works, another one reviews; no pull request without its approval.

    `impl_agent` and `review_agent` name the agents (default: the run's). What the reviewer does not
    like goes back to the first agent; after `max_reviews` reviews without approval the run ends with
    `ReviewRejected`. `prompt` replaces the issue's text as the task.
    """
    if max_reviews < 1:
        raise ValueError(f"max_reviews is {max_reviews}: at least one review is needed")
    env = yield CreateWorktree(issue=issue, base_branch=base_branch)
    task = prompt or f"{issue.title}\n\n{issue.body}"
    yield RunAgent(env=env, prompt=task, agent=impl_agent, name="impl")
    for number in range(1, max_reviews + 1):
        tip = yield Commit(env=env, message=issue.title)
        if tip == env.base_commit:
            raise NoChange(f"there is nothing to review: {env.branch} has no commit")
        verdict = yield review(issue, env, tip, task, review_agent, number)
        if verdict.approved:
            yield unchanged(env, issue.title, tip)
            return (yield CreatePR(env=env, title=issue.title, body=body(issue, verdict, number)))
        if number == max_reviews:
            raise rejected(verdict, max_reviews)
        mend = mend_prompt(task, verdict)
        yield RunAgent(env=env, prompt=mend, agent=impl_agent, name=f"impl-{number + 1}")


@do
def review(  # type: ignore[no-untyped-def]
    issue, env, tip, task, agent, number, since=None, shape=Verdict, timeout=None
):
    """A verdict on `tip`. The reviewer has a worktree of its own: whatever it leaves there, only
    what it has seen goes into the pull request. `since` is where the change begins, `shape` what the
    verdict has to look like."""
    seen = yield AddWorktree(
        base_branch=env.branch, base_commit=tip, issue=issue, suffix=f"review-{number}"
    )
    prompt = (
        "Review a change. Do not mend it: say what has to change. It is everything that"
        f" `git diff {since or env.base_commit} {tip}` shows in this directory, and it is meant to"
        " do this:"
        f"\n\n{task}\n\nApprove it only if it does that, is correct, and breaks nothing. Otherwise"
        " give one comment for each thing that has to change, with file and line."
    )
    verdict = yield RunAgent(
        env=seen,
        prompt=prompt,
        agent=agent,
        name=f"review-{number}",
        output_format=shape,
        role="review",
        timeout=timeout,
    )
    yield DeleteWorktree(env=seen, force=True)
    return verdict


@do
def unchanged(env, title, tip):  # type: ignore[no-untyped-def]
    """What was approved is what there is: nothing has been written since."""
    if (yield Commit(env=env, message=title)) != tip:
        raise ReviewRejected(
            f"{env.branch} was changed while it was reviewed; what is there now nobody has approved",
            code="changed_after_review",
            hint="orch show @",
        )


def rejected(verdict: Verdict, reviews: int) -> ReviewRejected:
    return ReviewRejected(
        f"the work was not approved in {reviews} reviews: {listed(verdict, '; ')[:400]}",
        hint="orch show @",
        comments=list(verdict.comments),
    )


def mend_prompt(task: str, verdict: Verdict) -> str:
    return (
        "A reviewer did not approve the work in this directory. Change what the comments ask for:"
        f"\n\n- {listed(verdict, chr(10) + '- ')}\n\nThe task was:\n\n{task}"
    )


def body(issue: Ticket, verdict: Verdict, number: int) -> str:
    notes = "".join(f"\n- {comment}" for comment in verdict.comments)
    return f"Implements {issue.id}. Approved by an agent in review {number}." + (
        f"\n\nIts comments:\n{notes}" if notes else ""
    )


def listed(verdict: Verdict, between: str) -> str:
    return between.join(verdict.comments) or "the reviewer gave no reason"
