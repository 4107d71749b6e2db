"""The one place that names concrete classes and wires them.

Invariant: the light half (`open_orch`) is synchronous and imports neither asyncio nor the agents;
the heavy half (`settle`) is loaded only by commands that drive runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch import plugins
from orch.api.facade import Orch
from orch.config import Config, home_from
from orch.config.folders import make_folders
from orch.config.held import Held
from orch.model.repo import Repo
from orch.model.run import Owner
from orch.model.ticket import Ticket
from orch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from orch.agents.registry import Registry
    from orch.api.preflight import Preflight
    from orch.compose.forging import Choice, Forging
    from orch.compose.sources import HomeSources
    from orch.config.tree import WorktreeFiles
    from orch.engine.firing import Firings
    from orch.engine.scheduler import Scheduler
    from orch.engine.slots import Places
    from orch.engine.world import World
    from orch.git.cli import GitCli
    from orch.hosts.accounts import Accounts
    from orch.model.event import Actor, Event
    from orch.model.job import Told
    from orch.model.report import AgentState
    from orch.ports import Acts, Forge, Took, Tracker
    from orch.terminals.tmux import Tmux

OWN_FOLDERS = {"local": "forge", "vault": "vault"}
"""Of the forge and the tracker that Orch ships; others have one below `forges` and `trackers`."""


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
        return os.urandom(6).hex()

    def random(self) -> float:
        return int.from_bytes(os.urandom(7), "big") / 2**56


class Home:
    """`orch.api.facade.Rooms`, each room made when it is first needed: what is opened once per
    process and shared by both halves."""

    def __init__(
        self, environ: Mapping[str, str], cwd: Path, person: str, *, whole: bool = True
    ) -> None:
        """Not `whole`: also where its folders cannot be made, to find out why."""
        self.environ = dict(environ)
        self.path = home_from(environ).resolve()  # the git room takes real paths only
        refusals = make_folders(self.path)
        if refusals and whole:
            raise refusals[0]
        self._held = Held(self.path, self.environ)
        self.clock = _WallClock()
        self.ids = _Ids()
        self._person = person
        self.cwd = cwd

    @cached_property
    def store(self) -> SqliteStore:
        fresh = os.urandom(8).hex()
        return SqliteStore(self.path / "orch.db", now=time.time, install=fresh)

    def close(self) -> None:
        """Hand back what was opened."""
        for name in ("store", "accounts"):
            opened = vars(self).get(name)
            if opened is not None:
                opened.close()

    @cached_property
    def git(self) -> GitCli:
        from orch.git.cli import GitCli

        return GitCli(self.environ)

    @cached_property
    def terminals(self) -> Tmux:
        from orch.terminals.tmux import Tmux

        return Tmux(self.path / "run", path=self.environ.get("PATH", os.defpath))

    @cached_property
    def forge(self) -> Forge:
        """Each repository's own, as it is configured or told by its remote."""
        from orch.compose.forging import Forging
        from orch.forges.chosen import ChosenForges

        forging = Forging(lambda: self.config(None), self.store.repo, self.environ)
        return ChosenForges(
            forging.choice_of,
            lambda: {forging.choice_of(repo.slug) for repo in self.store.repos()},
            lambda choice: self._forge(choice, forging),
        )

    def _forge(self, choice: Choice, forging: Forging) -> Forge:
        settings = forging.settings_of(choice)
        premises = self._premises("forges", choice.forge, settings, choice.table)
        made: Forge = plugins.make(plugins.FORGES, settings.kind or choice.forge, premises)
        return made

    @cached_property
    def tracker(self) -> Tracker:
        made: Tracker = plugins.make(plugins.TRACKERS, "vault", self._premises("trackers", "vault"))
        return made

    @cached_property
    def sources(self) -> HomeSources:
        from orch.compose.sources import HomeSources

        return HomeSources(
            self.path, lambda: self.config(None), self.store.repo, self.environ, self.clock,
            self.accounts,
        )  # fmt: skip

    @cached_property
    def accounts(self) -> Accounts:
        from orch.hosts import accounts

        return accounts.Accounts(self.path / accounts.FOLDER, self.clock.now)

    def mark(self, place: str, name: str) -> str:
        from orch.compose.sources import mark_secret
        from orch.model.marks import key_of

        return key_of(mark_secret(self.path), place, name)

    def _premises(
        self, room: str, name: str, settings: Any = None, table: str = ""
    ) -> plugins.Premises:
        directory = self.path / OWN_FOLDERS.get(name, f"{room}/{name}")
        return plugins.Premises(
            name=name, directory=directory, environ=self.environ, clock=self.clock, git=self.git,
            settings=settings, table=table, accounts=self.accounts,
        )  # fmt: skip

    @cached_property
    def person(self) -> Actor:
        from orch.model.event import Actor

        return Actor("person", self._person)

    @cached_property
    def preflight(self) -> Preflight:
        from orch.api.preflight import Preflight

        return Preflight(self.git, self.terminals, self.config(None).run.min_free_mb)

    @cached_property
    def me(self) -> Owner:
        from orch.terminals.process import this_process

        return this_process()

    def _agents(self) -> Registry:
        from orch.agents.registry import Registry

        return Registry(self.config(None))

    def agent_lacks(self, name: str) -> str:
        return self._agents().get(name).probe(self.environ)

    def took(self, agent: str) -> Took | None:
        return self._agents().took(agent)

    def agents_at_hand(self) -> list[str]:
        return self._agents().at_hand(self.environ)

    def agent_state(self, name: str) -> AgentState:
        return self._agents().state(name, self.environ)

    def parsed(self, agent: str, stdout: bytes, stderr: bytes, code: int) -> dict[str, Any]:
        from orch.agents import parsing, reading

        read = reading.reader(self.config(None), agent)
        return parsing.parsed(read, stdout, stderr, code, agent=agent, now=self.clock.now())

    def acts(self, agent: str) -> Acts | None:
        return self._agents().acts(agent)

    def alive(self, owner: Owner) -> bool:
        from orch.terminals.process import alive

        return alive(owner)

    def engine_pid(self) -> int:
        from orch.engine.lock import EngineLock

        return EngineLock(self.path / "run" / "engine.lock").driver()

    def read_issue(self, path: Path) -> Ticket:
        from orch.trackers.issue_file import parse_issue_file

        return parse_issue_file(path)

    def config(self, repo: Repo | None) -> Config:
        """The configuration for one repository (or none), read once per process, or by `reread`."""
        return self._held.get(repo)

    def config_files(self) -> list[str]:
        return self._held.files(self.store.repos())

    def reread(self) -> Sequence[str]:
        problems = self._held.reread(self.store.repos())
        vars(self).pop("preflight", None)  # it has a floor of its own
        return problems

    def config_error(self) -> str:
        problems = self._held.problems
        return "; ".join(self.reread() if problems is None else problems)

    def worktree_files(self, repo: Repo) -> WorktreeFiles:
        return self.config(repo).worktree

    def choose_agent(self, asked: str | None, run: str, repo: Repo | None) -> str:
        from orch.agents.registry import Registry

        path = self.environ.get("PATH", os.defpath)
        return Registry(self.config(repo), path=path).choose(asked, run)


