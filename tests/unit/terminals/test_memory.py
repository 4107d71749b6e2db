"""The double on its own: virtual time, effects, faults. What tmux does too is in the contract."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator

import pytest

from orch.model.attempt import Launch
from orch.terminals.memory import MemoryTerminals, Script
from tests.sim.virtual import VirtualClock, VirtualLoop

LAUNCH = Launch(argv=("agent",), cwd="/", env={}, stdin="prompt")


class World:
    """Terminals in virtual time; `scripts` says what each attempt's program does."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.scripts: dict[str, Script] = {}
        self.done: list[str] = []
        self.terminals = MemoryTerminals(
            lambda attempt, launch: self.scripts[attempt], self.loop.call_later, self.clock.now
        )

    def start(self, attempt: str, launch: Launch = LAUNCH, /, **script: object) -> None:
        effect = script.pop("effect", lambda: self.done.append(attempt))
        self.scripts[attempt] = Script(effect=effect, **script)  # type: ignore[arg-type]
        self.terminals.start(f"orch-{attempt}", f"/{attempt}", attempt, launch)

    def wait(self, *attempts: str) -> None:
        async def wait() -> None:
            ended = self.terminals.ended
            await asyncio.gather(*(ended(f"orch-{name}", f"/{name}") for name in attempts))

        self.loop.run_until_complete(wait())

    def probe(self, attempt: str) -> str:
        return self.terminals.probe(f"orch-{attempt}", f"/{attempt}")

    def stop(self, attempt: str) -> None:
        self.terminals.stop(f"orch-{attempt}", f"/{attempt}", grace_s=5.0)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    try:
        yield made
    finally:
        made.loop.close()


def test_programs_end_when_their_virtual_time_has_come(world: World) -> None:
    world.start("a", seconds=9_000.0, stdout=b"slow")
    world.start("b", seconds=5.0, stdout=b"quick")
    world.wait("b")
    assert (world.loop.time(), world.probe("a"), world.probe("b")) == (5.0, "alive", "ended")
    world.wait("a")
    assert world.loop.time() == 9_000.0
    record = world.terminals.exit_record("/a")
    assert record is not None
    assert record.ended_at - record.started_at == 9_000.0
    assert world.terminals.starts == {"a": 1, "b": 1}


def test_the_effect_has_happened_when_the_end_is_told_and_happens_once(world: World) -> None:
    world.start("a", seconds=1.0, files={"result.json": "{}"})
    assert world.terminals.output("/a", "result.json") == b""
    world.wait("a")
    world.wait("a")
    assert world.done == ["a"]
    assert world.terminals.output("/a", "result.json") == b"{}"


def test_programs_outlive_the_loop_of_whoever_waited() -> None:
    """An engine that was killed waits no more; its successor is told."""
    due: list[Callable[[], None]] = []
    terminals = MemoryTerminals(
        lambda attempt, launch: Script(stdout=b"x"), lambda _, call: due.append(call), lambda: 0.0
    )
    terminals.start("orch-a", "/a", "a", LAUNCH)
    killed = asyncio.new_event_loop()
    left_behind = killed.create_task(terminals.ended("orch-a", "/a"))
    killed.call_soon(killed.stop)
    killed.run_forever()
    killed.run_until_complete(asyncio.sleep(0))
    killed.close()

    async def successor() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(terminals.ended("orch-a", "/a"))
            await asyncio.sleep(0)
            due[0]()

    asyncio.run(successor())
    assert terminals.probe("orch-a", "/a") == "ended"
    assert not left_behind.done()


@pytest.mark.parametrize("how", ["stop", "lose", "told", "timeout"])
def test_what_did_not_end_by_itself_has_no_effect(world: World, how: str) -> None:
    launch = Launch(argv=("agent",), cwd="/", env={}, timeout_s=2.0 if how == "timeout" else 0.0)
    world.start("a", launch, seconds=10.0, stdout=b"late", files={"result.json": "{}"})
    if how == "stop":
        world.stop("a")
    elif how != "timeout":
        world.terminals.lose_all(told=how == "told")
    world.wait("a")
    world.loop.run_until_complete(asyncio.sleep(100.0))
    assert world.done == []
    assert world.terminals.output("/a", "stdout") == b""
    assert world.terminals.output("/a", "result.json") == b""
    assert world.terminals.names() == []
    record = world.terminals.exit_record("/a")
    if how == "lose":
        assert (record, world.probe("a")) == (None, "lost")
        return
    assert record is not None
    told = (record.stopped, record.lost, record.timed_out, record.exit_code)
    assert told == (how == "stop", how == "told", how == "timeout", 143)


def test_a_program_may_be_lost_after_its_work_was_done(world: World) -> None:
    world.start("a", seconds=1.0, lost=True)
    world.wait("a")
    assert (world.done, world.probe("a")) == (["a"], "lost")
    assert world.terminals.exit_record("/a") is None


def test_a_hanging_program_waits_for_its_wall_time_or_for_ever(world: World) -> None:
    world.start("a", Launch(argv=("x",), cwd="/", env={}, timeout_s=7.0), seconds=math.inf)
    world.start("b", seconds=math.inf)
    world.wait("a")
    assert world.loop.time() == 7.0
    assert world.probe("b") == "alive"


def test_one_lost_terminal_is_one(world: World) -> None:
    world.start("a", seconds=10.0)
    world.start("b", seconds=10.0)
    world.terminals.lose("orch-a")
    world.wait("a", "b")
    assert (world.probe("a"), world.probe("b")) == ("lost", "ended")


def test_what_cannot_be_told_is_unknown_and_its_end_is_told_all_the_same(world: World) -> None:
    """H28: tmux may be silent; the program's end comes from the kernel, its record from the disk."""
    world.start("a", seconds=3.0)
    world.terminals.silent |= {"orch-a", "orch-b"}
    assert (world.probe("a"), world.probe("b")) == ("unknown", "unknown")
    world.wait("a")
    assert (world.loop.time(), world.probe("a")) == (3.0, "ended")
    world.terminals.silent.clear()
    assert world.probe("b") == "absent"


def test_a_program_that_owns_its_terminal_writes_onto_it(world: World) -> None:
    launch = Launch(argv=("x",), cwd="/", env={}, io="tty")
    world.start("a", launch, stdout=b"out", stderr=b"err")
    world.wait("a")
    assert world.terminals.output("/a", "pane") == b"outerr"
    assert world.terminals.output("/a", "stdout") == b""
    record = world.terminals.exit_record("/a")
    assert record is not None
    assert (record.stdout_bytes, record.stderr_bytes) == (0, 0)


@pytest.mark.parametrize(("code", "number"), [(0, 0), (128, 0), (129, 1), (192, 64), (255, 0)])
def test_exit_codes_that_stand_for_signals(world: World, code: int, number: int) -> None:
    world.start("a", exit_code=code)
    world.wait("a")
    record = world.terminals.exit_record("/a")
    assert record is not None
    assert (record.exit_code, record.signal) == (code, number)
