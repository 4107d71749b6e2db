"""Where tickets live, outside: the port of GitHub, Jira, Linear, GitLab, Gitea and their kin.

Invariants for every adapter, beside those of `orch.ports`:

- A list is whole or an error: what is missing from an answer was not there, never on a page that was
  lost (H93).
- Every write looks before it acts, so that the same call again ends what a lost answer left open.
  An outcome that is not known is `ToolFailed` (`outcome_unknown`); the caller waits longer than the
  tracker's lists lag behind, then calls again.
- It speaks with the source's own credential, which no agent ever sees, and of the source's own
  project and no other.
- What is used up is `LimitReached` with `retry_at`; somebody who is not signed in `SignInNeeded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orch.model.task import TaskState
    from orch.model.tracked import Approval, Author, Batch, Remark, Tracked


class TicketSource(Protocol):
    """One source: a project of a tracker, for one repository. Calls block."""

    kind: str
    """`github`, `jira`, ...: what the configuration calls it."""

    def me(self) -> Author:
        """Whose credential this is."""

    def look(self, cursor: str) -> Batch:
        """What has changed since `cursor`, with an overlap (the same ticket told twice is harmless);
        with an empty cursor all open tickets, and what was closed as far as that costs nothing more.
        Pull requests are no tickets (H45)."""

    def get(self, source_id: str) -> Tracked:
        """As it is now. `NotFound(unknown_issue)` where it is gone, moved away or not to be seen."""

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        """What was said or edited since `cursor` below tickets and pull requests, oldest first, and
        the cursor for the next call. With an empty cursor: nothing, and where now is."""

    def may_write(self, author: Author) -> bool:
        """Whether this person may change the project (asked at the tracker by who they are there);
        False for nobody and for bots."""

    def approval(self, source_id: str, label: str) -> Approval | None:
        """Who put the label there, the last time; None where nobody can be named."""

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        """A new ticket; at most one for `key`, which its body carries (`orch.model.marks`)."""

    def put_state(self, source_id: str, state: TaskState) -> None:
        """Show how its task stands: the label `status:STATE` in the place of every other `status:`
        label, or the workflow's own state that the source's `transitions` name."""

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """These labels on, those off; all others are a person's and stay. An adapter with the
        attribute `tells_by_labels = True` is told by labels who works on a ticket, too."""

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        """The one comment of ours with `key` says `body`; gives its id. `known` is the id it had.

        Look: the comment `known`, else among all comments the one that is ours (by author) and
        carries the mark of `key`; of several the oldest stays and the others are deleted. Act: edit
        it where it says something else; else write it, with the mark as its last line.
        """

    def close(self, source_id: str, *, done: bool) -> None:
        """Over: `done`, or not going to be. What is closed is left as it is."""
