"""The engine on doubles in virtual time: seeded interleavings, crashes, lost answers."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import Any

import pytest

from orch.engine import programs
from orch.engine.step_context import StepContext
from tests import stride
from tests.sim.auditor import complaints
from tests.sim.flows import FLOWS, STOPPABLE
from tests.sim.seeds import all_end_well, found_by
from tests.sim.universe import Faults, Universe

SEEDS = int(os.environ.get("ORCH_SIM_SEEDS", "2000"))
CHUNKS = 20
NAMES = sorted(FLOWS)

pytestmark = pytest.mark.sim


def play(seed: int, **kwargs: Any) -> tuple[Universe, list[str]]:
    universe = Universe(seed, NAMES[seed % len(NAMES)], **kwargs)
    runs = [universe.create_run() for _ in range(universe.rng.choice([1, 1, 2]))]
    universe.play(runs)
    return universe, complaints(universe, runs)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_interleaving_and_every_crash_ends_as_promised(chunk: int) -> None:
    size = SEEDS // CHUNKS
    all_end_well(play, range(chunk * size, (chunk + 1) * size))


def test_the_seeds_do_crash_and_lose_answers() -> None:
    universes = [play(seed)[0] for seed in range(60)]
    assert sum(u.crashes for u in universes) > 60
    assert any(u.flaky_rate and not u.crash_rate for u in universes)
    assert any(len(u.store.runs()) == 2 for u in universes)


def test_the_same_seed_plays_the_same_way() -> None:
    first, again = play(7)[0], play(7)[0]
    assert [e.data for e in first.store.events(0, limit=9999)] == [
        e.data for e in again.store.events(0, limit=9999)
    ]


def test_a_planted_bug_that_starts_an_attempt_anew_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def always_new(ctx: StepContext, program: programs.Program) -> Any:
        attempt = ctx.new_attempt(len(ctx.attempts) + 1, **program.fields)
        await ctx.begin(attempt)
        return attempt

    monkeypatch.setattr(programs, "_current", always_new)
    assert found_by(play, 200)


def test_a_planted_bug_that_crosses_parallel_results_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from orch.workflow import replay

    original = replay.replay

    def by_arrival(driver: Any, steps: Any, cancel_seq: int = 0) -> Any:
        """Outcomes handed out by count instead of by path, among steps of one kind."""
        swapped = list(steps)
        agents = [s for s in swapped if s.kind == "RunAgent/1" and s.outcome is not None]
        if len(agents) > 1:
            import msgspec

            one, two = agents[0], agents[1]
            swapped[swapped.index(one)] = msgspec.structs.replace(one, outcome=two.outcome)
            swapped[swapped.index(two)] = msgspec.structs.replace(two, outcome=one.outcome)
        return original(driver, swapped, cancel_seq)

    monkeypatch.setattr("orch.engine.moves.replay", by_arrival)
    assert found_by(play, 200)


@pytest.mark.parametrize("abort", [False, True])
def test_stopped_and_aborted_runs_leave_nothing_alive(abort: bool) -> None:
    for seed in range(stride.of(100)):
        universe = Universe(seed, NAMES[seed % len(NAMES)])
        runs = [universe.create_run()]
        moment = universe.rng.random() * 8
        universe.loop.call_later(moment, lambda u=universe, r=runs: u.stop(r[0], abort=abort))
        universe.play(runs)
        wrong = complaints(universe, runs)
        assert not wrong, f"seed {seed}: {wrong}"


def test_stopped_agents_end_for_good_and_their_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whenever it is asked for, and however often the engine dies over it."""
    monkeypatch.setitem(FLOWS, "stoppable", STOPPABLE)
    seen: set[str] = set()
    for seed in range(stride.of(200)):
        universe = Universe(seed, "stoppable")
        run = universe.create_run()
        names = {"b", *universe.rng.sample(["a", "c", "d"], universe.rng.randrange(4))}
        first = universe.rng.random() * 4
        for moment in (first, *range(5, 3000, 60)):
            universe.loop.call_later(moment, universe.stop_agents, run, names)
        if seed % 2:  # and the whole run is stopped and resumed at about the same time
            moment = max(0.0, first + universe.rng.uniform(-0.1, 0.1))
            stop = functools.partial(universe.stop, run, abort=False)
            universe.loop.call_later(moment, stop)
        universe.play([run])
        wrong = [*complaints(universe, [run]), *not_for_good(universe, run, names)]
        assert not wrong, f"seed {seed}: {wrong}"
        ended = universe.store.run(run)
        assert ended is not None
        seen.update(str(said) for said in ended.result)
    assert seen == {"answer to work a", "answer to work c", "stopped", "command_failed"}


def not_for_good(universe: Universe, run: str, names: set[str]) -> list[str]:
    """What is wrong with the agents that were to be stopped, and with the others."""
    wrong, known = [], universe.store.run(run)
    assert known is not None
    said = dict(zip("abcd", known.result, strict=True))
    for attempt in universe.store.attempts(run):
        later = [a for a in universe.store.attempts(run) if a.path == attempt.path]
        if attempt.stop and attempt.status == "stopped":
            if [a for a in later if a.n > attempt.n]:
                wrong.append(f"{attempt.name} was stopped and another attempt followed")
            if said[attempt.name] != "stopped":
                wrong.append(f"{attempt.name} was stopped and is said to be {said[attempt.name]}")
        if attempt.stop and attempt.name not in names:
            wrong.append(f"{attempt.name} was not to be stopped")
    if said["b"] != "stopped":
        wrong.append(f"b never ends by itself, and said {said['b']}")
    return wrong


def test_what_was_stopped_before_it_began_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FLOWS, "stoppable", STOPPABLE)
    universe = Universe(1, "stoppable")
    universe.crash_rate = universe.flaky_rate = 0.0
    run, hit = universe.create_run(), Faults.hit

    def once(faults: Faults, name: str) -> None:
        if universe.boots == 1 and name == "terminal.start.before" and not faults.crashed:
            faults._crash = 1.0
        hit(faults, name)

    monkeypatch.setattr(Faults, "hit", once)
    asyncio.set_event_loop(universe.loop)
    universe._boot([run])
    [attempt] = universe.store.attempts(run)
    universe.stop_agents(run, {"c"})
    for moment in range(5, 100, 5):
        universe.loop.call_later(moment, universe.stop_agents, run, {"b"})
    universe.play([run])
    ended = universe.store.run(run)
    assert ended is not None
    assert ended.result[2] == "stopped"
    assert attempt.id not in universe.terminals.starts
