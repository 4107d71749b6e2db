"""What the stand-in for GitHub knows: people, repositories, issues, PRs, boards; and its rules.

Invariant: one lock is held by whoever reads or changes it, so that every request sees one state; an
id, a number and a node id are given once. A rule that is broken is a `Refusal` in GitHub's words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.standins.github.gitrepo import GitRepo

RIGHTS = ("none", "read", "triage", "write", "maintain", "admin")


class Refusal(Exception):
    """An answer that is no success. `kind` is the type in GraphQL."""

    def __init__(
        self, status: int, message: str, errors: Sequence[Any] = (), *, kind: str = "",
        **headers: str,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.message, self.errors = status, message, list(errors)
        self.kind = kind or {404: "NOT_FOUND", 403: "FORBIDDEN"}.get(status, "UNPROCESSABLE")
        self.headers = headers


def invalid(resource: str, name: str, code: str, message: str = "") -> Refusal:
    error = {"resource": resource, "field": name, "code": code}
    return Refusal(422, "Validation Failed", [error | ({"message": message} if message else {})])


class Clock:
    """The machine's time, and what `advance` put it forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass
class User:
    login: str
    id: int
    kind: str = "User"
    name: str = ""

    @property
    def node(self) -> str:
        return f"U_{self.id}"


@dataclass
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass
class Milestone:
    id: int
    number: int
    title: str
    state: str = "open"
    due_on: str | None = None


@dataclass
class Comment:
    id: int
    author: User | None
    body: str
    created: float
    updated: float
    issue: Issue
    path: str = ""
    line: int = 0
    commit: str = ""
    review: Review | None = None


@dataclass
class Review:
    id: int
    author: User | None
    state: str
    body: str
    commit: str
    at: float


@dataclass
class Pull:
    head: str
    head_repo: Repo | None
    head_owner: str
    base: str
    draft: bool
    head_sha: str = ""
    base_sha: str = ""
    merged_at: float | None = None
    merged_by: User | None = None
    merge_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)
    line_comments: list[Comment] = field(default_factory=list)
    reviewers: list[User] = field(default_factory=list)


