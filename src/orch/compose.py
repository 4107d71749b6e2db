"""The one place that names concrete classes and wires them.

Invariant: the light half (`open_orch`) is synchronous and imports neither asyncio nor the agents;
the heavy half (`settle`) is loaded only by commands that drive runs.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch.api.facade import Orch, Rooms
from orch.api.planning import Preflight, program_of
from orch.config import Config, home_from, load
from orch.forges.local import LocalForge
from orch.git.cli import GitCli
from orch.model.errors import ToolFailed
from orch.model.event import Actor, Event
from orch.model.repo import Repo
from orch.model.ticket import Ticket
from orch.store.sqlite import SqliteStore
from orch.terminals.process import alive, this_process
from orch.terminals.tmux import Tmux
from orch.trackers.vault import Vault

if TYPE_CHECKING:
    from orch.engine.world import World
    from orch.ports import Agent

FOLDERS = ("run", "repos", "worktrees", "attempts", "vault", "forge", "pinned", "log")


class _WallClock:
    """The facade's clock: it never waits."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("only the engine waits")


class _Ids:
    def run_id(self) -> str:
        return secrets.token_hex(6)

    def random(self) -> float:
        return secrets.randbelow(2**53) / 2**53


class Home:
    """What is opened once per process and shared by both halves."""

    def __init__(self, environ: Mapping[str, str], cwd: Path) -> None:
        self.environ = dict(environ)
        self.path = home_from(environ)
        _make_folders(self.path)
        self.configs: dict[str, Config] = {}
        self.store = SqliteStore(self.path / "orch.db", now=time.time, install=secrets.token_hex(8))
        self.git = GitCli(environ)
        self.terminals = Tmux(self.path / "run", path=environ.get("PATH", os.defpath))
        self.clock = _WallClock()
        self.forge = LocalForge(self.path / "forge", self.clock)
        self.tracker = Vault(self.path / "vault")
        self.cwd = cwd

    def config(self, repo: Repo | None) -> Config:
        """The configuration for one repository (or none), read once per process."""
        key = repo.slug if repo else ""
        if key not in self.configs:
            folder = Path(repo.local_path) if repo else None
            whole = load(self.path, folder, {}, self.environ)
            self.configs[key] = whole.for_repo(repo.slug) if repo else whole
        return self.configs[key]

    def choose_agent(self, asked: str | None, run: str, repo: Repo | None) -> str:
        from orch.agents.registry import Registry

        return Registry(self.config(repo)).choose(asked, run)


