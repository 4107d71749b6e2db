"""The end of a run: told once, everywhere, and what is in `finally` still runs."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from orch.model.effect import CreatePR
from orch.model.errors import Cancelled, StepError
from orch.workflow.driver import Driver
from orch.workflow.program import Gather, do
from tests.unit.workflow.stage import (
    TREE,
    Stage,
    add_by_await,
    ask,
    expand,
    fails,
    is_cancelled,
    tidy,
)


def test_cancel_is_told_once_and_effects_in_finally_run() -> None:
    stage = Stage(tidy())
    assert stage.cancel() == ["0"]
    assert stage.settle("0", is_cancelled()) == ["1"]
    assert stage.cancel() == [], "told once"
    assert stage.settle("1") == ["2"]
    stage.settle("2")
    assert [word for _, word in stage.asked] == ["work", "cleanup 1", "cleanup 2"]
    assert stage.failure is not None
    assert (stage.failure.code, stage.failure.kind) == ("cancelled", "Cancelled")


def test_an_outcome_that_beat_the_cancel_is_delivered_and_the_next_request_is_refused() -> None:
    stage = Stage(tidy())
    stage.cancel()
    assert stage.settle("0") == ["1"]
    assert stage.asked[-1] == ("1", "cleanup 1"), "`more work` was never asked for"


def test_a_swallowed_cancel_lets_the_workflow_go_on() -> None:
    @do
    def stubborn() -> Any:
        try:
            yield ask("work")
        except Cancelled:
            pass
        return (yield ask("after"))

    stage = Stage(stubborn())
    stage.cancel()
    stage.settle("0", is_cancelled())
    assert stage.run() == "answer of after"


def test_a_failure_in_the_cleanup_is_the_end() -> None:
    stage = Stage(tidy())
    stage.cancel()
    stage.settle("0", is_cancelled())
    stage.settle("1", fails("cleanup_broke"))
    assert stage.failure is not None
    assert stage.failure.code == "cleanup_broke"


def test_cancel_reaches_every_line_of_execution_once() -> None:
    told: list[str] = []

    @do
    def worker(name: str) -> Any:
        try:
            yield ask(name)
        except Cancelled:
            told.append(name)
            raise

    @do
    def boss() -> Any:
        try:
            yield Gather(
                worker("a"), Gather(worker("b"), worker("c")), CreatePR(env=TREE, title="t")
            )
        except Cancelled:
            told.append("boss")
            raise
        finally:
            yield Gather(ask("bye 1"), ask("bye 2"))

    stage = Stage(boss())
    assert stage.cancel() == [
        "0/gather.0/0", "0/gather.1/0/gather.0/0", "0/gather.1/0/gather.1/0",
        "0/gather.2/0/create_pr/0",
    ]  # fmt: skip
    stage.settle_interrupted()
    assert told == ["a", "b", "c", "boss"]
    assert stage.open.keys() == {"1/gather.0/0", "1/gather.1/0"}
    with pytest.raises(Cancelled):
        stage.run()


def test_children_that_swallow_the_cancel_do_not_hide_it_from_their_owner() -> None:
    @do
    def worker() -> Any:
        try:
            yield ask("work")
        except Cancelled:
            return "swallowed"

    @do
    def boss() -> Any:
        got = yield Gather(worker(), worker())
        try:
            yield ask("next")
        except Cancelled:
            return got

    stage = Stage(boss())
    stage.cancel()
    stage.settle_interrupted()
    assert stage.value == ["swallowed", "swallowed"]
    assert "next" not in [word for _, word in stage.asked]


def test_a_cancel_while_failing_fast_tells_nobody_twice() -> None:
    told: list[str] = []

    @do
    def worker(name: str) -> Any:
        try:
            yield ask(name)
        except Cancelled:
            told.append(name)
        yield ask(f"{name} cleanup")

    @do
    def boss() -> Any:
        yield Gather(worker("a"), ask("b"), ask("c"), fail_fast=True)

    stage = Stage(boss())
    stage.settle("0/gather.1/0", fails("cause"))
    assert stage.interrupted == ["0/gather.0/0", "0/gather.2/0"]
    stage.settle("0/gather.0/0", is_cancelled())
    assert stage.cancel() == []
    stage.settle("0/gather.2/0", is_cancelled())
    stage.settle("0/gather.0/1")
    assert told == ["a"]
    assert stage.finished


def test_cancel_after_the_end_changes_nothing() -> None:
    stage = Stage(tidy())
    with pytest.raises(StepError):
        stage.run(lambda r: fails("broke"))
    assert stage.cancel() == []


# --- letting go


@do
def asks_at_its_end() -> Any:
    try:
        yield Gather(tidy(), add_by_await(1))
    finally:
        for n in range(5):
            yield ask(f"last words {n}")


@do
def raises_at_its_end() -> Any:
    try:
        yield ask("work")
    finally:
        raise SystemExit("no")


@pytest.mark.parametrize("workflow", [asks_at_its_end, raises_at_its_end, tidy])
def test_a_program_that_is_let_go_is_silent(workflow: Any) -> None:
    """A replay makes a fresh one. Python would print about generators that ask for more."""
    stage = Stage(workflow())
    stage.driver.close()
    del stage
    gc.collect()


def test_a_program_that_is_let_go_before_it_began_is_silent() -> None:
    def refuses(path: str, kind: str, raw: bytes) -> None:
        raise LookupError(path)

    @do
    def pair() -> Any:
        yield Gather(ask("a"), add_by_await(1), add_by_await(2))

    driver = Driver(pair(), expand, refuses)
    with pytest.raises(LookupError):
        driver.start()
    driver.close()
    del driver
    gc.collect()


def test_what_finally_asks_for_while_let_go_is_not_carried_out() -> None:
    stage = Stage(tidy())
    stage.driver.close()
    assert [word for _, word in stage.asked] == ["work"]
