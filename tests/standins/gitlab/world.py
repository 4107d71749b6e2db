"""The state of the stand-in for GitLab, and what people do there without the API.

Invariant: times are the clock's, in thousandths; a change puts its `updated_at` forward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any


@dataclass
class User:
    id: int
    username: str
    bot: bool = False
    state: str = "active"


@dataclass
class Note:
    id: int
    body: str
    author: User
    created_at: str
    updated_at: str
    system: bool = False
    position: dict[str, Any] | None = None
    resolvable: bool = False
    resolved: bool = False


@dataclass
class Item:
    """An issue or merge request. `more` are the fields of its kind."""

    id: int
    iid: int
    title: str
    description: str | None
    author: User
    created_at: str
    updated_at: str
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    milestone: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Project:
    id: int
    path: str
    members: dict[int, int] = field(default_factory=dict)
    issues: dict[int, Item] = field(default_factory=dict)
    merges: dict[int, Item] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pipelines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    links: list[tuple[int, int]] = field(default_factory=list)
    """The first is blocked by the second."""
    merge_method: str = "merge"
    approve_own: bool = False
    conflicts: set[int] = field(default_factory=set)


class World:
    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.users: dict[int, User] = {}
        self.projects: dict[int, Project] = {}
        self.premium = False
        self.grows = ""
        """The commit that a branch has that is first heard of in a merge request: pushes are none of
        this stand-in's business. Empty: such a branch does not exist."""
        self._number = 0

    def number(self) -> int:
        self._number += 1
        return self._number

    def stamp(self) -> str:
        moment = datetime.fromtimestamp(self.now(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # --- what people do

    def add_user(self, name: str, **more: Any) -> User:
        for user in self.users.values():
            if user.username == name:
                return user
        user = User(self.number() + 100, name, **more)
        self.users[user.id] = user
        return user

    def add_project(self, path: str, **levels: int) -> Project:
        project = Project(self.number() + 1000, path)
        project.members = {self.add_user(name).id: level for name, level in levels.items()}
        project.branches["main"] = sha1(path.encode()).hexdigest()
        self.projects[project.id] = project
        return project

    def at(self, path: str) -> Project:
        return next(one for one in self.projects.values() if one.path == path)

    def add_issue(
        self,
        project: Project,
        title: str,
        author: str,
        *,
        body: str = "",
        labels: tuple[str, ...] = (),
    ) -> Item:
        who, now = self.add_user(author), self.stamp()
        iid = max(project.issues, default=0) + 1
        item = Item(self.number(), iid, title, body, who, now, now)
        project.issues[iid] = item
        self.relabel(item, list(labels), [], who)
        return item

    def relabel(self, item: Item, add: list[str], remove: list[str], who: User) -> None:
        for action, names in (("add", add), ("remove", remove)):
            for name in names:
                if (name in item.labels) == (action == "add"):
                    continue
                item.labels = sorted(
                    {*item.labels, name} - ({name} if action == "remove" else set())
                )
                item.events.append({"id": self.number(), "action": action, "user": who,
                                    "created_at": self.stamp(), "label": {"name": name}})  # fmt: skip
        self.touch(item)

    def say(self, item: Item, author: str, body: str, **more: Any) -> Note:
        now = self.stamp()
        note = Note(self.number(), body, self.add_user(author), now, now, **more)
        item.notes.append(note)
        self.touch(item)
        return note

    def edit(self, item: Item, note: Note, body: str) -> None:
        note.body, note.updated_at = body, self.stamp()
        self.touch(item)

    def touch(self, item: Item) -> None:
        item.updated_at = self.stamp()

    def settle(self, project: Project, merge: Item, state: str) -> str:
        """Somebody merges or closes it. The commit that did it, if one did."""
        merge.state = state
        self.touch(merge)
        if state != "merged":
            return ""
        made = sha1(f"{project.id}!{merge.iid}".encode()).hexdigest()
        merge.more["merged_at"] = self.stamp()
        merge.more["merge_commit_sha"] = made
        project.branches[merge.more["target_branch"]] = made
        return made
