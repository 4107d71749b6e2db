"""An issue of Jira as a ticket of ours.

Invariant: pure. Who somebody is, is their account id (Data Center: their user key), never their name;
text stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from orch.hosts.jira.shapes import PROPERTY, Fields, History, Link, User, key_in
from orch.hosts.moments import utc
from orch.model.tracked import Approval, Author, Tracked
from orch.trackers.jira import bodies
from orch.trackers.jira.words import Words, folded

if TYPE_CHECKING:
    from orch.hosts.jira.issues import Told

_TEXTS = ("summary", "description")
_LABELS = "labels"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to read a source's issues. `ours` is our own account; `epic_field` names the
    field of an old server that holds the epic (`customfield_10008`)."""

    source: str
    repo: str
    words: Words
    browse: Callable[[str], str]
    ours: str
    epic_field: str = ""

    def ticket(self, told: Told) -> Tracked:
        issue, fields = told.issue, told.issue.fields
        edit = last_edit(issue.changelog.histories if issue.changelog else ())
        whole = msgspec.json.decode(told.raw)
        return Tracked(
            source=self.source,
            source_id=issue.key,
            repo=self.repo,
            title=fields.summary or "",
            body=self._body(told),
            state=self.words.state(fields.status),
            word=fields.status.name if fields.status else "",
            labels=tuple(fields.labels or ()),
            author=author_of(fields.reporter),
            assignee=fields.assignee.called if fields.assignee else "",
            priority=self.words.priority(fields.priority.name) if fields.priority else "",
            url=self.browse(issue.key),
            milestone=_version(fields),
            parent=self._parent(fields, whole),
            blocked_by=tuple(self._blockers(fields.issuelinks or ())),
            created=utc(fields.created),
            updated=utc(fields.updated),
            edited=utc(edit.created) if edit else "",
            editor=author_of(edit.author) if edit else Author(),
            raw=_without_changes(whole),
        )

    def _body(self, told: Told) -> str:
        issue = told.issue
        fields, properties = issue.fields, issue.properties or {}
        made_by_us = bool(fields.creator and self.ours and fields.creator.id == self.ours)
        key = key_in(properties.get(PROPERTY)) if made_by_us else ""
        return bodies.read(fields.description, attachments=fields.attachment or (), key=key)

    def _blockers(self, links: Sequence[Link]) -> list[str]:
        """What has to be over before: `inwardIssue` of a link "is blocked by", while it is open."""
        found = []
        for link in links:
            other = link.inwardIssue
            blocks = (
                folded(link.type.inward) == "is blocked by" or folded(link.type.name) == "blocks"
            )
            if blocks and other and self.words.state(other.fields.status) != "closed":
                found.append(other.key)
        return list(dict.fromkeys(found))

    def _parent(self, fields: Fields, whole: dict[str, dict[str, object]]) -> str:
        if fields.parent:
            return fields.parent.key
        epic = whole["fields"].get(self.epic_field) if self.epic_field else None
        return epic if isinstance(epic, str) else ""


def author_of(user: User | None) -> Author:
    """Nobody for an account that is gone or hidden."""
    if user is None or not user.id:
        return Author()
    return Author(id=user.id, name=user.called, bot=user.accountType == "app")


def last_edit(histories: Sequence[History]) -> History | None:
    """The last change of title or body."""
    edits = [one for one in histories if any(item.field in _TEXTS for item in one.items)]
    return max(edits, key=lambda one: utc(one.created), default=None)


def last_labelling(fields: Fields, histories: Sequence[History], label: str) -> Approval | None:
    """Who put `label` on last, of all that happened, oldest first. What was there from the start is
    its creator's; what is not there now is nobody's."""
    if label not in (fields.labels or ()):
        return None
    for one in reversed(histories):
        for item in reversed(one.items):
            if item.field != _LABELS:
                continue
            if label in (item.after or "").split() and label not in (item.before or "").split():
                return _approval(one.author, one.created)
    touched = any(
        item.field == _LABELS and label not in (item.before or "").split()
        for one in histories
        for item in one.items
    )
    return None if touched else _approval(fields.creator, fields.created or "")


def _approval(user: User | None, at: str) -> Approval | None:
    author = author_of(user)
    return Approval(author=author, at=utc(at)) if author.id else None


def _version(fields: Fields) -> str:
    """The version that it is for: the first that is still to come."""
    waiting = (one for one in fields.fixVersions or () if not (one.released or one.archived))
    return next((one.name for one in waiting), "")


def _without_changes(whole: dict[str, object]) -> str:
    """The answer for reference; what happened to it is asked for again when it matters."""
    kept = {name: value for name, value in whole.items() if name != "changelog"}
    return msgspec.json.encode(kept).decode()
