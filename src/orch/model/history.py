"""What can be read of a commit without a checkout: a file, the names, the log.

Invariant: everything that comes out is somebody's text, cut to a limit that the caller gives; nothing
in it is ever followed, converted or run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orch.model.repo import Repo


class CommitViews(Protocol):
    """The reading half of `orch.ports.Git`. `commit` is a full commit id."""

    def file_at(self, repo: Repo, commit: str, path: str, limit: int) -> str | None:
        """The first `limit` bytes of the regular file `path` (a link is none) as the commit has it,
        or None."""

    def paths_at(self, repo: Repo, commit: str, limit: int) -> Sequence[str]:
        """Paths of the files of a commit, sorted, as many as fit into `limit` bytes."""

    def log_at(self, repo: Repo, commit: str, count: int) -> Sequence[str]:
        """The last `count` commits, newest first: twelve digits of the id and the subject."""
