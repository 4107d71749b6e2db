"""What a forge has beside `orch.ports.Forge` where people review and talk at it.

Invariant: as in `orch.ports`; whose word counts is told with each verdict, never guessed from text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from orch.model.pull import Verdict
    from orch.model.repo import Repo
    from orch.ports import Forge


@runtime_checkable
class Chosen(Protocol):
    """Several forges behind one: each repository has its own, and that may be a `Reviewed` one."""

    def of(self, repo: Repo) -> Forge: ...


@runtime_checkable
class Reviewed(Protocol):
    """A forge with reviews. Calls block."""

    def verdicts(self, repo: Repo, number: int) -> Sequence[Verdict]:
        """The newest verdict of each reviewer, oldest first; what was dismissed or only commented
        on is none, and neither are ours."""

    def say(self, repo: Repo, number: int, body: str, *, key: str, known: str = "") -> str:
        """As `TicketSource.put_comment`, below the pull request."""

    def judge(
        self, repo: Repo, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        """Our own verdict on `head_sha`, once for `key`. Where a forge refuses one on one's own
        pull request it becomes a comment (H82)."""

    def ask_reviewers(self, repo: Repo, number: int, names: Sequence[str]) -> None:
        """Ask these people for a review; who was asked already is not asked again."""
