"""Issues over GraphQL: what changed in a repository, whole, and how issues hang together.

Invariants:

- A list is whole or an error (H93). Pages follow a cursor over (updated, id), so what changes while
  they are read comes once more and nothing is passed over.
- A list inside an issue that is longer than its page is read to its end over REST.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from orch.hosts.failures import Invalid, Missing, Unanswered, Unknown, Unreadable
from orch.hosts.github import documents
from orch.hosts.github.address import repository
from orch.hosts.github.facts import GHOST, Issue, Link, Milestone, Person
from orch.hosts.github.graph import Asked, lacks
from orch.hosts.github.shapes import LabelShape
from orch.model import typed

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

T = TypeVar("T")
_LEAST_PAGE = 10


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class _Actor(Shape, frozen=True, kw_only=True):
    login: str
    database_id: int | None = None
    typename: str = msgspec.field(default="User", name="__typename")


class _Repo(Shape, frozen=True, kw_only=True):
    name_with_owner: str


class _Other(Shape, frozen=True, kw_only=True):
    number: int
    state: str
    repository: _Repo


class _Others(Shape, frozen=True, kw_only=True):
    total_count: int = 0
    nodes: list[_Other | None] | None = None


class _Named(Shape, frozen=True, kw_only=True):
    name: str


class _Labels(Shape, frozen=True, kw_only=True):
    total_count: int = 0
    nodes: list[_Named | None] | None = None


class _People(Shape, frozen=True, kw_only=True):
    nodes: list[_Actor | None] | None = None


class _Count(Shape, frozen=True, kw_only=True):
    total_count: int = 0


class _Milestone(Shape, frozen=True, kw_only=True):
    number: int
    title: str
    state: str = "OPEN"
    due_on: str | None = None


class _Related(Shape, frozen=True, kw_only=True):
    """What two documents ask for."""

    number: int
    parent: _Other | None = None
    sub_issues: _Others = _Others()
    blocked_by: _Others | None = None


class _Renaming(Shape, frozen=True, kw_only=True):
    created_at: str = ""
    actor: _Actor | None = None


class _Renamings(Shape, frozen=True, kw_only=True):
    nodes: list[_Renaming | None] | None = None


class _Issue(_Related, frozen=True, kw_only=True):
    id: str
    url: str
    title: str
    state: str
    full_database_id: str | int | None = None
    body: str | None = None
    state_reason: str | None = None
    author: _Actor | None = None
    assignees: _People = _People()
    labels: _Labels | None = None
    milestone: _Milestone | None = None
    comments: _Count = _Count()
    created_at: str = ""
    updated_at: str = ""
    closed_at: str | None = None
    locked: bool = False
    last_edited_at: str | None = None
    editor: _Actor | None = None
    timeline_items: _Renamings = _Renamings()
    repository: _Repo | None = None

    def last_edit(self) -> tuple[str, Person]:
        """When title or body was last changed, and by whom; empty for never."""
        titles = self.timeline_items.nodes or ()
        edits = [(one.created_at, _person(one.actor)) for one in titles if one]
        if self.last_edited_at:
            edits.append((self.last_edited_at, _person(self.editor)))
        return max(edits, key=lambda edit: edit[0], default=("", Person()))


class _PageInfo(Shape, frozen=True, kw_only=True):
    has_next_page: bool
    end_cursor: str | None = None


class _Page(Shape, frozen=True, kw_only=True):
    page_info: _PageInfo
    nodes: list[msgspec.Raw] | None = None


class _SyncRepo(Shape, frozen=True, kw_only=True):
    name_with_owner: str
    issues: _Page


class _Sync(Shape, frozen=True, kw_only=True):
    repository: _SyncRepo | None = None


class _TailInfo(Shape, frozen=True, kw_only=True):
    start_cursor: str | None = None


class _Updated(Shape, frozen=True, kw_only=True):
    updated_at: str = ""


class _TailPage(Shape, frozen=True, kw_only=True):
    page_info: _TailInfo
    nodes: list[_Updated | None] | None = None


class _TailRepo(Shape, frozen=True, kw_only=True):
    issues: _TailPage


class _Tail(Shape, frozen=True, kw_only=True):
    repository: _TailRepo | None = None


class _OneRepo(Shape, frozen=True, kw_only=True):
    name_with_owner: str
    issue: msgspec.Raw = msgspec.Raw(b"null")


class _One(Shape, frozen=True, kw_only=True):
    repository: _OneRepo | None = None


class _Batch(Shape, frozen=True, kw_only=True):
    repository: dict[str, _Related | None] | None = None


class _RestRepo(msgspec.Struct, frozen=True):
    full_name: str = ""


class _RestOther(msgspec.Struct, frozen=True):
    number: int
    state: str
    html_url: str = ""
    repository: _RestRepo | None = None


class Relations(msgspec.Struct, frozen=True, kw_only=True):
    """How an issue hangs together with others. A blocker that this credential may not see is a `Link`
    without a repository, and `unknown`."""

    parent: Link | None = None
    children: tuple[Link, ...] = ()
    blocked_by: tuple[Link, ...] = ()


class Changed(NamedTuple):
    """Issues in the order of their last change; `ends` are the positions, over (updated, id), at
    which each page ended, and where a later reading may go on."""

    issues: list[Issue]
    ends: list[str]


class Related:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._blocked = True

    def changed(self, repo: str, *, since: str = "") -> list[Issue]:
        """The issues that changed at `since` (RFC 3339) or later, all without, with everything that a
        ticket needs: the one query of a sync. Oldest change first. Of a repository that was renamed
        they bear the new name, by which other issues name them, too."""
        return self.window(repo, since=since).issues

    def window(
        self, repo: str, *, since: str = "", after: str = "", open_only: bool = False
    ) -> Changed:
        """The same from the position `after` on (one of `Changed.ends`). `Invalid` where GitHub does
        not know that position any more."""
        owner, name = repository(repo).split("/")
        found: dict[int, Issue] = {}
        ends: list[str] = []
        at = after or None
        first = documents.SYNC_PAGE
        while True:
            variables = {"owner": owner, "name": name, "since": since or None, "after": at,
                         "first": first}  # fmt: skip
            try:
                answer = self._asked(
                    lambda blocked: documents.sync(blocked=blocked, open_only=open_only),
                    _Sync, variables,
                )  # fmt: skip
            except Unanswered as error:
                # GitHub gives up on a page that takes it more than ten seconds.
                if first <= _LEAST_PAGE or not error.data.get("status"):
                    raise
                first //= 2
                continue
            if answer.repository is None:
                raise Missing(f"{self._caller.address.name} shows no repository {repo}.")
            page, home = answer.repository.issues, answer.repository.name_with_owner
            for raw in page.nodes or ():
                issue = self._issue(home, raw)
                found.pop(issue.number, None)
                found[issue.number] = issue
            if page.nodes and page.page_info.end_cursor:
                ends.append(page.page_info.end_cursor)
            if not page.page_info.has_next_page:
                return Changed(list(found.values()), ends)
            if page.page_info.end_cursor in (None, at):
                raise Unreadable(f"The pages of the issues of {repo} do not go on.")
            at = page.page_info.end_cursor

    def tail(self, repo: str) -> tuple[str, str]:
        """When an issue changed last (empty where there is none), and a position a page before."""
        owner, name = repository(repo).split("/")
        variables = {"owner": owner, "name": name, "last": documents.SYNC_PAGE}
        home = self._caller.ask(documents.TAIL, _Tail, variables).repository
        if home is None:
            raise Missing(f"{self._caller.address.name} shows no repository {repo}.")
        changes = [one.updated_at for one in home.issues.nodes or () if one]
        return max(changes, default=""), home.issues.page_info.start_cursor or ""

    def one(self, repo: str, number: int) -> Issue:
        """One issue as `changed` shows it. `Missing`: never there, gone, moved to another repository,
        a pull request, or not ours to see."""
        owner, name = repository(repo).split("/")
        variables = {"owner": owner, "name": name, "number": number}
        home = self._asked(
            lambda blocked: documents.one(blocked=blocked), _One, variables
        ).repository
        if home is None or home.issue == msgspec.Raw(b"null"):
            raise Missing(f"{self._caller.address.name} shows no issue {number} in {repo}.")
        where = typed.decode(home.issue, _Issue).repository
        if where is not None and where.name_with_owner != home.name_with_owner:
            raise Missing(
                f"The issue {number} of {repo} has moved to {where.name_with_owner}.",
                code="host_gone",
                moved=where.name_with_owner,
            )
        return self._issue(home.name_with_owner, home.issue)

    def of(self, repo: str, numbers: Sequence[int]) -> dict[int, Relations]:
        """The relations of many issues in few questions; a number that is no issue is left out."""
        owner, name = repository(repo).split("/")
        found: dict[int, Relations] = {}
        unique = sorted(set(numbers))
        for start in range(0, len(unique), documents.BATCH):
            batch = unique[start : start + documents.BATCH]
            answer = self._asked(
                lambda blocked, batch=batch: documents.relations(batch, blocked=blocked),
                _Batch, {"owner": owner, "name": name},
            )  # fmt: skip
            if answer.repository is None:
                raise Missing(f"{self._caller.address.name} shows no repository {repo}.")
            for related in answer.repository.values():
                if related is not None:
                    found[related.number] = self._relations(repo, related)
        return found

    def add_child(self, parent: str, child: str) -> Unknown | None:
        """By node ids. `Invalid` where it has a parent, or has this one already: look first."""
        return self._told(documents.ADD_CHILD, {"issueId": parent, "subIssueId": child})

    def remove_child(self, parent: str, child: str) -> Unknown | None:
        return self._told(documents.REMOVE_CHILD, {"issueId": parent, "subIssueId": child})

    def block(self, issue: str, blocker: str) -> Unknown | None:
        """`issue` waits for `blocker`, by node ids. `Invalid` where it does already: look first."""
        return self._told(documents.ADD_BLOCKER, {"issueId": issue, "blockingIssueId": blocker})

    def unblock(self, issue: str, blocker: str) -> Unknown | None:
        return self._told(documents.REMOVE_BLOCKER, {"issueId": issue, "blockingIssueId": blocker})

    def _told(self, asked: Asked, given: dict[str, str]) -> Unknown | None:
        done = self._caller.tell(asked, dict[str, Any], {"input": given})
        return done if isinstance(done, Unknown) else None

    def _asked(self, document: Any, shape: type[T], variables: dict[str, Any]) -> T:
        """Ask with blockers; a server that has none is asked without, from then on."""
        if self._blocked:
            try:
                return self._caller.ask(document(True), shape, variables)
            except Invalid as error:
                if not lacks(error, "blockedBy"):
                    raise
                self._blocked = False
        return self._caller.ask(document(False), shape, variables)

    def _issue(self, repo: str, raw: msgspec.Raw) -> Issue:
        try:
            node = typed.decode(raw, _Issue)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"An issue of {repo} cannot be read: {error}.") from error
        related = self._relations(repo, node)
        number = str(node.full_database_id or 0)
        edited, editor = node.last_edit()
        return Issue(
            repo=repo,
            number=node.number,
            id=int(number) if number.isdigit() else 0,
            node=node.id,
            url=node.url,
            title=node.title,
            body=node.body or "",
            state="closed" if node.state == "CLOSED" else "open",
            reason=(node.state_reason or "").lower(),
            author=_person(node.author),
            assignees=tuple(_person(one) for one in node.assignees.nodes or () if one),
            labels=self._labels(repo, node),
            milestone=_milestone(node.milestone),
            comments=node.comments.total_count,
            created=node.created_at,
            updated=node.updated_at,
            closed=node.closed_at or "",
            locked=node.locked,
            related=True,
            parent=related.parent,
            children=related.children,
            blocked_by=related.blocked_by,
            edited=edited,
            editor=editor,
            raw=bytes(raw),
        )

    def _labels(self, repo: str, node: _Issue) -> tuple[str, ...]:
        labels = node.labels or _Labels()
        names = tuple(one.name for one in labels.nodes or () if one)
        if len(names) >= labels.total_count:
            return names
        path = f"/repos/{repository(repo)}/issues/{node.number}/labels"
        return tuple(shape.name for shape in self._caller.pages(path, LabelShape))

    def _relations(self, repo: str, node: _Related) -> Relations:
        parts = {"sub_issues": node.sub_issues, "dependencies/blocked_by": node.blocked_by}
        links = {
            name: self._links(f"/repos/{repository(repo)}/issues/{node.number}/{name}", others)
            for name, others in parts.items()
        }
        return Relations(
            parent=_link(node.parent) if node.parent else None,
            children=links["sub_issues"],
            blocked_by=links["dependencies/blocked_by"],
        )

    def _links(self, path: str, others: _Others | None) -> tuple[Link, ...]:
        nodes = (others.nodes or []) if others else []
        if others is None or len(nodes) >= others.total_count:
            return tuple(_link(one) for one in nodes)
        found = []
        for one in self._caller.pages(path, _RestOther):
            home = one.repository.full_name if one.repository else ""
            found.append(
                Link(home or "/".join(one.html_url.split("/")[-4:-2]), one.number, one.state)
            )
        return tuple(found)


def _link(other: _Other | None) -> Link:
    if other is None:
        return Link("", 0, "unknown")
    return Link(other.repository.name_with_owner, other.number, other.state.lower())


def _milestone(found: _Milestone | None) -> Milestone | None:
    if found is None:
        return None
    return Milestone(
        number=found.number, title=found.title, state=found.state.lower(), due=found.due_on or ""
    )


def _person(actor: _Actor | None) -> Person:
    """As REST names it: GraphQL leaves `[bot]` off."""
    if actor is None:
        return Person(GHOST)
    bot = actor.typename == "Bot" and not actor.login.endswith("[bot]")
    login = f"{actor.login}[bot]" if bot else actor.login
    return Person(login, actor.database_id or 0, actor.typename)
