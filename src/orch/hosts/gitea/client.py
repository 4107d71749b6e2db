"""The API (v1) of Gitea and Forgejo, as far as Orch uses it.

Invariants:

- Of a list that can shrink while it is read nothing gets lost: it is read again, or is an error
  (`open_issues`, H93).
- Labels are known by their numbers; one that the repository does not have is made first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from orch.hosts.dialect import Dialect
from orch.hosts.failures import Missing, Unreadable
from orch.hosts.gitea.shapes import (
    Comment,
    Happening,
    Issue,
    Label,
    LineComment,
    Permission,
    Pull,
    Repository,
    Review,
    Status,
    User,
)
from orch.hosts.service import Found, Service, segment, sure

GITEA = Dialect(
    service="Gitea",
    public="https://codeberg.org",
    api="/api/v1",
    variable="GITEA_TOKEN",
    scheme="token",
    page_word="limit",
    page_size=50,
    rights="Give the token read:user, write:issue and write:repository, and its owner the right to"
    " write (to ask who may write: administrator) in the repository.",
)
LONGEST = 60_000
"""Characters of a body: what its smallest database takes, in bytes, is not much more."""
LONGEST_TITLE = 255
_PASSES = 3


class Gitea:
    """Calls over a `Service`; `repo` is `owner/name`. Writes raise `ToolFailed(outcome_unknown)`
    where nobody knows what became of them: the same call again looks first."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._me: User | None = None

    # --- people and repositories

    def me(self) -> User:
        """Whose credential this is; asked once."""
        if self._me is None:
            self._me = self.service.read("/user", User)
        return self._me

    def repository(self, repo: str) -> Repository:
        return self.service.read(_at(repo), Repository)

    def permission(self, repo: str, login: str) -> Permission | None:
        """What that person may do there; None for nobody. `Forbidden` for who is no administrator of
        the repository."""
        try:
            path = f"{_at(repo)}/collaborators/{segment(login)}/permission"
            return self.service.read(path, Permission)
        except Missing:
            return None

    # --- issues

    def issue(self, repo: str, number: int) -> Found[Issue]:
        raw = self.service.read(f"{_at(repo)}/issues/{number}", msgspec.Raw)
        return self.service.found(raw, Issue)

    def issues_changed(self, repo: str, since: str) -> list[Found[Issue]]:
        """Changed at or after `since`. While it is read this list only grows, so nothing is lost."""
        return self._issues(repo, state="all", since=since)

    def open_issues(self, repo: str, began: str) -> list[Found[Issue]]:
        """All that are open. One that is closed while the pages are read pushes others over a page's
        edge: then they are read again. `Unreadable` where it never ends."""
        for _ in range(_PASSES):
            before = self._closed_since(repo, began)
            found = self._issues(repo, state="open")
            if self._closed_since(repo, began) == before:
                return found
        raise Unreadable(f"The issues of {repo} change faster than they can be read.")

    def issues_by(self, repo: str, login: str) -> list[Issue]:
        """All that this person has written."""
        query = {"type": "issues", "state": "all", "created_by": login}
        return self.service.pages(f"{_at(repo)}/issues", Issue, query)

    def create_issue(self, repo: str, title: str, body: str, labels: Sequence[int]) -> Found[Issue]:
        fields = {"title": title, "body": body, "labels": [*labels]}
        made = self.service.write("POST", f"{_at(repo)}/issues", msgspec.Raw, fields)
        return self.service.found(sure(made), Issue)

    def change_issue(self, repo: str, number: int, **fields: Any) -> None:
        sure(self.service.write("PATCH", f"{_at(repo)}/issues/{number}", Issue, fields))

    def blockers(self, repo: str, number: int) -> list[Issue]:
        """The open issues that this one waits for."""
        path = f"{_at(repo)}/issues/{number}/dependencies"
        return [one for one in self.service.pages(path, Issue, counted=False)
                if one.state == "open"]  # fmt: skip

    def timeline(self, repo: str, number: int) -> list[Happening]:
        """Its pages may be short, and their count is of the page: Gitea leaves out lines of each."""
        path = f"{_at(repo)}/issues/{number}/timeline"
        return self.service.pages(path, Happening, counted=False)

    # --- labels

    def label_ids(self, repo: str, names: Sequence[str], colour: Callable[[str], str]) -> list[int]:
        """Their numbers; labels that are not there are made. A name that somebody made twice is the
        older one."""
        if not names:
            return []
        known: dict[str, int] = {}
        for label in sorted(self._labels(repo), key=lambda one: one.id, reverse=True):
            known[label.name.lower()] = label.id
        for name in names:
            if name.lower() not in known:
                fields = {"name": name, "color": f"#{colour(name)}"}
                made = self.service.write("POST", f"{_at(repo)}/labels", Label, fields)
                known[name.lower()] = sure(made).id
        return [known[name.lower()] for name in names]

    def put_labels(self, repo: str, number: int, ids: Sequence[int]) -> None:
        path = f"{_at(repo)}/issues/{number}/labels"
        sure(self.service.write("POST", path, type(None), {"labels": [*ids]}))

    def drop_label(self, repo: str, number: int, label: int) -> None:
        path = f"{_at(repo)}/issues/{number}/labels/{label}"
        sure(self.service.write("DELETE", path, type(None)))

    # --- comments

    def comments(self, repo: str, number: int) -> list[Comment]:
        return self.service.pages(f"{_at(repo)}/issues/{number}/comments", Comment)

    def comments_changed(self, repo: str, since: str) -> list[Comment]:
        """Of all issues and pull requests, said or edited at or after `since`."""
        return self.service.pages(f"{_at(repo)}/issues/comments", Comment, {"since": since})

    def comment(self, repo: str, number: int) -> Comment | None:
        try:
            return self.service.read(f"{_at(repo)}/issues/comments/{number}", Comment)
        except (Missing, Unreadable):
            return None  # 204 for what is no comment of a person

    def write_comment(self, repo: str, number: int, body: str) -> Comment:
        path = f"{_at(repo)}/issues/{number}/comments"
        return sure(self.service.write("POST", path, Comment, {"body": body}))

    def edit_comment(self, repo: str, number: int, body: str) -> None:
        path = f"{_at(repo)}/issues/comments/{number}"
        sure(self.service.write("PATCH", path, type(None), {"body": body}))

    def delete_comment(self, repo: str, number: int) -> None:
        path = f"{_at(repo)}/issues/comments/{number}"
        sure(self.service.write("DELETE", path, type(None)))

    # --- pull requests

    def pulls(self, repo: str) -> Iterator[Pull]:
        """In any state, newest first, page by page as they are needed."""
        return self.service.each(f"{_at(repo)}/pulls", Pull, {"state": "all"})

    def pull(self, repo: str, number: int) -> Pull:
        return self.service.read(f"{_at(repo)}/pulls/{number}", Pull)

    def open_pull(self, repo: str, fields: Mapping[str, Any]) -> Pull:
        return sure(self.service.write("POST", f"{_at(repo)}/pulls", Pull, fields))

    def change_pull(self, repo: str, number: int, **fields: Any) -> Pull:
        return sure(self.service.write("PATCH", f"{_at(repo)}/pulls/{number}", Pull, fields))

    def merge(self, repo: str, number: int, fields: Mapping[str, Any]) -> None:
        """`Refused` (405, 409) where it cannot be."""
        path = f"{_at(repo)}/pulls/{number}/merge"
        sure(self.service.write("POST", path, type(None), fields))

    def reviews(self, repo: str, number: int) -> list[Review]:
        return self.service.pages(f"{_at(repo)}/pulls/{number}/reviews", Review)

    def review_lines(self, repo: str, number: int, review: int) -> list[LineComment]:
        path = f"{_at(repo)}/pulls/{number}/reviews/{review}/comments"
        return self.service.pages(path, LineComment)

    def write_review(self, repo: str, number: int, fields: Mapping[str, Any]) -> None:
        path = f"{_at(repo)}/pulls/{number}/reviews"
        sure(self.service.write("POST", path, type(None), fields))

    def ask_reviewers(self, repo: str, number: int, logins: Sequence[str]) -> None:
        path = f"{_at(repo)}/pulls/{number}/requested_reviewers"
        sure(self.service.write("POST", path, type(None), {"reviewers": [*logins]}))

    # --- what is known of commits

    def statuses(self, repo: str, sha: str) -> list[Status]:
        """All that were ever set."""
        return self.service.pages(f"{_at(repo)}/commits/{sha}/statuses", Status)

    def set_status(self, repo: str, sha: str, fields: Mapping[str, Any]) -> Status:
        return sure(self.service.write("POST", f"{_at(repo)}/statuses/{sha}", Status, fields))

    # --- how

    def _issues(self, repo: str, **query: str) -> list[Found[Issue]]:
        rows = self.service.pages(f"{_at(repo)}/issues", msgspec.Raw, {"type": "issues", **query})
        found = [self.service.found(raw, Issue) for raw in rows]
        by_number = {one.issue.number: one for one in found}
        return [one for one in by_number.values() if one.issue.pull_request is None]

    def _closed_since(self, repo: str, began: str) -> set[tuple[int, str]]:
        found = self._issues(repo, state="closed", since=began)
        return {(one.issue.number, one.issue.updated_at) for one in found}

    def _labels(self, repo: str) -> list[Label]:
        """Those of the repository, and those of its organisation where it has one."""
        own = self.service.pages(f"{_at(repo)}/labels", Label)
        try:
            path = f"/orgs/{segment(repo.partition('/')[0])}/labels"
            return own + self.service.pages(path, Label)
        except Missing:
            return own


def _at(repo: str) -> str:
    owner, _, name = repo.partition("/")
    return f"/repos/{segment(owner)}/{segment(name)}"