@dataclass
class Issue:
    """An issue or, with `pull`, a pull request."""

    repo: Repo
    number: int
    id: int
    title: str
    body: str | None
    author: User | None
    created: float
    updated: float
    state: str = "open"
    reason: str | None = None
    labels: list[Label] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    milestone: Milestone | None = None
    comments: list[Comment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    closed: float | None = None
    locked: bool = False
    parent: Issue | None = None
    children: list[Issue] = field(default_factory=list)
    blocked_by: list[Issue] = field(default_factory=list)
    pull: Pull | None = None
    edited: float | None = None
    editor: User | None = None

    @property
    def node(self) -> str:
        return f"PR_{self.id}" if self.pull else f"I_{self.id}"


@dataclass
class Check:
    """A check run."""

    id: int
    name: str
    sha: str
    status: str = "completed"
    conclusion: str | None = "success"
    app: str = "ci"


@dataclass
class Status:
    id: int
    context: str
    sha: str
    state: str
    url: str | None
    description: str | None
    at: float


@dataclass
class Board:
    owner: str
    number: int
    id: str
    title: str
    options: list[tuple[str, str]]
    cards: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Repo:
    owner: User
    name: str
    id: int
    git: GitRepo
    default_branch: str = "main"
    private: bool = False
    archived: bool = False
    parent: Repo | None = None
    labels: list[Label] = field(default_factory=list)
    issues: dict[int, Issue] = field(default_factory=dict)
    milestones: list[Milestone] = field(default_factory=list)
    rights: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    numbers: int = 0

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def node(self) -> str:
        return f"R_{self.id}"


class World:
    """All of it. `lag_s`: how much later lists show what was made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.lock = threading.RLock()
        self.lag_s = 0.0
        self.users: dict[str, User] = {}
        self.repos: dict[str, Repo] = {}
        self.boards: list[Board] = []
        self.nodes: dict[str, Any] = {}
        self.listeners: list[Callable[[str, dict[str, Any]], None]] = []
        self.hooks: dict[str, list[Any]] = {}
        self.deaf_to_head = False
        """Whether lists of PRs pass over `head`, as GitHub does with one it does not understand."""
        self.undecided = 0
        """How many more looks at open PRs find that nobody knows yet whether they can be merged."""
        self.moved: dict[str, str] = {}
        """Old paths below `/repos/`, and what they are now: renamed repositories, moved issues."""
        self.gone: set[str] = set()
        """Paths of what was deleted."""
        self._ids = 1000

    # --- furniture ------------------------------------------------------------------------

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def add_user(self, login: str, kind: str = "User") -> User:
        if login not in self.users:
            user = User(login, self.new_id(), kind, name=login.title())
            self.users[login] = self.nodes[user.node] = user
        return self.users[login]

    def add_repo(self, full_name: str, **fields: Any) -> Repo:
        owner, _, name = full_name.partition("/")
        git = GitRepo(self.root / f"{full_name}.git")
        git.create(fields.get("default_branch", "main"))
        repo = Repo(self.add_user(owner), name, self.new_id(), git, **fields)
        repo.rights.setdefault(owner, "admin")
        self.repos[full_name.lower()] = self.nodes[repo.node] = repo
        return repo

    def fork(self, repo: Repo, owner: str) -> Repo:
        made = self.add_repo(f"{owner}/{repo.name}", parent=repo, private=repo.private)
        made.git.take(repo.git)
        return made

    def rename(self, repo: Repo, full_name: str) -> None:
        """Its old name leads to it; the directory keeps the old one, which nobody sees."""
        old = repo.full_name
        del self.repos[old.lower()]
        owner, _, repo.name = full_name.partition("/")
        repo.owner = self.add_user(owner)
        self.repos[full_name.lower()] = repo
        self.moved[old] = full_name
        for issue in repo.issues.values():
            if issue.pull and issue.pull.head_repo is repo:
                issue.pull.head_owner = owner

    def remove_issue(self, issue: Issue) -> None:
        del issue.repo.issues[issue.number]
        self.gone.add(f"{issue.repo.full_name}/issues/{issue.number}")

    def transfer(self, issue: Issue, to: Repo) -> None:
        old = f"{issue.repo.full_name}/issues/{issue.number}"
        del issue.repo.issues[issue.number]
        to.numbers += 1
        issue.repo, issue.number = to, to.numbers
        to.issues[issue.number] = issue
        self.moved[old] = f"{to.full_name}/issues/{issue.number}"

    def remove_repo(self, repo: Repo) -> None:
        """A fork is deleted: PRs from it have a head without a repository."""
        del self.repos[repo.full_name.lower()]
        for other in self.repos.values():
            for issue in other.issues.values():
                if issue.pull and issue.pull.head_repo is repo:
                    issue.pull.head_repo = None

    def add_board(self, owner: str, number: int, title: str, options: Iterable[str]) -> Board:
        made = Board(owner, number, f"PVT_{self.new_id()}", title, [])
        made.options = [(f"opt{n}", name) for n, name in enumerate(options)]
        self.boards.append(made)
        self.nodes[made.id] = made
        return made

    # --- rights ---------------------------------------------------------------------------

    def right(self, user: User, repo: Repo) -> str:
        return repo.rights.get(user.login, "none" if repo.private else "read")

    def may(self, user: User, repo: Repo, right: str) -> bool:
        return RIGHTS.index(self.right(user, repo)) >= RIGHTS.index(right)

    def demand(self, user: User, repo: Repo, right: str) -> None:
        if not self.may(user, repo, "read"):
            raise Refusal(404, "Not Found")
        if not self.may(user, repo, right):
            kind = "installation" if user.kind == "Bot" else "personal access token"
            raise Refusal(403, f"Resource not accessible by {kind}")
        if repo.archived and right != "read":
            raise Refusal(403, "Repository was archived so is read-only.")

    def repo(self, user: User, owner: str, name: str) -> Repo:
        found = self.repos.get(f"{owner}/{name}".lower())
        if found is None or not self.may(user, found, "read"):
            raise Refusal(404, "Not Found")
        return found

    # --- issues ---------------------------------------------------------------------------

    def new_issue(
        self, actor: User, repo: Repo, title: str, body: str | None = None, *,
        labels: Sequence[str] = (), assignees: Sequence[str] = (), milestone: int | None = None,
        pull: Pull | None = None,
    ) -> Issue:  # fmt: skip
        if not title.strip():
            raise invalid("Issue", "title", "missing_field")
        repo.numbers += 1
        now = self.clock()
        made = Issue(repo, repo.numbers, self.new_id(), title, body, actor, now, now, pull=pull)
        repo.issues[made.number] = self.nodes[made.node] = made
        listeners, self.listeners = self.listeners, []
        if self.may(actor, repo, "triage"):  # others' wishes are passed over without a word
            self.add_labels(actor, made, labels)
            self.edit_issue(actor, made, assignees=assignees, milestone=milestone)
        self.listeners = listeners
        self.tell("pull_request" if pull else "issues", "opened", made, actor)
        for label in made.labels:
            self.tell("issues", "labeled", made, actor, label=label)
        return made

    def issue(self, repo: Repo, number: int) -> Issue:
        found = repo.issues.get(number)
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    def touch(self, issue: Issue) -> None:
        issue.updated = max(self.clock(), issue.updated)

    def edit_issue(self, actor: User, issue: Issue, **fields: Any) -> None:
        before = issue.state
        if fields.get("title") not in (None, issue.title):
            self.happen(issue, actor, "renamed", was=issue.title, title=fields["title"])
            issue.title = fields["title"]
        if fields.get("body") not in (None, issue.body):
            issue.body, issue.edited, issue.editor = fields["body"], self.clock(), actor
        if fields.get("assignees") is not None:
            issue.assignees = [self.user(login) for login in fields["assignees"]]
        if "milestone" in fields and fields["milestone"] is not None:
            number = fields["milestone"]
            found = [one for one in issue.repo.milestones if one.number == number]
            if number and not found:
                raise invalid("Issue", "milestone", "invalid")
            issue.milestone = found[0] if number else None
        if (state := fields.get("state")) is not None:
            self.set_state(actor, issue, state, fields.get("reason"))
        self.touch(issue)
        kind = "pull_request" if issue.pull else "issues"
        if any(value is not None for value in fields.values()) and before == issue.state:
            self.tell(kind, "edited", issue, actor)

    def set_state(self, actor: User, issue: Issue, state: str, reason: str | None = None) -> None:
        if issue.pull and issue.pull.merged_at and state == "open":
            raise Refusal(422, "Validation Failed", [{
                "resource": "PullRequest", "field": "state", "code": "invalid",
                "message": "state cannot be changed. The pull request has been merged.",
            }])  # fmt: skip
        if issue.state == state:
            return
        issue.state = state
        issue.closed = self.clock() if state == "closed" else None
        issue.reason = (reason or "completed") if state == "closed" else "reopened"
        self.touch(issue)
        word = "closed" if state == "closed" else "reopened"
        self.happen(issue, actor, word)
        self.tell("pull_request" if issue.pull else "issues", word, issue, actor)

    def happen(self, issue: Issue, actor: User, event: str, **more: Any) -> None:
        entry = {"id": self.new_id(), "event": event, "actor": actor, "at": self.clock(), **more}
        issue.events.append(entry)

    def user(self, login: str) -> User:
        if login not in self.users:
            raise invalid("Issue", "assignees", "invalid")
        return self.users[login]

    # --- labels ---------------------------------------------------------------------------

    def label(self, repo: Repo, name: str) -> Label | None:
        return next((one for one in repo.labels if one.name.lower() == name.lower()), None)

    def new_label(
        self, repo: Repo, name: str, color: str = "ededed", description: str | None = None
    ) -> Label:
        if not name or len(name) > 50:
            raise invalid("Label", "name", "invalid")
        if self.label(repo, name):
            raise invalid("Label", "name", "already_exists")
        made = Label(self.new_id(), name, color, description)
        repo.labels.append(made)
        self.nodes[f"LA_{made.id}"] = made
        return made

    def add_labels(self, actor: User, issue: Issue, names: Iterable[str]) -> None:
        for name in names:
            label = self.label(issue.repo, name) or self.new_label(issue.repo, name)
            if label not in issue.labels:
                issue.labels.append(label)
                self.happen(issue, actor, "labeled", label=label)
                self.touch(issue)
                self.tell("issues", "labeled", issue, actor, label=label)

    def remove_label(self, actor: User, issue: Issue, name: str) -> None:
        label = self.label(issue.repo, name)
        if label is None or label not in issue.labels:
            raise Refusal(404, "Label does not exist")
        issue.labels.remove(label)
        self.happen(issue, actor, "unlabeled", label=label)
        self.touch(issue)
        self.tell("issues", "unlabeled", issue, actor, label=label)

    # --- comments -------------------------------------------------------------------------

    def new_comment(self, actor: User, issue: Issue, body: str) -> Comment:
        if not body.strip():
            raise invalid("IssueComment", "body", "missing_field", "Body cannot be blank")
        if len(body) > 65536:
            raise invalid("IssueComment", "body", "custom", "Body is too long (maximum is 65536)")
        now = self.clock()
        made = Comment(self.new_id(), actor, body, now, now, issue)
        issue.comments.append(made)
        self.nodes[f"IC_{made.id}"] = made
        self.touch(issue)
        self.tell("issue_comment", "created", issue, actor, comment=made)
        return made

    def comment(self, repo: Repo, number: int) -> Comment:
        for issue in repo.issues.values():
            for comment in issue.comments:
                if comment.id == number:
                    return comment
        raise Refusal(404, "Not Found")

    # --- relations ------------------------------------------------------------------------

    def add_child(self, parent: Issue, child: Issue, *, replace: bool = False) -> None:
        if child.parent is not None and not replace:
            raise Refusal(422, "An error occurred while adding the sub-issue to the parent issue."
                          " Issue may not contain duplicate sub-issues and Sub issue may only have"
                          " one parent")  # fmt: skip
        if child is parent or child in _ancestors(parent):
            raise Refusal(422, "Sub-issues may not form a circle")
        if child.parent is not None:
            child.parent.children.remove(child)
        child.parent = parent
        parent.children.append(child)
        self.touch(parent)
        self.touch(child)

    def remove_child(self, parent: Issue, child: Issue) -> None:
        if child.parent is not parent:
            raise Refusal(404, "The sub-issue does not exist")
        child.parent = None
        parent.children.remove(child)
        self.touch(parent)
        self.touch(child)

    def block(self, issue: Issue, blocker: Issue) -> None:
        if blocker in issue.blocked_by:
            raise Refusal(422, "Target issue has already been taken")
        if blocker is issue:
            raise Refusal(422, "An issue cannot block itself")
        issue.blocked_by.append(blocker)
        self.touch(issue)

    def unblock(self, issue: Issue, blocker: Issue) -> None:
        if blocker not in issue.blocked_by:
            raise Refusal(404, "The dependency does not exist")
        issue.blocked_by.remove(blocker)
        self.touch(issue)

    def listed(self, made: Iterable[Any]) -> list[Any]:
        """Those that lists show by now."""
        return [one for one in made if one.created + self.lag_s <= self.clock()]

    def tell(self, event: str, action: str, issue: Issue, actor: User, **more: Any) -> None:
        for listener in self.listeners:
            listener(event, {"action": action, "issue": issue, "actor": actor, **more})


def _ancestors(issue: Issue | None) -> list[Issue]:
    found = []
    while issue is not None:
        found.append(issue)
        issue = issue.parent
    return found
