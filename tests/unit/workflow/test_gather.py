"""Parallel branches: all at once, results in the order written, failures by position."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.effect import CreatePR, Log
from orch.model.errors import Cancelled, StepError
from orch.workflow.program import Gather, do
from tests.unit.workflow.stage import (
    TREE,
    Stage,
    add_by_yield,
    ask,
    fails,
    gives,
    is_cancelled,
    three,
)


def test_h102_a_gather_asks_for_everything_at_once() -> None:
    assert Stage(three()).paths == ["0/gather.0/0", "0/gather.1/0", "0/gather.2/0"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_results_stand_in_the_order_written(order: tuple[int, ...]) -> None:
    stage = Stage(three())
    for branch in order:
        assert not stage.finished
        stage.settle(f"0/gather.{branch}/0")
    assert stage.value == ["answer of a", "answer of b", "answer of c"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_gather_waits_for_all_and_raises_the_first_failure_by_position(
    order: tuple[int, ...],
) -> None:
    stage = Stage(three())
    for branch in order:
        assert not stage.finished, "a failure does not end the others"
        assert stage.interrupted == []
        stage.settle(f"0/gather.{branch}/0", None if branch == 0 else fails(f"broke{branch}"))
    assert stage.failure is not None
    assert stage.failure.code == "broke1"


def test_fail_fast_stops_the_siblings_and_raises_the_cause() -> None:
    stage = Stage(three(fail_fast=True))
    stage.settle("0/gather.2/0", fails("cause"))
    assert stage.interrupted == ["0/gather.0/0", "0/gather.1/0"]
    assert not stage.finished, "it waits until they have stopped"
    stage.settle_interrupted()
    assert stage.failure is not None
    assert stage.failure.code == "cause", "not the `Cancelled` that it caused in an earlier branch"


def test_after_fail_fast_the_workflow_goes_on_and_can_still_be_ended() -> None:
    """The owner of the Gather was not cancelled: it may catch the cause, and hears of a real end."""

    @do
    def careful() -> Any:
        try:
            yield Gather(ask("a"), ask("b"), fail_fast=True)
        except StepError as error:
            caught = error.code
        try:
            yield ask("later")
        except Cancelled:
            return f"{caught}, then cancelled"

    stage = Stage(careful())
    stage.settle("0/gather.1/0", fails("cause"))
    stage.settle_interrupted()
    assert stage.open.keys() == {"1"}
    assert stage.cancel() == ["1"]
    stage.settle_interrupted()
    assert stage.value == "cause, then cancelled"


def test_a_sibling_that_finished_before_it_could_be_stopped_counts() -> None:
    stage = Stage(three(fail_fast=True))
    stage.settle("0/gather.1/0", fails("cause"))
    stage.settle("0/gather.0/0")
    stage.settle("0/gather.2/0", fails("late"))
    assert stage.failure is not None
    assert stage.failure.code == "cause"


def test_fail_fast_runs_the_cleanup_of_a_sibling() -> None:
    @do
    def with_cleanup() -> Any:
        try:
            yield ask("work")
            yield ask("never")
        finally:
            yield ask("cleanup")

    @do
    def pair() -> Any:
        yield Gather(with_cleanup(), ask("b"), fail_fast=True)

    stage = Stage(pair())
    stage.settle("0/gather.1/0", fails("cause"))
    assert stage.interrupted == ["0/gather.0/0"]
    assert stage.settle("0/gather.0/0", is_cancelled()) == ["0/gather.0/1"]
    assert stage.asked[-1] == ("0/gather.0/1", "cleanup")
    stage.settle("0/gather.0/1")
    assert stage.failure is not None
    assert stage.failure.code == "cause"


def test_fail_fast_reaches_everything_below_a_sibling() -> None:
    @do
    def deep() -> Any:
        yield Gather(ask("x"), add_by_yield(1))

    @do
    def pair() -> Any:
        yield Gather(deep(), CreatePR(env=TREE, title="t"), ask("b"), fail_fast=True)

    stage = Stage(pair())
    stage.settle("0/gather.2/0", fails("cause"))
    assert stage.interrupted == [
        "0/gather.0/0/gather.0/0", "0/gather.0/0/gather.1/0", "0/gather.1/0/create_pr/0",
    ]  # fmt: skip
    stage.settle_interrupted()
    [(path, outcome)] = stage.closed
    assert (path, outcome.failure and outcome.failure.code) == ("0/gather.1/0", "cancelled")
    assert stage.failure is not None
    assert stage.failure.code == "cause"


def test_a_branch_that_fails_before_it_asks_for_anything_stops_the_others() -> None:
    @do
    def at_once() -> Any:
        raise ValueError("no")

    @do
    def pair() -> Any:
        yield Gather(at_once(), ask("a"), add_by_yield(1), fail_fast=True)

    stage = Stage(pair())
    assert stage.asked == []
    assert stage.failure is not None
    assert stage.failure.message.startswith("ValueError: no")


@pytest.mark.parametrize("empty", [Gather(), Gather([]), Gather([], [], fail_fast=True)])
def test_an_empty_gather_gives_an_empty_list(empty: Gather) -> None:
    @do
    def nothing() -> Any:
        before = yield empty
        return [before, (yield ask("after"))]

    stage = Stage(nothing())
    assert stage.paths == ["1"]
    assert stage.run() == [[], "answer of after"]


def test_gather_takes_arguments_lists_and_generators() -> None:
    asked = [ask("a"), ask("b"), ask("c")]
    for gather in (
        Gather(*asked),
        Gather(asked),
        Gather(a for a in asked),
        Gather(asked[:1], *asked[1:]),
    ):
        assert list(gather.branches) == asked  # fmt: skip


def test_a_branch_of_a_gather_may_return_plain_values_and_none() -> None:
    @do
    def nothing() -> Any:
        yield Log("x")

    @do
    def pair() -> Any:
        return (yield Gather(nothing(), ask("b")))

    stage = Stage(pair())
    assert stage.run(lambda r: gives(None) if isinstance(r.effect, Log) else gives("v")) == [
        None,
        "v",
    ]
