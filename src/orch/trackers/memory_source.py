"""The double of ticket sources: a project in memory, and a source that reads and writes it.

Invariant: deterministic; equal calls at equal times give equal answers. `MemoryProject` is the
service with the people at it, `MemorySource` an adapter that keeps nothing: it passes the contract
suite that every adapter passes (`orch.testing.sources`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from orch.model import marks
from orch.model.errors import NotFound, ToolFailed
from orch.model.tracked import Approval, Author, Batch, Remark, Tracked

if TYPE_CHECKING:
    from orch.config.source_tree import SourcePremises
    from orch.model.task import TaskState
    from orch.ports import Clock

PLUGIN_API = 1
_STATUS = "status:"


class _Item(msgspec.Struct):
    ticket: Tracked
    made: float
    turn: int
    approvals: dict[str, Approval]


class _Said(msgspec.Struct):
    remark: Remark
    made: float
    turn: int


class MemoryProject:
    """A project of the service. `lag_s`: how much later lists show what was made. `writers` are names
    of people who may write; people get their ids in the order in which they first do something."""

    def __init__(self, clock: Clock, *, writers: Sequence[str] = ("writer",)) -> None:
        self.lag_s = 0.0
        self.clock, self.writers = clock, set(writers)
        self.lock = threading.RLock()
        self.items: dict[str, _Item] = {}
        self.said: dict[str, _Said] = {}
        self.people: dict[str, Author] = {}
        self._turn = 0
        self._losses = 0

    def who(self, name: str, *, bot: bool = False) -> Author:
        with self.lock:
            number = str(len(self.people) + 1)
            return self.people.setdefault(name, Author(id=number, name=name, bot=bot))

    def opens(
        self, title: str, *, body: str = "", labels: Sequence[str] = (), by: str = "writer",
        blocked_by: Sequence[str] = (), source_id: str = "",
    ) -> str:  # fmt: skip
        """Somebody opens a ticket; its id."""
        with self.lock:
            number = source_id or str(len(self.items) + 1)
            ticket = Tracked(
                source="", source_id=number, repo="", title=title, body=body, word="open",
                author=self.who(by), url=f"memory://{number}", created=self._stamp(),
                updated=self._stamp(), blocked_by=tuple(blocked_by),
            )  # fmt: skip
            self.items[number] = _Item(ticket, self.clock.now(), self._next(), {})
            self.labels(number, labels, (), by=by)
            return number

    def edits(self, number: str, *, by: str = "writer", **fields: str) -> None:
        """Somebody changes `title` or `body`."""
        self.change(number, **fields, edited=self._stamp(), editor=self.who(by))

    def closes(self, number: str, *, word: str = "closed") -> None:
        self.change(number, state="closed", word=word)

    def labels(self, number: str, add: Sequence[str], remove: Sequence[str], *, by: str) -> None:
        with self.lock:
            item, gone = self.items[number], {name.lower() for name in remove}
            kept = [name for name in item.ticket.labels if name.lower() not in gone]
            had = {name.lower() for name in kept}
            new = [name for name in add if name.lower() not in had]
            for name in new:
                approval = Approval(author=self.who(by), at=self._stamp())
                item.approvals[name.lower()] = approval
            if new or len(kept) < len(item.ticket.labels):
                self.change(number, labels=(*kept, *new))

    def comments(self, number: str, body: str, *, by: str = "writer") -> str:
        """Somebody says something; the comment's id."""
        with self.lock:
            turn = self._next()
            remark = Remark(
                id=str(1000 + turn), source_id=number, body=body, author=self.who(by),
                created=self._stamp(), updated=self._stamp(), url=f"memory://{number}#{turn}",
            )  # fmt: skip
            self.said[remark.id] = _Said(remark, self.clock.now(), turn)
            return remark.id

    def edits_comment(self, comment: str, body: str) -> None:
        with self.lock:
            said = self.said[comment]
            said.remark = msgspec.structs.replace(said.remark, body=body, updated=self._stamp())
            said.turn = self._next()

    def loses_next_answer(self) -> None:
        """The next write is done, and nobody hears of it."""
        self._losses += 1

    def answered(self, request: str) -> None:
        """The end of a write."""
        if self._losses:
            self._losses -= 1
            raise ToolFailed(
                f"memory did not say what became of {request}.", code="outcome_unknown",
                hint="Look whether it is there before it is asked for again.",
            )  # fmt: skip

    def change(self, number: str, **fields: object) -> None:
        with self.lock:
            item = self.items[number]
            item.ticket = msgspec.structs.replace(item.ticket, updated=self._stamp(), **fields)
            item.turn = self._next()

    def listed(self, made: float) -> bool:
        return made + self.lag_s <= self.clock.now()

    def _next(self) -> int:
        self._turn += 1
        return self._turn

    def _stamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock.now()))


