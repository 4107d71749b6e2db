"""The engine: whoever holds the lock. It takes runs up, watches for what people ask, hands over.

Invariant: one engine per home (the lock), proven in every write by its epoch. Only runs of living
owners and runs whose owner died are driven; a blocked run waits for a person, except where an abort
was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from orch.engine.dispatcher import Loop
from orch.engine.runner import Prepare, Runner
from orch.engine.world import ENGINE, World
from orch.model.attempt import FINAL
from orch.model.command import TakeEngine, TakeRun
from orch.model.errors import Conflict, NotFound
from orch.model.event import EngineTaken
from orch.model.naming import terminal
from orch.model.repo import NOWHERE
from orch.model.run import TERMINAL, Owner, Run

LOOK_S = 0.05
Ear = Callable[[], Awaitable[None]]


class Engine:
    """Drives runs in this process. `me` identifies the process."""

    def __init__(self, world: World, me: Owner, prepare: Prepare, ear: Ear | None = None) -> None:
        """`ear` returns when another process may have written; without it we look for that every
        `LOOK_S`."""
        self._ear = ear
        self._serving = False
        self._world = world
        self._me = me
        self._prepare = prepare
        self._epoch = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._runners: dict[str, Runner] = {}
        self._changes = -1
        self._told = asyncio.Event()
        self._leaving = False
        self._stops: dict[str, str] = {}

    async def run(self, mine: Collection[str]) -> None:
        """Drive until all runs of `mine` are ended or blocked, then leave the others to whoever
        comes next. Faults of the store are raised."""
        await self._take_over()
        try:
            while True:
                self._raise_faults()
                self._look_for_runs()
                if all(self._is_settled(run) for run in mine):
                    return
                await self._wait()
        finally:
            await self.leave()

    async def serve(
        self, leave: asyncio.Event, loops: Sequence[Loop], ear: Ear | None = None
    ) -> None:
        """Drive everything there is, with `loops` beside, until `leave`; then finish the acts in
        flight and leave programs in their terminals. Faults of the store are raised."""
        self._ear = ear or self._ear
        self._serving = True
        await self._take_over()
        beside: list[asyncio.Future[Any]] = [asyncio.ensure_future(loop.run()) for loop in loops]
        leaving: asyncio.Future[Any] = asyncio.ensure_future(leave.wait())
        for task in beside:
            task.add_done_callback(lambda _: self.look())
        leaving.add_done_callback(lambda _: self.look())
        try:
            while not leave.is_set():
                self._raise_faults()
                for task in beside:
                    if task.done():
                        task.result()
                self._look_for_runs()
                for loop in loops:
                    loop.wake()
                await self._wait()
        finally:
            for task in (*beside, leaving):
                task.cancel()
            await asyncio.gather(*beside, leaving, return_exceptions=True)
            await self.leave()

    def look(self) -> None:
        """Something was written: look for runs to drive."""
        self._told.set()

    async def leave(self) -> None:
        """Start nothing more, finish the acts in flight, leave programs in their terminals."""
        self._leaving = True
        for runner in self._runners.values():
            runner.stop("leave")
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _take_over(self) -> None:
        events = await self._world.journal.send(TakeEngine(self._me))
        for event in events:
            if isinstance(event.data, EngineTaken):
                self._epoch = event.data.epoch
        await self._end_strays()

    async def _end_strays(self) -> None:
        """Terminals of ours without a live attempt are ended: nobody waits for them any more."""
        world = self._world
        live = {attempt.terminal for attempt in world.store.live_attempts()}
        for name in await world.call("terminal.names", world.terminals.names):
            identifier = name.removeprefix("orch-")
            if name in live or name != terminal(identifier):
                continue
            if world.store.attempt(identifier) is not None:
                await world.call(
                    "terminal.stop", world.terminals.stop, name,
                    world.attempt_directory(identifier), grace_s=world.limits.stop_grace_s,
                )  # fmt: skip

    def _is_settled(self, run: str) -> bool:
        if run in self._tasks:
            return False
        known = self._world.store.run(run)
        return (
            known is None or known.status in TERMINAL or not _wanted(known, serving=self._serving)
        )

    def _look_for_runs(self) -> None:
        """Take up every run that should go on; pass on what people asked for."""
        fresh = []
        for run in self._world.store.live_runs():
            if run.id in self._tasks:
                self._pass_on(run)
            elif _wanted(run, serving=self._serving) and not self._leaving:
                fresh.append(run)
        self._give_places([run for run in fresh if run.unattended])
        for run in fresh:
            self._tasks[run.id] = asyncio.ensure_future(self._drive(run))

    def _give_places(self, runs: Sequence[Run]) -> None:
        """Before new work looks for them: to those whose programs live, whether there is a place or
        not, then to those that began while there is one. The others get one in turn, before their
        next program begins: they waited when their engine died, or a person resumed them."""
        world, others = self._world, []
        for run in runs:
            attempts = world.store.attempts(run.id)
            if any(one.status not in FINAL for one in attempts):
                world.places.take(run.id, run.repo)
            elif not attempts and not run.resumed_at:
                others.append(run)
        for run in others:
            world.places.offer(run.id, run.repo)

    def _pass_on(self, run: Run) -> None:
        runner = self._runners.get(run.id)
        if runner is None:
            return
        if run.stop and self._stops.get(run.id) != run.stop:
            self._stops[run.id] = run.stop
            runner.stop(run.stop)
        runner.look_at_gates()
        unwanted = [
            attempt for attempt in self._world.store.attempts(run.id)
            if attempt.stop and attempt.status not in FINAL
        ]  # fmt: skip
        if unwanted:
            runner.end_attempts(unwanted)

    async def _drive(self, run: Run) -> None:
        world = self._world
        try:
            repo = world.store.repo(run.repo) if run.repo else NOWHERE
            if repo is None:
                raise NotFound(f"run {run.id} names the unknown repository {run.repo}")
            owner = run.owner
            if run.status == "blocked" or owner is None or not world.alive(owner):
                owner = self._me
            if run.status != "running" or owner != run.owner:
                await world.journal.send(TakeRun(run.id, owner, run.owner), ENGINE)
            fresh = world.store.run(run.id) or run
            runner = Runner(world, fresh, repo, self._epoch, self._prepare)
            self._runners[run.id] = runner
            if self._leaving:
                return
            self._pass_on(fresh)
            await runner.drive()
        except Conflict as refusal:
            if refusal.code not in ("run_is_final", "run_owned"):
                raise
        finally:
            world.places.leave(run.id)
            self._told.set()

    def _raise_faults(self) -> None:
        for run, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[run]
                self._runners.pop(run, None)
                self._stops.pop(run, None)
                error = task.exception()
                if error is not None:
                    raise error

    async def _wait(self) -> None:
        """Until something of ours happened, or another process has written."""
        if self._ear is not None:
            heard = asyncio.ensure_future(self._ear())
            told = asyncio.ensure_future(self._told.wait())
            try:
                await asyncio.wait({heard, told}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                heard.cancel()
                told.cancel()
            self._told.clear()
            return
        while not self._told.is_set():
            changes = self._world.store.changes()
            if changes != self._changes:
                self._changes = changes
                return
            try:
                async with asyncio.timeout(LOOK_S):  # `wait_for` of 3.11 can swallow a cancel
                    await self._told.wait()
            except TimeoutError:
                continue
        self._told.clear()


def _wanted(run: Run, *, serving: bool) -> bool:
    """A blocked run waits for a person, unless one asked for its stop or its end (its agents may be
    at work), or answered its gate while the service is there. Everything else goes on: a living owner
    waits for the engine to drive it, a dead one's run is taken up."""
    answered = serving and run.reason is not None and run.reason.code == "gate_answered"
    return run.status != "blocked" or bool(run.stop) or answered
