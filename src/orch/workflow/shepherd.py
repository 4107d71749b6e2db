"""Seeing a pull request through: checks, review, repair, merge, clean-up. A run stores this module
like its own workflow.

Invariant: only effects, no clocks and no IO. Every loop is bounded: the author is asked to mend at
most `max_cycles` times, a conflict is repaired at most `conflict_cap` times; then a person is asked,
who is told what is wrong. What was found out about a commit hangs on that very commit: the same head
is never reviewed twice (H77), a new one never passes for an old one.
"""

import posixpath
from typing import Any

import msgspec

from orch.model.effect import (
    AddWorktree,
    Commit,
    DeleteWorktree,
    FindWork,
    InstallDependencies,
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
    WaitForPR,
    Work,
)
from orch.model.errors import MergeConflict, StepError
from orch.model.pull import PullRequest
from orch.model.worktree import Worktree
from orch.workflow.program import do
from orch.workflow.templates.reviewed_pr import review

REVIEW = "review"
"""The name of the check that holds a verdict."""
AFRESH = frozenset({"head_moved", "merge_conflict", "base_moved", "checks_pending"})
"""Why a merge was refused that another look settles."""
SHOWN = 4000
"""Characters of a failed check's output that its author is shown."""


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


class Complaint(msgspec.Struct, frozen=True):
    """What is wrong with a head. `code` for the books; `told` in full, for who mends it."""

    code: str
    short: str
    told: str


@do
def see_through(pull: PullRequest, policy: ReviewPolicy) -> Any:
    """The pull request as it is in the end: merged, closed by a person, or a draft."""
    looks = rounds = repairs = 0
    while True:
        seen = yield LookAtPR(pull, policy.strategy)
        pull, looks = seen.pull, looks + 1
        if pull.state != "open" or (pull.draft and not policy.drafts):
            break
        env = yield find_worktree(pull)
        complaint: Complaint | None
        try:
            if seen.conflicts:
                complaint = conflict(seen)
                if env is not None and repairs < policy.conflict_cap:
                    repairs += 1
                    yield repair(env, seen, policy, repairs)
                    continue
            else:
                complaint = yield judged(seen, env, policy, looks)
                if complaint is not None and env is not None and rounds < policy.max_cycles:
                    rounds += 1
                    yield mend(env, complaint, policy, rounds)
                    continue
        except StepError as error:
            complaint = Complaint(error.code, error.message, error.message)
        if complaint is not None:
            news = yield ask_person(pull, complaint)
        else:
            news = yield settle(pull, policy)
        pull = news.pull
        if news.what == "asked":  # a person wants another round
            rounds, repairs = max(0, policy.max_cycles - 1), max(0, policy.conflict_cap - 1)
        if news.what in ("merged", "closed"):
            break
    if pull.state == "merged":
        yield clean_up(pull)
    return pull


@do
def find_worktree(pull: PullRequest) -> Any:
    """Where its branch is at home, None when that is gone."""
    for work in (yield FindWork()):
        if work.env.branch == pull.head:
            return work.env
    return None


def conflict(seen: PullLook) -> Complaint:
    files = ", ".join(seen.conflicts)
    short = f"{seen.pull.head} conflicts with {seen.pull.base} in {files}"
    return Complaint("merge_conflict", short, short)


@do
def judged(seen: PullLook, env: Worktree | None, policy: ReviewPolicy, number: int) -> Any:
    """What is wrong with the head: its checks are run, then it is reviewed; None when all is well."""
    if env is None:
        if not policy.checks and not policy.reviewer:
            return None
        short = f"the worktree of {seen.pull.head} is gone: nobody can check or review it"
        return Complaint("worktree_gone", short, short)
    wrong = yield checked(seen, env, policy, number)
    if wrong is None and policy.reviewer:
        wrong = yield reviewed(seen, env, policy, number)
    return wrong


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
    if known.state == "success":
        return None
    short = f"{policy.reviewer} asks for changes: " + "; ".join(known.summary.splitlines())
    return Complaint("changes_requested", short[:600], known.summary)


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
    """Back to the author, in the same worktree; what it changes is pushed."""
    prompt = (
        f"The work in this directory is not accepted yet. Mend it:\n\n{complaint.told}\n\n"
        f"The task was:\n\n{policy.text}"
    )
    yield RunAgent(env=env, prompt=prompt, name=f"mend-{number}")
    yield Commit(env=env, message=f"{policy.title}: mended")
    yield Push(env=env)


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
def ask_person(pull: PullRequest, complaint: Complaint) -> Any:
    """A person has to see to it; the news, when one has."""
    return (yield WaitForPR(pull, until="person", why=complaint.short, code=complaint.code))


@do
def settle(pull: PullRequest, policy: ReviewPolicy) -> Any:
    """Merge it when its checks are green, if that is wanted; else wait for whoever does."""
    if not policy.auto_merge:
        return (yield WaitForPR(pull))
    news = yield WaitForPR(pull, until="green", timeout=policy.timeout_s)
    if news.what == "late":
        short = f"its checks have not ended within {policy.timeout_s:g} s"
        return (yield ask_person(pull, Complaint("checks_late", short, short)))
    if news.what == "failing":
        short = "a check fails that is not one of [review] checks"
        return (yield ask_person(pull, Complaint("checks_failed", short, short)))
    if news.what != "green":
        return news
    try:
        merged = yield MergePR(pull, policy.strategy, policy.delete_branch)
    except StepError as error:
        if error.code not in AFRESH:
            return (yield ask_person(pull, Complaint(error.code, error.message, error.message)))
        return news
    return msgspec.structs.replace(news, what="merged", pull=merged)


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
