"""Jira's answers as they come, of Cloud (v3) and Data Center (v2) alike.

Invariant: unknown fields are passed over and every null that Jira is known to send is a value here;
what is asked for and has another type is an error, never a guess. Bodies are `Any`: a document (ADF)
on Cloud, text in wiki markup on Data Center.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROPERTY = "orch"
"""The key of the property in which Orch keeps its mark, on issues and comments (Cloud)."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    pass


class User(Shape, frozen=True, kw_only=True):
    """`accountId` is Cloud's, `key` and `name` are Data Center's; a display name is nobody's id."""

    accountId: str | None = None  # noqa: N815
    accountType: str | None = None  # noqa: N815
    key: str | None = None
    name: str | None = None
    displayName: str | None = None  # noqa: N815

    @property
    def id(self) -> str:
        return self.accountId or self.key or self.name or ""

    @property
    def called(self) -> str:
        return self.displayName or self.name or ""


class Category(Shape, frozen=True, kw_only=True):
    """`key` is `new`, `indeterminate`, `done` or `undefined`, in every language."""

    key: str = ""


class Status(Shape, frozen=True, kw_only=True):
    id: str = ""
    name: str = ""
    statusCategory: Category = Category()  # noqa: N815


class Named(Shape, frozen=True, kw_only=True):
    id: str = ""
    name: str = ""


class Version(Shape, frozen=True, kw_only=True):
    name: str = ""
    released: bool = False
    archived: bool = False


class Attachment(Shape, frozen=True, kw_only=True):
    """`content` is the address of the file."""

    id: str | int = ""
    filename: str = ""
    content: str = ""


class OtherFields(Shape, frozen=True, kw_only=True):
    status: Status | None = None


class Other(Shape, frozen=True, kw_only=True):
    """An issue that another one names."""

    key: str = ""
    fields: OtherFields = OtherFields()


class LinkType(Shape, frozen=True, kw_only=True):
    name: str = ""
    inward: str = ""
    outward: str = ""


class Link(Shape, frozen=True, kw_only=True):
    """With `inwardIssue`, this issue is `type.inward` that one."""

    type: LinkType = LinkType()
    inwardIssue: Other | None = None  # noqa: N815


class EntityProperty(Shape, frozen=True, kw_only=True):
    key: str
    value: Any = None


class Comment(Shape, frozen=True, kw_only=True):
    id: str
    body: Any = None
    author: User | None = None
    created: str = ""
    updated: str = ""
    properties: list[EntityProperty] | None = None

    def key(self) -> str:
        """The key that its property carries, whoever wrote it; empty for none."""
        for one in self.properties or ():
            if one.key == PROPERTY:
                return key_in(one.value)
        return ""


class Comments(Shape, frozen=True, kw_only=True):
    """Of one issue; not whole where `total` is more than there are."""

    comments: list[Comment] = []
    total: int = 0


class Fields(Shape, frozen=True, kw_only=True):
    summary: str | None = None
    description: Any = None
    status: Status | None = None
    labels: list[str] | None = None
    priority: Named | None = None
    assignee: User | None = None
    reporter: User | None = None
    creator: User | None = None
    parent: Other | None = None
    issuelinks: list[Link] | None = None
    attachment: list[Attachment] | None = None
    fixVersions: list[Version] | None = None  # noqa: N815
    comment: Comments | None = None
    created: str | None = None
    updated: str | None = None


class Change(Shape, frozen=True, kw_only=True):
    """`field` is its name; labels are told as words between spaces."""

    field: str = ""
    before: str | None = msgspec.field(default=None, name="fromString")
    after: str | None = msgspec.field(default=None, name="toString")


class History(Shape, frozen=True, kw_only=True):
    id: str
    author: User | None = None
    created: str = ""
    items: list[Change] = []


class Changelog(Shape, frozen=True, kw_only=True):
    """Within an issue: its newest changes, all where `total` is as many."""

    histories: list[History] = []
    total: int = 0


class Issue(Shape, frozen=True, kw_only=True):
    id: str
    key: str
    fields: Fields = Fields()
    properties: dict[str, Any] | None = None
    changelog: Changelog | None = None


class Warned(Shape, frozen=True, kw_only=True):
    type: str = ""
    message: str = ""


class Found(Shape, frozen=True, kw_only=True):
    """A page of a search: Cloud's with `nextPageToken`, Data Center's with `total`.
    `warnings` say that there is more than is told."""

    issues: list[msgspec.Raw] = []
    nextPageToken: str | None = None  # noqa: N815
    isLast: bool | None = None  # noqa: N815
    total: int = 0
    warnings: list[Warned] | None = None


class HistoryPage(Shape, frozen=True, kw_only=True):
    values: list[History] = []
    isLast: bool | None = None  # noqa: N815
    total: int = 0


class CommentPage(Shape, frozen=True, kw_only=True):
    """Of `comment/list`."""

    values: list[Comment] = []


class NeededField(Shape, frozen=True, kw_only=True):
    name: str = ""
    required: bool = False
    hasDefaultValue: bool = False  # noqa: N815
    allowedValues: list[dict[str, Any]] | None = None  # noqa: N815


class Transition(Shape, frozen=True, kw_only=True):
    """`fields` are those of its screen."""

    id: str
    name: str = ""
    to: Status = Status()
    fields: dict[str, NeededField] | None = None
    isAvailable: bool = True  # noqa: N815


class Transitions(Shape, frozen=True, kw_only=True):
    transitions: list[Transition] = []


class Created(Shape, frozen=True, kw_only=True):
    id: str
    key: str


class Server(Shape, frozen=True, kw_only=True):
    """`deploymentType` is `Cloud`, `Server` or `DataCenter`; old servers have none."""

    baseUrl: str = ""  # noqa: N815
    version: str = ""
    deploymentType: str = ""  # noqa: N815

    @property
    def cloud(self) -> bool:
        return self.deploymentType.lower() == "cloud"


class Project(Shape, frozen=True, kw_only=True):
    id: str
    key: str
    name: str = ""


class TypeStatuses(Shape, frozen=True, kw_only=True):
    """A type of issue of a project, and the states that one can have."""

    name: str = ""
    statuses: list[Status] = []


class Have(Shape, frozen=True, kw_only=True):
    havePermission: bool = False  # noqa: N815


class Permissions(Shape, frozen=True, kw_only=True):
    permissions: dict[str, Have] = {}


class Grant(Shape, frozen=True, kw_only=True):
    permission: str = ""
    projects: list[int] = []


class Grants(Shape, frozen=True, kw_only=True):
    projectPermissions: list[Grant] = []  # noqa: N815


def key_in(value: Any) -> str:
    """The key in a property's value; anybody who may edit may have written it."""
    found = value.get("key") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
