"""Pull requests as a person works with them: named, looked at, merged, closed, checked.

Invariant: the forge's record is the truth and changes first; the books follow it. What is only looked
at needs no network: a look that fails is told beside the record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orch.api import records
from orch.model.effect import Strategy
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.pull import Check, CheckState, FileChange, PullRequest, spelled

if TYPE_CHECKING:
    from orch.api.facade import Orch
    from orch.model.repo import Repo

_NUMBER = re.compile(r"#?([0-9]{1,9})", re.ASCII)
_SPELLED = re.compile(r"([^#\s]+)#([0-9]{1,9})", re.ASCII)
_PART_OF_ID = re.compile(r"[0-9a-f]{7,63}")


class Merged(NamedTuple):
    """`fresh`: it was this call that merged it. `behind` is the person's checkout where the base is
    checked out and lacks the merge, else empty."""

    pull: PullRequest
    fresh: bool
    behind: str


class Pulls:
    """The pull requests of one home."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._rooms = orch.rooms

    def listed(
        self, *, state: str = "", repo: str = "", head: str = ""
    ) -> tuple[list[PullRequest], Sequence[str]]:
        """Those that fit all that is given, newest first, as the books have them; and one sentence
        for each record that is broken."""
        slug = self._orch.repo(repo).slug if repo else ""
        found, broken = self._orch.pulls()
        wanted = [
            pull for pull in found
            if state in ("", pull.state) and slug in ("", pull.repo) and head in ("", pull.head)
        ]  # fmt: skip
        return wanted, broken

    def named(self, word: str) -> PullRequest:
        """By `REPO#N`, `N`, its URL, or `@` for the newest. The record as it is, without a look."""
        if match := _SPELLED.fullmatch(word):
            return self._rooms.forge.get_pr(self._orch.repo(match[1]), int(match[2]))
        known = self._orch.store.pulls()
        if word == "@":
            fitting = known[:1]
        elif match := _NUMBER.fullmatch(word):
            fitting = self._of_number(known, int(match[1]))
        else:
            fitting = [pull for pull in known if pull.url == word]
        if not fitting:
            none = "there is no pull request yet" if word == "@" else ""
            raise NotFound(
                none or f"there is no pull request {word!r}", code="unknown_pr",
                hint="orch pr list",
            )  # fmt: skip
        return self._rooms.forge.get_pr(self._repo(fitting[0]), fitting[0].number)

    def _of_number(self, known: Sequence[PullRequest], number: int) -> list[PullRequest]:
        """Numbers are each repository's own: where one stands decides between several (H94)."""
        fitting = [pull for pull in known if pull.number == number]
        if len(fitting) < 2:
            return fitting
        here = self._here()
        if nearer := [pull for pull in fitting if pull.repo == here]:
            return nearer
        spellings = sorted(spelled(pull) for pull in fitting)
        raise UsageError(
            f"{number} could be {', '.join(spellings)}", code="ambiguous",
            hint=f"orch pr show {spellings[0]}",
        )  # fmt: skip

    def _here(self) -> str:
        """The repository that the person stands in, empty when it is none."""
        try:
            return self._orch.repo_for("", None).slug
        except UsageError:
            return ""

    def looked(self, pull: PullRequest) -> tuple[PullRequest, str]:
        """The PR as the remote has it now; or as it was recorded, and why nobody could look."""
        try:
            return self.refreshed(pull), ""
        except OrchError as error:
            return pull, error.message

    def refreshed(self, pull: PullRequest) -> PullRequest:
        """As the remote has it now; faults are raised."""
        return self._booked(self._rooms.forge.refresh_pr(self._repo(pull), pull.number))

    def checks(self, pull: PullRequest) -> Sequence[Check]:
        """Those of its head."""
        repo = self._repo(pull)
        return self._rooms.forge.checks(repo, pull.head_sha) if pull.head_sha else ()

    def diff(self, pull: PullRequest) -> str:
        """What it changes, or changed."""
        return self._rooms.git.diff(self._repo(pull), *_span(pull))

    def stat(self, pull: PullRequest) -> Sequence[FileChange]:
        """The files it changes, or changed, with lines added and removed."""
        return self._rooms.git.diff_stat(self._repo(pull), *_span(pull))

    def merge(
        self, pull: PullRequest, *, strategy: Strategy, expect: str = "",
        ignore_checks: bool = False, trial: bool = False,
    ) -> Merged:  # fmt: skip
        """Merge it, if its head is `expect` (a full commit id or the beginning of one)."""
        repo = self._repo(pull)
        self._rooms.preflight.tools(tmux=False)
        key = f"{self._orch.store.install}/pr/{pull.number}/{pull.head_sha[:12] or 'head'}"
        done = self._rooms.forge.merge_pr(
            repo, pull.number, strategy=strategy, expected_head=self._full(pull, expect), key=key,
            ignore_checks=ignore_checks, trial=trial,
        )  # fmt: skip
        if trial:
            return Merged(done, False, "")
        fresh = pull.state != "merged" and done.merge_key == key
        return Merged(self._booked(done), fresh, self._behind(repo, done.base))

    def delete_head(self, pull: PullRequest) -> tuple[bool, str]:
        """Whether the branch of a merged PR was deleted at the remote; if not, why it is kept (empty
        where it was gone already)."""
        try:
            return self._rooms.forge.delete_head(self._repo(pull), pull.number), ""
        except Conflict as error:
            return False, error.message

    def close(self, pull: PullRequest, *, trial: bool = False) -> PullRequest:
        """Close it; with `trial` only make sure that it can be done, as in `reopen`."""
        repo = self._repo(pull)
        done = self._rooms.forge.close_pr(repo, pull.number, trial=trial)
        return done if trial else self._booked(done)

    def reopen(self, pull: PullRequest, *, trial: bool = False) -> PullRequest:
        repo = self._repo(pull)
        done = self._rooms.forge.reopen_pr(repo, pull.number, trial=trial)
        return done if trial else self._booked(done)

    def set_check(
        self, pull: PullRequest, name: str, state: CheckState, *, head: str, url: str, summary: str
    ) -> tuple[str, Check]:
        """Put a check on `head` (a full commit id or the beginning of the PR's), or on its head as it
        is at the remote now; gives the commit."""
        commit = self._full(pull, head) if head else self._tip(pull) or pull.head_sha
        check = self._rooms.forge.set_check(
            self._repo(pull), commit, name, state, url=url, summary=summary
        )
        return commit, check

    def _repo(self, pull: PullRequest) -> Repo:
        return self._orch.repo(pull.repo)

    def _booked(self, pull: PullRequest) -> PullRequest:
        from orch.model.command import RecordPull

        self._orch.store.send(RecordPull(pull), self._rooms.person)
        return pull

    def _full(self, pull: PullRequest, head: str) -> str:
        """`head` in full where it is the beginning of the PR's head, recorded or at the remote."""
        if not _PART_OF_ID.fullmatch(head) or len(head) == 40:
            return head
        if pull.head_sha.startswith(head):
            return pull.head_sha
        tip = self._tip(pull)
        return tip if tip.startswith(head) else head

    def _tip(self, pull: PullRequest) -> str:
        return self._rooms.git.remote_tip(self._repo(pull), pull.head)

    def _behind(self, repo: Repo, base: str) -> str:
        """The person's checkout, if it stands on a `base` that lacks what the remote has. One that
        cannot be looked at is nobody's trouble now: the merge is done."""
        try:
            checkout = self._rooms.git.inspect(repo.local_path)
            if checkout.bare or checkout.branch != base:
                return ""
            newest = self._rooms.git.resolve_base(repo, base, fetch=False)
        except OrchError:
            return ""
        stale = newest.commit != checkout.head or newest.warnings
        return repo.local_path if stale else ""


def pull_details(pull: PullRequest, checks: Sequence[Check], warning: str) -> dict[str, Any]:
    """The PR with `checks` of its head; `warning` says why it is shown as recorded, else empty."""
    listed = [check_record(check) for check in checks]
    return {**records.pull_record(pull), "checks": listed, "warning": warning}


def check_record(check: Check) -> dict[str, Any]:
    """`name, state, url, summary, at`."""
    record: dict[str, Any] = msgspec.to_builtins(check)
    return record


def file_record(change: FileChange) -> dict[str, Any]:
    """`path, added, removed`; both are null where it is not text."""
    record: dict[str, Any] = msgspec.to_builtins(change)
    return record


def _span(pull: PullRequest) -> tuple[str, str]:
    """The commits between which its changes lie."""
    if not pull.base_sha:
        raise Conflict(
            f"what {spelled(pull)} changes cannot be told: nobody looked at it before its commits"
            f" became a part of {pull.base}" if pull.state == "merged"
            else f"what {spelled(pull)} changes cannot be told: the remote could not be looked at",
            code="diff_unknown",
            hint=f"git log {pull.head_sha}",
        )  # fmt: skip
    return pull.base_sha, pull.merged_sha or pull.head_sha
