"""The state of the stand-in for Linear, and what people do there without the API.

Invariant: an id is given once, also where what had it was deleted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TYPES = {
    "Triage": "triage", "Backlog": "backlog", "Todo": "unstarted", "In Progress": "started",
    "In Review": "started", "Done": "completed", "Canceled": "canceled",
}  # fmt: skip


@dataclass
class User:
    id: str
    name: str
    app: bool = False
    guest: bool = False
    active: bool = True


@dataclass
class Comment:
    id: str
    body: str
    user: User
    created: str
    updated: str
    deleted: bool = False


@dataclass
class Issue:
    id: str
    number: int
    team: str
    title: str
    body: str
    creator: User
    created: str
    updated: str
    state: str = "Todo"
    priority: int = 0
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    blocked_by: list[Issue] = field(default_factory=list)
    trashed: bool = False
    archived: str = ""
    external: bool = False

    @property
    def identifier(self) -> str:
        return f"{self.team}-{self.number}"


@dataclass
class Team:
    id: str
    key: str
    members: list[User] = field(default_factory=list)


class World:
    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.users: dict[str, User] = {}
        self.teams: dict[str, Team] = {}
        self.issues: dict[str, Issue] = {}
        self.labels: dict[str, dict[str, Any]] = {}
        self.used: set[str] = set()
        self.aliases: dict[str, str] = {}
        """Identifiers that issues had before they went elsewhere: they go on to lead to them."""
        self._number = 0

    def id(self, wanted: str = "") -> str:
        self._number += 1
        made = wanted or str(uuid.UUID(int=self._number, version=4))
        self.used.add(made)
        return made

    def stamp(self) -> str:
        moment = datetime.fromtimestamp(self.now(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def add_user(self, name: str, **more: Any) -> User:
        for user in self.users.values():
            if user.name == name:
                return user
        user = User(self.id(), name, **more)
        self.users[user.id] = user
        return user

    def add_team(self, key: str, *members: str) -> Team:
        team = Team(self.id(), key, [self.add_user(name) for name in members])
        self.teams[key] = team
        return team

    def add_issue(
        self, team: str, title: str, by: str, *, body: str = "", labels: tuple[str, ...] = (),
        id: str = "", **more: Any,
    ) -> Issue:  # fmt: skip
        now, taken = self.stamp(), [one.number for one in self.issues.values() if one.team == team]
        issue = Issue(self.id(id), max(taken, default=0) + 1, team, title, body,
                      self.add_user(by), now, now, **more)  # fmt: skip
        issue.labels = [self.label(name) for name in labels]
        self.issues[issue.id] = issue
        return issue

    def label(self, name: str, team: str = "", *, group: bool = False) -> str:
        for id, label in self.labels.items():
            if label["name"] == name:
                return id
        made = self.id()
        self.labels[made] = {"name": name, "team": team, "group": group}
        return made

    def relabel(self, issue: Issue, add: list[str], remove: list[str], who: User) -> None:
        on = [one for one in add if one not in issue.labels]
        off = [one for one in remove if one in issue.labels]
        issue.labels = [one for one in issue.labels if one not in off] + on
        if on or off:
            issue.history.append({"id": self.id(), "at": self.stamp(), "who": who, "on": on,
                                  "off": off})  # fmt: skip
        issue.updated = self.stamp()

    def move(self, issue: Issue, state: str) -> None:
        issue.state, issue.updated = state, self.stamp()

    def send(self, issue: Issue, team: str, number: int) -> None:
        """Somebody moves it to a team, where it has another identifier."""
        self.aliases[issue.identifier] = issue.id
        issue.team, issue.number, issue.updated = team, number, self.stamp()

    def say(self, issue: Issue, by: str, body: str, id: str = "") -> Comment:
        now = self.stamp()
        made = Comment(self.id(id), body, self.add_user(by), now, now)
        issue.comments.append(made)
        issue.updated = now
        return made
