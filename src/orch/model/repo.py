"""A registered git repository, and what git itself says about a checkout."""

from __future__ import annotations

import msgspec

from orch.model.errors import Conflict


class Repo(msgspec.Struct, frozen=True, kw_only=True):
    """A registered repository. Paths are absolute and resolved.

    `common_dir` is git's common directory (`.git`, or the bare repository itself). `pinned_dir` is
    the service's own view of it: the same objects and refs, our own configuration (see `orch.git`).
    `remote_name` and `remote_url` are empty when there is no remote.
    """

    slug: str
    local_path: str
    common_dir: str
    pinned_dir: str
    workspace_dir: str
    default_branch: str
    remote_name: str = ""
    remote_url: str = ""


def shown_url(url: str) -> str:
    """`url` without a user's password or token; a name alone (`git@host`) is no secret."""
    scheme, mark, rest = url.partition("://")
    person, at, place = rest.partition("@")
    secret = at and "/" not in person and (":" in person or scheme in ("http", "https"))
    return f"{scheme}{mark}***@{place}" if secret else url


def name_taken(known: Repo, location: str) -> Conflict:
    """The name belongs to another repository, which is where it was."""
    return Conflict(
        f"the name {known.slug!r} is taken by {known.local_path}",
        code="repo_exists",
        hint=f"orch repo add {location} --slug OTHER-NAME",
    )


def registered_already(known: Repo, location: str) -> Conflict:
    """One checkout has one name."""
    return Conflict(
        f"{location} is registered already as {known.slug!r}",
        code="repo_exists",
        hint=f"orch worktree list --repo {known.slug}",
    )


NOWHERE = Repo(
    slug="", local_path="", common_dir="", pinned_dir="", workspace_dir="", default_branch=""
)
"""What a run without a repository has in the place of one."""


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """What git says about a path. `top` is the work tree's root, empty in a bare repository;
    `main_path` is the main checkout (or the bare repository); `branch` is empty when detached;
    `linked` are the paths of its linked worktrees, there or not."""

    common_dir: str
    main_path: str
    top: str
    bare: bool
    branch: str
    head: str
    remotes: dict[str, str]
    default_branch: str
    linked: tuple[str, ...] = ()
