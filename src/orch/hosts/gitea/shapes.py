"""What Gitea and Forgejo answer (API v1), as far as we use it.

Invariant: known nulls are values; a field that older servers do not have has a default.
"""

from __future__ import annotations

from typing import Any

import msgspec


class User(msgspec.Struct, frozen=True):
    """Ids below 1 are the server's own: -1 is a ghost (an account that is gone), -2 its actions."""

    id: int
    login: str


class Label(msgspec.Struct, frozen=True):
    id: int
    name: str


class Milestone(msgspec.Struct, frozen=True):
    title: str


class Tracker(msgspec.Struct, frozen=True):
    enable_issue_dependencies: bool = True


class Rights(msgspec.Struct, frozen=True):
    admin: bool = False
    push: bool = False
    pull: bool = False


class Repository(msgspec.Struct, frozen=True):
    id: int
    full_name: str
    has_issues: bool = True
    archived: bool = False
    permissions: Rights | None = None
    internal_tracker: Tracker | None = None


class Issue(msgspec.Struct, frozen=True):
    """`original_author` is who wrote it where it was brought from; `user` then only brought it."""

    id: int
    number: int
    title: str
    state: str
    created_at: str
    updated_at: str
    body: str | None = None
    user: User | None = None
    original_author: str = ""
    labels: list[Label] | None = None
    assignees: list[User] | None = None
    milestone: Milestone | None = None
    html_url: str = ""
    pull_request: dict[str, Any] | None = None
    repository: Repository | None = None


class Comment(msgspec.Struct, frozen=True):
    """Exactly one of `issue_url` and `pull_request_url` is not empty."""

    id: int
    body: str | None
    created_at: str
    updated_at: str
    user: User | None = None
    original_author: str = ""
    html_url: str = ""
    issue_url: str = ""
    pull_request_url: str = ""


class Happening(msgspec.Struct, frozen=True):
    """A line of the timeline; of a label `body` is `1` where it was put on."""

    id: int
    type: str
    created_at: str
    user: User | None = None
    body: str | None = None
    label: Label | None = None


class Permission(msgspec.Struct, frozen=True):
    """`permission` is `owner`, `admin`, `write`, `read` or `none`."""

    permission: str
    user: User | None = None


class Side(msgspec.Struct, frozen=True):
    """`label` is the branch's name. `ref` is too, unless the branch is gone (`refs/pull/5/head`)."""

    label: str
    ref: str = ""
    sha: str = ""
    repo_id: int = 0


class Pull(msgspec.Struct, frozen=True):
    id: int
    number: int
    title: str
    state: str
    head: Side
    base: Side
    created_at: str
    body: str | None = None
    user: User | None = None
    labels: list[Label] | None = None
    html_url: str = ""
    draft: bool = False
    merged: bool = False
    mergeable: bool = True
    merge_base: str | None = None
    merge_commit_sha: str | None = None
    merged_at: str | None = None
    requested_reviewers: list[User] | None = None


class Review(msgspec.Struct, frozen=True):
    """`state` is `APPROVED`, `REQUEST_CHANGES`, `COMMENT`, `PENDING` or `REQUEST_REVIEW`. `user` is
    None where a team was asked."""

    id: int
    state: str
    user: User | None = None
    body: str | None = None
    commit_id: str = ""
    submitted_at: str | None = None
    dismissed: bool = False


class LineComment(msgspec.Struct, frozen=True):
    """`position` is the line of the new file, `original_position` that of the old one, 0 for none."""

    id: int
    path: str
    body: str | None = None
    position: int = 0
    original_position: int = 0
    resolver: User | None = None


class Status(msgspec.Struct, frozen=True):
    """What a program says of a commit under the name `context`."""

    id: int
    status: str
    context: str
    description: str = ""
    target_url: str = ""
    created_at: str | None = None
    updated_at: str | None = None
