"""A program under way and its journal, which is the product's own: moves are `Advance` commands to a
store in memory."""

from __future__ import annotations

from typing import Any

from orch.model.command import Advance, Plan, RegisterRepo, Settle, TakeEngine
from orch.model.errors import OrchError
from orch.model.step import Outcome, Step
from orch.store.memory import MemoryStore
from orch.workflow.driver import Driver, Request
from orch.workflow.program import Program
from orch.workflow.replay import Replayed, replay
from tests.records import ENGINE, ME, PERSON, RUN, a_repo, create_run
from tests.unit.workflow.stage import Stage, expand

Deliveries = list[tuple[str, Outcome]]


class Book:
    """A program under way and its journal. `pages` holds, after each move, what a crash would leave
    (the steps and the number of the cancel) and how the program stood."""

    def __init__(self, made: Program[Any]) -> None:
        self.store = MemoryStore(now=lambda: 1.0)
        self.store.send(RegisterRepo(a_repo()), PERSON)
        self.store.send(TakeEngine(ME), ENGINE)
        self.store.send(create_run(), PERSON)
        self.moves: list[tuple[Deliveries, bool]] = []
        self.pages: list[Page] = []
        self._noted = (0, 0)
        self.stage = Stage(made)
        self._write([], cancel=False)

    def move(self, deliveries: Deliveries, *, cancel: bool = False) -> None:
        """Deliver outcomes in this order, tell it to end, and journal all of it at once."""
        for path, outcome in deliveries:
            self.stage.settle(path, outcome)
        if cancel:
            self.stage.cancel()
        self.moves.append((deliveries, cancel))
        self._write(deliveries, cancel=cancel)

    def _write(self, deliveries: Deliveries, *, cancel: bool) -> None:
        requests, closed = list(self.stage.requests.values()), self.stage.closed
        asked, done = self._noted
        planned = {r.path: Plan(r.path, r.kind, r.raw) for r in requests[asked:]}
        settled = [Settle(path, outcome) for path, outcome in deliveries]
        settled += [Settle(p, o, plan=planned.pop(p, None)) for p, o in closed[done:]]
        self._noted = (len(requests), len(closed))
        self.store.send(
            Advance(
                run=RUN, epoch=1, settled=tuple(settled), planned=tuple(planned.values()),
                cancel=cancel,
            ),
            ENGINE,
        )  # fmt: skip
        self.pages.append(Page(self))

    @property
    def steps(self) -> list[Step]:
        return self.store.steps(RUN)

    @property
    def cancel_seq(self) -> int:
        run = self.store.run(RUN)
        assert run is not None
        return run.cancel_seq


class Page:
    """What is known after a move."""

    def __init__(self, book: Book) -> None:
        stage = book.stage
        self.steps, self.cancel_seq = book.steps, book.cancel_seq
        self.stand = standing(stage.requests, list(stage.open), stage.interrupted, stage.finished)
        self.end = (stage.finished, stage.value, stage.failure)
        self.closed = dict(stage.closed)


def standing(
    requests: dict[str, Request], waiting: list[str], interrupted: list[str], finished: bool
) -> dict[str, Any]:
    """Everything that the engine acts on."""
    return {
        "requests": [(r.path, r.kind, r.raw) for r in requests.values()],
        "waiting": waiting,
        "to be interrupted": [path for path in interrupted if path in waiting],
        "finished": finished,
    }


def arrive(page: Page, made: Program[Any]) -> tuple[Driver, Replayed]:
    driver = Driver(made, expand)
    try:
        return driver, replay(driver, page.steps, page.cancel_seq)
    except OrchError:
        driver.close()
        raise
