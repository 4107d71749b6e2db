"""What an issue of GitHub says, in our words: its state, its priority, what it waits for.

Invariant: pure; every text is passed on as it is. Labels are compared without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orch.hosts.github.facts import Comment, Issue, Label, Link, Person
from orch.hosts.github.voice import is_bot
from orch.model.tracked import Author, Remark, Tracked, TrackedState

if TYPE_CHECKING:
    from orch.config.source_tree import SourceConfig

STATUS = "status:"
COLOURS = {
    "new": "0e8a16", "routed": "1d76db", "in_progress": "fbca04", "done": "6f42c1",
    "blocked": "d73a4a", "in_review": "0075ca", "needs_review": "e4e669",
}  # fmt: skip
OTHER_COLOUR = "c5def5"
AT_WORK = frozenset({"status:in_progress", "status:in_review", "status:routed"})
PRIORITIES = {
    "urgent": "urgent", "critical": "urgent", "highest": "urgent", "p0": "urgent",
    "high": "high", "p1": "high",
    "normal": "normal", "medium": "normal", "p2": "normal",
    "low": "low", "lowest": "low", "p3": "low", "p4": "low",
}  # fmt: skip
"""What a label says about priority, alone or after `priority:` (`/`, `-`, a space, `prio` do too)."""
_RANK = ("urgent", "high", "normal", "low")
_PREFIXED = re.compile(r"(?:priority|prio)\s*[:/ -]\s*(\S.*)")


def label_of(name: str) -> Label:
    """A label of ours as it is made where the repository has none of that name."""
    state = name.removeprefix(STATUS) if name.startswith(STATUS) else ""
    return Label(name, COLOURS.get(state, OTHER_COLOUR))


def tracked(issue: Issue, *, source: str, repo: str, config: SourceConfig) -> Tracked:
    """The issue as our ticket. `config.states` maps labels of open issues (a closed one is closed),
    `config.priorities` labels to priorities, before the table above."""
    return Tracked(
        source=source,
        source_id=str(issue.number),
        repo=repo,
        title=issue.title,
        body=issue.body,
        state=state_of(issue, config.states),
        word=issue.reason if issue.state == "closed" and issue.reason else issue.state,
        labels=issue.labels,
        author=author(issue.author),
        assignee=issue.assignees[0].login if issue.assignees else "",
        priority=priority_of(issue.labels, config.priorities),
        url=issue.url,
        milestone=issue.milestone.title if issue.milestone else "",
        parent=_id(issue.parent, issue.repo) if issue.parent else "",
        blocked_by=tuple(
            _id(link, issue.repo) for link in issue.blocked_by if link.state == "open" and link.repo
        ),
        created=issue.created,
        updated=issue.updated,
        edited=issue.edited,
        editor=author(issue.editor) if issue.edited else Author(),
        raw=issue.raw.decode("utf-8", "replace"),
    )


def state_of(issue: Issue, states: Mapping[str, str]) -> TrackedState:
    if issue.state == "closed":
        return "closed"
    theirs = {word.lower(): state for word, state in states.items()}
    labels = [label.lower() for label in issue.labels]
    for label in labels:
        if label in theirs:
            return theirs[label]  # type: ignore[return-value]
    return "in_progress" if AT_WORK.intersection(labels) else "open"


def priority_of(labels: Sequence[str], configured: Mapping[str, str]) -> str:
    """The most urgent that a label says, empty where none says anything."""
    theirs = {word.lower(): priority for word, priority in configured.items()}
    found = []
    for label in labels:
        low = label.strip().lower()
        match = _PREFIXED.fullmatch(low)
        found.append(theirs.get(low) or PRIORITIES.get(match[1] if match else low, ""))
    return min(filter(None, found), key=_RANK.index, default="")


def author(person: Person) -> Author:
    """The same person, known by the id; nobody where the account is gone (H65)."""
    if not person.id:
        return Author()
    return Author(id=str(person.id), name=person.login, bot=is_bot(person))


def person(author: Author) -> Person:
    number = author.id if author.id.isascii() and author.id.isdigit() else "0"
    return Person(author.name, int(number), "Bot" if author.bot else "User")


def remark(comment: Comment) -> Remark:
    """A comment; one on a line of a PR has an id of another series."""
    return Remark(
        id=f"line-{comment.id}" if comment.path else str(comment.id),
        source_id=str(comment.issue),
        body=comment.body,
        author=author(comment.author),
        created=comment.created,
        updated=comment.updated,
        url=comment.url,
        app=bool(comment.app),
    )


def _id(link: Link, repo: str) -> str:
    """An issue of this repository by its number, another one in full (H94)."""
    return str(link.number) if link.repo.lower() == repo.lower() else f"{link.repo}#{link.number}"
