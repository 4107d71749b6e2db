"""The scheduler in virtual time, on the store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orch.engine.firing import Firings
from orch.engine.scheduler import Scheduler
from orch.model import command as cmd
from orch.model.errors import ToolFailed
from orch.model.event import Event
from orch.model.job import Job, Told
from orch.model.run import Owner
from orch.store.memory import MemoryStore
from tests.records import ENGINE, ME, OTHER, PERSON
from tests.sim.virtual import VirtualClock, VirtualLoop

EPOCH = int(VirtualClock.EPOCH)  # 2027-01-15T08:00:00Z


class Stage:
    """A scheduler over books in memory; `offset` is how far the wall clock was put."""

    def __init__(self, loop: VirtualLoop, person: Path) -> None:
        self.loop, self.offset = loop, 0.0
        self._clock = VirtualClock(loop)
        self.store = MemoryStore(now=self.now)
        self.told: list[tuple[Told, float]] = []
        self.looks = 0
        self.living: set[Owner] = {ME}
        self.firings = Firings(
            store=self.store, actor=ENGINE, owner=ME, alive=self.living.__contains__,
            environ={"PATH": "/usr/bin:/bin"}, person=person,
        )  # fmt: skip
        self.scheduler = Scheduler(self.firings, self, self.offload, self._hear)

    def now(self) -> float:
        return self._clock.now() + self.offset

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        self.looks += 1
        await asyncio.sleep(seconds)

    async def offload(self, work: Callable[[], Any]) -> Any:
        return work()

    def _hear(self, told: Told) -> None:
        self.told.append((told, self.now() - EPOCH))

    def add(self, title: str, schedule: str, **fields: Any) -> None:
        wanted: dict[str, Any] = {"id": "", "title": title, "schedule": schedule} | fields
        self.store.send(cmd.AddJob(Job(**wanted)), PERSON)
        self.scheduler.wake()

    def play(self, *acts: tuple[float, Callable[[], None]], until: float) -> None:
        async def go() -> None:
            running = asyncio.ensure_future(self.scheduler.run())
            for at, act in acts:
                await asyncio.sleep(at - self.loop.time())
                act()
            await asyncio.sleep(until - self.loop.time())
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        self.loop.run_until_complete(go())

    def fired(self) -> list[tuple[str, float]]:
        return [(told.job, at) for told, at in self.told]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    loop = VirtualLoop()
    yield Stage(loop, tmp_path)
    loop.close()


def test_it_fires_at_the_slot_exactly(stage: Stage) -> None:
    stage.add("Each ten", "*/10 * * * *", kind="command", argv=("true",))
    stage.play(until=1900)
    assert stage.fired() == [("each-ten", 600.0), ("each-ten", 1200.0), ("each-ten", 1800.0)]
    assert stage.looks <= 1900 / 60 + 5, "it sleeps between"


def test_a_job_that_is_added_later_wakes_it(stage: Stage) -> None:
    stage.play(
        (30, lambda: stage.add("Late", "* * * * *", kind="command", argv=("true",))), until=130
    )
    assert stage.fired() == [("late", 60.0), ("late", 120.0)]
    assert stage.looks < 8


def test_without_jobs_it_does_nothing_at_all(stage: Stage) -> None:
    stage.play(until=10_000)
    assert stage.looks == 0


def test_h35_a_job_that_cannot_be_reckoned_is_disabled_and_others_fire(stage: Stage) -> None:
    stage.add("Gone zone", "* * * * *", kind="command", argv=("true",))
    tables: Any = stage.store
    held = stage.store.job("gone-zone")
    assert held is not None
    from msgspec.structs import replace

    tables._tables.put_job(replace(held, zone="Gone/Zone"))
    stage.add("Well", "* * * * *", kind="command", argv=("true",))
    stage.play(until=70)
    assert stage.fired() == [("well", 60.0)]
    off = stage.store.job("gone-zone")
    assert off is not None
    assert (off.enabled, off.reason) == (False, "there is no time zone 'Gone/Zone'")


def test_h35_a_program_that_is_not_there_fails_alone(stage: Stage) -> None:
    stage.add("Bad", "* * * * *", kind="command", argv=("no-such-program",))
    stage.add("Good", "* * * * *", kind="command", argv=("sh", "-c", "echo $ORCH_JOB $ORCH_SLOT"))
    stage.play(until=70)
    told = {told.job: told for told, _ in stage.told}
    assert told["bad"].outcome == "failed"
    assert "cannot be started" in told["bad"].reason
    assert (told["good"].outcome, told["good"].output) == (
        "done",
        "good 2027-01-15T08:01:00.000Z\n",
    )


def test_a_missing_directory_disables_the_job_with_the_reason(stage: Stage, tmp_path: Path) -> None:
    stage.firings.person = tmp_path / "gone"
    stage.add("Lost", "* * * * *", kind="command", argv=("true",))
    stage.play(until=200)
    assert len(stage.told) == 1
    held = stage.store.job("lost")
    assert held is not None
    assert not held.enabled
    assert held.reason == f"its directory {tmp_path / 'gone'} is not there"


def test_a_suspended_machine_makes_up_for_all_that_was_missed_once(stage: Stage) -> None:
    stage.add("Each minute", "* * * * *", kind="command", argv=("true",))

    def jump() -> None:
        stage.offset += 7200.0

    stage.play((90, jump), until=150)
    assert stage.fired()[:2] == [("each-minute", 60.0), ("each-minute", 7320.0)]
    assert len(stage.store.firings()) <= 3


def test_a_clock_that_is_put_back_fires_nothing_twice(stage: Stage) -> None:
    stage.add("Each minute", "* * * * *", kind="command", argv=("true",))

    def back() -> None:
        stage.offset -= 150.0

    stage.play((190, back), until=420)
    slots = [firing.slot - EPOCH for firing in stage.store.firings()]
    assert slots == sorted(set(slots), reverse=True)
    assert [at for _, at in stage.fired()] == [60.0, 120.0, 180.0, 240.0]


def test_a_precheck_says_no_and_no_task_is_made(stage: Stage) -> None:
    stage.add("Asks", "* * * * *", precheck=("false",))
    stage.add("Agrees", "* * * * *", precheck=("true",))
    stage.play(until=70)
    told = {told.job: told for told, _ in stage.told}
    assert told["asks"].outcome == "skipped"
    assert told["asks"].reason == "its pre-check said no: it ended with 1"
    assert (told["agrees"].outcome, told["agrees"].task) == ("fired", 1)
    assert stage.store.task(2) is None


def test_h37_a_command_whose_process_died_is_lost_and_never_run_again(stage: Stage) -> None:
    stage.add("Restarts us", "*/5 * * * *", kind="command", argv=("true",))
    stage.store.send(cmd.FireJob("restarts-us", EPOCH, OTHER), ENGINE)  # it died right here
    stage.play(until=100)
    assert stage.fired() == []
    [firing] = stage.store.firings()
    assert (firing.outcome, firing.slot) == ("lost", EPOCH)
    stage.play(until=310)
    assert stage.fired() == [("restarts-us", 300.0)]


def test_what_another_process_has_begun_is_left_to_it(stage: Stage) -> None:
    stage.living.add(OTHER)
    stage.add("Theirs", "*/5 * * * *", kind="command", argv=("true",))
    stage.store.send(cmd.FireJob("theirs", EPOCH, OTHER), ENGINE)
    stage.play(until=310)
    assert [told.outcome for told, _ in stage.told] == ["skipped"]
    assert stage.store.firings()[-1].outcome == "running"


def test_books_that_cannot_be_written_for_a_while(stage: Stage) -> None:
    """The disk is full when the command has ended: what it gave is written later."""
    stage.add("Each five", "*/5 * * * *", kind="command", argv=("true",))
    send, full = stage.store.send, [False]

    def sends(command: cmd.Command, actor: Any) -> Sequence[Event]:
        if isinstance(command, cmd.SettleFiring) and full[0]:
            raise ToolFailed("the disk is full", code="disk_full", hint="free some space")
        return send(command, actor)

    store: Any = stage.store
    store.send = sends
    full[0] = True
    stage.play((301, lambda: full.clear() or full.append(False)), until=390)
    assert [told.outcome for told, _ in stage.told] == ["error"]
    assert [firing.outcome for firing in stage.store.firings()] == ["done"]
