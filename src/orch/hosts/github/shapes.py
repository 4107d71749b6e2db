"""GitHub's REST answers as they come, and the facts that they are.

Invariant: unknown fields are passed over and every null that GitHub is known to send is a value here
(a ghost's `user`, a gone fork's `repo`, an issue without `body`); what is asked for and has another
type is an error, never a guess.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orch.hosts.github.facts import (
    ChangedFile,
    Comment,
    Happening,
    Issue,
    Label,
    Milestone,
    Person,
    Pull,
    Repository,
    Review,
)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    pass


class UserShape(Shape, frozen=True, kw_only=True):
    login: str
    id: int = 0
    type: str = ""


class LabelShape(Shape, frozen=True, kw_only=True):
    name: str
    color: str | None = None
    description: str | None = None

    def fact(self) -> Label:
        return Label(self.name, self.color or "ededed", self.description or "")


class MilestoneShape(Shape, frozen=True, kw_only=True):
    number: int
    title: str
    state: str = "open"
    due_on: str | None = None

    def fact(self) -> Milestone:
        return Milestone(
            number=self.number, title=self.title, state=self.state, due=self.due_on or ""
        )


class _Mark(Shape, frozen=True, kw_only=True):
    merged_at: str | None = None


class IssueShape(Shape, frozen=True, kw_only=True):
    id: int
    node_id: str
    number: int
    html_url: str
    title: str
    state: str
    body: str | None = None
    state_reason: str | None = None
    user: UserShape | None = None
    assignees: list[UserShape] | None = None
    labels: list[LabelShape | str] | None = None
    milestone: MilestoneShape | None = None
    comments: int = 0
    created_at: str = ""
    updated_at: str = ""
    closed_at: str | None = None
    locked: bool = False
    pull_request: _Mark | None = None

    def fact(self, repo: str, raw: bytes = b"") -> Issue:
        return Issue(
            repo=repo,
            number=self.number,
            id=self.id,
            node=self.node_id,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            state="closed" if self.state == "closed" else "open",
            reason=self.state_reason or "",
            author=person(self.user),
            assignees=tuple(person(one) for one in self.assignees or ()),
            labels=names(self.labels),
            milestone=self.milestone.fact() if self.milestone else None,
            comments=self.comments,
            created=self.created_at,
            updated=self.updated_at,
            closed=self.closed_at or "",
            locked=self.locked,
            raw=raw,
        )


class _AppShape(Shape, frozen=True, kw_only=True):
    slug: str | None = None


class CommentShape(Shape, frozen=True, kw_only=True):
    """An issue's comment, or one on a line of a PR."""

    id: int
    html_url: str
    body: str | None = None
    user: UserShape | None = None
    created_at: str = ""
    updated_at: str = ""
    issue_url: str | None = None
    pull_request_url: str | None = None
    performed_via_github_app: _AppShape | None = None
    path: str | None = None
    line: int | None = None
    commit_id: str | None = None
    in_reply_to_id: int | None = None
    pull_request_review_id: int | None = None

    def fact(self) -> Comment:
        tail = (self.issue_url or self.pull_request_url or "").rpartition("/")[2]
        app = self.performed_via_github_app
        return Comment(
            id=self.id,
            url=self.html_url,
            body=self.body or "",
            issue=int(tail) if tail.isascii() and tail.isdigit() else 0,
            author=person(self.user),
            created=self.created_at,
            updated=self.updated_at,
            app=(app.slug or "") if app else "",
            path=self.path or "",
            line=self.line or 0,
            commit=self.commit_id or "",
            answers=self.in_reply_to_id or 0,
            review=self.pull_request_review_id or 0,
        )


class EventShape(Shape, frozen=True, kw_only=True):
    id: int
    event: str
    created_at: str | None = None
    actor: UserShape | None = None
    label: LabelShape | None = None

    def fact(self) -> Happening:
        return Happening(
            id=self.id, kind=self.event, at=self.created_at or "", actor=person(self.actor),
            label=self.label.name if self.label else "",
        )  # fmt: skip


class _RepoName(Shape, frozen=True, kw_only=True):
    full_name: str


class _EndShape(Shape, frozen=True, kw_only=True):
    """Head or base of a PR. `label` is `owner:branch`, also where the fork is gone."""

    ref: str
    sha: str
    label: str | None = None
    user: UserShape | None = None
    repo: _RepoName | None = None


