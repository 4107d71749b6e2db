"""The watch over pull requests: it wakes runs that wait for one, and tells the books what became of
those whose runs are over.

Invariant: it acts on nothing and decides nothing: what is news is `orch.model.pull_rules`, what
follows for tasks is decided with the facts that it sends. Without news it runs no program and writes
nothing; the remote itself is asked only every `[review] refresh_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from orch.engine import reviews
from orch.engine.dispatcher import FAULTS
from orch.engine.waiting import rest
from orch.engine.world import ENGINE, World
from orch.model import effect as fx
from orch.model.command import RecordPull, TakeRun
from orch.model.errors import OrchError
from orch.model.event import PullRecorded
from orch.model.heard import HELD
from orch.model.pull import Check, PullRequest, Verdict
from orch.model.pull_rules import KIND, asks_checks, asks_people, news_of
from orch.model.run import Owner, Run
from orch.model.step import Step

SHORTEST_S = 0.2
"""Seconds between two looks, however often it is woken."""


class PullWatch:
    """A loop of the service; `me` is the process that takes runs up, `taken` is called after that."""

    def __init__(self, world: World, me: Owner, taken: Callable[[], None]) -> None:
        self._world = world
        self._taken = taken
        self._me = me
        self._woken = asyncio.Event()
        self._seen = 0
        self._looked = float("-inf")
        self._asked: dict[tuple[str, int], float] = {}
        self._moved: set[tuple[str, str]] = set()
        self._crowded = False

    def hint(self) -> None:
        """Somebody says that something became of a pull request: it is looked up now."""
        self._looked = float("-inf")
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        world = self._world
        self._seen = world.store.last_event()
        while True:
            self._woken.clear()
            due = world.clock.monotonic() - self._looked >= self._pace()
            if due:
                await self._look_at_open()
                self._looked = world.clock.monotonic()
            told = self._told()
            if told or due or self._crowded:
                await self._wake_runs()
            await world.clock.sleep(SHORTEST_S)
            await self._wait()

    def _pace(self) -> float:
        return self._world.config("").review.look_s

    def _told(self) -> bool:
        """Whether the books have learned of a pull request since the last look, and which bases
        have moved with one."""
        told = False
        while events := self._world.store.events(self._seen):
            self._seen = events[-1].seq
            for event in events:
                if isinstance(event.data, PullRecorded):
                    told, pull = True, event.data.pull
                    if pull.state == "merged":
                        self._moved.add((pull.repo, pull.base))
        return told

    async def _look_at_open(self) -> None:
        """Bring the books up to date with the forge's records, of those that a task waits for."""
        world = self._world
        now = world.clock.monotonic()
        for task in (*world.store.tasks("in_review"), *world.store.tasks("needs_review")):
            for pull in world.store.pulls_of_task(task.id):
                if pull.state == "open":
                    await self._look_at(pull, now)

    async def _look_at(self, pull: PullRequest, now: float) -> None:
        """Its record; every `refresh_s` what the remote shows."""
        world = self._world
        repo = world.store.repo(pull.repo)
        if repo is None:
            return
        every, key = world.config(pull.repo).review.refresh_s, (pull.repo, pull.number)
        due = bool(every) and now - self._asked.setdefault(key, now) >= every
        look = world.forge.refresh_pr if due else world.forge.get_pr
        if due:
            self._asked[key] = now
        try:
            found = await world.call("forge.watch", look, repo, pull.number)
        except OrchError as error:  # one that cannot be looked at holds up no other
            if error.code in FAULTS:
                raise
            return
        if found != pull and found.head == pull.head:  # another forge counts for itself
            await world.journal.send(RecordPull(found))

    async def _wake_runs(self) -> None:
        """Have every run taken up whose pull request has news, while there are free places."""
        world, self._crowded = self._world, False
        for run in world.store.live_runs():
            if run.status != "blocked" or not run.unattended or _put_aside(run):
                continue
            step = self._waiting(run)
            if step is None or not await self._has_news(run, step):
                continue
            if not world.places.limits().free(run.repo, world.places.busy()):
                self._crowded = True
                continue
            try:
                await world.journal.send(TakeRun(run.id, self._me), ENGINE)
                self._taken()
            except OrchError as refusal:
                if refusal.code != "run_is_final":
                    raise
        self._moved.clear()

    def _waiting(self, run: Run) -> Step | None:
        return next(
            (
                step for step in self._world.store.steps(run.id)
                if step.kind == KIND and step.outcome is None
            ),
            None,
        )  # fmt: skip

    async def _has_news(self, run: Run, step: Step) -> bool:
        world = self._world
        wait, repo = fx.decode_effect(step.request), world.store.repo(run.repo)
        if not isinstance(wait, fx.WaitForPR) or repo is None:
            return False
        pull = next(
            (one for one in world.store.pulls(run.id) if one.number == wait.pr.number), None
        )
        if pull is None:
            return False
        if (pull.repo, pull.base) in self._moved and wait.until != "person":
            return True  # its base has moved: it may conflict now
        said: Sequence[Verdict] = ()
        checks: Sequence[Check] = ()
        try:
            if asks_checks(wait):
                checks = await world.call("forge.checks", world.forge.checks, repo, pull.head_sha)
            if asks_people(wait):
                said = await reviews.verdicts(world, repo, pull.number)
        except OrchError as error:  # as above
            if error.code in FAULTS:
                raise
            return False
        now = world.clock.now()
        return news_of(
            wait, pull, checks, since=step.planned_at, now=now, asked=False, verdicts=said
        ) is not None  # fmt: skip

    async def _wait(self) -> None:
        await rest(self._woken, self._world.clock, self._pace())


def _put_aside(run: Run) -> bool:
    """A person has put it aside: only a person lets it go on."""
    return run.reason is not None and run.reason.code == HELD
