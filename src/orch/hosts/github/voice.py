"""Our own words at GitHub: who we are, whose word counts, and comments of which there is one each.

Invariant: somebody is who bears the id. What a login may is told of whoever has it now, and counts
only where that is the same person.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Missing
from orch.hosts.github.facts import Comment, Person
from orch.hosts.service import sure
from orch.hosts.sticky import Said, fitting as fitted, settle

if TYPE_CHECKING:
    from orch.hosts.github.client import GitHub

LONGEST = 65_536
"""Characters that GitHub takes of a body."""
RIGHT_S = 600.0
"""How long what somebody may is believed without asking again."""


class Voice:
    """For one client; safe for several threads."""

    def __init__(self, github: GitHub, *, now: Callable[[], float] = time.time) -> None:
        self._github, self._now = github, now
        self._lock = threading.Lock()
        self._me: Person | None = None
        self._rights: dict[tuple[str, int], tuple[float, bool]] = {}

    def me(self) -> Person:
        """Whose credential this is; asked once."""
        if self._me is None:
            self._me = self._github.repositories.viewer().person
        return self._me

    def may_write(self, repo: str, who: Person) -> bool:
        """Whether that person may change the repository. False for nobody and for bots."""
        if not who.id or is_bot(who):
            return False
        place = (repo.lower(), who.id)
        with self._lock:
            known = self._rights.get(place)
        if known is not None and 0 <= self._now() - known[0] < RIGHT_S:
            return known[1]
        asked = self._now()
        may = self._github.repositories.may_person_write(repo, who)
        with self._lock:
            self._rights[place] = (asked, may)
        return may

    def say(self, repo: str, number: int, body: str, *, key: str, known: str = "") -> str:
        """The one comment of ours with `key` below an issue or PR says `body`; its id. Raises what
        `Unknown.error` gives: the same call again ends it."""
        thread = _Thread(self._github, repo, number)
        return settle(thread, str(self.me().id), fitting(body, key), key=key, known=known)


class _Thread:
    """`orch.hosts.sticky.Thread` over the comments of one issue or PR."""

    def __init__(self, github: GitHub, repo: str, number: int) -> None:
        self._comments, self._repo, self._number = github.comments, repo, number

    def one(self, id: str) -> Said | None:
        if not (id.isascii() and id.isdigit()):
            return None
        try:
            comment = self._comments.get(self._repo, int(id))
        except Missing:
            return None  # a person has deleted it
        return _said(comment) if comment.issue == self._number else None

    def all(self) -> Sequence[Said]:
        return [_said(one) for one in self._comments.of(self._repo, self._number)]

    def write(self, text: str) -> str:
        return str(sure(self._comments.create(self._repo, self._number, text)).id)

    def edit(self, id: str, text: str) -> None:
        sure(self._comments.update(self._repo, int(id), text))

    def remove(self, id: str) -> None:
        sure(self._comments.delete(self._repo, int(id)))


def _said(comment: Comment) -> Said:
    author = str(comment.author.id) if comment.author.id else ""
    return Said(str(comment.id), comment.body, author, comment.created)


def is_bot(who: Person) -> bool:
    return who.kind == "Bot" or who.login.endswith("[bot]")


def fitting(body: str, key: str) -> str:
    """`body` with the mark as its last line, within what GitHub takes."""
    return fitted(body, key, LONGEST)
