"""Issues of a team at Linear as tickets.

Invariants: as in `orch.ports.tickets`. What we write has ids that are made of its key: a comment or
issue cannot be there twice. A ticket is known by its identifier (`ENG-12`); one that went to another
team is not there any more.

How a task stands is shown by the label `status:STATE`, and an issue that waits is moved to the team's
first started state when work on it begins. A state that `transitions` names is taken in the place of
both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Invalid, Missing, Refused
from orch.hosts.linear.client import LINEAR, LONGEST, LONGEST_TITLE, Linear, made_id
from orch.hosts.linear.shapes import CLOSED, WAITING, Comment, Issue, Person, State, Team
from orch.hosts.moments import before, stamp, utc
from orch.hosts.sticky import fitting
from orch.model.errors import ConfigError, Conflict, UsageError
from orch.model.tracked import Approval, Author, Batch, Remark, Tracked, TrackedState
from orch.trackers import labelled, sources

if TYPE_CHECKING:
    from orch.config.source_tree import SourcePremises
    from orch.hosts.service import Found, Service
    from orch.model.task import TaskState

PLUGIN_API = 1
ASKS = (
    ("project", "Key of the team", ""),
    ("token", "Token (env:NAME, file:PATH or cmd:WORDS)", "env:LINEAR_API_KEY"),
)
"""What a person is asked where it is not said: key of the table, question, what is usual."""
_IDENTIFIER = re.compile(r"[A-Z][A-Z0-9]{0,20}-[1-9][0-9]{0,9}")
_MARK = re.compile(r"\s*<!--.*?-->\s*", re.DOTALL)
_PRIORITIES = {1: "urgent", 2: "high", 3: "normal", 4: "low"}
_AT_WORK = frozenset({"routed", "in_progress", "in_review", "blocked", "needs_review"})
_MOST_IDS = 5


def make(premises: SourcePremises) -> LinearSource:
    return LinearSource(premises, sources.service(LINEAR, premises))


class LinearSource:
    """`orch.ports.tickets.TicketSource` of one team."""

    kind = "linear"

    def __init__(self, premises: SourcePremises, service: Service) -> None:
        self._name, self._config, self._repo = premises.name, premises.config, premises.repo
        self._service = service
        self._linear = Linear(service)
        self._team: Team | None = None

    # --- questions

    def me(self) -> Author:
        return _author(self._linear.me())

    def look(self, cursor: str) -> Batch:
        team = self._there()
        began = stamp(self._service.server_time())
        since = before(cursor, sources.OVERLAP_S) if cursor else ""
        rows = self._linear.issues(team.id, since)
        return Batch(tickets=tuple(map(self._tracked, rows)), cursor=began, whole=not cursor)

    def get(self, source_id: str) -> Tracked:
        return self._tracked(self._issue(source_id))

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        team = self._there()
        began = stamp(self._service.server_time())
        found = self._linear.comments_changed(team.id, sources.heard_since(cursor, began))
        told = [_remark(one) for one in found if one.issue is not None and not one.archived_at]
        return sources.news(cursor, began, told)

    def may_write(self, author: Author) -> bool:
        """Whether that person is a member of the team, and no guest."""
        if author.bot or not author.id:
            return False
        member = self._linear.member(self._there().id, author.id)
        return bool(member and member.active and not member.guest and not member.app)

    def approval(self, source_id: str, label: str) -> Approval | None:
        """Linear writes no line about labels that an issue was made with: those are its creator's."""
        issue = self._issue(source_id).issue
        wanted = label.lower()
        if wanted not in {one.name.lower() for one in issue.labels.nodes}:
            return None
        creator, at, happened = self._linear.history(issue.id)
        if issue.bot_actor or issue.external_user_creator:
            creator = None
        who = creator
        for one in happened:
            if wanted in {name.name.lower() for name in one.added_labels or []}:
                who, at = one.actor, one.created_at
        return Approval(author=_author(who), at=utc(at)) if who is not None else None

    def probe(self) -> str:
        """What is missing, in one sentence; empty when all is well."""
        return sources.probed(self._probe)

    # --- writes

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        team = self._there()
        id = made_id("issue", team.id, key)
        try:
            return self._tracked(self._linear.issue(id))
        except Missing:
            pass  # there is none yet
        fields = {
            "id": id, "teamId": team.id, "title": sources.title(title, LONGEST_TITLE),
            "description": fitting(body, key, LONGEST),
            "labelIds": self._linear.label_ids(team.id, [*labels], labelled.colour),
        }  # fmt: skip
        self._linear.create_issue(fields)
        return self._tracked(self._linear.issue(id))

    def put_state(self, source_id: str, state: TaskState) -> None:
        issue = self._issue(source_id).issue
        labels = [one.name for one in issue.labels.nodes]
        named = self._config.transitions.get(state, "")
        if named:
            _, stale = labelled.showing(labels, state, {})
            self._change(issue, to=self._state(named, f"transitions.{state}"),
                         remove=[*stale, f"status:{state}"])  # fmt: skip
            return
        add, stale = labelled.showing(labels, state, {})
        begun = state in _AT_WORK and issue.state.type in WAITING
        self._change(issue, to=self._first("started") if begun else None, add=add, remove=stale)

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        issue = self._issue(source_id).issue
        on, off = labelled.changing([one.name for one in issue.labels.nodes], add, remove)
        self._change(issue, add=on, remove=off)

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        """The ids of its comment are made of `key`; where people have deleted one, the next one is
        taken. Linear formats text anew, so that only what is said is compared."""
        issue, me = self._issue(source_id).issue, self._linear.me()
        text = fitting(body, key, LONGEST)
        ids = [made_id("comment", issue.id, key, str(n)) for n in range(_MOST_IDS)]
        for id in sorted(ids, key=lambda id: id != known):
            there = self._linear.comment(id)
            if there is not None and there.user is not None and there.user.id == me.id:
                if _said(there.body) != _said(text):
                    self._linear.edit_comment(id, text)
                return id
            if there is None and self._written(issue, id, text):
                return id
        raise Conflict(
            f"The comment {key.partition('.')[0]} below {source_id} was deleted too often.",
            code="comment_deleted",
            hint=f"orch tickets show {self._name}:{source_id}",
        )

    def _written(self, issue: Issue, id: str, text: str) -> bool:
        """False where Linear had a comment of that id, which was deleted: it gives none twice."""
        try:
            self._linear.create_comment({"id": id, "issueId": issue.id, "body": text})
        except (Invalid, Refused):
            if self._linear.comment(id) is not None:
                raise
            return False
        return True

    def close(self, source_id: str, *, done: bool) -> None:
        issue = self._issue(source_id).issue
        if issue.state.type in CLOSED:
            return
        word = "done" if done else "cancelled"
        named = self._config.transitions.get(word, "")
        state = (
            self._state(named, f"transitions.{word}")
            if named
            else self._first("completed" if done else "canceled")
        )
        self._change(issue, to=state)

    # --- how

    def _there(self) -> Team:
        """The team, asked for once: from then on its id is what counts."""
        if self._team is None:
            if not self._config.project:
                raise ConfigError(
                    f"The source {self._name} has no project: it is the key of a team (`ENG`).",
                    code="no_project",
                    hint=f'project = "ENG" in [sources.{self._name}]',
                )
            self._team = self._linear.team(self._config.project)
        return self._team

    def _probe(self) -> str:
        team = self._there()
        types = {one.type for one in self._linear.states(team.id)}
        for kind in ("started", "completed", "canceled"):
            if kind not in types:
                return f"The workflow of the team {team.key} has no state of the type {kind}."
        for word, name in self._config.transitions.items():
            self._state(name, f"transitions.{word}")
        return ""

    def _issue(self, source_id: str) -> Found[Issue]:
        if not _IDENTIFIER.fullmatch(source_id):
            raise sources.unknown(source_id, self._name)
        with sources.one_that_is_there(source_id, self._name):
            found = self._linear.issue(source_id)
        issue = found.issue
        # An identifier goes on to lead to an issue that has another one now, in another team.
        if issue.trashed or issue.team.id != self._there().id or issue.identifier != source_id:
            raise sources.unknown(source_id, self._name)
        return found

    def _state(self, name: str, key: str) -> State:
        states = self._linear.states(self._there().id)
        for one in states:
            if one.name.lower() == name.lower():
                return one
        raise UsageError(
            f"The team {self._there().key} has no state {name!r} ({key} of the source {self._name});"
            f" it has {', '.join(one.name for one in states)}.",
            code="unknown_state",
            hint=f"orch config edit (the table [sources.{self._name}])",
        )

    def _first(self, kind: str) -> State:
        for one in self._linear.states(self._there().id):
            if one.type == kind:
                return one
        raise Conflict(
            f"The workflow of the team {self._there().key} has no state of the type {kind}.",
            code="unknown_state",
            hint=f"Name one below [sources.{self._name}.transitions].",
        )

    def _change(
        self, issue: Issue, *, to: State | None = None, add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """All of it in one request, and none where nothing is to change."""
        gone = [one.id for one in issue.labels.nodes if one.name in remove]
        fields: dict[str, object] = {}
        if to is not None and to.name != issue.state.name:
            fields["stateId"] = to.id
        if add:
            ids = self._linear.label_ids(self._there().id, [*add], labelled.colour)
            fields["addedLabelIds"] = ids
        if gone:
            fields["removedLabelIds"] = gone
        if fields:
            self._linear.change_issue(issue.id, **fields)

    def _tracked(self, found: Found[Issue]) -> Tracked:
        issue, config = found.issue, self._config
        labels = [one.name for one in issue.labels.nodes]
        own = {word.lower(): name for word, name in config.priorities.items()}
        priority = own.get(issue.priority_label.lower()) or _PRIORITIES.get(int(issue.priority), "")
        foreign = issue.bot_actor or issue.external_user_creator
        return Tracked(
            source=self._name,
            source_id=issue.identifier,
            repo=self._repo.slug,
            title=issue.title,
            body=issue.description or "",
            state=self._stands(issue),
            word=issue.state.name,
            labels=tuple(labels),
            author=Author() if foreign else _author(issue.creator),
            assignee=issue.assignee.display_name if issue.assignee else "",
            priority=priority or labelled.priority_of(labels, config.priorities),
            url=issue.url,
            milestone=issue.project_milestone.name if issue.project_milestone else "",
            parent=issue.parent.identifier if issue.parent else "",
            blocked_by=tuple(issue.blockers),
            created=utc(issue.created_at),
            updated=utc(issue.updated_at),
            raw=found.raw,
        )

    def _stands(self, issue: Issue) -> TrackedState:
        """By the type of its state, unless `states` says what its name means."""
        if issue.trashed:
            return "closed"
        theirs = {word.lower(): state for word, state in self._config.states.items()}
        if (own := theirs.get(issue.state.name.lower())) is not None:
            return own  # type: ignore[return-value]
        if issue.state.type in CLOSED:
            return "closed"
        return "open" if issue.state.type in WAITING else "in_progress"


def _author(person: Person | None) -> Author:
    if person is None:
        return Author()
    return Author(id=person.id, name=person.display_name, bot=person.app)


def _remark(comment: Comment) -> Remark:
    assert comment.issue is not None
    return Remark(
        id=comment.id, source_id=comment.issue.identifier, body=comment.body,
        author=Author() if comment.external_user else _author(comment.user),
        created=utc(comment.created_at), updated=utc(comment.updated_at), url=comment.url,
        app=comment.bot_actor is not None,
    )  # fmt: skip


def _said(text: str) -> str:
    """Without marks, and white space as one space."""
    return " ".join(_MARK.sub(" ", text).split())
