"""The places at work: every unattended run holds one, but not while it waits for something.

Invariant: a run holds at most one place; whoever waits for one gets it in turn before new work does.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from orch.model.dispatching import Slots


class Places:
    """`limits` is asked each time, so that a changed configuration counts at once. `freed` is called
    when a place may be free."""

    def __init__(self, limits: Callable[[], Slots]) -> None:
        self.limits = limits
        self.freed: Callable[[], None] = lambda: None
        self._held: dict[str, str] = {}
        self._queue: deque[tuple[str, str, asyncio.Future[None]]] = deque()

    def busy(self) -> Counter[str]:
        """How many are at work of each repository; those that wait to go on count too."""
        return Counter([*self._held.values(), *(repo for _, repo, _ in self._queue)])

    def take(self, run: str, repo: str) -> None:
        """Hold a place, whether there is one or not: it is at work already."""
        self._held[run] = repo

    def offer(self, run: str, repo: str) -> None:
        """Hold a place if there is one and nobody waits for it."""
        if not self._queue and self.limits().free(repo, Counter(self._held.values())):
            self._held.setdefault(run, repo)

    def leave(self, run: str) -> None:
        """It works no more, or waits. Twice is once."""
        if run in self._held:
            self.give_back(run)
            self.freed()

    def give_back(self, run: str) -> None:
        """What whoever begins new work had put aside: it is no news to them."""
        del self._held[run]
        self._pass_on()

    async def enter(self, run: str, repo: str) -> None:
        """Wait for a place, in turn."""
        if run in self._held:
            return
        if not self._queue and self.limits().free(repo, Counter(self._held.values())):
            self._held[run] = repo
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (run, repo, turn)
        self._queue.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if entry in self._queue:
                self._queue.remove(entry)
            else:
                self.leave(run)
            raise

    def _pass_on(self) -> None:
        for entry in list(self._queue):
            run, repo, turn = entry
            if turn.done() or not self.limits().free(repo, Counter(self._held.values())):
                continue
            self._queue.remove(entry)
            self._held[run] = repo
            turn.set_result(None)
