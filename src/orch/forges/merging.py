"""What becomes of a pull request, for the forges that are our own: looked at, merged, closed.

Invariants:

- A PR is merged when its base at the remote has its head, and the record only says so: the record is
  brought up to date by looking, whoever did the merging (H81).
- The key of a merge is in the record before anything is pushed, and on the commit that is pushed. So
  whatever was killed in between, a look finds what landed, and nothing lands twice.
- What is merged is the head whose checks were read (H77, H80): both are leased until the push.
- `merged` is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from orch.forges import rules
from orch.model.effect import Strategy
from orch.model.pull import Check, PullRequest
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.ports import Clock, Git


class Records(Protocol):
    """What a forge of our own keeps."""

    def get_pr(self, repo: Repo, number: int) -> PullRequest: ...
    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]: ...

    def change(self, repo: Repo, number: int, **fields: Any) -> PullRequest:
        """Change these fields of a record, durably, and nothing else in it; one that is merged
        stays as it is. Gives the record as it is then."""

    def alone(self, repo: Repo) -> AbstractContextManager[Any]:
        """Be the only one in this home that merges in that repository, which has a PR."""


class Merging:
    """The part of the `Forge` port that needs git."""

    def __init__(self, records: Records, git: Git, clock: Clock) -> None:
        self._records = records
        self._git = git
        self._clock = clock

    def refresh(self, repo: Repo, number: int) -> PullRequest:
        """See `orch.ports.Forge.refresh_pr`."""
        return self._recorded(repo, self._looked(repo, number))

    def merge(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str, ignore_checks: bool, trial: bool,
    ) -> PullRequest:  # fmt: skip
        """See `orch.ports.Forge.merge_pr`."""
        rules.marker(key)  # refuses what is no key
        self._records.get_pr(repo, number)  # and what is no PR
        with self._records.alone(repo):
            pull = self._looked(repo, number)
            if rules.is_merged(pull, expected_head):
                return pull if trial else self._recorded(repo, pull)
            if not ignore_checks:
                rules.refuse_unready(pull, self._records.checks(repo, pull.head_sha))
            return self._land(repo, pull, strategy, key, message, trial=trial)

    def close(self, repo: Repo, number: int, *, trial: bool) -> PullRequest:
        """See `orch.ports.Forge.close_pr`."""
        pull = self._records.get_pr(repo, number)
        if not trial:
            pull = self._records.change(repo, number, state="closed")
        if pull.state == "merged":
            raise rules.merged(pull, "closed")
        return pull

    def reopen(self, repo: Repo, number: int, *, trial: bool) -> PullRequest:
        """See `orch.ports.Forge.reopen_pr`."""
        pull = self._looked(repo, number)
        if rules.is_open(pull):
            return pull
        if not self._git.remote_tip(repo, pull.head):
            raise rules.head_gone(pull)
        return pull if trial else self._recorded(repo, replace(pull, state="open"), state="open")

    def delete_head(self, repo: Repo, number: int) -> bool:
        """See `orch.ports.Forge.delete_head`."""
        pull = self._records.get_pr(repo, number)
        if pull.state != "merged":
            raise rules.not_merged(pull)
        return self._git.delete_at_remote(repo, pull.head, expected=pull.head_sha)

    def _looked(self, repo: Repo, number: int) -> PullRequest:
        """The record as it should be, by what the remote shows now."""
        pull = self._records.get_pr(repo, number)
        if pull.state == "merged":
            return pull
        keys = [pull.merge_key] if pull.merge_key else []
        seen = self._git.landing(
            repo, head=pull.head, base=pull.base, head_sha=pull.head_sha, keys=keys
        )
        pull = replace(pull, head_sha=seen.head_sha, base_sha=seen.start or pull.base_sha)
        if not seen.commit:
            return pull
        return replace(pull, state="merged", merged_sha=seen.commit, merged_at=self._now())

    def _recorded(self, repo: Repo, pull: PullRequest, **more: Any) -> PullRequest:
        """What a look has shown, in the record, and no other state than `merged`."""
        fields = {name: getattr(pull, name) for name in ("head_sha", "base_sha")}
        if pull.state == "merged":
            fields |= {name: getattr(pull, name) for name in ("state", "merged_sha", "merged_at")}
        return self._records.change(repo, pull.number, **fields, **more)

    def _land(
        self, repo: Repo, pull: PullRequest, strategy: Strategy, key: str, message: str, *,
        trial: bool,
    ) -> PullRequest:  # fmt: skip
        if not trial:
            self._recorded(repo, pull, merge_key=key)
        landed = self._git.land(
            repo, head=pull.head, base=pull.base, expected=pull.head_sha, strategy=strategy,
            message=message or rules.merge_message(pull, strategy), key=key, trial=trial,
        )  # fmt: skip
        if trial:
            return pull
        pull = replace(
            pull, state="merged", merged_sha=landed.commit, merged_at=self._now(),
            base_sha=landed.start or pull.base_sha,
        )  # fmt: skip
        return self._recorded(repo, pull)

    def _now(self) -> str:
        return rules.timestamp(self._clock.now())
