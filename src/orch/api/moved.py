"""Which registered repository a checkout is, when the registered path is gone: it was moved.

Invariant: nothing is guessed. A checkout is taken for a lost repository when git's entries in it
name that one's worktrees, or when its remote is the same and the person says the name; else the
person is asked, before anything has changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from orch.model.errors import Conflict, OrchError
from orch.model.repo import Checkout, Repo, name_taken, registered_already
from orch.model.worktree import Worktree


def is_gone(repo: Repo) -> bool:
    """Whether there is no repository any more where this one was registered."""
    return not os.path.isdir(os.path.join(repo.common_dir, "objects"))


def left_out(repo: Repo, error: OrchError) -> str:
    """One sentence for a listing over all repositories that goes on without this one."""
    return f"{repo.slug} was left out: {error.message} {error.hint}".strip()


class Known:
    """What the books say, to find a checkout in."""

    def __init__(self, repos: Sequence[Repo], worktrees: Sequence[Worktree]) -> None:
        self._repos = repos
        self._worktrees = worktrees

    def of(self, checkout: Checkout, url: str, name: str, *, chosen: bool) -> Repo | None:
        """The repository in the books that `checkout` is; None for a new one. `name` is what it
        would be called, `chosen` by the person. `Conflict(repo_exists)` where that cannot be."""
        place = checkout.main_path
        here = next((r for r in self._repos if r.common_dir == checkout.common_dir), None)
        if here is not None:
            if chosen and here.slug != name:
                raise registered_already(here, place)
            return here
        lost = [repo for repo in self._repos if is_gone(repo)]
        held = [repo for repo in lost if self._holds(checkout, repo)]
        alike = held or [repo for repo in lost if url and repo.remote_url == url]
        named = next((repo for repo in self._repos if repo.slug == name), None)
        if named is not None and named in alike:
            return named
        if len(held) == 1 and not chosen:
            return held[0]
        if held or (alike and not chosen):
            raise _may_be(alike[0], place, name if named is None and not held else "")
        if named is not None:
            raise self._taken(named, place)
        return None

    def _holds(self, checkout: Checkout, repo: Repo) -> bool:
        return any(w.repo == repo.slug and w.path in checkout.linked for w in self._worktrees)

    def _taken(self, known: Repo, place: str) -> Conflict:
        if not is_gone(known):
            return name_taken(known, place)
        has_worktrees = any(w.repo == known.slug for w in self._worktrees)
        return Conflict(
            f"{known.slug!r} was at {known.local_path}, which is gone, and nothing shows that"
            f" {place} is the same repository: it has another remote, or none, and none of its"
            " worktrees",
            code="repo_exists",
            hint=f"orch repo add {place} --slug OTHER-NAME"
            if has_worktrees
            else f"if it is: orch repo remove {known.slug}, then: orch repo add {place} --slug"
            f" {known.slug}",
        )


def _may_be(lost: Repo, place: str, other: str) -> Conflict:
    """It looks like `lost`; `other` is the name it could have as a repository of its own."""
    hint = f"orch repo add {place} --slug {lost.slug}"
    if other:
        hint += f" (if it is another one: --slug {other})"
    why = "has the remote of" if other else "holds worktrees of"
    return Conflict(
        f"{place} {why} {lost.slug!r}, which is no longer at {lost.local_path}: it may be the same",
        code="repo_exists", hint=hint,
    )  # fmt: skip
