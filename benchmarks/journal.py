"""Journaled steps against raw commits of the same SQLite on the same disk, and replay."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import msgspec

from orch.api.planning import program_of
from orch.compose import own_thread
from orch.engine import handlers
from orch.engine.engine import Engine
from orch.engine.journal import GroupJournal
from orch.engine.seams import NoFailpoints, SystemClock, SystemIds
from orch.engine.step_context import Done, StepContext, done
from orch.engine.world import World, in_thread
from orch.model.command import CreateRun, RegisterRepo
from orch.model.effect import Effect, Random, ResolveBase
from orch.model.event import Actor
from orch.model.repo import Repo
from orch.model.run import Owner, Source
from orch.model.step import Outcome, Step
from orch.model.worktree import Base
from orch.store.sqlite import SqliteStore
from orch.workflow.driver import Driver
from orch.workflow.program import do
from orch.workflow.replay import replay
from orch.workflow.sources import collect

ME = Owner(1, 1, "bench")
PERSON = Actor("person", "bench")


async def _touch(ctx: StepContext, effect: ResolveBase) -> Done:
    """An act that takes no time: what is measured is the protocol around it."""
    return done(Base(branch="main", commit="0" * 40))


SEQUENCE = """
from orch import do
from orch.model.effect import ResolveBase

@do
def workflow(count=1):
    for number in range(count):
        yield ResolveBase(str(number))
"""

GATHER = """
from orch import Gather, do
from orch.model.effect import ResolveBase

@do
def workflow(count=1):
    for round in range(count // 20):
        yield Gather([ResolveBase(str(number)) for number in range(20)])
"""


def raw_commits(folder: Path, count: int) -> float:
    """Commits a second of one small row, WAL and FULL, nothing around it."""
    connection = apsw.Connection(str(folder / "raw.db"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("create table t (a integer, b text)")
    began = time.perf_counter()
    for number in range(count):
        connection.execute("begin immediate")
        connection.execute("insert into t values (?, ?)", (number, "x" * 100))
        connection.execute("commit")
    taken = time.perf_counter() - began
    connection.close()
    return count / taken


def steps_per_second(folder: Path, text: str, count: int) -> float:
    """Journaled steps a second of a run of `text`, driven by the real engine."""
    handlers.HANDLERS[ResolveBase] = _touch
    store = SqliteStore(folder / "orch.db", now=time.time, install="bench")
    journal = GroupJournal(store, NoFailpoints())
    _prepare(store, folder, text, count)
    began = time.perf_counter()
    asyncio.run(Engine(_world(folder, store, journal), ME, program_of).run(["b" * 12]))
    taken = time.perf_counter() - began
    journal.close()
    run = store.run("b" * 12)
    assert run is not None
    assert run.status == "done", run
    assert len(store.steps(run.id)) == count
    store.close()
    return count / taken


def _prepare(store: SqliteStore, folder: Path, text: str, count: int) -> None:
    place = str(folder)
    repo = Repo(
        slug="bench", local_path=place, common_dir=place, pinned_dir=place, workspace_dir=place,
        default_branch="main",
    )  # fmt: skip
    store.send(RegisterRepo(repo), PERSON)
    source = Source("flow", "flow.py", text, hashlib.sha256(text.encode()).hexdigest())
    command = CreateRun(
        id="b" * 12, workflow="flow", entry="flow:workflow", repo="bench", title="bench",
        params={"count": count}, sources=tuple(collect(source, None).values()), owner=ME,
    )  # fmt: skip
    store.send(command, PERSON)


def _world(folder: Path, store: SqliteStore, journal: GroupJournal) -> World:
    nothing: Any = SimpleNamespace(names=list)
    return World(
        home=folder, store=store, journal=journal, git=nothing, terminals=nothing, forge=nothing,
        tracker=nothing, agents=nothing, clock=SystemClock(), ids=SystemIds(),
        failpoints=NoFailpoints(), environ={}, command_environ={}, alive=lambda owner: True,
        offload=in_thread, advance=own_thread, dependencies=lambda slug, path: None,
        lost_attempts=lambda slug: 3,
    )  # fmt: skip


@do
def _thousand() -> Any:
    total = 0.0
    for _ in range(1000):
        total += yield Random()
    return total


def replay_ms() -> float:
    """Milliseconds to replay a run of 1,000 settled steps."""
    driver = Driver(_thousand(), _no_composites)
    progress, steps = driver.start(), []
    outcome = Outcome(msgspec.Raw(b"0.5"))
    while not progress.finished:
        request = progress.requests[0]
        steps.append(
            Step(
                run="r", path=request.path, kind=request.kind, request=request.raw,
                status="confirmed", outcome=outcome, settled_seq=len(steps) + 1,
            )
        )  # fmt: skip
        progress = driver.settle(request.path, outcome)
    began = time.perf_counter()
    arrived = replay(Driver(_thousand(), _no_composites), steps)
    taken = time.perf_counter() - began
    assert arrived.progress.finished
    return taken * 1000


def _no_composites(effect: Effect[Any]) -> Any:
    raise LookupError(effect)


def in_folder(parent: Path, work: Callable[[Path], float]) -> float:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        return work(Path(folder))
