"""A driver with somebody who answers: what the engine does with a workflow, without a world.

The leaf of the programs here is `ask("word")`; its outcome is `answer of word`, so that a test sees
at once where each value ends up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from orch.model.effect import Commit, Effect, OpenPR, Push, encode_result
from orch.model.errors import Cancelled, Failure, StepError, failure_of
from orch.model.step import Outcome
from orch.workflow.composites import EXPAND
from orch.workflow.driver import Driver, Progress, Request
from orch.workflow.program import Gather, Program, do
from tests.records import a_pull, a_worktree

TREE = a_worktree()


def ask(word: str) -> Commit:
    """An effect that gives text."""
    return Commit(env=TREE, message=word)


def word_of(request: Request) -> str:
    effect = request.effect
    return effect.message if isinstance(effect, Commit) else type(effect).__name__


def gives(value: Any) -> Outcome:
    return Outcome(msgspec.Raw(encode_result(value)))


def fails(code: str = "broke", error: type[StepError] = StepError) -> Outcome:
    return Outcome(failure=failure_of(error(f"{code} it is", code=code)))


def is_cancelled() -> Outcome:
    return Outcome(failure=failure_of(Cancelled("the run is being ended")))


def answer_to(request: Request) -> Outcome:
    """`answer of word`; for the sub-steps of `CreatePR` something of the right type."""
    if isinstance(request.effect, Push):
        return gives("c" * 40)
    if isinstance(request.effect, OpenPR):
        return gives(a_pull(title=request.effect.title))
    return gives(f"answer of {word_of(request)}")


def expand(effect: Effect[Any]) -> Program[Any]:
    return EXPAND[type(effect)](effect)


class Stage:
    """One program under way. `asked` are (path, word) in the order asked, `open` by path."""

    def __init__(self, program: Program[Any]) -> None:
        self.driver = Driver(program, expand)
        self.asked: list[tuple[str, str]] = []
        self.requests: dict[str, Request] = {}
        self.open: dict[str, Request] = {}
        self.closed: list[tuple[str, Outcome]] = []
        self.interrupted: list[str] = []
        self.finished = False
        self.value: Any = None
        self.failure: Failure | None = None
        self._take(self.driver.start())

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def settle(self, path: str, outcome: Outcome | None = None) -> list[str]:
        """Answer the request at `path`; gives the paths of what was asked for then."""
        request = self.open.pop(path)
        return self._take(self.driver.settle(path, outcome or answer_to(request)))

    def cancel(self) -> list[str]:
        """Tell it to end; gives the paths that are to be interrupted."""
        before = len(self.interrupted)
        self._take(self.driver.cancel())
        return self.interrupted[before:]

    def settle_interrupted(self) -> None:
        """Every interrupted request ends as cancelled, in the order in which it was named."""
        while left := [path for path in self.interrupted if path in self.open]:
            self.settle(left[0], is_cancelled())

    def run(self, answer: Callable[[Request], Outcome] = answer_to) -> Any:
        """Answer whatever is open, oldest first, to the end; gives the value or raises."""
        while not self.finished:
            path = next(iter(self.open))
            self.settle(path, answer(self.open[path]))
        if self.failure is not None:
            raise self.failure.raised()
        return self.value

    def _take(self, progress: Progress) -> list[str]:
        for request in progress.requests:
            self.asked.append((request.path, word_of(request)))
            assert request.path not in self.requests, "a path names one place"
            self.requests[request.path] = request
            if not type(request.effect).composite:
                self.open[request.path] = request
        self.closed.extend(progress.closed)
        self.interrupted.extend(progress.interrupt)
        if progress.finished:
            self.finished, self.value, self.failure = True, progress.value, progress.failure
        assert list(self.open) == self.driver.waiting
        return [request.path for request in progress.requests]


@do
def add_by_yield(n: int) -> Any:
    first = yield ask(f"first {n}")
    second = yield ask(f"second {n}")
    return [first, second]


@do
async def add_by_await(n: int) -> Any:
    first = await ask(f"first {n}")
    second = await ask(f"second {n}")
    return [first, second]


@do
def three(*, fail_fast: bool = False) -> Any:
    return (yield Gather([ask("a"), ask("b"), ask("c")], fail_fast=fail_fast))


@do
def tidy() -> Any:
    try:
        yield ask("work")
        yield ask("more work")
    finally:
        yield ask("cleanup 1")
        yield ask("cleanup 2")