def make(premises: SourcePremises) -> MemorySource:
    """A source over an empty project of its own."""
    return MemorySource(MemoryProject(premises.clock), name=premises.name, repo=premises.repo.slug)


class MemorySource:
    """See `orch.ports.tickets.TicketSource`."""

    kind = "memory"
    tells_by_labels = True

    def __init__(
        self, project: MemoryProject, *, name: str = "memory", repo: str = "thing", me: str = "orch"
    ) -> None:
        self._project, self._name, self._repo = project, name, repo
        self._me = project.who(me)
        project.writers.add(me)

    def me(self) -> Author:
        return self._me

    def look(self, cursor: str) -> Batch:
        with self._project.lock:
            items = sorted(self._project.items.values(), key=lambda item: item.turn)
        seen = int(cursor or 0)
        shown = [item for item in items if self._project.listed(item.made)]
        hidden = [item.turn for item in items if not self._project.listed(item.made)]
        wanted = [item for item in shown
                  if (item.turn > seen if cursor else item.ticket.state != "closed")]  # fmt: skip
        newest = max([seen, *(item.turn for item in shown)])
        return Batch(
            tickets=tuple(self._ticket(item) for item in wanted),
            cursor=str(min([newest, *(turn - 1 for turn in hidden)])),
            whole=not cursor,
        )

    def get(self, source_id: str) -> Tracked:
        return self._ticket(self._item(source_id))

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        with self._project.lock:
            said = sorted(self._project.said.values(), key=lambda one: one.turn)
        shown = [one for one in said if self._project.listed(one.made)]
        hidden = [one.turn - 1 for one in said if not self._project.listed(one.made)]
        seen = int(cursor or 0)
        fresh = [one.remark for one in shown if one.turn > seen] if cursor else []
        newest = max([seen, *(one.turn for one in shown)])
        return tuple(fresh), str(min([newest, *hidden]) if cursor else newest)

    def may_write(self, author: Author) -> bool:
        known = self._project.people.get(author.name)
        return author == known and not author.bot and author.name in self._project.writers

    def approval(self, source_id: str, label: str) -> Approval | None:
        item = self._item(source_id)
        there = label.lower() in {name.lower() for name in item.ticket.labels}
        return item.approvals.get(label.lower()) if there else None

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        for item in list(self._project.items.values()):
            ours = item.ticket.author == self._me and marks.has(item.ticket.body, key)
            if ours and self._project.listed(item.made):
                return self._ticket(item)
        number = self._project.opens(
            title, body=marks.marked(body, key), labels=labels, by=self._me.name
        )
        self._project.answered("create")
        return self.get(number)

    def put_state(self, source_id: str, state: TaskState) -> None:
        label = f"{_STATUS}{state}"
        others = [name for name in self._item(source_id).ticket.labels
                  if name.lower().startswith(_STATUS) and name != label]  # fmt: skip
        self._project.labels(source_id, [label], others, by=self._me.name)
        self._project.answered("put_state")

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        self._item(source_id)
        self._project.labels(source_id, add, remove, by=self._me.name)
        self._project.answered("put_labels")

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        self._item(source_id)
        text = marks.marked(body, key)
        mine = [one for one in self._project.said.values()
                if one.remark.author == self._me and one.remark.source_id == source_id]  # fmt: skip
        there = [one.remark for one in mine if known and one.remark.id == known] or [
            one.remark for one in sorted(mine, key=lambda one: int(one.remark.id))
            if marks.has(one.remark.body, key) and self._project.listed(one.made)
        ]  # fmt: skip
        for double in there[1:]:
            del self._project.said[double.id]
        if there and there[0].body != text:
            self._project.edits_comment(there[0].id, text)
        made = there[0].id if there else self._project.comments(source_id, text, by=self._me.name)
        self._project.answered("put_comment")
        return made

    def close(self, source_id: str, *, done: bool) -> None:
        if self._item(source_id).ticket.state != "closed":
            self._project.closes(source_id, word="completed" if done else "not_planned")
        self._project.answered("close")

    def _item(self, source_id: str) -> _Item:
        item = self._project.items.get(source_id)
        if item is None:
            raise NotFound(
                f"There is no ticket {source_id[:40]!r}.", code="unknown_issue",
                hint="orch tickets list",
            )  # fmt: skip
        return item

    def _ticket(self, item: _Item) -> Tracked:
        """As it is now: `in_progress` by its labels, waiting for what is still open."""
        ticket, items = item.ticket, self._project.items
        at_work = {f"{_STATUS}{word}" for word in ("in_progress", "in_review", "routed")}
        state = ticket.state
        if state != "closed" and at_work.intersection(ticket.labels):
            state = "in_progress"
        waits = [number for number in ticket.blocked_by
                 if number not in items or items[number].ticket.state != "closed"]  # fmt: skip
        return msgspec.structs.replace(
            ticket, source=self._name, repo=self._repo, state=state, blocked_by=tuple(waits)
        )
