"""What the stand-in for Jira knows: people, projects with their workflow, issues; and its rules.

Invariant: one lock is held by whoever reads or changes it; an id and a key are given once. A rule
that is broken is a `Refusal` in Jira's words. What a search sees of an issue is `lag_s` old.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.standins.github.world import Clock

CATEGORIES = {"new": (2, "To Do", "blue-gray"), "indeterminate": (4, "In Progress", "yellow"),
              "done": (3, "Done", "green")}  # fmt: skip
RIGHTS = ("BROWSE_PROJECTS", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "DELETE_OWN_COMMENTS",
          "TRANSITION_ISSUES", "EDIT_ISSUES", "CREATE_ISSUES")  # fmt: skip
ADMIN = "ADMINISTER_PROJECTS"


class Refusal(Exception):
    def __init__(self, status: int, *messages: str, **errors: str) -> None:
        super().__init__(*messages)
        self.status, self.messages, self.errors = status, list(messages), errors
        self.headers: dict[str, str] = {}


@dataclass
class User:
    name: str
    display: str
    kind: str = "atlassian"
    zone: str = "Etc/UTC"
    admin: bool = False

    @property
    def account(self) -> str:
        """Cloud's id, which says nothing about who it is."""
        return f"557058:{hashlib.sha256(self.name.encode()).hexdigest()[:24]}"

    @property
    def key(self) -> str:
        """Data Center's, which stays when the name changes."""
        return f"JIRAUSER{int(hashlib.sha256(self.key_seed.encode()).hexdigest()[:6], 16)}"

    key_seed: str = ""


@dataclass
class Status:
    id: str
    name: str
    category: str


@dataclass
class Transition:
    """`start` None: from everywhere. `fields` are those of its screen."""

    id: str
    name: str
    start: str | None
    to: Status
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Project:
    id: str
    key: str
    statuses: dict[str, Status]
    transitions: list[Transition]
    rights: dict[str, set[str]] = field(default_factory=dict)
    types: tuple[str, ...] = ("Task", "Bug", "Story")
    last: int = 0


