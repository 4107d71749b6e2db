"""The state of the stand-in for Gitea, and what people do there without the API.

Invariant: times are whole seconds with an offset, as Gitea writes them; a change moves `updated`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha1
from typing import Any

_ZONE = timezone(timedelta(hours=2))


@dataclass
class User:
    id: int
    login: str


@dataclass
class Line:
    """A comment (`type` is `comment`) or another line of the timeline."""

    id: int
    type: str
    user: User
    created: str
    updated: str
    body: str = ""
    label: int = 0
    original: str = ""


@dataclass
class Item:
    """An issue, or with `pull` a pull request."""

    id: int
    number: int
    title: str
    body: str
    user: User
    created: str
    updated: str
    state: str = "open"
    labels: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    pull: dict[str, Any] = field(default_factory=dict)
    original: str = ""


@dataclass
class Repo:
    id: int
    full_name: str
    rights: dict[int, str] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    waits: list[tuple[int, int]] = field(default_factory=list)
    """The first waits for the second."""
    conflicts: set[int] = field(default_factory=set)


class World:
    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.users: dict[int, User] = {}
        self.repos: dict[str, Repo] = {}
        self.grows = ""
        """As in the stand-in for GitLab: the commit of a branch that is first heard of here."""
        self._number = 0

    def number(self) -> int:
        self._number += 1
        return self._number

    def stamp(self, seconds: float | None = None) -> str:
        moment = self.now() if seconds is None else seconds
        return datetime.fromtimestamp(int(moment), _ZONE).isoformat()

    def add_user(self, login: str) -> User:
        for user in self.users.values():
            if user.login == login:
                return user
        user = User(self.number() + 100, login)
        self.users[user.id] = user
        return user

    def add_repo(self, full_name: str, **rights: str) -> Repo:
        repo = Repo(self.number() + 1000, full_name)
        repo.rights = {self.add_user(login).id: right for login, right in rights.items()}
        repo.branches["main"] = sha1(full_name.encode()).hexdigest()
        self.repos[full_name] = repo
        return repo

    def add_issue(
        self, repo: Repo, title: str, by: str, *, body: str = "", labels: tuple[str, ...] = (),
        **more: Any,
    ) -> Item:  # fmt: skip
        now, number = self.stamp(), max(repo.items, default=0) + 1
        item = Item(self.number(), number, title, body, self.add_user(by), now, now, **more)
        repo.items[number] = item
        self.relabel(repo, item, [self.label(repo, name) for name in labels], [], item.user)
        return item

    def label(self, repo: Repo, name: str) -> int:
        for number, known in repo.labels.items():
            if known == name:
                return number
        made = self.number()
        repo.labels[made] = name
        return made

    def relabel(self, repo: Repo, item: Item, add: list[int], remove: list[int], who: User) -> None:
        for body, ids in (("1", add), ("", remove)):
            for number in ids:
                if (number in item.labels) == bool(body):
                    continue
                item.labels = sorted({*item.labels, number} if body else {*item.labels} - {number})
                self.line(item, "label", who, body, label=number)

    def line(self, item: Item, kind: str, who: User, body: str, **more: Any) -> Line:
        now = self.stamp()
        made = Line(self.number(), kind, who, now, now, body, **more)
        item.lines.append(made)
        item.updated = now
        return made

    def say(self, item: Item, by: str, body: str, **more: Any) -> Line:
        return self.line(item, "comment", self.add_user(by), body, **more)

    def edit(self, item: Item, line: Line, body: str) -> None:
        line.body = body
        line.updated = item.updated = self.stamp()

    def close(self, item: Item, state: str = "closed") -> None:
        item.state, item.updated = state, self.stamp()

    def settle(self, repo: Repo, item: Item, state: str) -> str:
        """Somebody merges or closes a pull request. The commit that did it, if one did."""
        self.close(item)
        if state != "merged":
            return ""
        made = sha1(f"{repo.id}#{item.number}".encode()).hexdigest()
        item.pull |= {"merged_at": self.stamp(), "merge_commit_sha": made}
        item.pull["sha"] = repo.branches.get(item.pull["head"], item.pull["sha"])
        repo.branches[item.pull["base"]] = made
        return made
