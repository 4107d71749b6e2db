"""People at Gitea and Forgejo, and the comments below an issue or pull request.

Invariant: who somebody is, is their number. What was brought from elsewhere was written by nobody
here, whoever brought it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.hosts.failures import Forbidden
from orch.hosts.gitea.client import LONGEST, Gitea
from orch.hosts.gitea.shapes import Comment, User
from orch.hosts.moments import utc
from orch.hosts.sticky import Said, fitting, settle
from orch.model.tracked import Author

_GHOST = -1
_MAY = ("write", "admin", "owner")


def author(user: User | None, original: str = "") -> Author:
    if user is None or user.id in (0, _GHOST) or original:
        return Author()
    bot = user.id < 0 or user.login.endswith("[bot]")
    return Author(id=str(user.id), name=user.login, bot=bot)


def may_write(gitea: Gitea, repo: str, who: Author) -> bool:
    """Whether that person may write there. False for nobody, for bots, for a name that somebody else
    bears now, and for all where this credential may not ask."""
    if who.bot or not who.id or not who.name:
        return False
    try:
        found = gitea.permission(repo, who.name)
    except Forbidden:
        return False
    if found is None or found.user is None or str(found.user.id) != who.id:
        return False
    return found.permission in _MAY


def say(gitea: Gitea, repo: str, number: int, body: str, *, key: str, known: str = "") -> str:
    """The one comment of ours with `key` says `body`; its id."""
    thread = CommentThread(gitea, repo, number)
    return settle(thread, str(gitea.me().id), fitting(body, key, LONGEST), key=key, known=known)


class CommentThread:
    """`orch.hosts.sticky.Thread` over the comments of one issue or pull request."""

    def __init__(self, gitea: Gitea, repo: str, number: int) -> None:
        self._gitea, self._repo, self._number = gitea, repo, number

    def one(self, id: str) -> Said | None:
        if not (id.isascii() and id.isdigit()):
            return None
        comment = self._gitea.comment(self._repo, int(id))
        return _said(comment) if comment and number_of(comment) == self._number else None

    def all(self) -> Sequence[Said]:
        return [_said(one) for one in self._gitea.comments(self._repo, self._number)]

    def write(self, text: str) -> str:
        return str(self._gitea.write_comment(self._repo, self._number, text).id)

    def edit(self, id: str, text: str) -> None:
        self._gitea.edit_comment(self._repo, int(id), text)

    def remove(self, id: str) -> None:
        self._gitea.delete_comment(self._repo, int(id))


def number_of(comment: Comment) -> int:
    """The issue or pull request that it is below; 0 where that is not told."""
    tail = (comment.issue_url or comment.pull_request_url).rstrip("/").rpartition("/")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0


def _said(comment: Comment) -> Said:
    by = author(comment.user, comment.original_author)
    return Said(str(comment.id), comment.body or "", by.id, utc(comment.created_at))
