"""Issues: those of the vault, and files that hold one."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

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
        """An id of the vault, a ticket of a source (`thing:12`, `PROJ-12`), or a file. A number that
        means one of each is `UsageError(ambiguous)`."""
        path = self._rooms.cwd / word
        if word.endswith(".md") or "/" in word:
            if not path.is_file():
                raise NotFound(
                    f"there is no issue file {word}", code="unknown_issue", hint="orch issue list"
                )
            return self._rooms.read_issue(path)
        try:
            found = self._rooms.tracker.get(word)
        except NotFound as error:
            known = self._of_source(word)
            if known is not None:
                return known
            if not self._rooms.config(None).sources:
                raise
            hint = "orch tickets sync, then: orch tickets list"
            raise NotFound(error.message, code=error.code, hint=hint, **error.data) from error
        other = None if word.upper() == found.id else self._of_source(word)
        if other is not None:
            raise UsageError(
                f"{word!r} could be {found.id} or {other.id}", code="ambiguous",
                hint="say the whole of it",
            )  # fmt: skip
        return found

    def _of_source(self, word: str) -> Ticket | None:
        """What a source's ticket says, as it was last read, without what nobody sees."""
        if not self._rooms.config(None).sources:
            return None
        from orch.api.tracked_tickets import remembered, ticket_of

        known = remembered(self._store.tickets, word)
        if known is not None:
            from orch.model import hidden

            found = ticket_of(self._rooms.config(None), known)
            title, body = hidden.shown(found.title).text, hidden.shown(found.body).text
            return replace(found, title=title, body=body)
        source, colon, _ = word.partition(":")
        if colon and source in self._rooms.config(None).sources:
            raise NotFound(
                f"there is no ticket {word!r} here", code="unknown_issue",
                hint=f"orch tickets sync {source}",
            )  # fmt: skip
        if colon:
            raise NotFound(
                f"there is no source {source!r}", code="unknown_source",
                hint="orch repo sources list",
            )  # fmt: skip
        return None
