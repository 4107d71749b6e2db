"""Long, wide and deep programs."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from orch.workflow.program import Gather, do
from tests.unit.workflow.stage import Stage, ask, fails


def test_ten_thousand_effects_in_a_row() -> None:
    @do
    def long() -> Any:
        total = 0
        for n in range(10_000):
            total += len((yield ask(str(n))))
        return total

    stage = Stage(long())
    assert stage.run() == sum(len(f"answer of {n}") for n in range(10_000))
    assert stage.paths[-1] == "9999"


def test_a_gather_a_thousand_wide() -> None:
    @do
    def wide() -> Any:
        return (yield Gather([ask(str(n)) for n in range(1_000)]))

    assert Stage(wide()).run() == [f"answer of {n}" for n in range(1_000)]
    stage = Stage(wide())
    assert len(stage.cancel()) == 1_000


DEEP = 3 * sys.getrecursionlimit()


@do
def nested(depth: int) -> Any:
    if depth == 0:
        return (yield ask("bottom"))
    return (yield nested(depth - 1))


@do
def nested_gathers(depth: int) -> Any:
    if depth == 0:
        return (yield ask("bottom"))
    [value] = yield Gather(nested_gathers(depth - 1), fail_fast=True)
    return value


@pytest.mark.parametrize("workflow", [nested, nested_gathers])
@pytest.mark.parametrize("depth", [500, DEEP])
def test_calls_may_be_nested_deeper_than_pythons_own_stack(workflow: Any, depth: int) -> None:
    assert Stage(workflow(depth)).run() == "answer of bottom"
    failing = Stage(workflow(depth))
    [path] = failing.open
    failing.settle(path, fails("deep"))
    assert failing.failure is not None
    assert failing.failure.code == "deep"
    cancelled = Stage(workflow(depth))
    assert cancelled.cancel() == [path]
    cancelled.settle_interrupted()
    assert cancelled.failure is not None
    assert cancelled.failure.code == "cancelled"


def test_ten_thousand_calls_that_ask_for_nothing() -> None:
    @do
    def plain() -> int:
        return 1

    @do
    def sums() -> Any:
        total = 0
        for _ in range(10_000):
            total += yield plain()
        return total

    assert Stage(sums()).value == 10_000
