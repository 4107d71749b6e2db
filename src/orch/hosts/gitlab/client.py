"""GitLab's REST API (v4), as far as Orch uses it: issues, notes, merge requests, statuses, people.

Invariants:

- A project is known by its number: what is renamed or moved stays what it was.
- Lists that can change while they are read are read by time, not by page numbers (`changed`), so that
  nothing falls between two pages (H93).
- Text that we send cannot command: GitLab carries out lines that begin with a slash (`inert`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from orch.hosts.dialect import Dialect
from orch.hosts.failures import Missing
from orch.hosts.gitlab.shapes import (
    Approvals,
    Branch,
    Issue,
    LabelEvent,
    Linked,
    Member,
    Merge,
    Note,
    Pipeline,
    Project,
    Reviewer,
    Status,
    User,
    Version,
)
from orch.hosts.service import Found, Query, Service, segment, sure

Kind = Literal["issues", "merge_requests"]

GITLAB = Dialect(
    service="GitLab",
    public="https://gitlab.com",
    api="/api/v4",
    variable="GITLAB_TOKEN",
    limits=("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    rights="Give the token the scope `api`, and its owner the role Developer in the project.",
)
LONGEST = 1_000_000
"""Characters that GitLab takes of a note or description (1 MiB)."""
LONGEST_TITLE = 255
DEVELOPER = 30
"""The access level from which one may push (https://docs.gitlab.com/api/members: Roles)."""

_COMMAND = re.compile(r"(?m)^/(?=[A-Za-z][\w-]*(?:\s|\Z))")
_RETURN = re.compile(r"\r(?!\n)")


class GitLab:
    """One project's worth of calls over a `Service`. Writes raise `ToolFailed(outcome_unknown)`
    where nobody knows what became of them: the same call again looks first."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._me: User | None = None

    # --- people and projects

    def me(self) -> User:
        """Whose credential this is; asked once."""
        if self._me is None:
            self._me = self.service.read("/user", User)
        return self._me

    def user(self, number: int) -> User:
        return self.service.read(f"/users/{number}", User)

    def users_called(self, name: str) -> list[User]:
        return self.service.pages("/users", User, {"username": name})

    def project(self, path: str) -> Project:
        """By its path (`group/sub/name`) or number."""
        return self.service.read(f"/projects/{segment(path)}", Project)

    def access_level(self, project: int, user: int) -> int:
        """What that person may do there, groups and shares included; 0 for who has no part in it."""
        try:
            member = self.service.read(f"/projects/{project}/members/all/{user}", Member)
        except Missing:
            return 0
        return member.access_level if member.state == "active" else 0

    def branch(self, project: int, name: str) -> Branch | None:
        try:
            path = f"/projects/{project}/repository/branches/{segment(name)}"
            return self.service.read(path, Branch)
        except Missing:
            return None

    # --- issues

    def issue(self, project: int, iid: int) -> Found[Issue]:
        raw = self.service.read(f"/projects/{project}/issues/{iid}", msgspec.Raw)
        return self.service.found(raw, Issue)

    def issues_changed(self, project: int, since: str, state: str = "all") -> list[Found[Issue]]:
        """Changed at or after `since` (empty: ever), the earliest change first."""
        rows = self._changed(f"/projects/{project}/issues", since, {"state": state})
        return [self.service.found(raw, Issue) for raw in rows]

    def issues_by(self, project: int, author: int) -> list[Issue]:
        """All that this person has written, oldest first."""
        query: Query = {
            "author_id": author,
            "scope": "all",
            "order_by": "created_at",
            "sort": "asc",
        }
        return self.service.pages(f"/projects/{project}/issues", Issue, query)

    def create_issue(
        self, project: int, title: str, description: str, labels: Sequence[str]
    ) -> Found[Issue]:
        body = {"title": title, "description": description, "labels": ",".join(labels)}
        made = self.service.write("POST", f"/projects/{project}/issues", msgspec.Raw, body)
        return self.service.found(sure(made), Issue)

    def change_issue(self, project: int, iid: int, **fields: Any) -> None:
        sure(self.service.write("PUT", f"/projects/{project}/issues/{iid}", Issue, fields))

    def blockers(self, project: int, iid: int) -> list[Linked]:
        """The open issues that this one waits for."""
        linked = self.service.pages(f"/projects/{project}/issues/{iid}/links", Linked)
        return [one for one in linked
                if one.link_type == "is_blocked_by" and one.state == "opened"]  # fmt: skip

    def label_events(self, project: int, iid: int) -> list[LabelEvent]:
        path = f"/projects/{project}/issues/{iid}/resource_label_events"
        return self.service.pages(path, LabelEvent)

    # --- notes

    def notes(self, project: int, kind: Kind, iid: int, *, since: str = "") -> list[Note]:
        """What was said or changed at or after `since`, oldest first; system notes too."""
        path = f"/projects/{project}/{kind}/{iid}/notes"
        if not since:
            return self.service.pages(path, Note, {"sort": "asc", "order_by": "created_at"})
        found: dict[int, Note] = {}
        query: Query = {"sort": "desc", "order_by": "updated_at", "per_page": 100}
        for page in range(1, 1000):
            notes = self.service.read(path, list[Note], {**query, "page": page})
            found |= {note.id: note for note in notes if not _earlier(note.updated_at, since)}
            if len(notes) < 100 or _earlier(notes[-1].updated_at, since):
                break
        return sorted(found.values(), key=lambda note: (note.updated_at, note.id))

    def note(self, project: int, kind: Kind, iid: int, number: int) -> Note | None:
        try:
            return self.service.read(f"/projects/{project}/{kind}/{iid}/notes/{number}", Note)
        except Missing:
            return None

    def write_note(self, project: int, kind: Kind, iid: int, body: str) -> Note:
        path = f"/projects/{project}/{kind}/{iid}/notes"
        return sure(self.service.write("POST", path, Note, {"body": body}))

    def edit_note(self, project: int, kind: Kind, iid: int, number: int, body: str) -> None:
        path = f"/projects/{project}/{kind}/{iid}/notes/{number}"
        sure(self.service.write("PUT", path, Note, {"body": body}))

    def delete_note(self, project: int, kind: Kind, iid: int, number: int) -> None:
        path = f"/projects/{project}/{kind}/{iid}/notes/{number}"
        sure(self.service.write("DELETE", path, type(None)))

    # --- merge requests

    def merges(self, project: int, **query: str) -> list[Merge]:
        """Newest first, in any state unless the query says another."""
        words = {"state": "all", "scope": "all", "order_by": "created_at", "sort": "desc", **query}
        return self.service.pages(f"/projects/{project}/merge_requests", Merge, words)

    def merges_changed(self, project: int, since: str) -> list[Merge]:
        rows = self._changed(f"/projects/{project}/merge_requests", since, {"state": "all"})
        return [self.service.shaped(raw, Merge, "a merge request") for raw in rows]

    def merge(self, project: int, iid: int) -> Merge:
        return self.service.read(f"/projects/{project}/merge_requests/{iid}", Merge)

    def open_merge(self, project: int, fields: Mapping[str, Any]) -> Merge:
        path = f"/projects/{project}/merge_requests"
        return sure(self.service.write("POST", path, Merge, fields))

    def change_merge(self, project: int, iid: int, **fields: Any) -> Merge:
        path = f"/projects/{project}/merge_requests/{iid}"
        return sure(self.service.write("PUT", path, Merge, fields))

    def accept(self, project: int, iid: int, fields: Mapping[str, Any]) -> Merge:
        """Merge it. `Refused` (405, 406, 409), `Invalid` (422) where it cannot be."""
        path = f"/projects/{project}/merge_requests/{iid}/merge"
        return sure(self.service.write("PUT", path, Merge, fields))

    def approve(self, project: int, iid: int, sha: str) -> None:
        path = f"/projects/{project}/merge_requests/{iid}/approve"
        sure(self.service.write("POST", path, type(None), {"sha": sha} if sha else {}))

    def approvers(self, project: int, iid: int) -> list[User]:
        path = f"/projects/{project}/merge_requests/{iid}/approvals"
        return [one.user for one in self.service.read(path, Approvals).approved_by]

    def reviewers(self, project: int, iid: int) -> list[Reviewer]:
        return self.service.pages(f"/projects/{project}/merge_requests/{iid}/reviewers", Reviewer)

    def versions(self, project: int, iid: int) -> list[Version]:
        return self.service.pages(f"/projects/{project}/merge_requests/{iid}/versions", Version)

    # --- what is known of commits

    def statuses(self, project: int, sha: str) -> list[Status]:
        """The newest of each name; the jobs of pipelines are among them."""
        path = f"/projects/{project}/repository/commits/{sha}/statuses"
        return self.service.pages(path, Status)

    def pipelines(self, project: int, sha: str) -> list[Pipeline]:
        return self.service.pages(f"/projects/{project}/pipelines", Pipeline, {"sha": sha})

    def set_status(self, project: int, sha: str, fields: Mapping[str, Any]) -> Status:
        return sure(
            self.service.write("POST", f"/projects/{project}/statuses/{sha}", Status, fields)
        )

    # --- how

    def _changed(self, path: str, since: str, query: Mapping[str, str]) -> list[bytes]:
        """Every row changed at or after `since`, as it was read last.

        Each page begins where the one before ended in time, so that a row that changes meanwhile
        comes again later and pushes no other over a page's edge. Only rows of one and the same
        thousandth of a second, if they fill a page, are told apart by page numbers.
        """
        found: dict[int, bytes] = {}
        begin, page = since, 1
        size = self.service.dialect.page_size
        while True:
            words = {"scope": "all", "order_by": "updated_at", "sort": "asc", "per_page": size,
                     "page": page, "updated_after": begin or None, **query}  # fmt: skip
            rows = self.service.read(path, list[msgspec.Raw], words)
            last = begin
            for raw in rows:
                row = self.service.shaped(raw, _Row, f"GET {path}")
                found.pop(row.iid, None)
                found[row.iid] = bytes(raw)
                last = row.updated_at
            if len(rows) < size:
                return list(found.values())
            begin, page = (begin, page + 1) if last == begin else (last, 1)


class _Row(msgspec.Struct):
    iid: int
    updated_at: str


def _earlier(told: str, since: str) -> bool:
    from orch.hosts.moments import seconds

    return seconds(told) < seconds(since)


def inert(text: str) -> str:
    """`text` with a backslash before each line that GitLab would carry out (`/close`, `/merge`),
    which Markdown does not show. https://docs.gitlab.com/user/project/quick_actions/

    GitLab drops carriage returns before it looks for such lines, so that `/` and `close` with one
    between them would become one: those that end no line are line ends here.
    """
    return _COMMAND.sub(r"\\/", _RETURN.sub("\n", text))