def open_orch(environ: Mapping[str, str], cwd: Path, *, person: str) -> Orch:
    """The facade of the home that `environ` names. Creates it when it is not there; a broken
    configuration is refused at once."""
    home = Home(environ, cwd, person)
    home.config(None)
    return Orch(home)


def person(environ: Mapping[str, str]) -> str:
    """Who is at the keyboard, for the books."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return environ.get("USER", "") or str(os.getuid())


def open_unchecked(
    environ: Mapping[str, str], cwd: Path, *, person: str, whole: bool = True
) -> Orch:
    """`open_orch` for whoever wants to look at a home that may be broken."""
    return Orch(Home(environ, cwd, person, whole=whole))


def home_of(orch: Orch) -> Home:
    home = orch.rooms
    assert isinstance(home, Home)
    return home


def make_sample(
    repo: Path, remote: Path, files: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    """A throwaway repository with a bare remote; see `orch.git.sample`."""
    from orch.git import sample

    sample.make_sample(repo, remote, files, environ)


def remote_has(remote: Path, branch: str, environ: Mapping[str, str]) -> bool:
    from orch.git import sample

    return sample.remote_has(remote, branch, environ)


def settle(orch: Orch, runs: Sequence[str], on_events: Callable[[Sequence[Event]], None]) -> bool:
    """Drive or follow `runs` until each has ended or is blocked. `on_events` gets new events in
    order and an empty list at least every second. False when a person detached (Ctrl-C); a run that
    another process drives simply goes on there."""
    import asyncio

    from orch.api.planning import program_of
    from orch.engine.engine import Engine
    from orch.engine.journal import GroupJournal
    from orch.engine.lock import EngineLock
    from orch.engine.seams import failpoints_from
    from orch.engine.session import Session

    home = home_of(orch)
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


def make_world(
    home: Home, journal: Any, failpoints: Any, places: Places | None = None,
    briefing: Any = lambda task, attempt: (),
) -> World:  # fmt: skip
    """Everything the engine may touch, for real. `places` bound how much is at work at once."""
    from orch.agents.environment import base_environment
    from orch.agents.registry import Configured
    from orch.config.held_values import held_values
    from orch.config.tree import WorktreeFiles
    from orch.engine.seams import SystemClock, SystemIds
    from orch.engine.spending import Spending
    from orch.engine.world import Limits, World, in_thread
    from orch.model.dependencies import Install, plan, wanted

    config = home.config(None)

    def dependencies(slug: str, path: str) -> Install | None:
        chosen = home.config(home.store.repo(slug))
        if chosen.defaults.install_dependencies == "never":
            return None
        return plan(_root_files(Path(path), wanted()), trusted=chosen.trusted(slug))

    def configured(slug: str) -> Config:
        return home.config(home.store.repo(slug) if slug else None)

    def worktree_files(slug: str) -> WorktreeFiles:
        repo = home.store.repo(slug)
        return home.worktree_files(repo) if repo else WorktreeFiles()

    bounds: dict[str, Any] = {} if places is None else {"places": places}
    spending = Spending(home.store, configured)
    return World(
        home=home.path, store=home.store, journal=journal, git=home.git,
        terminals=home.terminals, forge=home.forge, tracker=home.tracker,
        agents=Configured(home), clock=SystemClock(), ids=SystemIds(), failpoints=failpoints,
        environ=home.environ, command_environ=base_environment(home.environ),
        alive=home.alive,
        offload=in_thread, advance=own_thread, dependencies=dependencies,
        lost_attempts=lambda slug: home.config(home.store.repo(slug)).run.lost_attempts,
        worktree_files=worktree_files, briefing=briefing,
        config=configured, may_spend=spending.may_spend, overspent=spending.overspent,
        seconds_left=spending.seconds_left,
        secrets=lambda slug: held_values(configured(slug), home.environ),
        mark=home.mark,
        limits=Limits(
            cancel_deadline_s=config.run.cancel_deadline_s,
            advance_deadline_s=config.run.advance_deadline_s,
            stop_grace_s=config.run.stop_grace_s, max_steps=config.run.max_steps,
        ),
        **bounds,
    )  # fmt: skip


def make_firings(orch: Orch, actor: Actor) -> Firings:
    """How due slots of jobs are fired in this home: what the scheduler and `orch job tick` share."""
    from orch.agents.environment import base_environment
    from orch.engine.firing import Firings

    home = home_of(orch)
    environ = {**base_environment(home.environ), "ORCH_HOME": str(home.path)}
    return Firings(
        store=home.store, actor=actor, owner=home.me, alive=home.alive, environ=environ,
        person=Path(environ.get("HOME", home.path)),
    )  # fmt: skip


def make_scheduler(orch: Orch, on_fired: Callable[[Told], None]) -> Scheduler:
    """The loop that fires jobs; `on_fired` hears, on its loop, what came of a slot."""
    from orch.engine.scheduler import Scheduler
    from orch.engine.seams import SystemClock
    from orch.model.event import Actor

    firings = make_firings(orch, Actor("engine", "scheduler"))
    return Scheduler(firings, SystemClock(), own_thread, on_fired)


def back_up(orch: Orch, target: Path) -> None:
    """A consistent, checked copy of the books, while runs go on."""
    home_of(orch).store.backup(target)


def _root_files(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The beginnings (1 MiB) of those files of a worktree's root that are there, as text. Links are
    followed: a tool would follow them too."""
    found = {}
    for name in names:
        file = folder / name
        if file.is_file():
            with file.open("rb") as content:
                found[name] = content.read(2**20).decode("utf-8", "replace")
    return found


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
        except BaseException as raised:  # noqa: BLE001 - it is handed to whoever waits
            value, error = None, raised
        try:
            loop.call_soon_threadsafe(deliver, value, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return

    threading.Thread(target=run, name="workflow", daemon=True).start()
    return await answer
