"""A person ends single agents of a run; the run goes on and is told by a typed failure.

Invariant: the wish is in the books before anything is ended, and whoever drives the run carries it
out, now or after a crash. Where nobody drives, the program is ended from here; its step is settled
when the run goes on. A stopped attempt is final: no other one follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from orch.api.attempts import named
from orch.api.facade import Orch
from orch.api.messages import no_live_attempt
from orch.model import command as commands
from orch.model.attempt import FINAL, Attempt
from orch.model.run import Run


class Stopped(NamedTuple):
    """The attempts as the books have them now. `settled`: their ends are there too; else nobody
    drives the run, and they follow when it goes on."""

    attempts: list[Attempt]
    settled: bool


def live_attempts(orch: Orch, run: Run, words: Sequence[str]) -> list[Attempt]:
    """The live attempts that `words` mean. Refused where a word means none."""
    attempts = orch.store.attempts(run.id)
    found: dict[str, Attempt] = {}
    for word in words:
        live = [one for one in named(run, attempts, word) if one.status not in FINAL]
        if not live:
            raise no_live_attempt(run, word)
        found.update((one.id, one) for one in live)
    return [one for one in attempts if one.id in found]


def stop_attempts(
    orch: Orch, run: Run, attempts: Sequence[Attempt], wait: Callable[[], object]
) -> Stopped:
    """Journal the wish and see it done. `wait` takes a moment between two looks."""
    ids = tuple(attempt.id for attempt in attempts)
    orch.store.send(commands.StopAttempts(run.id, ids), orch.rooms.person)
    while True:
        now = [one for one in orch.store.attempts(run.id) if one.id in ids]
        if all(one.status in FINAL for one in now):
            return Stopped(now, settled=True)
        if not orch.is_driven(orch.run(run.id)):
            return _stop_here(orch, run.id, now)
        wait()


def _stop_here(orch: Orch, run: str, attempts: Sequence[Attempt]) -> Stopped:
    """Nobody else does it. Harmless where somebody begins to at this very moment."""
    rooms = orch.rooms
    grace = rooms.config(None).run.stop_grace_s
    for one in attempts:
        if one.status not in FINAL:
            rooms.terminals.stop(one.terminal, one.directory, grace_s=grace)
    now = [one for one in orch.store.attempts(run) if one.id in {each.id for each in attempts}]
    return Stopped(now, settled=all(one.status in FINAL for one in now))
