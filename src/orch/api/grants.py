"""Giving, taking back and listing trust in repositories' workflows.

Invariant: a person's act and nothing else makes a grant, and it is of the content read in that act.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orch.api.rooms import Rooms
from orch.api.trust import Grant, TrustBook, read
from orch.model.errors import NotFound, OrchError
from orch.model.naming import moment
from orch.model.repo import Repo


class Grants:
    """The trust of one home."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._book = TrustBook(rooms.path)

    def trust(self, repo: Repo, *, dry_run: bool) -> tuple[Grant, list[str]]:
        """Trust what is there now; gives the grant and what has changed since the last one."""
        contents = read(Path(repo.local_path))
        if contents is None or not contents.files:
            raise NotFound(
                f"{repo.slug} has no workflows of its own in {repo.local_path}/.orch/workflows",
                code="no_workflows", hint="orch template list",
            )  # fmt: skip
        changes = self._book.changes(repo.slug, contents)
        at = moment(self._rooms.clock.now())
        by = self._rooms.person.id
        if dry_run:
            here = str(contents.directory)
            return Grant(repo.slug, here, contents.digest, at, by, contents.files), changes
        return self._book.trust(repo, contents, at=at, by=by), changes

    def revoke(self, slug: str, *, dry_run: bool) -> None:
        """Also of a repository that is registered no more, and of a grant that cannot be read."""
        if not dry_run:
            self._book.revoke(slug)
        elif self._book.grant(slug) is None:
            raise NotFound(
                f"the workflows of {slug!r} are not trusted", code="not_trusted",
                hint="orch trust --list",
            )  # fmt: skip

    def listing(self, slug: str = "") -> list[tuple[Grant, str]]:
        """Every grant and how it stands: `trusted`, `changed` or `gone`."""
        return [
            (grant, self._stands(grant))
            for grant in self._book.grants()
            if not slug or grant.repo == slug
        ]

    def _stands(self, grant: Grant) -> str:
        repo = self._rooms.store.repo(grant.repo)
        try:
            contents = read(Path(repo.local_path)) if repo is not None else None
        except OrchError:
            return "changed"
        return "gone" if contents is None else self._book.state(grant.repo, contents)


def grant_record(grant: Grant) -> dict[str, Any]:
    return {
        "repo": grant.repo,
        "directory": grant.directory,
        "digest": grant.digest,
        "at": grant.at,
        "by": grant.by,
        "files": list(grant.files),
    }
