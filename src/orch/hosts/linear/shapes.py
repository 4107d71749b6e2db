"""What Linear answers to our documents.

Invariant: what its schema lets be null is a value; what it does not, is an error.
"""

from __future__ import annotations

import msgspec

from orch.hosts.failures import Unreadable

CLOSED = ("completed", "canceled", "duplicate")
"""The types of workflow states that end an issue."""
WAITING = ("triage", "backlog", "unstarted")


class Camel(msgspec.Struct, frozen=True, rename="camel"):
    """Names are `likeThis` there."""


class Person(Camel, frozen=True):
    id: str
    display_name: str
    app: bool = False


class Member(Person, frozen=True):
    active: bool = False
    guest: bool = True


class Team(Camel, frozen=True):
    id: str
    key: str
    name: str


class State(Camel, frozen=True):
    """`type` is one of `WAITING`, `started`, or one of `CLOSED`."""

    id: str
    name: str
    type: str
    position: float


class Ref(Camel, frozen=True):
    id: str


class Label(Camel, frozen=True):
    id: str
    name: str
    is_group: bool = False
    team: Ref | None = None


class Named(Camel, frozen=True):
    name: str


class Shown(Camel, frozen=True):
    """Somebody by the name only."""

    display_name: str


class Stands(Camel, frozen=True):
    type: str
    name: str = ""


class Bot(Camel, frozen=True):
    type: str


class Page(Camel, frozen=True):
    has_next_page: bool
    end_cursor: str | None = None


class Labels(Camel, frozen=True):
    nodes: list[Label]
    page_info: Page


class Other(Camel, frozen=True):
    identifier: str
    archived_at: str | None = None
    state: Stands | None = None


class Relation(Camel, frozen=True):
    """`issue` stands in this relation (`blocks`, `duplicate`, `related`) to the one asked about."""

    type: str
    issue: Other


class Relations(Camel, frozen=True):
    nodes: list[Relation]
    page_info: Page


class Issue(Camel, frozen=True):
    """`priority`: 0 none, 1 urgent, 2 high, 3 medium, 4 low. `external_user_creator`: somebody of
    another service, who has no account there."""

    id: str
    identifier: str
    title: str
    url: str
    priority: float
    priority_label: str
    created_at: str
    updated_at: str
    state: Stands
    team: Ref
    labels: Labels
    inverse_relations: Relations
    description: str | None = None
    archived_at: str | None = None
    trashed: bool | None = None
    creator: Person | None = None
    bot_actor: Bot | None = None
    external_user_creator: Ref | None = None
    assignee: Shown | None = None
    parent: Other | None = None
    project_milestone: Named | None = None

    @property
    def whole(self) -> bool:
        """Whether its lists were read to their ends."""
        lists = (self.labels.page_info, self.inverse_relations.page_info)
        return not any(page.has_next_page for page in lists)

    @property
    def blockers(self) -> list[str]:
        """The open issues that this one waits for."""
        return [
            one.issue.identifier
            for one in self.inverse_relations.nodes
            if one.type == "blocks"
            and not one.issue.archived_at
            and not (one.issue.state and one.issue.state.type in CLOSED)
        ]


class Happening(Camel, frozen=True):
    id: str
    created_at: str
    actor: Person | None = None
    added_labels: list[Named] | None = None


class Below(Camel, frozen=True):
    id: str
    identifier: str


class Comment(Camel, frozen=True):
    """`issue` is None below what is no issue."""

    id: str
    body: str
    url: str
    created_at: str
    updated_at: str
    archived_at: str | None = None
    user: Person | None = None
    bot_actor: Bot | None = None
    external_user: Ref | None = None
    issue: Below | None = None


def complete(issue: Issue) -> Issue:
    """The issue, if nothing of it is missing."""
    if issue.whole:
        return issue
    raise Unreadable(f"{issue.identifier} has more labels or relations than can be read at once.")
