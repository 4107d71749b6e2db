"""Effects that see a pull request through: looked at, checked, brought up to its base, waited for.

Invariant: what a workflow decides by is data that a step has given it: settings too, so that a replay
sees the same ones.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orch.model.form import Effect, Strategy
from orch.model.pull import Check, PullRequest
from orch.model.worktree import Worktree

Until = Literal["merge", "green", "person"]
What = Literal["merged", "closed", "moved", "conflict", "green", "failing", "late", "asked"]


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to become of the pull requests of one task: the `[review]` table as it stood, the
    agents by name (`reviewer` is empty where none is to review), and the task in words."""

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

    @property
    def cares(self) -> bool:
        """Whether there is anything to do once a pull request is open."""
        return bool(self.reviewer or self.checks or self.auto_merge or self.clean_up)


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
    its base, and the files in which it conflicts with that."""

    pull: PullRequest
    checks: list[Check] = []
    files: list[str] = []
    base_tip: str = ""
    conflicts: list[str] = []

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
    its base, `green`, `failing` or `late` (checks), `asked` (a person wants another round)."""

    what: What
    pull: PullRequest


class WaitForPR(Effect[PullNews], frozen=True, tag="WaitForPR/1", omit_defaults=True):
    """Wait until something becomes of a pull request: `until` it is merged, its checks are `green`
    (at most `timeout` seconds from when this was first asked for), or a `person` has seen to it,
    who is told `why`. Nothing runs meanwhile: the run is put away and taken up with the news. Only
    looks, so a repetition after a crash looks again."""

    pr: PullRequest
    until: Until = "merge"
    why: str = ""
    code: str = "pr_waits"
    timeout: float = 0.0
