"""What GitLab answers (REST v4), as far as we use it.

Invariant: known nulls are values; a field that older or free servers do not have has a default.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class User(msgspec.Struct, frozen=True):
    id: int
    username: str
    name: str | None = None
    state: str = "active"
    bot: bool | None = None


class Titled(msgspec.Struct, frozen=True):
    title: str


class Named(msgspec.Struct, frozen=True):
    name: str


class Project(msgspec.Struct, frozen=True):
    """`merge_method` is `merge`, `rebase_merge` or `ff`; None for who may not see it."""

    id: int
    path_with_namespace: str
    web_url: str = ""
    merge_method: str | None = None
    issues_enabled: bool | None = None
    archived: bool | None = None


class Issue(msgspec.Struct, frozen=True):
    """`blocking_issues_count` is there where the licence has links that block."""

    id: int
    iid: int
    title: str
    state: str
    created_at: str
    updated_at: str
    description: str | None = None
    labels: list[str] = []
    author: User | None = None
    assignees: list[User] = []
    milestone: Titled | None = None
    web_url: str = ""
    blocking_issues_count: int | UnsetType | None = UNSET


class Linked(msgspec.Struct, frozen=True):
    """An issue that another is linked to."""

    iid: int
    state: str
    link_type: str
    project_id: int
    references: dict[str, str] = {}


class Position(msgspec.Struct, frozen=True):
    new_path: str | None = None
    old_path: str | None = None
    new_line: int | None = None
    old_line: int | None = None


class Note(msgspec.Struct, frozen=True):
    id: int
    body: str | None
    created_at: str
    updated_at: str
    author: User | None = None
    system: bool = False
    resolved: bool | None = None
    position: Position | None = None


class Member(msgspec.Struct, frozen=True):
    id: int
    access_level: int
    state: str = "active"


class LabelEvent(msgspec.Struct, frozen=True):
    """`label` is None where the label itself was deleted."""

    id: int
    action: str
    created_at: str
    user: User | None = None
    label: Named | None = None


class Refs(msgspec.Struct, frozen=True):
    base_sha: str | None = None
    head_sha: str | None = None


class Merge(msgspec.Struct, frozen=True):
    """A merge request. `sha` is None while its source branch has none."""

    id: int
    iid: int
    title: str
    state: str
    source_branch: str
    target_branch: str
    created_at: str
    updated_at: str
    description: str | None = None
    sha: str | None = None
    draft: bool = False
    labels: list[str] = []
    author: User | None = None
    web_url: str = ""
    source_project_id: int | None = None
    target_project_id: int | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    merged_at: str | None = None
    detailed_merge_status: str = ""
    diff_refs: Refs | None = None
    reviewers: list[User] = []


class Status(msgspec.Struct, frozen=True):
    """What a job or another program says of a commit."""

    id: int
    name: str
    status: str
    created_at: str | None = None
    finished_at: str | None = None
    target_url: str | None = None
    description: str | None = None
    allow_failure: bool = False


class Pipeline(msgspec.Struct, frozen=True):
    id: int
    status: str
    source: str = ""
    web_url: str = ""
    updated_at: str | None = None


class Approver(msgspec.Struct, frozen=True):
    user: User


class Approvals(msgspec.Struct, frozen=True):
    approved_by: list[Approver] = []


class Reviewer(msgspec.Struct, frozen=True):
    """`state` is `unreviewed`, `reviewed`, `requested_changes`, `approved`, ..."""

    user: User
    state: str


class Version(msgspec.Struct, frozen=True):
    """A state of the branch, from `created_at` on."""

    head_commit_sha: str
    created_at: str


class Commit(msgspec.Struct, frozen=True):
    id: str


class Branch(msgspec.Struct, frozen=True):
    name: str
    commit: Commit
