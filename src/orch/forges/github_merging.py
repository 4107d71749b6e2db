"""Merging at GitHub: looked at, judged by the port's rules, asked for once.

Invariants:

- What is merged is the head whose checks and reviews were read: GitHub compares it again (H77, H80).
- A trusted person's wish for changes is read right before the merge and stands in its way, whatever
  else is waived.
- Merged is what GitHub says (H81). After an outcome that is not known, the same call looks first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.forges import rules
from orch.forges.github_project import shown
from orch.hosts.failures import Refused
from orch.hosts.service import sure
from orch.model.effect import Strategy
from orch.model.errors import Conflict, MergeConflict, OrchError
from orch.model.pull import Check, PullRequest, Verdict, spelled
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.hosts.github.client import GitHub
    from orch.hosts.github.facts import Pull
    from orch.ports import Clock, Git

_log = logging.getLogger(__name__)
_WAITS_S = (0.5, 1.0, 2.0, 2.0)
"""GitHub finds out in the background whether a PR can be merged; seconds, usually less than one."""


class Merging:
    """`checks` and `verdicts` are the forge's."""

    def __init__(
        self, forge: str, github: GitHub, git: Git, clock: Clock, *,
        checks: Callable[[Repo, str], Sequence[Check]],
        verdicts: Callable[[Repo, int], Sequence[Verdict]], sleep: Callable[[float], None],
    ) -> None:  # fmt: skip
        self._forge, self._github, self._git, self._clock = forge, github, git, clock
        self._sleep = sleep
        self._checks, self._verdicts = checks, verdicts

    def merge(
        self, repo: Repo, project: str, number: int, *, strategy: Strategy, expected_head: str,
        key: str, message: str, ignore_checks: bool, trial: bool,
    ) -> PullRequest:  # fmt: skip
        """See `orch.ports.Forge.merge_pr`."""
        pull = self._github.pulls.get(project, number)
        record = shown(repo, pull, self._forge)
        if rules.is_merged(record, expected_head):
            return record
        if not ignore_checks:
            rules.refuse_unready(record, self._checks(repo, pull.head_sha))
        self._refuse_conflicts(repo, project, pull, record, strategy)
        self._refuse_unwanted(repo, record)
        if trial:
            return record
        if pull.draft:
            sure(self._github.pulls.ready(pull))
        return self._merged(repo, project, record, strategy, key, message)

    def _merged(
        self, repo: Repo, project: str, record: PullRequest, strategy: Strategy, key: str,
        message: str,
    ) -> PullRequest:  # fmt: skip
        # A rebase keeps the messages that there are: GitHub takes no other words for it.
        words = f"{(message or rules.merge_message(record, strategy)).rstrip()}\n\nOrch-Key: {key}"
        title, _, rest = words.partition("\n") if strategy != "rebase" else ("", "", "")
        try:
            done = sure(
                self._github.pulls.merge(
                    project, record.number, head_sha=record.head_sha, method=strategy,
                    title=title, message=rest.strip(),
                )
            )  # fmt: skip
        except Refused as refused:
            return self._explained(repo, project, record, strategy, refused)
        pull = self._github.pulls.get(project, record.number)
        if pull.state == "merged":
            return shown(repo, pull, self._forge, merge_key=key)
        at = rules.timestamp(self._clock.now())  # the answer to a look may be older than the merge
        return replace(record, state="merged", merged_sha=done.sha, merged_at=at, merge_key=key)

    def _explained(
        self, repo: Repo, project: str, record: PullRequest, strategy: Strategy, refused: Refused
    ) -> PullRequest:
        """What a merge that GitHub refuses has run into."""
        pull = self._github.pulls.get(project, record.number)
        now = shown(repo, pull, self._forge)
        if pull.head_sha != record.head_sha:
            raise rules.head_moved(now, record.head_sha) from refused
        if pull.state == "merged":
            return now
        if pull.state == "closed":
            raise rules.closed(now) from refused
        self._refuse_conflicts(repo, project, pull, now, strategy)
        base_moved = "base branch was modified" in refused.message.lower()
        raise Conflict(
            f"{refused.message.rstrip('.')}: it wants something else first"
            f" ({pull.mergeable_state or 'unknown'}).",
            code="base_moved" if base_moved else "merge_refused",
            hint=f"Look at what stands in its way: {pull.url}",
            mergeable_state=pull.mergeable_state,
        ) from refused

    def _refuse_conflicts(
        self, repo: Repo, project: str, pull: Pull, record: PullRequest, strategy: Strategy
    ) -> None:
        """Asked again while GitHub is finding out; what it does not know in the end the merge
        tells."""
        for wait in _WAITS_S:
            if pull.mergeable is not None or pull.state != "open":
                break
            self._sleep(wait)
            pull = self._github.pulls.get(project, record.number)
        if pull.mergeable is False:
            raise self._conflict(repo, pull, record, strategy)

    def _conflict(
        self, repo: Repo, pull: Pull, record: PullRequest, strategy: Strategy
    ) -> MergeConflict:
        """GitHub does not say which files conflict; git does, where it has the head."""
        if not pull.foreign:
            try:
                self._git.land(
                    repo, head=record.head, base=record.base, expected=record.head_sha,
                    strategy=strategy, message="", key="trial", trial=True,
                )  # fmt: skip
            except MergeConflict as conflict:
                return conflict
            except OrchError as error:
                _log.info("the files that conflict are not known: %s", error.message)
        return MergeConflict(
            f"Merging {record.head} into {record.base} conflicts.",
            hint="Nothing was changed. Look at both sides, in the repository:"
            f" git diff {record.base}...{record.head}",
            files=[],
            branch=record.head,
        )

    def _refuse_unwanted(self, repo: Repo, record: PullRequest) -> None:
        """H80: a person may have asked for changes while the checks ran."""
        asking = [one.reviewer for one in self._verdicts(repo, record.number)
                  if one.trusted and one.state == "changes"]  # fmt: skip
        if asking:
            raise Conflict(
                f"Pull request {spelled(record)} is not merged: {', '.join(asking)} asked for"
                " changes.",
                code="changes_requested",
                hint=f"Answer the review, or have it dismissed: {record.url}",
                reviewers=asking,
            )
