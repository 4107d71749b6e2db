"""Issues of a GitLab project as tickets.

Invariants: as in `orch.ports.tickets`. A ticket is known by its number in the project (`12`), a merge
request by `!12`, as GitLab itself writes them. Links that block are asked for where the licence has
them, once for each change of a ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET

from orch.hosts import remotes
from orch.hosts.gitlab.client import GITLAB, LONGEST, LONGEST_TITLE, GitLab, inert
from orch.hosts.gitlab.shapes import Issue, Note, Project
from orch.hosts.gitlab.talk import author, may_write, say
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
    ("base_url", "Address of the GitLab", "https://gitlab.com"),
    ("token", "Token (env:NAME, file:PATH or cmd:WORDS)", "env:GITLAB_TOKEN"),
)
"""What a person is asked where it is not said: key of the table, question, what is usual."""


def make(premises: SourcePremises) -> GitLabSource:
    return GitLabSource(premises, sources.service(GITLAB, premises))


class GitLabSource:
    """`orch.ports.tickets.TicketSource` of one project."""

    kind = "gitlab"
    tells_by_labels = True

    def __init__(self, premises: SourcePremises, service: Service) -> None:
        self._name, self._config, self._repo = premises.name, premises.config, premises.repo
        self._service = service
        self._gitlab = GitLab(service)
        self._project: Project | None = None
        self._blocked: dict[int, tuple[str, tuple[str, ...]]] = {}

    # --- questions

    def me(self) -> Author:
        return author(self._gitlab.me())

    def look(self, cursor: str) -> Batch:
        project = self._there()
        began = stamp(self._service.server_time())
        since = before(cursor, sources.OVERLAP_S) if cursor else ""
        rows = self._gitlab.issues_changed(project.id, since, "all" if cursor else "opened")
        tickets = tuple(self._tracked(project, row) for row in rows)
        return Batch(tickets=tickets, cursor=began, whole=not cursor)

    def get(self, source_id: str) -> Tracked:
        project = self._there()
        return self._tracked(project, self._issue(project, source_id))

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        project = self._there()
        began = stamp(self._service.server_time())
        since = sources.heard_since(cursor, began)
        found: list[Remark] = []
        for row in self._gitlab.issues_changed(project.id, since):
            notes = self._gitlab.notes(project.id, "issues", row.issue.iid, since=since)
            found += _remarks(notes, str(row.issue.iid), row.issue.web_url)
        for merge in self._gitlab.merges_changed(project.id, since):
            notes = self._gitlab.notes(project.id, "merge_requests", merge.iid, since=since)
            found += _remarks(notes, f"!{merge.iid}", merge.web_url)
        return sources.news(cursor, began, found)

    def may_write(self, author: Author) -> bool:
        return may_write(self._gitlab, self._there().id, author)

    def approval(self, source_id: str, label: str) -> Approval | None:
        project = self._there()
        found = None
        events = self._gitlab.label_events(project.id, sources.number(source_id, self._name))
        for event in sorted(events, key=lambda one: one.id):
            if event.label is not None and event.label.name.lower() == label.lower():
                found = event if event.action == "add" else None
        if found is None or not author(found.user).id:
            return None
        return Approval(author=author(found.user), at=utc(found.created_at))

    def probe(self) -> str:
        """What is missing, in one sentence; empty when all is well."""
        return sources.probed(self._probe)

    # --- writes

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        project, me = self._there(), self.me()
        for issue in self._gitlab.issues_by(project.id, int(me.id)):
            if marks.has(issue.description or "", key) and author(issue.author).id == me.id:
                return self.get(str(issue.iid))
        text = fitting(inert(body), key, LONGEST)
        words = sources.title(title, LONGEST_TITLE)
        made = self._gitlab.create_issue(project.id, words, text, [*labels])
        return self._tracked(project, made)

    def put_state(self, source_id: str, state: TaskState) -> None:
        labels = self._issue(self._there(), source_id).issue.labels
        self._relabel(source_id, *labelled.showing(labels, state, self._config.transitions))

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        labels = self._issue(self._there(), source_id).issue.labels
        self._relabel(source_id, *labelled.changing(labels, add, remove))

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        project, number = self._there(), sources.number(source_id, self._name)
        with sources.one_that_is_there(source_id, self._name):
            return say(self._gitlab, project.id, "issues", number, body, key=key, known=known)

    def close(self, source_id: str, *, done: bool) -> None:
        project = self._there()
        issue = self._issue(project, source_id).issue
        if issue.state == "opened":
            self._gitlab.change_issue(project.id, issue.iid, state_event="close")

    # --- how

    @property
    def project(self) -> str:
        """What is configured, else what the repository's remote says; empty where neither does."""
        return self._config.project or remotes.project_of(
            self._repo.remote_url, self._service.place
        )

    def _there(self) -> Project:
        """The project, asked for once: from then on its number is what counts."""
        if self._project is None:
            self._project = self._gitlab.project(
                sources.project(self.project, self._name, self._repo)
            )
        return self._project

    def _probe(self) -> str:
        project, me = self._there(), self.me()
        if project.archived:
            return f"The project {project.path_with_namespace} is archived."
        if project.issues_enabled is False:
            return f"The project {project.path_with_namespace} has its issues turned off."
        if self._gitlab.access_level(project.id, int(me.id)) < _REPORTER:
            return (f"{me.name} is no member of {project.path_with_namespace} that may label issues;"
                    " the role Reporter is needed.")  # fmt: skip
        return ""

    def _issue(self, project: Project, source_id: str) -> Found[Issue]:
        with sources.one_that_is_there(source_id, self._name):
            return self._gitlab.issue(project.id, sources.number(source_id, self._name))

    def _relabel(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """GitLab makes a label that the project does not have, and puts all on in one request."""
        fields = {"add_labels": ",".join(add), "remove_labels": ",".join(remove)}
        if fields := {name: words for name, words in fields.items() if words}:
            project = self._there().id
            self._gitlab.change_issue(project, sources.number(source_id, self._name), **fields)

    def _tracked(self, project: Project, found: Found[Issue]) -> Tracked:
        issue, config = found.issue, self._config
        blocked_by = self._blockers(project, found)
        return Tracked(
            source=self._name,
            source_id=str(issue.iid),
            repo=self._repo.slug,
            title=issue.title,
            body=issue.description or "",
            state=labelled.state_of(
                is_open=issue.state == "opened", labels=issue.labels, states=config.states
            ),
            word=issue.state,
            labels=tuple(issue.labels),
            author=author(issue.author),
            assignee=issue.assignees[0].username if issue.assignees else "",
            priority=labelled.priority_of(issue.labels, config.priorities),
            url=issue.web_url,
            milestone=issue.milestone.title if issue.milestone else "",
            blocked_by=blocked_by,
            created=utc(issue.created_at),
            updated=utc(issue.updated_at),
            raw=found.raw,
        )

    def _blockers(self, project: Project, found: Found[Issue]) -> tuple[str, ...]:
        """Asked for where there can be any, and kept until the ticket changes: a link that is made
        or removed is a change of both its ends, one whose other end was closed is not."""
        issue = found.issue
        if issue.blocking_issues_count is UNSET or issue.state != "opened":
            return ()
        kept = self._blocked.get(issue.iid)
        if kept is not None and kept[0] == issue.updated_at and not kept[1]:
            return ()
        ids = tuple(
            str(one.iid) if one.project_id == project.id
            else one.references.get("full", f"{one.project_id}#{one.iid}")
            for one in self._gitlab.blockers(project.id, issue.iid)
        )  # fmt: skip
        self._blocked[issue.iid] = (issue.updated_at, ids)
        return ids


_REPORTER = 20


def _remarks(notes: Sequence[Note], source_id: str, url: str) -> list[Remark]:
    return [
        Remark(
            id=str(note.id), source_id=source_id, body=note.body or "", author=author(note.author),
            created=utc(note.created_at), updated=utc(note.updated_at),
            url=f"{url}#note_{note.id}" if url else "",
        )
        for note in notes if not note.system
    ]  # fmt: skip
