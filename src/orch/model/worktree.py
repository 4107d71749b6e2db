"""An isolated checkout with its branch: where one agent works. Seed programs call it `env`."""

from __future__ import annotations

import msgspec


class Worktree(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is unique in its repository and is the last component of `path` (absolute).

    `base_branch` and `base_commit` are the effective base, resolved before the branch was made
    (H64, H71). `run` is empty for a person's own worktree.
    """

    repo: str
    name: str
    branch: str
    path: str
    base_branch: str
    base_commit: str
    issue: str = ""
    run: str = ""

    @property
    def id(self) -> str:
        return self.name


class TreeState(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree as git sees it now. `dirty` lists changed and untracked, not ignored paths.

    `branch` is empty when HEAD is detached. `ahead` counts commits that the base does not have,
    `behind` those of the base that the branch does not have.
    """

    head: str
    branch: str
    dirty: tuple[str, ...] = ()
    ahead: int = 0
    behind: int = 0


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """Where a new branch starts: `branch` without a remote's prefix, the full `commit`, and plain
    sentences about what was not as it should be (fetch failed, diverged)."""

    branch: str
    commit: str
    warnings: tuple[str, ...] = ()
