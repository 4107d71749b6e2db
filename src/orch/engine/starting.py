"""Which tickets become tasks by themselves, and what such a task is made of.

Invariant: decided by who somebody is at the tracker and by the source's own policy, never by what a
text says (H44). Whoever cannot be asked about is nobody.
"""

from __future__ import annotations

import functools

import msgspec

from orch.config.source_tree import SourceConfig
from orch.model import hidden, strangers
from orch.model.labels import COMPLEXITIES, KNOWN_AGENTS, ROLES
from orch.model.task_rules import LONGEST_BODY, LONGEST_TITLE
from orch.model.tracked import Author, Tracked
from orch.ports import TicketSource

NAMES_ARE_LOGINS = frozenset({"gitea", "github", "gitlab"})
"""Kinds of trackers whose names belong to one account each."""
PRIORITIES = {"low": -10, "normal": 0, "high": 10, "urgent": 20}


class Wanted(msgspec.Struct, frozen=True):
    """What a task gets of its ticket: the words as they are now, cleaned of what nobody sees."""

    title: str
    body: str
    labels: tuple[str, ...]
    priority: int


class Starting:
    """The policy of one source, asked about the tickets of one look."""

    def __init__(self, config: SourceConfig, source: TicketSource) -> None:
        self._config = config
        self._source = source
        self._known: dict[str, bool] = {}

    def refused(self, ticket: Tracked) -> str:
        """Why it does not start by itself, in one sentence; empty when it does. Nobody is asked
        about a ticket that could not start whoever wrote it."""
        standing = _standing(ticket)
        if standing:
            return standing
        policy = self._policy
        early = strangers.may_start(ticket, policy, strangers.Rights())
        if early is not None and early.code in ("never", "closed", "no_label"):
            return early.message
        labelled = self._config.start == "label"
        approval = self._source.approval(ticket.source_id, policy.label) if labelled else None
        rights = strangers.Rights(
            author=not labelled and self._may(ticket.author),
            approver=approval is not None and self._may(approval.author),
            editor=bool(ticket.edited) and self._may(ticket.editor),
        )
        refusal = strangers.may_start(ticket, policy, rights, approval)
        return refusal.message if refusal is not None else ""

    @functools.cached_property
    def _policy(self) -> strangers.Policy:
        return policy_of(self._config, self._source)

    def _may(self, author: Author) -> bool:
        if not author.id:
            return False
        if author.id not in self._known:
            self._known[author.id] = self._source.may_write(author)
        return self._known[author.id]

    def wanted(self, ticket: Tracked) -> Wanted:
        title, body = hidden.shown(ticket.title), hidden.shown(ticket.body)
        words = body.text
        for place, part in (("title", title), ("text", body)):
            if part.note:
                words += f"\n\n(Of its {place}: {part.note}.)"
        if ticket.url:
            words = f"{words.rstrip()}\n\nTicket: {ticket.url}"
        named = " ".join(title.text.split()) or ticket.source_id
        return Wanted(
            named[:LONGEST_TITLE], words[:LONGEST_BODY], usable(ticket.labels),
            PRIORITIES.get(ticket.priority, 0),
        )  # fmt: skip


def policy_of(config: SourceConfig, source: TicketSource) -> strangers.Policy:
    """The source's table as the rules have it. Our own account is only told apart where it is a
    program's: with a person's own credential, what the person writes counts like before."""
    me = source.me()
    return strangers.Policy(
        start=config.start, label=config.label, allowed=config.allowed_authors,
        logins=source.kind in NAMES_ARE_LOGINS, me=me if me.bot else Author(),
    )  # fmt: skip


def _standing(ticket: Tracked) -> str:
    """What labels say against it, whoever put them there."""
    for label in ticket.labels:
        word = label.strip().lower()
        if word == "no-agent":
            return "the label no-agent keeps agents away"
        if word.startswith("status:") and word != "status:new":
            return f"the label {word} says that it was begun already"
    return ""


def usable(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels as a task may have them: a reserved prefix with a word that nobody knows is left out,
    as others label tickets as they like; so is how its task stood."""
    known = {
        "agent": KNOWN_AGENTS, "complexity": COMPLEXITIES, "role": ROLES, "status": (),
        "parent": (), "job": (),
    }  # fmt: skip
    kept = []
    for label in labels:
        prefix, colon, value = label.partition(":")
        if not colon or prefix not in known or value in known[prefix]:
            kept.append(label)
    return tuple(kept)
