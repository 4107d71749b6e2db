"""Issues and their comments, over REST.

Invariant: a list is whole or an error (H93), never has a pull request in it (H45), and never has one
thing twice. It is ordered by creation, which nobody can change while the pages are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from orch.hosts.failures import Unknown, Unreadable
from orch.hosts.github.address import repository
from orch.hosts.github.facts import Comment, Happening, Issue
from orch.hosts.github.shapes import CommentShape, EventShape, IssueShape
from orch.model import typed

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

Fact = TypeVar("Fact", Issue, Comment, Happening)


class Issues:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def all(
        self, repo: str, *, since: str = "", state: str = "all", labels: Sequence[str] = ()
    ) -> list[Issue]:
        """Those that changed at `since` or later (all without), oldest first. `labels`: with all."""
        query = {
            "state": state, "sort": "created", "direction": "asc", "since": since or None,
            "labels": ",".join(labels) or None,
        }  # fmt: skip
        path = f"/repos/{repository(repo)}/issues"
        raws = self._caller.pages(path, msgspec.Raw, query)
        shapes = [(_shape(raw, path), bytes(raw)) for raw in raws]
        return once([shape.fact(repo, raw) for shape, raw in shapes if not shape.pull_request])

    def get(self, repo: str, number: int) -> Issue:
        """`Missing`: never there, gone (`host_gone`) or not ours to see. One that moved to another
        repository comes with that one's name."""
        path = f"/repos/{repository(repo)}/issues/{number}"
        raw = self._caller.read(path, msgspec.Raw)
        shape = _shape(raw, path)
        where = _home(shape.html_url) or repo
        return shape.fact(where if where.lower() != repo.lower() else repo, bytes(raw))

    def create(
        self, repo: str, *, title: str, body: str = "", labels: Sequence[str] = (),
        assignees: Sequence[str] = (), milestone: int = 0,
    ) -> Issue | Unknown:  # fmt: skip
        """Look for what you made with `created_by`, not with a search: its index lags by minutes."""
        body_of = {
            "title": title,
            "body": body,
            "labels": list(labels),
            "assignees": list(assignees),
        }
        more: dict[str, Any] = {"milestone": milestone} if milestone else {}
        path = f"/repos/{repository(repo)}/issues"
        made = self._caller.write("POST", path, IssueShape, body_of | more, content=True)
        return made if isinstance(made, Unknown) else made.fact(repo)

    def created_by(self, repo: str, login: str, *, since: str = "") -> list[Issue]:
        """Of one author, newest first."""
        query = {
            "state": "all", "creator": login, "sort": "created", "direction": "desc",
            "since": since or None,
        }  # fmt: skip
        path = f"/repos/{repository(repo)}/issues"
        shapes = self._caller.pages(path, IssueShape, query)
        return once([shape.fact(repo) for shape in shapes if not shape.pull_request])

    def update(
        self, repo: str, number: int, *, title: str | None = None, body: str | None = None,
        state: str | None = None, reason: str | None = None, milestone: int | None = None,
        assignees: Sequence[str] | None = None,
    ) -> Issue | Unknown:  # fmt: skip
        """Change what is given. `milestone=0` takes it away. Safe to repeat; labels have their own
        room, because writing them whole loses what another writer added."""
        fields: dict[str, Any] = {
            "title": title, "body": body, "state": state, "state_reason": reason,
            "assignees": None if assignees is None else list(assignees),
        }  # fmt: skip
        wanted = {name: value for name, value in fields.items() if value is not None}
        if milestone is not None:
            wanted["milestone"] = milestone or None
        path = f"/repos/{repository(repo)}/issues/{number}"
        made = self._caller.write("PATCH", path, IssueShape, wanted)
        return made if isinstance(made, Unknown) else made.fact(repo)

    def close(self, repo: str, number: int, *, reason: str = "completed") -> Issue | Unknown:
        return self.update(repo, number, state="closed", reason=reason)

    def reopen(self, repo: str, number: int) -> Issue | Unknown:
        return self.update(repo, number, state="open")

    def happenings(self, repo: str, number: int) -> list[Happening]:
        """What was done to it and by whom, oldest first (who set a label, H44)."""
        path = f"/repos/{repository(repo)}/issues/{number}/events"
        return once([shape.fact() for shape in self._caller.pages(path, EventShape)])


class Comments:
    """Of issues and, because GitHub keeps them alike, of PRs."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def of(self, repo: str, number: int, *, since: str = "") -> list[Comment]:
        """All of one issue or PR that changed at `since` or later, oldest first."""
        path = f"/repos/{repository(repo)}/issues/{number}/comments"
        return self._all(path, {"since": since or None})

    def of_repository(self, repo: str, *, since: str = "") -> list[Comment]:
        """All of all issues and PRs that changed at `since` or later, oldest first."""
        path = f"/repos/{repository(repo)}/issues/comments"
        return self._all(path, {"since": since or None, "sort": "created", "direction": "asc"})

    def newest_change(self, repo: str) -> str:
        """When a comment of the repository was last written or edited; empty where there is none."""
        path = f"/repos/{repository(repo)}/issues/comments"
        query = "sort=updated&direction=desc&per_page=1"
        found = self._caller.read(f"{path}?{query}", list[CommentShape])
        return max((shape.updated_at for shape in found), default="")

    def get(self, repo: str, comment: int) -> Comment:
        path = f"/repos/{repository(repo)}/issues/comments/{comment}"
        return self._caller.read(path, CommentShape).fact()

    def create(self, repo: str, number: int, body: str) -> Comment | Unknown:
        path = f"/repos/{repository(repo)}/issues/{number}/comments"
        made = self._caller.write("POST", path, CommentShape, {"body": body}, content=True)
        return made if isinstance(made, Unknown) else made.fact()

    def update(self, repo: str, comment: int, body: str) -> Comment | Unknown:
        """Safe to repeat. `Missing` where a person has deleted it."""
        path = f"/repos/{repository(repo)}/issues/comments/{comment}"
        made = self._caller.write("PATCH", path, CommentShape, {"body": body})
        return made if isinstance(made, Unknown) else made.fact()

    def delete(self, repo: str, comment: int) -> Unknown | None:
        """Safe to repeat as long as `Missing` is taken for done."""
        path = f"/repos/{repository(repo)}/issues/comments/{comment}"
        return self._caller.write("DELETE", path, type(None))

    def _all(self, path: str, query: dict[str, str | int | None]) -> list[Comment]:
        return once([shape.fact() for shape in self._caller.pages(path, CommentShape, query)])


def once(facts: list[Fact]) -> list[Fact]:
    """Each id once, as it was seen last: pages that shift show a thing twice."""
    return list({fact.id: fact for fact in facts}.values())


def _shape(raw: msgspec.Raw, path: str) -> IssueShape:
    try:
        return typed.decode(raw, IssueShape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"GET {path} has an issue that cannot be read: {error}.") from error


def _home(url: str) -> str:
    """`owner/name` of an issue's URL."""
    parts = url.split("/")
    return "/".join(parts[-4:-2]) if len(parts) > 4 else ""
