"""Seeing a pull request through: checks, review, repair, merge, clean-up. A run stores this module
like its own workflow.

Invariant: only effects, no clocks and no IO. Every loop is bounded: the author is asked to mend at
most `max_cycles` times, a conflict is repaired at most `conflict_cap` times, checks of others are
looked into at most `FAILURES` times; then a person is asked, who is told what is wrong. What people
say of it at the forge comes before what agents say, and what they do not let pass is not merged.
What was found out about a commit hangs on that very commit: the same head is never reviewed twice
(H77), a new one never passes for an old one.
"""

import posixpath
from typing import Any

import msgspec

from orch.model import review_rules
from orch.model.effect import (
    AddWorktree,
    Commit,
    DeleteWorktree,
    FindWork,
    InstallDependencies,
    JudgePR,
    Log,
    LookAtPR,
    MergePR,
    PullLook,
    Push,
    Rebase,
    ReviewPolicy,
    RunAgent,
    RunCommand,
    SetCheck,
    TellReviewers,
    WaitForPR,
    Work,
)
from orch.model.errors import MergeConflict, StepError
from orch.model.pull import PullRequest
from orch.model.worktree import Worktree
from orch.workflow.complaints import (
    CI_FAILED,
    SAID,
    SHOWN,
    Complaint,
    conflict,
    failing,
    fenced,
    wished,
)
from orch.workflow.program import do
from orch.workflow.templates.reviewed_pr import review

