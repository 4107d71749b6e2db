"""Effects that see a pull request through: looked at, checked, brought up to its base, waited for.

Invariant: what a workflow decides by is data that a step has given it: settings too, so that a replay
sees the same ones.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orch.model.form import Effect, Strategy
from orch.model.pull import Check, PullRequest, Verdict
from orch.model.worktree import Worktree

Until = Literal["merge", "green", "review", "person"]
What = Literal[
    "merged", "closed", "moved", "conflict", "green", "failing", "late", "asked", "changes",
    "approved",
]  # fmt: skip


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to become of the pull requests of one task: the `[review]` table as it stood, the
    agents by name (`reviewer` is empty where none is to review), and the task in words. `people`: the
    forge is one where people review; `approval`: one of them has to approve before it is merged."""

    repo: str = ""
    text: str = ""
    title: str = ""
    author: str = ""
    reviewer: str = ""
    checks: list[str] = []
    max_cycles: int = 2
    conflict_cap: int = 3
    auto_merge: bool = False
    strategy: Strategy = "squash"
    delete_branch: bool = True
    drafts: bool = False
    timeout_s: float = 600.0
    clean_up: bool = False
    people: bool = False
    approval: bool = False
    begin_s: float = 0.0

    @property
    def cares(self) -> bool:
        """Whether there is anything to do once a pull request is open."""
        wanted = self.reviewer or self.checks or self.auto_merge or self.clean_up
        return bool(wanted or self.people)


class TaskPolicy(Effect[ReviewPolicy], frozen=True, tag="TaskPolicy/1"):
    """The settings for the run's task, as they are now. Nothing is acted on: a repetition after a
    crash reads them again."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree of the run and what stands of its branch at the remote: `pushed` is the tip there,
    empty while there is none; `pull` its pull request, whatever became of it."""

    env: Worktree
    pushed: str = ""
    pull: PullRequest | None = None

    @property
    def unclaimed(self) -> bool:
        """Somebody pushed work to it and nobody asked for it to be merged."""
        return self.pull is None and self.pushed not in ("", self.env.base_commit)


class FindWork(Effect[list[Work]], frozen=True, tag="FindWork/1"):
    """The worktrees that the run has made and that are still there, oldest first. Only looks."""


class PullLook(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request as its remote has it: the checks of its head, the files it changes, the tip of
    its base, the files in which it conflicts with that, and what people say of it (without what
    their page does not show)."""

    pull: PullRequest
    checks: list[Check] = []
    files: list[str] = []
    base_tip: str = ""
    conflicts: list[str] = []
    verdicts: list[Verdict] = []

    def check(self, name: str) -> Check | None:
        """What is known by that name of this very head."""
        return next((check for check in self.checks if check.name == name), None)


class LookAtPR(Effect[PullLook], frozen=True, tag="LookAtPR/1", omit_defaults=True):
    """Look at a pull request at its remote now. The books learn what has changed; only a look, so a
    repetition after a crash looks again."""

    pr: PullRequest
    strategy: Strategy = "squash"


class SetCheck(Effect[Check], frozen=True, tag="SetCheck/1", omit_defaults=True):
    """Put what was found out about the head of `pr` there. Look: a check of that name that says the
    same is the answer. Act: it takes the place of the one of its name, in one rename."""

    pr: PullRequest
    name: str
    state: Literal["pending", "success", "failure", "neutral"]
    summary: str = ""


class JudgePR(Effect[None], frozen=True, tag="JudgePR/1", omit_defaults=True):
    """Say at the forge what our own review of the head of `pr` found, where people review there; else
    nothing. Look: a verdict or a comment that carries the mark of this very head."""

    pr: PullRequest
    approve: bool
    body: str = ""


class TellReviewers(Effect[None], frozen=True, tag="TellReviewers/1"):
    """Say to people that what they asked for in these verdicts (ids) was worked on, where people
    review there. Look: a comment that carries the mark of these verdicts. That it cannot be said is
    told in the run, and holds up nothing."""

    pr: PullRequest
    names: list[str]
    verdicts: list[str]


class Rebase(Effect[str], frozen=True, tag="Rebase/1", omit_defaults=True):
    """Put the commits of `env`'s branch on top of the commit `onto`; gives the new tip. On a conflict
    nothing has changed and `MergeConflict` names the files.

    Look: a branch that has `onto` stands where it should. Act: the commits are made in the object
    store; then files, index and branch go to the last one in one noted step (`orch.git.pending`).
    """

    env: Worktree
    onto: str


class PullNews(msgspec.Struct, frozen=True, kw_only=True):
    """Why the wait is over: `merged`, `closed` (by a person), `moved` (another head), `conflict` with
    its base, `green`, `failing` or `late` (checks), `asked` (a person wants another round),
    `changes` (a reviewer wants some) or `approved` (none wants any more)."""

    what: What
    pull: PullRequest


class WaitForPR(Effect[PullNews], frozen=True, tag="WaitForPR/1", omit_defaults=True):
    """Wait until something becomes of a pull request: `until` it is merged, its checks are `green`
    (at most `timeout` seconds from when this was first asked for; `begin` seconds from then they may
    need to begin, H84), reviewers let it be merged (`review`; with `approval` one has to say so), or
    a `person` has seen to it, who is told `why`. With `reviews` a wish for changes whose id is not in
    `answered` is news too, or an approval where a person is waited for; with `failing` so is a check
    that fails. Nothing runs meanwhile: the run is put away and taken up with the news. Only looks, so
    a repetition after a crash looks again."""

    pr: PullRequest
    until: Until = "merge"
    why: str = ""
    code: str = "pr_waits"
    timeout: float = 0.0
    begin: float = 0.0
    reviews: bool = False
    approval: bool = False
    failing: bool = False
    answered: list[str] = []  # noqa: RUF012 - a Struct makes it anew