@dataclass
class Comment:
    id: str
    author: User
    body: Any
    created: float
    updated: float
    editor: User
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class Issue:
    id: str
    key: str
    project: Project
    summary: str
    description: Any
    status: Status
    creator: User
    reporter: User | None
    created: float
    updated: float
    type: str = "Task"
    labels: list[str] = field(default_factory=list)
    priority: str | None = "Medium"
    assignee: User | None = None
    parent: Issue | None = None
    blockers: list[Issue] = field(default_factory=list)
    attachments: list[tuple[str, str]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    resolution: str | None = None
    comments: list[Comment] = field(default_factory=list)
    histories: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    index: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """What a search asks of it."""
        return {
            "project": [self.project.key, self.project.id],
            "status": [self.status.name, self.status.id],
            "statuscategory": [CATEGORIES[self.status.category][1], self.status.category],
            "labels": tuple(self.labels), "creator": [self.creator.account, self.creator.name],
            "updated": self.updated, "created": self.created, "key": self.key,
            "issuetype": self.type,
        }  # fmt: skip


class Frozen(Clock):
    """Time that passes only where a test says so."""

    def __call__(self) -> float:
        return 1_763_697_600.0 + self._ahead


class World:
    def __init__(self, *, cloud: bool, clock: Clock | None = None) -> None:
        self.cloud = cloud
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.warning = ""
        """What a search of Cloud says when it does not tell all."""
        self.lag_s = self.talk_lag_s = 0.0
        self.users: dict[str, User] = {}
        self.projects: dict[str, Project] = {}
        self.issues: dict[str, Issue] = {}
        self.moved: dict[str, str] = {}
        self._last = 10_000

    def number(self) -> str:
        self._last += 1
        return str(self._last)

    # --- for tests, which are the people here -------------------------------------------------

    def add_user(self, name: str, **more: Any) -> User:
        if name not in self.users:
            self.users[name] = User(name, name.capitalize(), key_seed=name, **more)
        return self.users[name]

    def add_project(
        self, key: str, *, rights: Mapping[str, Sequence[str]], words: Sequence[tuple[str, str]] = (),
    ) -> Project:  # fmt: skip
        """`words` are states with their category; from each of them there is a way to all others."""
        words = words or (("To Do", "new"), ("In Progress", "indeterminate"),
                          ("In Review", "indeterminate"), ("Done", "done"))  # fmt: skip
        statuses = {name: Status(self.number(), name, category) for name, category in words}
        ways = [
            Transition(self.number(), f"Go to {one.name}", None, one) for one in statuses.values()
        ]
        made = Project(self.number(), key, statuses, ways)
        for name, own in rights.items():
            self.add_user(name)
            made.rights[name] = set(own)
        self.projects[key] = made
        return made

    def add_issue(
        self, project: str, summary: str, *, by: str, description: Any = None, **more: Any
    ) -> Issue:
        with self.lock:
            home, author = self.projects[project], self.add_user(by)
            home.last += 1
            now = self.clock()
            first = next(iter(home.statuses.values()))
            reporter = more.pop("reporter", author)
            made = Issue(self.number(), f"{project}-{home.last}", home, summary, description, first,
                         author, reporter, now, now, **more)  # fmt: skip
            self.issues[made.key] = made
            self.touch(made)
            return made

    def comment(self, issue: Issue, by: str, body: Any, **properties: Any) -> Comment:
        with self.lock:
            now, author = self.clock(), self.add_user(by)
            made = Comment(self.number(), author, body, now, now, author, dict(properties))
            issue.comments.append(made)
            self.touch(issue)
            return made

    def label(self, issue: Issue, by: str, *labels: str) -> None:
        """These and no others."""
        self.change(issue, self.add_user(by), "labels", " ".join(issue.labels), " ".join(labels))
        issue.labels = list(labels)
        self.touch(issue)

    def move(self, issue: Issue, by: str, word: str) -> None:
        to = issue.project.statuses[word]
        self.change(issue, self.add_user(by), "status", issue.status.name, to.name)
        issue.status = to
        self.touch(issue)

    def retitle(self, issue: Issue, by: str, summary: str) -> None:
        self.change(issue, self.add_user(by), "summary", issue.summary, summary)
        issue.summary = summary
        self.touch(issue)

    def carry(self, issue: Issue, project: str) -> None:
        """To another project, where it gets another key; the old one still leads to it."""
        with self.lock:
            old, home = issue.key, self.projects[project]
            home.last += 1
            issue.project, issue.key = home, f"{project}-{home.last}"
            self.issues[issue.key] = self.issues.pop(old)
            self.moved[old] = issue.key
            self.touch(issue)

    # --- how ----------------------------------------------------------------------------------

    def change(self, issue: Issue, by: User, name: str, before: str, after: str) -> None:
        with self.lock:
            issue.histories.append({
                "id": self.number(), "author": by, "created": self.clock(),
                "items": [{"field": name, "fieldtype": "jira", "fieldId": name,
                           "from": None, "fromString": before, "to": None, "toString": after}],
            })  # fmt: skip

    def touch(self, issue: Issue) -> None:
        with self.lock:
            issue.updated = self.clock()
            issue.index.append((issue.updated, issue.row()))

    def indexed(self, issue: Issue) -> dict[str, Any] | None:
        """What the search knows of it, None where it does not know it yet."""
        until = self.clock() - self.lag_s
        rows = [row for at, row in issue.index if at <= until]
        return rows[-1] if rows else None

    def may(self, user: User, project: Project, right: str) -> bool:
        return user.admin or right in project.rights.get(user.name, set())

    def demand(self, user: User, project: Project, right: str) -> None:
        if not self.may(user, project, right):
            raise Refusal(403, f"You do not have the permission {right} in {project.key}.")

    def found(self, user: User, word: str) -> Issue:
        issue = self.issues.get(self.moved.get(word, word))
        if issue is None or not self.may(user, issue.project, "BROWSE_PROJECTS"):
            raise Refusal(404, "Issue does not exist or you do not have permission to see it.")
        return issue
