"""What `orch serve` runs, made once: the engine and the loops beside it.

Invariant: making it acts on nothing; what is heavy is imported only here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from orch.compose import home_of, make_scheduler, make_world, own_thread
from orch.compose.sources import mark_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.api.facade import Orch
    from orch.compose import Home
    from orch.engine.feed import Feed
    from orch.engine.listener import Listener
    from orch.engine.notifier import Notifier
    from orch.engine.reporter import Reporter
    from orch.engine.sourcing import Sourcing
    from orch.engine.syncer import Syncer
    from orch.engine.world import World
    from orch.model.deliveries import Hint
    from orch.model.event import Actor


class ServiceParts:
    """What `orch serve` runs: made once, before the lock is taken; nothing has happened yet."""

    def __init__(self, orch: Orch) -> None:
        from orch.api.briefing import Briefings
        from orch.api.planning import program_of
        from orch.api.tasks import Tasks
        from orch.api.upkeep import Upkeep
        from orch.engine.breaking import Breakers
        from orch.engine.dispatcher import Dispatcher, Loop
        from orch.engine.engine import Engine
        from orch.engine.journal import GroupJournal
        from orch.engine.keeper import Keeper
        from orch.engine.lock import EngineLock
        from orch.engine.pulls import PullWatch
        from orch.engine.seams import failpoints_from
        from orch.engine.slots import Places

        home, failpoints = home_of(orch), failpoints_from(home_of(orch).environ)
        tasks = Tasks(orch)
        self.orch = orch
        self.lock = EngineLock(home.path / "run" / "engine.lock")
        self.journal = GroupJournal(home.store, failpoints)
        told = Briefings(orch).of
        self.world = make_world(
            home, self.journal, failpoints, Places(tasks.slots),
            lambda task, attempt: told(task, before=attempt),
        )  # fmt: skip
        self.engine = Engine(self.world, orch.me, program_of)
        upkeep = Upkeep(orch)
        keeper = Keeper(self.world.clock, own_thread, upkeep.daily, upkeep.often)
        breakers = Breakers(home.store, self.world.config)
        self.dispatcher = Dispatcher(
            self.world, tasks.plan_run, self.engine.look, breakers, tasks.room.shortage
        )
        scheduler = make_scheduler(orch, lambda told: self.engine.look())
        self.notifier, self.feeds = make_outreach(home, self.world)
        self.pulls = pulls = PullWatch(self.world, orch.me, self.engine.look)
        self.syncer, reporter = make_syncer(orch, self.world, self.engine.look)
        self.listener = make_listener(orch, self.world, self.engine.look)
        outward: list[Loop] = [self.notifier, *self.feeds, self.syncer, reporter, self.listener]
        self.loops: list[Loop] = [self.dispatcher, scheduler, pulls, keeper, *outward]
        self.webhooks = ""
        """Where deliveries come in (`http://127.0.0.1:8080`), once it is known."""
        from orch.engine.deliveries import DeliveryFeed

        world = self.world
        self.deliveries = DeliveryFeed(
            world.store.deliveries, world.clock, world.offload, self._look_again
        )
        self.loops.append(self.deliveries)

    async def _look_again(self, source: str, hints: tuple[Hint, ...]) -> None:
        """Look up what webhooks hint at. What cannot be read now is refused, and tried again."""
        kinds = {hint.kind for hint in hints}
        if kinds & {"pull", "check"}:
            self.pulls.hint()
        if "comment" in kinds:
            self.listener.hint(source)
        tickets = [hint.id for hint in hints if hint.kind in ("ticket", "comment")]
        if source in self.syncer.sourcing.sources.all() and (tickets or "ticket" in kinds):
            await self.syncer.look_again(source, tickets if all(tickets) else ())

    async def last_words(self) -> None:
        """Tell hooks and people what happened until now."""
        for feed in self.feeds:
            await feed.catch_up()
            feed.acknowledge()
        await self.notifier.send_due()


def make_outreach(home: Home, world: World) -> tuple[Notifier, list[Feed]]:
    """Who tells people, and the readers of events: hooks, notifications, rules."""
    from orch.agents.environment import base_environment
    from orch.engine.feed import Feed
    from orch.engine.hooks import Hooks
    from orch.engine.notifier import Notifier, named
    from orch.engine.rules import Rules

    base = base_environment(home.environ)
    notifier = Notifier(world, lambda: home.config(None).notify, home.environ, base)
    hooks = Hooks(world, lambda: home.config(None).hooks.timeout_s, base)
    rules = Rules(
        world, lambda: home.config(None).rules, notifier,
        lambda: list(named(home.config(None).notify.hooks)),
    )  # fmt: skip
    dealers = {"hooks": hooks.deal, "notify": notifier.deal, "rules": rules.deal}
    return notifier, [Feed(world, name, deal) for name, deal in dealers.items()]


def make_sourcing(orch: Orch, actor: Actor) -> Sourcing:
    """How sources are read in this home: what the service and `orch tickets sync` share."""
    from orch.engine.sourcing import Sourcing

    home = home_of(orch)
    return Sourcing(home.store, home.sources, time.time, actor)


def make_syncer(orch: Orch, world: World, written: Callable[[], None]) -> tuple[Syncer, Reporter]:
    """The loops that read sources and write back to them; `written` hears of news in the books."""
    from orch.engine.reporter import Reporter
    from orch.engine.seams import report_waits_from
    from orch.engine.syncer import Syncer
    from orch.model.event import Actor

    home = home_of(orch)
    sourcing = make_sourcing(orch, Actor("engine", "syncer"))
    waits = report_waits_from(home.environ)
    reporter = Reporter(world, home.sources, lambda: mark_secret(home.path), waits)
    return Syncer(sourcing, world.clock, own_thread, lambda told: written()), reporter


def make_listener(orch: Orch, world: World, acted: Callable[[], None]) -> Listener:
    """The loop that hears what people say below tickets."""
    from orch.api.spoken_wishes import SpokenWishes
    from orch.engine.listener import Listener

    home = home_of(orch)
    return Listener(
        home.store, home.sources, SpokenWishes(orch), world.clock,
        lambda: mark_secret(home.path), own_thread, acted,
    )  # fmt: skip


def serve_parts(orch: Orch) -> ServiceParts:
    return ServiceParts(orch)