class _Agents:
    """The agents as each repository's configuration has them."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def choose(self, asked: str | None, run: str, repo: str) -> str:
        return self._home.choose_agent(asked, run, self._home.store.repo(repo))

    def get(self, name: str) -> Agent:
        from orch.agents.registry import Registry

        return Registry(self._home.config(None)).get(name)


def _make_folders(home: Path) -> None:
    try:
        for name in FOLDERS:
            (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        full = error.errno in (28, 122)
        raise ToolFailed(
            f"cannot make the home {home}: {error.strerror}",
            code="disk_full" if full else "home_unusable",
            hint="set ORCH_HOME to a folder that can be written to",
        ) from error


def open_orch(environ: Mapping[str, str], cwd: Path, *, person: str) -> Orch:
    """The facade of the home that `environ` names. Creates it when it is not there."""
    home = Home(environ, cwd)
    config = home.config(None)
    rooms = Rooms(
        home=home.path, store=home.store, git=home.git, terminals=home.terminals,
        tracker=home.tracker, forge=home.forge, clock=home.clock, ids=_Ids(),
        preflight=Preflight(home.git, home.terminals, config.run.min_free_mb),
        me=this_process(), person=Actor("person", person), cwd=cwd,
        choose_agent=home.choose_agent, read_issue=_read_issue,
        default_workflow=config.defaults.workflow,
    )  # fmt: skip
    orch = Orch(rooms)
    _HOMES[id(orch)] = home
    return orch


_HOMES: dict[int, Home] = {}


def _read_issue(path: Path) -> Ticket:
    from orch.trackers.issue_file import parse_issue_file

    return parse_issue_file(path)


def settle(orch: Orch, runs: Sequence[str], on_events: Callable[[Sequence[Event]], None]) -> bool:
    """Drive or follow `runs` until each has ended or is blocked. `on_events` gets new events in
    order and an empty list at least every second. False when a person detached (Ctrl-C); a run that
    another process drives simply goes on there."""
    import asyncio

    from orch.engine.engine import Engine
    from orch.engine.journal import GroupJournal
    from orch.engine.lock import EngineLock
    from orch.engine.seams import failpoints_from
    from orch.engine.session import Session

    home = _HOMES[id(orch)]
    failpoints = failpoints_from(home.environ)
    journal = GroupJournal(home.store, failpoints)
    world = make_world(home, journal, failpoints)
    lock = EngineLock(home.path / "run" / "engine.lock")
    session = Session(home.store, lock, lambda: Engine(world, orch.me, program_of), on_events)
    since = _first_event(home.store, runs)
    try:
        asyncio.run(session.settle(runs, since))
    except KeyboardInterrupt:
        if session.drove:
            for run in runs:
                orch.detach(run)
        return False
    finally:
        journal.close()
    return True


def _first_event(store: SqliteStore, runs: Sequence[str]) -> int:
    """Everything about a new run is shown; of an old one only what comes now."""
    fresh = [run for run in runs if not store.steps(run)]
    first = [events[0].seq for run in fresh if (events := store.events(0, run=run, limit=1))]
    return min(first) - 1 if first else store.last_event()


def make_world(home: Home, journal: Any, failpoints: Any) -> World:
    """Everything the engine may touch, for real."""
    from orch.agents.environment import base_environment
    from orch.engine.seams import SystemClock, SystemIds
    from orch.engine.world import Limits, World, in_thread
    from orch.model.dependencies import Install, plan, wanted

    config = home.config(None)

    def dependencies(slug: str, path: str) -> Install | None:
        if config.defaults.install_dependencies == "never":
            return None
        texts = {}
        for name in wanted():
            file = Path(path) / name
            if file.is_file() and not file.is_symlink() and file.stat().st_size < 2**20:
                texts[name] = file.read_text(encoding="utf-8", errors="replace")
        return plan(texts, trusted=config.trusted(slug))

    return World(
        home=home.path, store=home.store, journal=journal, git=home.git,
        terminals=home.terminals, forge=home.forge, tracker=home.tracker,
        agents=_Agents(home), clock=SystemClock(), ids=SystemIds(), failpoints=failpoints,
        environ=home.environ, command_environ=base_environment(home.environ), alive=alive,
        offload=in_thread, advance=own_thread, dependencies=dependencies,
        limits=Limits(
            lost_attempts=config.run.lost_attempts,
            cancel_deadline_s=config.run.cancel_deadline_s,
            advance_deadline_s=config.run.advance_deadline_s,
            stop_grace_s=config.run.stop_grace_s,
        ),
    )  # fmt: skip


async def own_thread(work: Callable[[], Any]) -> Any:
    """Run a workflow's code on a daemon thread: it may hang, and then it must hold up neither the
    loop nor the end of this process."""
    import asyncio
    import threading

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def deliver(value: Any, error: BaseException | None) -> None:
        if answer.cancelled():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def run() -> None:
        try:
            value, error = work(), None
        except BaseException as raised:
            value, error = None, raised
        try:
            loop.call_soon_threadsafe(deliver, value, error)
        except RuntimeError as closed:  # nobody waits any more
            print(closed, file=sys.stderr) if os.environ.get("ORCH_DEBUG") else None

    threading.Thread(target=run, name="workflow", daemon=True).start()
    return await answer
