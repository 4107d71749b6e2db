"""Issues: those of the vault, and files that hold one."""

from __future__ import annotations

from collections.abc import Sequence

from orch.api.repositories import Repositories
from orch.model.errors import NotFound, UsageError
from orch.model.naming import moment
from orch.model.ticket import Ticket


class Issues(Repositories):
    """The issues of a home."""

    def create_issue(self, title: str, *, body: str, labels: Sequence[str], repo: str) -> Ticket:
        if not title.strip():
            raise UsageError(
                "an issue needs a title", code="empty_title", hint='orch issue create "TITLE"'
            )
        slug = self.repo(repo).slug if repo else ""
        created = moment(self._rooms.clock.now())
        return self._rooms.tracker.create(
            title, body=body, labels=labels, repo=slug, created=created
        )

    def issues(self) -> tuple[Sequence[Ticket], Sequence[str]]:
        return self._rooms.tracker.list()

    def issue(self, word: str) -> Ticket:
        """An id of the vault, or a file."""
        path = self._rooms.cwd / word
        if word.endswith(".md") or "/" in word:
            if not path.is_file():
                raise NotFound(
                    f"there is no issue file {word}", code="unknown_issue", hint="orch issue list"
                )
            return self._rooms.read_issue(path)
        return self._rooms.tracker.get(word)
