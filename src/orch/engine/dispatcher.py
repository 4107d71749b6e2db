"""The dispatcher: gives waiting tasks their runs while there are free places.

Invariant: a task gets one run, however often it is looked at (the run's creation is refused for a
task that is not new); what cannot get one says why and waits for a person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from orch.engine.waiting import rest
from orch.engine.world import World
from orch.model.breakers import Tripped
from orch.model.command import CreateRun, NoteTask, RefuseTask
from orch.model.dispatching import choose
from orch.model.errors import OrchError
from orch.model.task import Task

WAIT_S = 300.0
"""Seconds that a task waits for a breaker that time lifts."""
LONGEST_S = 60.0
"""Seconds between looks at the clock: it may have been set."""
FAULTS = frozenset(
    {"disk_full", "engine_replaced", "database_corrupt", "database_io", "database_busy"}
)
ROOM_S = 5.0
"""Seconds between looks while the machine has no room: nobody tells when it has."""
log = logging.getLogger(__name__)
PlanRun = Callable[[Task], CreateRun]


class Loop(Protocol):
    """A small service of the engine."""

    async def run(self) -> None:
        """Until cancelled. Faults of the store are raised."""

    def wake(self) -> None:
        """Something was written."""


class Dispatcher:
    """`plan` makes the command that plans a task's run (blocking; a refusal is raised); `begun` is
    called when runs were made; `breakers` tells what forbids a task's next run, `room` in one
    sentence why the machine can take no more work now, or nothing (it may block)."""

    def __init__(
        self, world: World, plan: PlanRun, begun: Callable[[], None],
        breakers: Callable[[Task, float], Tripped | None] = lambda task, now: None,
        room: Callable[[], str] = lambda: "",
    ) -> None:  # fmt: skip
        self._breakers = breakers
        self._world = world
        self._plan = plan
        self._begun = begun
        self._room = room
        self._short = ""
        self._turns: dict[str, int] = {}
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        self._world.places.freed = self.wake
        while True:
            self._woken.clear()
            while await self._begin_one():
                pass
            await self._wait()

    async def _begin_one(self) -> bool:
        """Give the next task its run; whether it is worth looking again."""
        world = self._world
        task = self._next()
        if task is None:
            self._short = ""
            return False
        place = f"task {task.id}"
        world.places.take(place, task.repo)  # nobody else gets it until the task has its run
        try:
            if await self._no_room():
                return False
            stopped = self._breakers(task, world.clock.now())
            if stopped is not None:
                await self._stop(task, stopped)
                return True
            self._turns[task.repo] = max(self._turns.values(), default=0) + 1
            return await self._begin(task)
        finally:
            world.places.give_back(place)

    def _next(self) -> Task | None:
        """The task that may begin now; None where none may, or there is no place."""
        world = self._world
        busy, limits = world.places.busy(), world.places.limits()
        if sum(busy.values()) >= limits.total:
            return None
        waiting = world.store.waiting_tasks(limits.total)
        return choose(waiting, busy, limits, world.clock.now(), self._turns)

    async def _begin(self, task: Task) -> bool:
        world = self._world
        try:
            command: CreateRun = await world.call("task.plan", self._plan, task)
        except OrchError as refusal:
            if refusal.code in FAULTS:
                raise
            await self._refuse(task, refusal)
            return True
        world.places.take(command.id, task.repo)
        try:
            await world.journal.send(command)
        except OrchError as refusal:
            world.places.leave(command.id)
            if refusal.code not in ("task_taken", "task_waits", "unknown_task"):
                raise
        self._begun()
        return True

    async def _no_room(self) -> bool:
        """Work that was begun goes on; only nothing more is begun. Told once for one shortage."""
        short: str = await self._world.call("care.room", self._room)
        if bool(short) != bool(self._short):
            log.info("nothing is begun: %s", short) if short else log.info("there is room again")
        self._short = short
        return bool(short)

    async def _stop(self, task: Task, why: Tripped) -> None:
        """A breaker: it goes on as time passes, or a person has to see to it."""
        if why.waits:
            wake = self._world.clock.now() + WAIT_S
            await self._world.journal.send(NoteTask(task.id, f"waits: {why.message}", "", wake))
            return
        reason = f"{why.message} [{why.code}]"
        await self._world.journal.send(RefuseTask(task.id, reason, why.hint))

    async def _refuse(self, task: Task, refusal: OrchError) -> None:
        """No run can be made: a person has to see to it, and the others go on (H35)."""
        hint = refusal.hint.rstrip(".") if refusal.hint else ""
        again = f"orch task retry {task.id}"
        await self._world.journal.send(
            RefuseTask(
                task.id, f"{refusal.message} [{refusal.code}]",
                f"{hint}; then: {again}" if hint else again,
            )
        )  # fmt: skip

    async def _wait(self) -> None:
        """Until something was written, or the next task's time has come."""
        now = self._world.clock.now()
        later = [
            task.wake_at - now for task in self._world.store.waiting_tasks(100)
            if task.wake_at > now
        ]  # fmt: skip
        longest = ROOM_S if self._short else LONGEST_S
        await rest(self._woken, self._world.clock, min([*later, longest]))
