"""The double of a forge at which people review: the forge in memory, and what is said there.

Invariant: as `orch.forges.memory`; deterministic. A key is said once, whoever asks again. What people
say is put there by `review`, in their name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from orch.forges import rules
from orch.forges.memory import MemoryForge
from orch.model.pull import LineRemark, Verdict
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.ports import Clock, Git

Place = tuple[str, int]


class Judged(msgspec.Struct, frozen=True):
    """A verdict of our own."""

    approve: bool
    body: str
    head_sha: str


class ReviewedMemoryForge(MemoryForge):
    """A `Forge` that is `Reviewed`, without files. Safe to call from several threads."""

    def __init__(self, clock: Clock, git: Git) -> None:
        super().__init__(clock, git)
        self._verdicts: dict[Place, list[Verdict]] = {}
        self._comments: dict[Place, dict[str, str]] = {}
        self._judged: dict[Place, dict[str, Judged]] = {}
        self._asked: dict[Place, list[str]] = {}
        self._said = 0

    def verdicts(self, repo: Repo, number: int) -> Sequence[Verdict]:
        """See `orch.ports.reviews.Reviewed`."""
        self.get_pr(repo, number)
        with self._lock:
            newest = {one.reviewer: one for one in self._verdicts.get((repo.slug, number), ())}
        return sorted(newest.values(), key=lambda one: int(one.id))

    def say(self, repo: Repo, number: int, body: str, *, key: str, known: str = "") -> str:
        """See `orch.ports.reviews.Reviewed`. The key is the comment's id."""
        self.get_pr(repo, number)
        with self._lock:
            self._comments.setdefault((repo.slug, number), {})[key] = body
        return key

    def judge(
        self, repo: Repo, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        """See `orch.ports.reviews.Reviewed`."""
        self.get_pr(repo, number)
        with self._lock:
            judged = self._judged.setdefault((repo.slug, number), {})
            judged.setdefault(key, Judged(approve, rules.text("review", body), head_sha))

    def ask_reviewers(self, repo: Repo, number: int, names: Sequence[str]) -> None:
        """See `orch.ports.reviews.Reviewed`."""
        self.get_pr(repo, number)
        with self._lock:
            place = (repo.slug, number)
            asked = self._asked.setdefault(place, [])
            known = {*asked, *(one.reviewer for one in self._verdicts.get(place, ()))}
            asked += [name for name in names if name not in known]

    # --- what people do, and see

    def review(
        self, repo: Repo, number: int, reviewer: str, state: Literal["approved", "changes"],
        body: str = "", *, trusted: bool = True, remarks: Sequence[LineRemark] = (),
    ) -> Verdict:  # fmt: skip
        """A person's verdict on the head as it is now. Who has given it is asked no more."""
        head = self.get_pr(repo, number).head_sha
        with self._lock:
            self._said += 1
            made = Verdict(
                id=str(self._said), reviewer=reviewer, state=state, body=body, commit=head,
                at=rules.timestamp(self._clock.now()), trusted=trusted, remarks=tuple(remarks),
            )  # fmt: skip
            place = (repo.slug, number)
            self._verdicts.setdefault(place, []).append(made)
            self._asked[place] = [one for one in self._asked.get(place, []) if one != reviewer]
        return made

    def dismiss(self, repo: Repo, number: int, reviewer: str) -> None:
        """Take what a reviewer said away."""
        with self._lock:
            said = self._verdicts.get((repo.slug, number), [])
            said[:] = [one for one in said if one.reviewer != reviewer]

    def comments(self, repo: Repo, number: int) -> Sequence[str]:
        """What we said, oldest first."""
        with self._lock:
            return tuple(self._comments.get((repo.slug, number), {}).values())

    def judged(self, repo: Repo, number: int) -> Sequence[Judged]:
        """Our own verdicts, oldest first."""
        with self._lock:
            return tuple(self._judged.get((repo.slug, number), {}).values())

    def asked(self, repo: Repo, number: int) -> Sequence[str]:
        """Who is asked for a review."""
        with self._lock:
            return tuple(self._asked.get((repo.slug, number), ()))
