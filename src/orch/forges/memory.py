"""The forge's double: pull requests in memory, answers and errors as the local forge gives them.

Invariant: deterministic; equal calls at equal times give equal records. It passes the contract
suite that the local forge passes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import msgspec

from orch.forges import rules
from orch.forges.merging import Merging
from orch.model.effect import Strategy
from orch.model.pull import Check, CheckState, PullRequest
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.ports import Clock, Git


class MemoryForge:
    """A `Forge` without files. Safe to call from several threads."""

    name = "memory"

    def __init__(self, clock: Clock, git: Git) -> None:
        self._clock = clock
        self._merging = Merging(self, git, clock)
        self._checks: dict[tuple[str, str], dict[str, Check]] = {}
        self._merges = threading.Lock()
        self._pulls: dict[str, dict[int, PullRequest]] = {}
        self._lock = threading.Lock()

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        """As `LocalForge.open_pr`."""
        slug = rules.slug(repo)
        record = PullRequest(
            repo=slug,
            number=0,
            url="",
            state="open",
            head=rules.text("head", head),
            base=rules.text("base", base),
            title=rules.text("title", title),
            body=rules.text("body", rules.with_marker(body, key)),
            head_sha=head_sha,
            draft=draft,
            labels=tuple(rules.text("label", label) for label in labels),
            forge=self.name,
            created=rules.timestamp(self._clock.now()),
        )
        with self._lock:
            if found := self._with_head(slug, head):
                return found
            pulls = self._pulls.setdefault(slug, {})
            number = len(pulls) + 1
            url = f"memory://{slug}/pulls/{number}"
            pulls[number] = msgspec.structs.replace(record, number=number, url=url)
            return pulls[number]

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        """As `LocalForge.find_pr`."""
        with self._lock:
            return self._with_head(rules.slug(repo), head)

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        """As `LocalForge.list_prs`."""
        with self._lock:
            if repo:
                return tuple(reversed(self._pulls.get(rules.slug(repo), {}).values()))
            found = [pr for pulls in self._pulls.values() for pr in pulls.values()]
        found.sort(key=lambda pr: (pr.created, pr.repo, pr.number), reverse=True)
        return tuple(found)

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        """As `LocalForge.get_pr`."""
        with self._lock:
            record = self._pulls.get(rules.slug(repo), {}).get(number)
        if record is None:
            raise rules.unknown(repo, number)
        return record

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        """As `LocalForge.refresh_pr`."""
        return self._merging.refresh(repo, number)

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        """As `LocalForge.merge_pr`."""
        return self._merging.merge(
            repo, number, strategy=strategy, expected_head=expected_head, key=key,
            message=message, ignore_checks=ignore_checks, trial=trial,
        )  # fmt: skip

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        """As `LocalForge.close_pr`."""
        return self._merging.close(repo, number, trial=trial)

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        """As `LocalForge.reopen_pr`."""
        return self._merging.reopen(repo, number, trial=trial)

    def delete_head(self, repo: Repo, number: int) -> bool:
        """As `LocalForge.delete_head`."""
        return self._merging.delete_head(repo, number)

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        """As `LocalForge.checks`."""
        place = (rules.slug(repo), rules.commit_id(head_sha))
        with self._lock:
            found = self._checks.get(place, {})
            return tuple(found[name] for name in sorted(found))

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        """As `LocalForge.set_check`."""
        place = (rules.slug(repo), rules.commit_id(head_sha))
        rules.check_words(name, state)
        check = Check(
            name=name, state=state, url=rules.text("check", url),
            summary=rules.text("check", summary), at=rules.timestamp(self._clock.now()),
        )  # fmt: skip
        with self._lock:
            self._checks.setdefault(place, {})[name] = check
        return check

    def change(self, repo: Repo, number: int, **fields: Any) -> PullRequest:
        """See `orch.forges.merging.Records`."""
        self.get_pr(repo, number)  # refuses an unknown one
        with self._lock:
            record = self._pulls[repo.slug][number]
            if record.state != "merged":
                record = msgspec.structs.replace(record, **fields)
            self._pulls[repo.slug][number] = record
        return record

    def alone(self, repo: Repo) -> AbstractContextManager[Any]:
        """See `orch.forges.merging.Records`. One merge at a time, whatever the repository."""
        return self._merges

    def settle(self, repo: Repo, number: int, state: str) -> PullRequest:
        """What a person does who merges (`merged`) or closes (`closed`) a PR, or opens it again."""
        if state not in rules.STATES:
            raise ValueError(f"{state!r} is not one of {rules.STATES}")
        record = msgspec.structs.replace(self.get_pr(repo, number), state=state)
        with self._lock:
            self._pulls[repo.slug][number] = record
        return record

    def _with_head(self, slug: str, head: str) -> PullRequest | None:
        pulls = self._pulls.get(slug, {})
        return next((pr for pr in reversed(pulls.values()) if pr.head == head), None)
