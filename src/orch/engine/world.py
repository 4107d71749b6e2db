"""Everything the engine may touch, handed in: ports, clock, randomness, failpoints, limits.

Invariant: the engine reaches the world only through `World.call`, which runs a blocking port call
off the loop with a failpoint on either side: the places at which the crash tests kill it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from orch.config import Config
from orch.config.tree import WorktreeFiles
from orch.engine.slots import Places
from orch.model import marks
from orch.model.briefing import Section
from orch.model.budget import Exceeded
from orch.model.command import Command
from orch.model.dispatching import Slots
from orch.model.event import Actor, Event
from orch.model.run import Owner, Run
from orch.ports import (
    Agent,
    Clock,
    Failpoints,
    Forge,
    Git,
    Ids,
    Store,
    Terminals,
    Took,
    Tracker,
)

T = TypeVar("T")
ENGINE = Actor("engine")


def _defaults() -> Config:
    """What holds where nothing is configured."""
    from orch.config import load

    return load(Path("/nonexistent"), None, {}, {})


class Journal(Protocol):
    """The store as the engine writes it: commands of one moment may share a commit."""

    async def send(self, command: Command, actor: Actor = ENGINE) -> list[Event]:
        """Durable when it returns. A refusal is raised."""


class Agents(Protocol):
    """Agents by name."""

    def choose(self, asked: str | None, run: str, repo: str) -> str:
        """The effect's, else the run's, else the repository's or the home's default, else the only
        one. `repo` is a slug."""

    def get(self, name: str) -> Agent: ...
    def took(self, name: str) -> Took | None:
        """How an agent shows that it took a message; None for one that does not, and for one that is
        not configured any more."""

    def startable(self, repo: str) -> list[str]:
        """Those that are configured and can be started here, in the configuration's order."""

    def refresh(self) -> None:
        """Read the configuration again, now: somebody asks for an agent that is not in it."""


@dataclass(frozen=True)
class Limits:
    """Seconds and counts; see the `[run]` table of the configuration."""

    cancel_deadline_s: float = 20.0
    advance_deadline_s: float = 10.0
    stop_grace_s: float = 5.0
    max_steps: int = 20_000
    look_attempts: int = 4
    look_base_s: float = 1.0


@dataclass(frozen=True)
class World:
    """See the module. `offload` runs a blocking call off the loop; `advance` runs the workflow's
    own code (which may hang: it gets a thread of its own); `environ` is what programs may inherit
    from; `alive` tells whether an owner's process still lives; `lost_attempts` gives a repository's
    limit of tries when terminals go away; `briefing` gives what an attempt is told about its task;
    `mark` gives the key of what is called so at a place (`orch.model.marks`);
    `config` what is configured now for a repository; `may_spend` what forbids one more attempt of
    an agent, `overspent` what those at work have reached, `seconds_left` how long they may go on
    before a limit of time is; `beginning` is held from the first question to the attempt in the
    books, so that no two take the same room in a budget; `secrets` gives the values that nothing
    written outward may hold."""

    home: Path
    store: Store
    journal: Journal
    git: Git
    terminals: Terminals
    forge: Forge
    tracker: Tracker
    agents: Agents
    clock: Clock
    ids: Ids
    failpoints: Failpoints
    environ: Mapping[str, str]
    command_environ: Mapping[str, str]
    alive: Callable[[Owner], bool]
    offload: Callable[[Callable[[], Any]], Awaitable[Any]]
    advance: Callable[[Callable[[], Any]], Awaitable[Any]]
    dependencies: Callable[[str, str], Any]
    lost_attempts: Callable[[str], int]
    worktree_files: Callable[[str], WorktreeFiles] = lambda slug: WorktreeFiles()
    briefing: Callable[[int, str], tuple[Section, ...]] = lambda task, attempt: ()
    limits: Limits = Limits()
    config: Callable[[str], Config] = lambda slug: _defaults()
    may_spend: Callable[[Run, str, float], Exceeded | None] = lambda run, agent, now: None
    overspent: Callable[[Run, str, float], Exceeded | None] = lambda run, agent, now: None
    beginning: asyncio.Lock = field(default_factory=asyncio.Lock)
    seconds_left: Callable[[Run, str, float], float] = lambda run, agent, now: float("inf")
    secrets: Callable[[str], Sequence[str]] = lambda slug: ()
    mark: Callable[[str, str], str] = lambda place, name: marks.key_of(b"", place, name)
    places: Places = field(default_factory=lambda: Places(lambda: Slots(2**31)))

    async def call(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a port call off the loop, between the failpoints `<name>.before` and `.after`."""

        def guarded() -> T:
            self.failpoints.hit(f"{name}.before")
            result = function(*args, **kwargs)
            self.failpoints.hit(f"{name}.after")
            return result

        result: T = await self.offload(guarded)
        return result

    def attempt_directory(self, attempt: str) -> str:
        return str(self.home / "attempts" / attempt)


async def in_thread(call: Callable[[], T]) -> T:
    """`World.offload` for real life."""
    return await asyncio.get_running_loop().run_in_executor(None, call)
