"""What GitHub knows, in plain words without nulls: what adapters get, whichever API it came from.

Invariant: every text is data. A person whose account is gone is the `ghost`; a fork that is gone has
the empty name (H65). Times are RFC 3339 in UTC as GitHub writes them, empty where there is none.
"""

from __future__ import annotations

from typing import Literal

import msgspec

GHOST = "ghost"


class Person(msgspec.Struct, frozen=True):
    """`id` is what stays when somebody is renamed; 0 for nobody. `kind`: `User`, `Bot`, ..."""

    login: str = GHOST
    id: int = 0
    kind: str = ""


class Label(msgspec.Struct, frozen=True):
    """`color` is six hexadecimal digits."""

    name: str
    color: str = "ededed"
    description: str = ""


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    title: str
    state: str = "open"
    due: str = ""


class Link(msgspec.Struct, frozen=True, order=True):
    """Another issue: `repo` is `owner/name`, because it may live elsewhere (H94)."""

    repo: str
    number: int
    state: str = "open"


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is `open` or `closed`. `node` is its GraphQL id, `id` the numeric one.

    `parent`, `children`, `blocked_by`, `edited` and `editor` (of the last change of title or body)
    are known only where GraphQL was asked (`related`). `raw` is the answer it was made of, for
    reference.
    """

    repo: str
    number: int
    id: int
    node: str
    url: str
    title: str
    body: str = ""
    state: Literal["open", "closed"] = "open"
    reason: str = ""
    author: Person = Person()
    assignees: tuple[Person, ...] = ()
    labels: tuple[str, ...] = ()
    milestone: Milestone | None = None
    comments: int = 0
    created: str = ""
    updated: str = ""
    closed: str = ""
    locked: bool = False
    related: bool = False
    parent: Link | None = None
    children: tuple[Link, ...] = ()
    blocked_by: tuple[Link, ...] = ()
    edited: str = ""
    editor: Person = Person()
    raw: bytes = b""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """`issue` is the number it belongs to. `path` is set for one on a line of a PR's diff."""

    id: int
    url: str
    body: str
    issue: int
    author: Person = Person()
    created: str = ""
    updated: str = ""
    app: str = ""
    path: str = ""
    line: int = 0
    commit: str = ""
    answers: int = 0
    """The comment that it answers, 0 for none."""
    review: int = 0
    """The review that it is a part of, 0 for none."""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something of an issue's history: `labeled`, `assigned`, `closed`, ... by `actor`."""

    id: int
    kind: str
    at: str
    actor: Person = Person()
    label: str = ""


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is `open`, `merged` or `closed`. `head_repo` is empty where the fork is gone; then only
    `head_owner` may still say whose it was. `mergeable` is None while GitHub is finding out.

    `reviewers` are asked and have not answered. What lists leave out (`mergeable`, `merged_by`,
    counts) is in `get` only.
    """

    repo: str
    number: int
    id: int
    node: str
    url: str
    title: str
    body: str = ""
    state: Literal["open", "merged", "closed"] = "open"
    draft: bool = False
    head: str
    head_sha: str
    head_repo: str = ""
    head_owner: str = ""
    base: str
    base_sha: str = ""
    author: Person = Person()
    labels: tuple[str, ...] = ()
    milestone: Milestone | None = None
    merged_at: str = ""
    merged_sha: str = ""
    merged_by: Person = Person()
    mergeable: bool | None = None
    mergeable_state: str = ""
    reviewers: tuple[Person, ...] = ()
    created: str = ""
    updated: str = ""
    closed: str = ""

    @property
    def foreign(self) -> bool:
        """Whether its head is not in the repository itself, or nobody knows where it was."""
        return self.head_repo.lower() != self.repo.lower()


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: `added`, `removed`, `modified`, `renamed`, `copied`, `changed`, `unchanged`."""

    path: str
    status: str = "modified"
    added: int = 0
    removed: int = 0
    patch: str = ""
    was: str = ""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED`, `PENDING`. `commit` is the
    head that was looked at."""

    id: int
    state: str
    body: str = ""
    author: Person = Person()
    commit: str = ""
    at: str = ""
    url: str = ""


class Merged(msgspec.Struct, frozen=True):
    """A merge that was done now; `sha` is the commit of the base's history."""

    sha: str


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """`permission` is ours: `admin`, `maintain`, `push`, `triage`, `pull` or empty."""

    name: str
    id: int
    node: str
    url: str
    default_branch: str
    private: bool = False
    archived: bool = False
    fork: bool = False
    parent: str = ""
    has_issues: bool = True
    permission: str = ""
    merge: tuple[str, ...] = ("merge", "squash", "rebase")


class Option(msgspec.Struct, frozen=True):
    """A choice of a board's field."""

    id: str
    name: str


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A project (v2) and the field that says how a thing stands."""

    id: str
    number: int
    title: str
    field: str
    options: tuple[Option, ...] = ()

    def option(self, name: str) -> Option | None:
        return next((one for one in self.options if one.name.lower() == name.lower()), None)


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A thing's place on a board; `status` is empty where none is set."""

    id: str
    board: str
    status: str = ""


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to GitHub. `scopes` are a classic token's, empty for all others."""

    person: Person
    scopes: tuple[str, ...] = ()
