"""The forge's double: pull requests in memory, answers and errors as the local forge gives them.

Invariant: deterministic; equal calls at equal times give equal records. It passes the contract
suite that the local forge passes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from orch.forges import rules
from orch.model.pull import PullRequest
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.ports import Clock


class MemoryForge:
    """A `Forge` without files. Safe to call from several threads."""

    name = "memory"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
