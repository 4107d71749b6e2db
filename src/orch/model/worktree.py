"""An isolated checkout with its branch: where one agent works. Seed programs call it `env`."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

KEPT_S = 14 * 86_400.0
"""How long what was in a removed worktree is kept, in seconds."""
PERSONAL = (".env*", "*.local", "*.key", "*.pem")
"""Names of ignored files that are a person's own more likely than a tool's, beside those that
policy lists: work, in whatever directory that is not ignored as a whole."""
PERSONAL_BYTES = 64 * 1024
"""A larger one is not taken for written by a person."""


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


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a worktree that was, or is to be, removed: one commit, at `ref`
    (`refs/orch/trash/<id>`), which stands for all of it.

    Its tree is the directory as it was, to the byte: tracked, untracked and listed ignored files
    (no empty directories; of the rights only the executable bit). Its parents keep the rest alive:
    `head` (the commit HEAD stood on), a commit of the index where that differs from HEAD, `tip`
    (of the worktree's branch), and `others`, commits that only this worktree or its branch
    remembered. `staged` is the index as a tree, empty while files were unmerged. `on` is the branch
    that HEAD was on, empty when detached. `ours` tells whether the branch was made by Orch.
    `at` is in seconds since the epoch. `directory` is false when there was none any more.
    """

    id: str
    ref: str
    commit: str
    key: str
    at: float
    worktree: Worktree
    tree: str
    head: str = ""
    on: str = ""
    tip: str = ""
    staged: str = ""
    others: tuple[str, ...] = ()
    unfinished: str = ""
    changed: int = 0
    ours: bool = False
    directory: bool = True


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """What exists nowhere else and would be gone with a worktree: changed and untracked paths,
    ignored paths that policy lists or that look like a person's own (`PERSONAL`), commits (`<short
    id> <subject>`) that no remote and no other branch has, and what was begun and not ended (`a
    merge`). `missing` says why there is no directory, if so. `lost` are the other ignored paths,
    whole directories as one with a slash: no work, never saved, gone with the worktree."""

    dirty: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    unfinished: str = ""
    missing: str = ""
    lost: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not (self.dirty or self.ignored or self.commits or self.unfinished)


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """Ignored files that a worktree got from the main checkout. `passed_over` has one sentence for
    each path that policy names and that was not brought."""

    copied: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def is_personal(path: str, size: int) -> bool:
    """Whether an ignored plain file of `size` bytes counts as work by its name."""
    name = path.rpartition("/")[2]
    return size <= PERSONAL_BYTES and any(fnmatchcase(name, pattern) for pattern in PERSONAL)
