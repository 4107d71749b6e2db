"""Pull requests, their files and reviews, over REST.

Invariants:

- A PR is found by its head branch and the repository of that branch, over all states and pages, never
  by a text search and never by the newest alone (H60, H94).
- Merged is what GitHub says with a time (H81), and a merge names the head that it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from orch.hosts.failures import Invalid, Refused, Unknown
from orch.hosts.github import documents
from orch.hosts.github.address import repository
from orch.hosts.github.facts import ChangedFile, Comment, Merged, Pull, Review
from orch.hosts.github.issues import once
from orch.hosts.github.shapes import (
    CommentShape,
    FileShape,
    MergedShape,
    PullShape,
    ReviewShape,
)

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

Verdict = Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]


class Pulls:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def all(self, repo: str, *, state: str = "all", base: str = "") -> list[Pull]:
        """Oldest first."""
        query = {"state": state, "sort": "created", "direction": "asc", "base": base or None}
        return self._all(repo, query)

    def with_head(self, repo: str, branch: str, *, owner: str = "") -> list[Pull]:
        """All PRs of that branch, in any state, newest first. `owner` is whose branch it is: the
        repository's own without. A fork of the same name in another account is another branch.

        `repo` has to be the repository's present name (`Repositories.get` tells it): under an old one
        GitHub looks for branches of the old owner and finds none."""
        whose = owner or repo.partition("/")[0]
        query = {
            "state": "all", "head": f"{whose}:{branch}", "sort": "created", "direction": "desc",
        }  # fmt: skip
        found = [pull for pull in self._all(repo, query) if pull.head == branch]
        # GitHub passes over a `head` that it does not understand and then lists everything.
        mine = [pull for pull in found if _owner(pull).lower() == whose.lower()]
        return sorted(mine, key=lambda pull: pull.number, reverse=True)

    def get(self, repo: str, number: int) -> Pull:
        path = f"/repos/{repository(repo)}/pulls/{number}"
        return self._caller.read(path, PullShape).fact(repo)

    def create(
        self, repo: str, *, head: str, base: str, title: str, body: str = "", draft: bool = False
    ) -> Pull | Unknown:
        """`head` is a branch, or `owner:branch`. `Invalid`: with the code `pull_exists` where an open
        one has that head and base, `no_commits` where there is nothing between them."""
        wanted = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
        path = f"/repos/{repository(repo)}/pulls"
        try:
            made = self._caller.write("POST", path, PullShape, wanted, content=True)
        except Invalid as error:
            _name(error)
            raise
        return made if isinstance(made, Unknown) else made.fact(repo)

    def update(
        self, repo: str, number: int, *, title: str | None = None, body: str | None = None,
        base: str | None = None, state: str | None = None,
    ) -> Pull | Unknown:  # fmt: skip
        """Change what is given; safe to repeat. `Invalid` where it cannot be opened again: its branch
        is gone, or another open PR has it."""
        fields = {"title": title, "body": body, "base": base, "state": state}
        wanted = {name: value for name, value in fields.items() if value is not None}
        path = f"/repos/{repository(repo)}/pulls/{number}"
        made = self._caller.write("PATCH", path, PullShape, wanted)
        return made if isinstance(made, Unknown) else made.fact(repo)

    def close(self, repo: str, number: int) -> Pull | Unknown:
        return self.update(repo, number, state="closed")

    def reopen(self, repo: str, number: int) -> Pull | Unknown:
        return self.update(repo, number, state="open")

    def ready(self, pull: Pull) -> Unknown | None:
        """A draft no longer; safe to repeat."""
        given = {"input": {"pullRequestId": pull.node}}
        done = self._caller.tell(documents.READY, dict[str, Any], given)
        return done if isinstance(done, Unknown) else None

    def merge(
        self, repo: str, number: int, *, head_sha: str, method: str, title: str = "",
        message: str = "",
    ) -> Merged | Unknown:  # fmt: skip
        """Merge it if its head is still `head_sha`. `Refused`: with the code `head_moved`, or
        `not_mergeable` (conflicts, protection, draft, closed or merged already: look at it)."""
        wanted = {
            "sha": head_sha, "merge_method": method, "commit_title": title,
            "commit_message": message,
        }  # fmt: skip
        path = f"/repos/{repository(repo)}/pulls/{number}/merge"
        given = {name: value for name, value in wanted.items() if value}
        try:
            made = self._caller.write("PUT", path, MergedShape, given)
        except Refused as error:
            error.code = "head_moved" if error.data.get("status") == 409 else "not_mergeable"
            raise
        return made if isinstance(made, Unknown) else Merged(made.sha)

    def files(self, repo: str, number: int) -> list[ChangedFile]:
        """GitHub lists 3,000 at most."""
        path = f"/repos/{repository(repo)}/pulls/{number}/files"
        found = [shape.fact() for shape in self._caller.pages(path, FileShape)]
        return list({file.path: file for file in found}.values())

    def line_comments(self, repo: str, number: int, *, since: str = "") -> list[Comment]:
        """What was said on lines of its diff, oldest first; all else is in `Comments`."""
        path = f"/repos/{repository(repo)}/pulls/{number}/comments"
        query = {"since": since or None, "sort": "created", "direction": "asc"}
        return once([shape.fact() for shape in self._caller.pages(path, CommentShape, query)])

    def line_comments_of_repository(self, repo: str, *, since: str) -> list[Comment]:
        """The same of all its PRs in one list."""
        path = f"/repos/{repository(repo)}/pulls/comments"
        query = {"since": since or None, "sort": "created", "direction": "asc"}
        return once([shape.fact() for shape in self._caller.pages(path, CommentShape, query)])

    def request_reviewers(self, repo: str, number: int, logins: Sequence[str]) -> Pull | Unknown:
        path = f"/repos/{repository(repo)}/pulls/{number}/requested_reviewers"
        made = self._caller.write("POST", path, PullShape, {"reviewers": list(logins)})
        return made if isinstance(made, Unknown) else made.fact(repo)

    def _all(self, repo: str, query: Mapping[str, str | None]) -> list[Pull]:
        path = f"/repos/{repository(repo)}/pulls"
        found = [shape.fact(repo) for shape in self._caller.pages(path, PullShape, query)]
        return list({pull.id: pull for pull in found}.values())


class Reviews:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def of(self, repo: str, number: int) -> list[Review]:
        """All, oldest first; whose newest counts is the reader's rule."""
        path = f"/repos/{repository(repo)}/pulls/{number}/reviews"
        found = [shape.fact() for shape in self._caller.pages(path, ReviewShape)]
        return list({review.id: review for review in found}.values())

    def create(
        self, repo: str, number: int, *, verdict: Verdict, body: str = "", head_sha: str = ""
    ) -> Review | Unknown:
        """`Invalid` with the code `own_pull` where the PR is ours: GitHub takes a comment then and
        neither approval nor refusal (H82)."""
        wanted: dict[str, Any] = {"event": verdict, "body": body}
        if head_sha:
            wanted["commit_id"] = head_sha
        path = f"/repos/{repository(repo)}/pulls/{number}/reviews"
        try:
            made = self._caller.write("POST", path, ReviewShape, wanted, content=True)
        except Invalid as error:
            if "your own pull request" in error.message.lower():
                error.code = "own_pull"
            raise
        return made if isinstance(made, Unknown) else made.fact()


def _owner(pull: Pull) -> str:
    """Whose branch the head is; where its fork is gone, whose it was."""
    return pull.head_repo.partition("/")[0] or pull.head_owner


def _name(error: Invalid) -> None:
    words = error.message.lower()
    if "a pull request already exists" in words:
        error.code = "pull_exists"
    elif "no commits between" in words:
        error.code = "no_commits"
