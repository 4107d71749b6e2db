"""A person's own worktrees, and a look at all of them."""

from __future__ import annotations

import re
from typing import Any

from orch.api import records
from orch.api.repositories import Repositories
from orch.model.errors import Conflict, OrchError, UsageError
from orch.model.naming import person_branch
from orch.model.worktree import Worktree

PERSONS_NAME = re.compile(r"\w[\w ./-]*")
"""A worktree's name as people write it: nothing that a shell, tmux or git reads as more than a
letter."""


class Worktrees(Repositories):
    """The worktrees of a home."""

    def plan_worktree(
        self, repo: str, name: str, *, base: str = "", fetch: bool = False
    ) -> Worktree:
        """A person's own worktree as `orch.api.trees` would make it; refuses what cannot be.
        Without `fetch` nothing changes, and the base is the one that is known here."""
        owner = self.repo(repo)
        slug, branch = person_branch(name)
        if not slug or not PERSONS_NAME.fullmatch(name) or ".." in name:
            raise UsageError(
                f"{name!r} cannot name a worktree: use letters, digits and dashes",
                code="bad_name", hint=f"orch worktree create {owner.slug} fix-something",
            )  # fmt: skip
        self._rooms.preflight.tools(tmux=False)
        self._rooms.preflight.room(owner.workspace_dir, str(self.home))
        if any(w.repo == owner.slug and w.name == slug for w in self._store.worktrees()):
            raise Conflict(
                f"there is a worktree {slug!r} in {owner.slug} already",
                code="worktree_exists", hint="orch worktree list",
            )  # fmt: skip
        start = self._git.resolve_base(owner, base or None, fetch=fetch)
        return Worktree(
            repo=owner.slug, name=slug, branch=branch, path=f"{owner.workspace_dir}/{slug}",
            base_branch=start.branch, base_commit=start.commit,
        )  # fmt: skip

    def worktrees(self, repo: str = "") -> list[dict[str, Any]]:
        """Records, newest first."""
        wanted = self.repo(repo).slug if repo else ""
        found = []
        for worktree in self._store.worktrees():
            owner = self._store.repo(worktree.repo)
            if owner is None or (wanted and worktree.repo != wanted):
                continue
            try:
                record = records.worktree_record(worktree, self._git.state(owner, worktree))
            except OrchError as error:
                record = records.worktree_record(worktree, None, error)
            found.append(record)
        return found
