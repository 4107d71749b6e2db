"""The loop that listens: what people say below tickets and pull requests becomes commands.

Invariants:

- Only those are heard who may, by the tracker's word on who they are; strangers get silence (H43).
- A comment counts once, by its id, in one transaction with what it asks for; how far was read is
  noted after that, so that a crash reads again and does nothing twice.
- A person's order to a ticket that is closed is passed over, and the reading goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from orch.config.source_tree import SourceConfig
from orch.engine.sourcing import Sources
from orch.engine.starting import policy_of
from orch.engine.waiting import pause_after, rest
from orch.model import hidden, marks, reporting, strangers, talk
from orch.model.command import AddTask, Command, Hear, RerouteTask
from orch.model.errors import NotFound, OrchError
from orch.model.event import Actor
from orch.model.heard import Heard
from orch.model.strangers import Policy
from orch.model.task import CLOSED, MENTION, STATES, Task
from orch.model.tracked import Author, Remark, Tracked
from orch.ports import Clock, Store, TicketSource

LONGEST_S = 60.0
LONGEST_PAUSE_S = 1800.0
WORD = "orch"
"""What means us beside our own login."""
log = logging.getLogger(__name__)


class Wishes(Protocol):
    """What commands mean for tasks."""

    def of(self, name: str, argument: str, task: Task, who: str) -> tuple[Command, ...]:
        """The commands behind `/NAME ARGUMENT`; a refusal is raised."""


class Listener:
    """`orch.engine.dispatcher.Loop`. `secret` makes the codes of our marks, `offload` runs a blocking
    call off the loop, `acted` is called when something was sent."""

    def __init__(
        self, store: Store, sources: Sources, wishes: Wishes, clock: Clock,
        secret: Callable[[], bytes], offload: Callable[[Callable[[], Any]], Awaitable[Any]],
        acted: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store = store
        self._sources = sources
        self._wishes = wishes
        self._clock = clock
        self._secret = secret
        self._offload = offload
        self._acted = acted
        self._woken = asyncio.Event()
        self._hinted: set[str] = set()
        self._due: dict[str, float] = {}
        self._tries: Counter[str] = Counter()
        self.unheard: Counter[str] = Counter()
        """How much was said that did not count, by why."""

    def wake(self) -> None:
        """What others write is of no interest: sources have their times, and hints come by `hint`."""

    def hint(self, name: str) -> None:
        """Something was said at this source."""
        self._hinted.add(name)
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            await rest(self._woken, self._clock, await self.listen_due())

    async def listen_due(self) -> float:
        """Listen where it is time to; seconds until the next."""
        try:
            configured = dict(self._sources.all())
        except OrchError as error:  # a configuration that is broken now
            log.error("sources were not read: %s", error.message)
            return LONGEST_S
        for name, config in configured.items():
            if name in self._hinted or self._due.get(name, 0.0) <= self._clock.now():
                self._hinted.discard(name)
                await self._listen(name, config)
        now = self._clock.now()
        return min([LONGEST_S, *(self._due[name] - now for name in configured)])

    async def _listen(self, name: str, config: SourceConfig) -> None:
        """One source; whatever goes wrong with it holds up no other."""
        pause = config.interval_s
        try:
            if await self._offload(lambda: self.listen(name, config)):
                self._acted()
            self._tries[name] = 0
        except OrchError as error:
            pause = pause_after(
                error, self._tries[name], self._clock.now(), first_s=15.0, longest_s=LONGEST_PAUSE_S
            )
            self._tries[name] += 1
            log.warning("source %s was not listened to: %s (again in %.0f s)", name, error.message,
                        pause)  # fmt: skip
        self._due[name] = self._clock.now() + pause

    # --- listening to one source

    def listen(self, name: str, config: SourceConfig) -> int:
        """Blocks. Hears what was said since the last time; how many comments counted."""
        books, source = self._store.hearing, self._sources.open(name)
        cursor = books.cursor(name)
        remarks, ahead = source.remarks(cursor)
        round_ = _Round(self._store, source, name, config, self._wishes, self._secret)
        counted = sum(round_.hear(remark) for remark in remarks)
        self.unheard.update(round_.unheard)
        if ahead != cursor:
            books.put_cursor(name, ahead)
        return counted


class _Round:
    """One reading of one source: whoever speaks twice is asked about once."""

    def __init__(
        self, store: Store, source: TicketSource, name: str, config: SourceConfig, wishes: Wishes,
        secret: Callable[[], bytes],
    ) -> None:  # fmt: skip
        self._store = store
        self._source = source
        self._name = name
        self._config = config
        self._wishes = wishes
        self._secret = secret
        self._policy: Policy = policy_of(config, source)
        me = source.me()
        self._names = _names(me)
        self._may: dict[str, bool] = {}
        self.unheard: Counter[str] = Counter()

    def hear(self, remark: Remark) -> bool:
        """Whether it counted now."""
        heard = self._store.hearing.heard(self._name, remark.id)
        if heard is not None:
            if _answer(heard) and not self._store.hearing.answered(self._name, remark.id):
                self._answer(remark, heard)
            return False
        if remark.updated != remark.created:  # words that were put in later are nobody's order
            self.unheard["edited"] += 1
            return False
        found = talk.spoken(remark.body, names=self._names)
        if isinstance(found, talk.Nothing) and not found.unknown:
            return False
        refusal = strangers.may_steer(remark, self._policy, may_write=self._writes(remark))
        if refusal is not None:
            self.unheard[refusal.code] += 1
            log.info("comment %s at %s does not count: %s", remark.id, self._place(remark),
                     refusal.message)  # fmt: skip
            return False
        ticket, task = self._about(remark)
        if ticket is None and task is None:
            self.unheard["closed"] += 1
            return False
        if isinstance(found, talk.Asked):
            return self._command(remark, found, task)
        if isinstance(found, talk.Mention):
            return self._mention(remark, found, ticket, task)
        near = f" Did you mean /{found.near}?" if found.near else " /help says what there is."
        self._reply(remark, f"There is no command /{found.unknown}.{near}")
        return self._note(remark, f"/{found.unknown}", task, ())

    def _writes(self, remark: Remark) -> bool:
        author = remark.author
        if not author.id or author.bot or remark.app:
            return False
        if author.id not in self._may:
            self._may[author.id] = self._source.may_write(author)
        return self._may[author.id]

    def _place(self, remark: Remark) -> str:
        return f"{self._name}:{remark.source_id}"

    def _about(self, remark: Remark) -> tuple[Tracked | None, Task | None]:
        """The open ticket that it stands below and its task; of an open pull request of ours the
        task alone. Neither where that is over."""
        task = self._store.task_of_issue(self._place(remark))
        try:
            ticket = self._source.get(remark.source_id)
        except NotFound as error:
            if error.code != "unknown_issue":
                raise
            return None, self._of_pull(remark)
        return (ticket, task) if ticket.state != "closed" else (None, None)

    def _of_pull(self, remark: Remark) -> Task | None:
        """The task whose open pull request has that number."""
        number = remark.source_id.lstrip("!#")
        for task in self._open_tasks():
            for pull in self._store.pulls_of_task(task.id):
                there = (pull.repo, str(pull.number)) == (self._config.repo, number)
                if there and pull.state == "open":
                    return task
        return None

    def _open_tasks(self) -> Iterator[Task]:
        for state in STATES:
            if state not in CLOSED:
                yield from self._store.tasks(state)

    # --- what it asks for

    def _command(self, remark: Remark, asked: talk.Asked, task: Task | None) -> bool:
        words = f"/{asked.name} {asked.argument}".rstrip()
        if asked.name == "help":
            self._reply(remark, _help())
            return self._note(remark, words, task, ())
        if task is None:
            self._reply(remark, "There is no task for this ticket yet.")
            return self._note(remark, words, task, ())
        if asked.name == "status":
            pulls = self._store.pulls_of_task(task.id)
            self._reply(remark, reporting.comment_of(task, pulls))
            return self._note(remark, words, task, ())
        who = remark.author.name or remark.author.id
        try:
            wishes = self._wishes.of(asked.name, asked.argument, task, who)
        except OrchError as refusal:
            return self._note(remark, words, task, (), refused=refusal.message)
        return self._note(remark, words, task, wishes, told=_acknowledged(asked, task, wishes))

    def _mention(
        self, remark: Remark, mention: talk.Mention, ticket: Tracked | None, task: Task | None
    ) -> bool:
        """A task of its own with what was said, unless one for this ticket is not over (H42)."""
        origin = f"{MENTION}:{self._place(remark)}"
        before = next((one for one in self._open_tasks() if one.source == origin), None)
        if before is not None:
            said = "mention, while another one is not over"
            told = f"Task {before.id}, asked for here before, is not over yet. Say it again then."
            return self._note(remark, said, task, (), told=told)
        about = ticket.title if ticket is not None else task.title if task is not None else ""
        who, where = remark.author.name or remark.author.id, remark.url or "no address"
        words = [f"{who} wrote below {self._place(remark)} ({where}):", mention.text]
        if ticket is not None:
            words.append(f"The ticket: {ticket.title}\n\n{hidden.shown(ticket.body).text}")
        wish = AddTask(
            title=f"Asked: {hidden.shown(about).text}"[:200], body="\n\n".join(words)[:200_000],
            repo=self._config.repo, labels=(MENTION,), source=origin,
        )  # fmt: skip
        return self._note(remark, "mention", task, (wish,))

    def _note(
        self, remark: Remark, said: str, task: Task | None, wishes: tuple[Command, ...],
        refused: str = "", told: str = "",
    ) -> bool:  # fmt: skip
        """Write down that it was heard, with what follows, and answer it; whether it was not
        before."""
        heard = Heard(
            source=self._name, remark=remark.id, ticket=self._place(remark),
            who=remark.author.name or remark.author.id, said=said,
            task=task.id if task is not None else 0, refused=refused, told=told,
        )  # fmt: skip
        actor = Actor("person", f"{self._name}:{heard.who}")
        events = self._store.send(Hear(heard, wishes), actor)
        now = self._store.hearing.heard(self._name, remark.id)
        if events and now is not None and _answer(now):
            self._answer(remark, now)
        log.info("comment %s at %s: %s", remark.id, heard.ticket, said)
        return bool(events)

    # --- answers

    def _answer(self, remark: Remark, heard: Heard) -> None:
        self._reply(remark, _answer(heard))
        self._store.hearing.put_answered(self._name, remark.id)

    def _reply(self, remark: Remark, text: str) -> None:
        """One comment of ours for one of theirs, however often it is asked for."""
        if self._config.write == "none":
            return
        name = f"reply-{remark.id}"
        key = marks.key_of(self._secret(), self._place(remark), name)
        self._source.put_comment(remark.source_id, text, key=key)


def _answer(heard: Heard) -> str:
    """What is said to a comment; empty where what follows says enough."""
    return f"That was not done: {reporting.plain(heard.refused)}." if heard.refused else heard.told


def _acknowledged(asked: talk.Asked, task: Task, wishes: tuple[Command, ...]) -> str:
    """What is said where the comment that tells how the task stands says nothing new."""
    if not wishes:
        return f"Task {task.id} {reporting.stands(task)} already."
    chosen = next((wish for wish in wishes if isinstance(wish, RerouteTask)), None)
    if chosen is not None:
        who = reporting.plain(chosen.agent) if chosen.agent else "whoever fits best"
        return f"Task {task.id} is for {who} from now on."
    if task.state == "in_review" and asked.name in ("retry", "review"):
        return f"The pull request of task {task.id} is looked at again."
    return ""


def _names(me: Author) -> tuple[str, ...]:
    """What means us. An App of GitHub's is called `thing[bot]`, and spoken to as `@thing`."""
    if not me.bot or not me.name:
        return (WORD,)
    return tuple(dict.fromkeys((WORD, me.name, me.name.removesuffix("[bot]"))))


def _help() -> str:
    lines = [f"- `/{name}`: {what}" for name, what in talk.COMMANDS.items()]
    return "\n".join(["What can be said in a comment, on a line of its own:", "", *lines])