REVIEW = "review"
"""The name of the check that holds a verdict."""
AFRESH = frozenset(
    {"head_moved", "merge_conflict", "base_moved", "checks_pending", review_rules.CHANGES}
)
"""Why a merge was refused that another look settles."""
FAILURES = 3
"""How often failing checks of others go back to the author."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that has to change. `file` is a path in the repository, empty for the whole."""

    comment: str
    file: str = ""
    line: int | None = None

    @property
    def told(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{place}: {self.comment}" if place else self.comment


class Judgement(msgspec.Struct, frozen=True):
    """A reviewer's answer: whether it may be merged as it is, and else what has to change."""

    approved: bool
    findings: list[Finding] = []


@do
def see_through(pull: PullRequest, policy: ReviewPolicy) -> Any:
    """The pull request as it is in the end: merged, closed by a person, or a draft."""
    looks, left = 0, Left(policy)
    heard: list[str] = []
    while True:
        seen = yield LookAtPR(pull, policy.strategy)
        pull, looks = seen.pull, looks + 1
        if pull.state != "open" or (pull.draft and not policy.drafts):
            break
        env = yield find_worktree(pull)
        complaint: Complaint | None
        try:
            complaint = yield wrong_with(seen, env, policy, looks, heard)
            if complaint is not None and env is not None and left.once_more(complaint.code):
                if seen.conflicts:
                    yield repair(env, seen, policy, left.repaired)
                else:
                    yield mend(env, complaint, policy, left.mended)
                    heard += complaint.wishes
                    yield answer(pull, complaint)
                continue
        except StepError as error:
            complaint = Complaint(error.code, error.message, error.message)
        if complaint is not None:
            news = yield ask_person(pull, complaint, policy, heard)
        else:
            news = yield settle(seen, policy, heard)
        pull = news.pull
        if news.what == "asked":  # a person wants another round
            left.ask_again()
        if news.what in ("merged", "closed"):
            break
    if pull.state == "merged":
        yield clean_up(pull)
    return pull


class Left:
    """How often its author may still be asked: to mend what is not accepted, to settle a conflict,
    to look into checks that others run."""

    def __init__(self, policy: ReviewPolicy) -> None:
        self._caps = {
            "mend": policy.max_cycles, "merge_conflict": policy.conflict_cap, CI_FAILED: FAILURES,
        }  # fmt: skip
        self._left = dict(self._caps)
        self.mended = self.repaired = 0

    def once_more(self, code: str) -> bool:
        kind = code if code in self._caps else "mend"
        if not self._left[kind]:
            return False
        self._left[kind] -= 1
        if kind == "merge_conflict":
            self.repaired += 1
        else:
            self.mended += 1
        return True

    def ask_again(self) -> None:
        """A person wants another round: one more of each, where it may be asked at all."""
        self._left = {kind: min(cap, 1) for kind, cap in self._caps.items()}


@do
def find_worktree(pull: PullRequest) -> Any:
    """Where its branch is at home, None when that is gone."""
    for work in (yield FindWork()):
        if work.env.branch == pull.head:
            return work.env
    return None


@do
def wrong_with(
    seen: PullLook, env: Worktree | None, policy: ReviewPolicy, number: int, heard: list[str]
) -> Any:
    """What stands in its way, None when all is well. What people want comes before what checks and
    agents find; of a head that conflicts nothing else is asked."""
    if seen.conflicts:
        return conflict(seen)
    wishes = review_rules.unanswered(seen.verdicts, heard)
    if wishes:
        return wished(wishes)
    if policy.people:
        ours = {REVIEW, *map(check_name, policy.checks)}
        red = [one for one in seen.checks if one.state == "failure" and one.name not in ours]
        if red:
            return failing(red)
    return (yield judged(seen, env, policy, number))


@do
def judged(seen: PullLook, env: Worktree | None, policy: ReviewPolicy, number: int) -> Any:
    """What is wrong with the head: its checks are run, then it is reviewed; None when all is well."""
    if env is None:
        if not policy.checks and not policy.reviewer:
            return None
        short = f"the worktree of {seen.pull.head} is gone: nobody can check or review it"
        return Complaint("worktree_gone", short, short)
    wrong = yield checked(seen, env, policy, number)
    if wrong is not None or not policy.reviewer:
        return wrong
    person = review_rules.approval(seen.verdicts, seen.pull.head_sha)
    if person is None:
        return (yield reviewed(seen, env, policy, number))
    known = seen.check(REVIEW)
    if known is None or known.state != "success":  # the person's word wins
        told = f"approved by {person.reviewer}"
        yield SetCheck(pr=seen.pull, name=REVIEW, state="success", summary=told)
    return None


@do
def checked(seen: PullLook, env: Worktree, policy: ReviewPolicy, number: int) -> Any:
    """Run the declared checks on the pushed commit, in a clean worktree. What was found out about
    this very commit before is not found out again."""
    pull = seen.pull
    known = {command: seen.check(check_name(command)) for command in policy.checks}
    missing = [
        command for command, check in known.items()
        if check is None or check.state not in ("success", "failure")
    ]  # fmt: skip
    failing = [
        f"`{command}`: {check.summary}" for command, check in known.items()
        if check is not None and check.state == "failure"
    ]  # fmt: skip
    if missing:
        clean = yield AddWorktree(
            base_branch=env.branch, base_commit=pull.head_sha, name=env.name,
            suffix=f"checks-{number}",
        )  # fmt: skip
        note = yield InstallDependencies(env=clean)
        if note:
            yield Log(note)
        for command in missing:
            result = yield RunCommand(
                env=clean, command=command, name=check_name(command), timeout=policy.timeout_s
            )
            said = (result.stderr.strip() or result.stdout.strip())[-SHOWN:]
            told = "out of time" if result.timed_out else f"exit code {result.exit_code}"
            yield SetCheck(
                pr=pull, name=check_name(command), state="success" if result.ok else "failure",
                summary=told if result.ok else f"{told}\n{said}".strip(),
            )  # fmt: skip
            if not result.ok:
                failing.append(f"`{command}`: {told}\n{said}".strip())
        yield DeleteWorktree(env=clean, force=True)
    if not failing:
        return None
    short = "checks fail: " + "; ".join(text.splitlines()[0] for text in failing)
    return Complaint("checks_failed", short, "\n\n".join(failing))


def check_name(command: str) -> str:
    return " ".join(command.split())[:80]


@do
def reviewed(seen: PullLook, env: Worktree, policy: ReviewPolicy, number: int) -> Any:
    """The verdict on this very head: what is known, else what a reviewing agent finds."""
    pull = seen.pull
    known = seen.check(REVIEW)
    if known is None or known.state not in ("success", "failure"):
        judgement = yield review(
            None, env, pull.head_sha, policy.text, policy.reviewer, number,
            since=pull.base_sha, shape=Judgement, timeout=policy.timeout_s,
        )  # fmt: skip
        approved, told = weighed(judgement, seen.files)
        known = yield SetCheck(
            pr=pull, name=REVIEW, state="success" if approved else "failure", summary=told
        )
        if policy.people:
            yield JudgePR(pr=pull, approve=approved, body=fenced(told, SAID))
    if known.state == "success":
        return None
    short = f"{policy.reviewer} asks for changes: " + "; ".join(known.summary.splitlines())
    return Complaint(review_rules.CHANGES, short[:600], known.summary)


def weighed(judgement: Judgement, files: list[str]) -> tuple[bool, str]:
    """Whether the change is approved, and the findings, one a line. Findings on files that the change
    does not touch are not its matter; where nothing else was found, it is approved."""
    touched = {posixpath.normpath(path) for path in files}
    within = [
        finding for finding in judgement.findings
        if not finding.file or posixpath.normpath(finding.file) in touched
    ]  # fmt: skip
    told = "\n".join(" ".join(finding.told.split()) for finding in within)
    dropped = bool(judgement.findings) and not within
    approved = judgement.approved or dropped
    return approved, told or ("" if approved else "the reviewer gave no reason")


@do
def mend(env: Worktree, complaint: Complaint, policy: ReviewPolicy, number: int) -> Any:
    """Back to the author, in the same worktree and the conversation it had there, where it can go on
    with that; what it changes is pushed."""
    prompt = (
        f"The work in this directory is not accepted yet. Mend it:\n\n{complaint.told}\n\n"
        f"The task was:\n\n{policy.text}"
    )
    yield RunAgent(env=env, prompt=prompt, name=f"mend-{number}", onward=True)
    yield Commit(env=env, message=f"{policy.title}: mended")
    yield Push(env=env)


@do
def answer(pull: PullRequest, complaint: Complaint) -> Any:
    """Whoever asked for changes is told to look at them: nobody merges before that."""
    if complaint.wishes:
        yield TellReviewers(pull, complaint.people, complaint.wishes)


@do
def repair(env: Worktree, seen: PullLook, policy: ReviewPolicy, number: int) -> Any:
    """Put the branch on top of its base; where git cannot do it alone, its author does."""
    yield Commit(env=env, message=policy.title)
    try:
        before = seen.pull.head_sha
        if (yield Rebase(env=env, onto=seen.base_tip)) != before:
            yield Push(env=env, force=True)
            return
    except MergeConflict as error:
        yield Log(error.message)
    except StepError as error:
        if error.code != "has_merges":
            raise
    prompt = (
        f"The branch in this directory conflicts with its base {seen.pull.base} in:"
        f" {', '.join(seen.conflicts)}. Run `git merge {seen.base_tip}`, settle the conflicts so"
        " that both sides keep what they were meant to do, and commit the merge."
        f"\n\nThe branch was made for this task:\n\n{policy.text}"
    )
    yield RunAgent(env=env, prompt=prompt, name=f"merge-{number}")
    yield Commit(env=env, message=f"Merge {seen.pull.base}")
    yield Push(env=env)


@do
def ask_person(
    pull: PullRequest, complaint: Complaint, policy: ReviewPolicy, heard: list[str]
) -> Any:
    """A person has to see to it; the news, when one has. Who only wants another word than the last
    one can say it at the forge."""
    word = policy.people and complaint.code == review_rules.CHANGES
    return (
        yield WaitForPR(
            pull, until="person", why=complaint.short, code=complaint.code, reviews=word,
            answered=heard if word else [],
        )
    )  # fmt: skip


@do
def settle(seen: PullLook, policy: ReviewPolicy, heard: list[str]) -> Any:
    """Merge it when people let it be and its checks are green, if that is wanted; else wait for
    whoever does. Meanwhile it comes back where people want changes, or others' checks fail."""
    pull, open_to = seen.pull, policy.people
    back: Any = {"reviews": open_to, "failing": open_to, "answered": heard if open_to else []}
    if not policy.auto_merge:
        return (yield WaitForPR(pull, **back))
    if open_to and not review_rules.settled(
        seen.verdicts, pull.head_sha, approved=policy.approval
    ):  # fmt: skip
        why = awaited(seen)
        return (
            yield WaitForPR(pull, until="review", why=why, approval=policy.approval, **back)
        )  # fmt: skip
    news = yield WaitForPR(
        pull, until="green", timeout=policy.timeout_s,
        begin=min(policy.begin_s, policy.timeout_s), **back,
    )  # fmt: skip
    if news.what == "late":
        short = f"its checks have not ended within {policy.timeout_s:g} s"
        return (yield ask_person(pull, Complaint("checks_late", short, short), policy, heard))
    if news.what == "failing" and not open_to:
        short = "a check fails that is not one of [review] checks"
        return (yield ask_person(pull, Complaint("checks_failed", short, short), policy, heard))
    if news.what != "green":
        return news
    try:
        merged = yield MergePR(pull, policy.strategy, policy.delete_branch)
    except StepError as error:
        if error.code not in AFRESH:
            complaint = Complaint(error.code, error.message, error.message)
            return (yield ask_person(pull, complaint, policy, heard))
        return news
    return msgspec.structs.replace(news, what="merged", pull=merged)


def awaited(seen: PullLook) -> str:
    """Whose word it waits for."""
    names = ", ".join(one.reviewer for one in review_rules.standing(seen.verdicts))
    return f"{names} asked for changes and may look again" if names else "nobody has approved it"


@do
def clean_up(pull: PullRequest) -> Any:
    """The worktrees of a merged pull request's run: its own is saved and removed, another one only
    if nothing in it exists nowhere else."""
    for work in (yield FindWork()):
        yield removed(work, pull)


@do
def removed(work: Work, pull: PullRequest) -> Any:
    try:
        yield DeleteWorktree(env=work.env, force=work.env.branch == pull.head)
    except StepError as error:
        yield Log(f"the worktree {work.env.name} is kept: {error.message}", level="warning")