class PullShape(Shape, frozen=True, kw_only=True):
    id: int
    node_id: str
    number: int
    html_url: str
    title: str
    state: str
    head: _EndShape
    base: _EndShape
    body: str | None = None
    draft: bool | None = None
    user: UserShape | None = None
    labels: list[LabelShape | str] | None = None
    milestone: MilestoneShape | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    merged_by: UserShape | None = None
    mergeable: bool | None = None
    mergeable_state: str | None = None
    requested_reviewers: list[UserShape] | None = None
    created_at: str = ""
    updated_at: str = ""
    closed_at: str | None = None

    def fact(self, repo: str) -> Pull:
        head = self.head
        labelled = (head.label or "").rpartition(":")[0]
        state: Literal["open", "merged", "closed"] = "closed" if self.state == "closed" else "open"
        return Pull(
            repo=repo,
            number=self.number,
            id=self.id,
            node=self.node_id,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            state="merged" if self.merged_at else state,
            draft=bool(self.draft),
            head=head.ref,
            head_sha=head.sha,
            head_repo=head.repo.full_name if head.repo else "",
            head_owner=head.user.login if head.user else labelled,
            base=self.base.ref,
            base_sha=self.base.sha,
            author=person(self.user),
            labels=names(self.labels),
            milestone=self.milestone.fact() if self.milestone else None,
            merged_at=self.merged_at or "",
            # Before the merge it is GitHub's trial commit, which is in nobody's history.
            merged_sha=(self.merge_commit_sha or "") if self.merged_at else "",
            merged_by=person(self.merged_by),
            mergeable=self.mergeable,
            mergeable_state=self.mergeable_state or "",
            reviewers=tuple(person(one) for one in self.requested_reviewers or ()),
            created=self.created_at,
            updated=self.updated_at,
            closed=self.closed_at or "",
        )


class FileShape(Shape, frozen=True, kw_only=True):
    filename: str
    status: str = "modified"
    additions: int = 0
    deletions: int = 0
    patch: str | None = None
    previous_filename: str | None = None

    def fact(self) -> ChangedFile:
        return ChangedFile(
            path=self.filename, status=self.status, added=self.additions, removed=self.deletions,
            patch=self.patch or "", was=self.previous_filename or "",
        )  # fmt: skip


class ReviewShape(Shape, frozen=True, kw_only=True):
    id: int
    state: str
    body: str | None = None
    user: UserShape | None = None
    commit_id: str | None = None
    submitted_at: str | None = None
    html_url: str | None = None

    def fact(self) -> Review:
        return Review(
            id=self.id,
            state=self.state.upper(),
            body=self.body or "",
            author=person(self.user),
            commit=self.commit_id or "",
            at=self.submitted_at or "",
            url=self.html_url or "",
        )


class RunShape(Shape, frozen=True, kw_only=True):
    """A check run."""

    id: int
    name: str
    status: str
    conclusion: str | None = None
    html_url: str | None = None
    details_url: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    app: _AppShape | None = None
    output: _Output | None = None


class _Output(Shape, frozen=True, kw_only=True):
    title: str | None = None
    summary: str | None = None


class StatusShape(Shape, frozen=True, kw_only=True):
    """A commit status."""

    id: int
    context: str
    state: str
    target_url: str | None = None
    description: str | None = None
    updated_at: str | None = None
    created_at: str | None = None


class MergedShape(Shape, frozen=True, kw_only=True):
    sha: str
    merged: bool = True
    message: str | None = None


class _Parent(Shape, frozen=True, kw_only=True):
    full_name: str


class RepositoryShape(Shape, frozen=True, kw_only=True):
    id: int
    node_id: str
    full_name: str
    html_url: str
    default_branch: str
    private: bool = False
    archived: bool = False
    fork: bool = False
    has_issues: bool = True
    parent: _Parent | None = None
    permissions: dict[str, bool] | None = None
    allow_merge_commit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None

    def fact(self) -> Repository:
        have = self.permissions or {}
        order = ("admin", "maintain", "push", "triage", "pull")
        ways = {
            "merge": self.allow_merge_commit,
            "squash": self.allow_squash_merge,
            "rebase": self.allow_rebase_merge,
        }
        return Repository(
            name=self.full_name,
            id=self.id,
            node=self.node_id,
            url=self.html_url,
            default_branch=self.default_branch,
            private=self.private,
            archived=self.archived,
            fork=self.fork,
            parent=self.parent.full_name if self.parent else "",
            has_issues=self.has_issues,
            permission=next((word for word in order if have.get(word)), ""),
            merge=tuple(way for way, allowed in ways.items() if allowed is not False),
        )


class BranchShape(Shape, frozen=True, kw_only=True):
    commit: _Commit


class _Commit(Shape, frozen=True, kw_only=True):
    sha: str


class PermissionShape(Shape, frozen=True, kw_only=True):
    permission: str
    user: UserShape | None = None


def person(user: UserShape | None) -> Person:
    return Person(user.login, user.id, user.type) if user else Person()


def names(labels: list[LabelShape | str] | None) -> tuple[str, ...]:
    return tuple(one if isinstance(one, str) else one.name for one in labels or ())
