"""Issues of a repository at Gitea or Forgejo as tickets.

Invariants: as in `orch.ports.tickets`. Issues and pull requests have one series of numbers there, and
a number means one of this repository. Whether somebody may write is only told to an administrator of
the repository: a credential that is none trusts nobody but the configured `allowed_authors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.hosts import remotes
from orch.hosts.gitea.client import GITEA, LONGEST, LONGEST_TITLE, Gitea
from orch.hosts.gitea.shapes import Comment, Issue, Repository
from orch.hosts.gitea.talk import author, may_write, number_of, say
from orch.hosts.moments import before, stamp, utc
from orch.hosts.sticky import fitting
from orch.model import marks
from orch.model.tracked import Approval, Author, Batch, Remark, Tracked
from orch.trackers import labelled, sources

if TYPE_CHECKING:
    from orch.config.source_tree import SourcePremises
    from orch.hosts.service import Found, Service
    from orch.model.task import TaskState

PLUGIN_API = 1
ASKS = (
    ("base_url", "Address of the Gitea or Forgejo", "https://codeberg.org"),
    ("token", "Token (env:NAME, file:PATH or cmd:WORDS)", "env:GITEA_TOKEN"),
)
"""What a person is asked where it is not said: key of the table, question, what is usual."""


def make(premises: SourcePremises) -> GiteaSource:
    return GiteaSource(premises, sources.service(GITEA, premises))


class GiteaSource:
    """`orch.ports.tickets.TicketSource` of one repository."""

    kind = "gitea"
    tells_by_labels = True

    def __init__(self, premises: SourcePremises, service: Service) -> None:
        self._name, self._config, self._repo = premises.name, premises.config, premises.repo
        self._service = service
        self._gitea = Gitea(service)
        self._known: Repository | None = None
        self._blocked: dict[int, str] = {}

    # --- questions

    def me(self) -> Author:
        return author(self._gitea.me())

    def look(self, cursor: str) -> Batch:
        place = self._there()
        began = stamp(self._service.server_time())
        if cursor:
            rows = self._gitea.issues_changed(place.full_name, before(cursor, sources.OVERLAP_S))
        else:
            rows = self._gitea.open_issues(place.full_name, began)
        tickets = tuple(self._tracked(place, row) for row in rows)
        return Batch(tickets=tickets, cursor=began, whole=not cursor)

    def get(self, source_id: str) -> Tracked:
        place = self._there()
        return self._tracked(place, self._issue(place, source_id))

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        place = self._there()
        began = stamp(self._service.server_time())
        since = sources.heard_since(cursor, began)
        found = self._gitea.comments_changed(place.full_name, since)
        return sources.news(cursor, began, [_remark(one) for one in found if number_of(one)])

    def may_write(self, author: Author) -> bool:
        return may_write(self._gitea, self._there().full_name, author)

    def approval(self, source_id: str, label: str) -> Approval | None:
        place = self._there()
        found = None
        for one in self._gitea.timeline(place.full_name, sources.number(source_id, self._name)):
            if one.type == "label" and one.label and one.label.name.lower() == label.lower():
                found = one if one.body == "1" else None
        if found is None or not author(found.user).id:
            return None
        return Approval(author=author(found.user), at=utc(found.created_at))

    def probe(self) -> str:
        """What is missing, in one sentence; empty when all is well."""
        return sources.probed(self._probe)

    # --- writes

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        place, me = self._there().full_name, self._gitea.me()
        mine = [one for one in self._gitea.issues_by(place, me.login)
                if one.user == me and not one.original_author
                and marks.has(one.body or "", key)]  # fmt: skip
        if mine:
            return self.get(str(min(one.number for one in mine)))
        ids = self._gitea.label_ids(place, labels, labelled.colour)
        words = sources.title(title, LONGEST_TITLE)
        made = self._gitea.create_issue(place, words, fitting(body, key, LONGEST), ids)
        return self._tracked(self._there(), made)

    def put_state(self, source_id: str, state: TaskState) -> None:
        issue = self._issue(self._there(), source_id).issue
        self._relabel(issue, *labelled.showing(_names(issue), state, self._config.transitions))

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        issue = self._issue(self._there(), source_id).issue
        self._relabel(issue, *labelled.changing(_names(issue), add, remove))

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        place = self._there()
        # Some versions answer 500 and not 404 for the comments of an issue that is not there.
        number = self._issue(place, source_id).issue.number
        return say(self._gitea, place.full_name, number, body, key=key, known=known)

    def close(self, source_id: str, *, done: bool) -> None:
        place = self._there()
        issue = self._issue(place, source_id).issue
        if issue.state == "open":
            self._gitea.change_issue(place.full_name, issue.number, state="closed")

    # --- how

    @property
    def project(self) -> str:
        """What is configured, else what the repository's remote says; empty where neither does."""
        return self._config.project or remotes.project_of(
            self._repo.remote_url, self._service.place, deepest=2
        )

    def _there(self) -> Repository:
        """The repository, asked for once."""
        if self._known is None:
            self._known = self._gitea.repository(
                sources.project(self.project, self._name, self._repo)
            )
        return self._known

    def _probe(self) -> str:
        place, me = self._there(), self.me()
        rights = place.permissions
        if place.archived:
            return f"The repository {place.full_name} is archived."
        if not place.has_issues:
            return f"The repository {place.full_name} has its issues turned off."
        if rights is not None and not rights.push:
            return f"{me.name} may not write in {place.full_name}."
        if rights is not None and not rights.admin:
            return (f"{me.name} is no administrator of {place.full_name}, so nobody's right to start"
                    " work can be seen: name people in allowed_authors.")  # fmt: skip
        return ""

    def _issue(self, place: Repository, source_id: str) -> Found[Issue]:
        with sources.one_that_is_there(source_id, self._name):
            found = self._gitea.issue(place.full_name, sources.number(source_id, self._name))
        if found.issue.pull_request is not None:  # H45
            raise sources.unknown(source_id, self._name)
        return found

    def _relabel(self, issue: Issue, add: Sequence[str], remove: Sequence[str]) -> None:
        """What is new goes on first, so that the ticket is never without a state."""
        place = self._there().full_name
        if add:
            ids = self._gitea.label_ids(place, add, labelled.colour)
            self._gitea.put_labels(place, issue.number, ids)
        for label in issue.labels or []:
            if label.name in remove:
                self._gitea.drop_label(place, issue.number, label.id)

    def _tracked(self, place: Repository, found: Found[Issue]) -> Tracked:
        issue, config, names = found.issue, self._config, _names(found.issue)
        return Tracked(
            source=self._name,
            source_id=str(issue.number),
            repo=self._repo.slug,
            title=issue.title,
            body=issue.body or "",
            state=labelled.state_of(
                is_open=issue.state == "open", labels=names, states=config.states
            ),
            word=issue.state,
            labels=tuple(names),
            author=author(issue.user, issue.original_author),
            assignee=issue.assignees[0].login if issue.assignees else "",
            priority=labelled.priority_of(names, config.priorities),
            url=issue.html_url,
            milestone=issue.milestone.title if issue.milestone else "",
            blocked_by=self._blockers(place, issue),
            created=utc(issue.created_at),
            updated=utc(issue.updated_at),
            raw=found.raw,
        )

    def _blockers(self, place: Repository, issue: Issue) -> tuple[str, ...]:
        """Asked for unless none were there and the ticket has not changed since."""
        tracker = place.internal_tracker
        if issue.state != "open" or (tracker and not tracker.enable_issue_dependencies):
            return ()
        if self._blocked.get(issue.number) == issue.updated_at:
            return ()
        found = self._gitea.blockers(place.full_name, issue.number)
        if not found:
            self._blocked[issue.number] = issue.updated_at
        return tuple(_id(one, place) for one in found)


def _names(issue: Issue) -> list[str]:
    return [label.name for label in issue.labels or []]


def _id(issue: Issue, place: Repository) -> str:
    """An issue of this repository by its number, another one in full (H94)."""
    if issue.repository is None or issue.repository.id == place.id:
        return str(issue.number)
    return f"{issue.repository.full_name}#{issue.number}"


def _remark(comment: Comment) -> Remark:
    return Remark(
        id=str(comment.id), source_id=str(number_of(comment)), body=comment.body or "",
        author=author(comment.user, comment.original_author), created=utc(comment.created_at),
        updated=utc(comment.updated_at), url=comment.html_url,
    )  # fmt: skip
