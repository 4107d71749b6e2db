"""What a workflow asks for, at which path, and what it gets back."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.effect import (
    CreatePR,
    CreateWorktree,
    Gate,
    GateAnswer,
    MergeBranches,
    Now,
    Random,
    RunAgent,
)
from orch.model.errors import NoChange, OrchError, StepError
from orch.workflow.program import Gather, Program, do
from tests.records import a_pull
from tests.unit.workflow.stage import (
    TREE,
    Stage,
    add_by_await,
    add_by_yield,
    answer_to,
    ask,
    fails,
    gives,
    three,
    word_of,
)

# --- yield and await are the same thing


@do
def whole_by_yield() -> Any:
    one = yield ask("one")
    pair = yield Gather(ask("left"), add_by_yield(1))
    inner = yield add_by_yield(2)
    try:
        yield ask("fails")
    except StepError as error:
        inner.append(error.code)
    return [one, pair, inner]


@do
async def whole_by_await() -> Any:
    one = await ask("one")
    pair = await Gather(ask("left"), add_by_await(1))
    inner = await add_by_await(2)
    try:
        await ask("fails")
    except StepError as error:
        inner.append(error.code)
    return [one, pair, inner]


WHOLE = [
    "one", ["answer of left", ["answer of first 1", "answer of second 1"]],
    ["answer of first 2", "answer of second 2", "broke"],
]  # fmt: skip


def test_yield_and_await_ask_for_the_same_things_in_the_same_order() -> None:
    stages = [Stage(whole_by_yield()), Stage(whole_by_await())]
    for stage in stages:
        result = stage.run(lambda r: fails() if word_of(r) == "fails" else answer_to(r))
        assert result == ["answer of one", *WHOLE[1:]]
    assert [w for _, w in stages[0].asked] == [w for _, w in stages[1].asked]
    paths = [path.replace("add_by_await", "add_by_yield") for path in stages[1].paths]
    assert stages[0].paths == paths


@do
def mixed() -> Any:
    inner = yield add_by_await(1)
    outer = yield from add_by_yield(2)
    return [inner, outer]


def test_either_form_calls_the_other() -> None:
    stage = Stage(mixed())
    assert stage.run() == [
        ["answer of first 1", "answer of second 1"], ["answer of first 2", "answer of second 2"],
    ]  # fmt: skip
    assert stage.paths == [
        "0/add_by_await/0", "0/add_by_await/1", "1/add_by_yield/0", "1/add_by_yield/1",
    ]  # fmt: skip


def test_calling_a_workflow_runs_nothing() -> None:
    ran = []

    @do
    def marks() -> Any:
        ran.append(1)
        yield ask("x")

    program = marks()
    assert isinstance(program, Program)
    assert repr(program) == "<call of workflow marks>"
    assert ran == []
    Stage(program)
    assert ran == [1]


def test_a_wrong_call_fails_where_it_stands() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'n'"):
        add_by_yield()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'm'"):
        add_by_yield(1, m=2)  # type: ignore[call-arg]


def test_a_decorated_function_keeps_its_name_and_docstring() -> None:
    @do
    def documented() -> Any:
        """What it does."""
        yield ask("x")

    assert (documented.__name__, documented.__doc__) == ("documented", "What it does.")


def test_a_workflow_without_effects_just_returns() -> None:
    @do
    def plain(n: int) -> int:
        return n + 1

    @do
    def calls() -> Any:
        return [(yield plain(1)), (yield Gather(plain(2), plain(3)))]

    assert Stage(plain(1)).value == 2
    assert Stage(calls()).value == [2, [3, 4]]


# --- paths


@do
def everywhere() -> Any:
    yield ask("a")
    yield Gather(ask("b"), Gather(ask("c"), add_by_yield(1)), [ask("d")])
    yield add_by_yield(2)
    yield CreatePR(env=TREE, title="t")
    yield ask("e")


def test_a_path_names_a_place_in_the_program() -> None:
    stage = Stage(everywhere())
    stage.run(answer_to)
    assert sorted(stage.paths) == sorted([
        "0",
        "1/gather.0/0",
        "1/gather.1/0/gather.0/0",
        "1/gather.1/0/gather.1/0", "1/gather.1/0/gather.1/1",
        "1/gather.2/0",
        "2/add_by_yield/0", "2/add_by_yield/1",
        "3", "3/create_pr/0", "3/create_pr/1", "3/create_pr/2",
        "4",
    ])  # fmt: skip


def test_h103_iterations_of_a_loop_have_their_own_paths() -> None:
    @do
    def loop() -> Any:
        for n in range(3):
            yield add_by_yield(n)
            yield ask(f"n{n}")

    stage = Stage(loop())
    stage.run()
    assert len(set(stage.paths)) == len(stage.paths) == 9
    assert ("4/add_by_yield/1", "second 2") in stage.asked


def test_branches_count_for_themselves_whatever_order_they_run_in() -> None:
    orders = []
    for first, second in ((0, 1), (1, 0)):
        stage = Stage(_both())
        for branch in (first, second, first, second):
            step = 0 if f"0/gather.{branch}/add_by_yield" in stage.open else None
            assert step is None
            path = next(p for p in stage.open if p.startswith(f"0/gather.{branch}/"))
            stage.settle(path)
        assert stage.value == [
            ["answer of first 0", "answer of second 0"], ["answer of first 1", "answer of second 1"],
        ]  # fmt: skip
        orders.append(sorted(stage.asked))
    assert orders[0] == orders[1]


@do
def _both() -> Any:
    return (yield Gather(add_by_yield(0), add_by_yield(1)))


# --- composites


def test_a_composite_is_carried_out_by_its_sub_steps_and_closes_with_their_result() -> None:
    @do
    def one() -> Any:
        return (yield CreatePR(env=TREE, title="t"))

    stage = Stage(one())
    assert stage.asked == [("0", "CreatePR"), ("0/create_pr/0", "t")]
    assert stage.run(answer_to) == a_pull(title="t")
    [(path, outcome)] = stage.closed
    assert path == "0"
    assert outcome == gives(a_pull(title="t"))


def test_a_failed_sub_step_fails_the_composite() -> None:
    @do
    def one() -> Any:
        try:
            yield CreatePR(env=TREE, title="t")
        except NoChange as error:
            return error.code

    stage = Stage(one())
    stage.settle("0/create_pr/0", fails("no_change", NoChange))
    assert stage.value == "no_change"
    [(_, outcome)] = stage.closed
    assert outcome.failure is not None
    assert outcome.failure.kind == "NoChange"


def test_merging_nothing_is_an_error_with_a_sentence() -> None:
    @do
    def one() -> Any:
        yield MergeBranches([])

    failure = Stage(one()).failure
    assert failure is not None
    assert "MergeBranches needs at least one worktree" in failure.message
    assert "test_driver.py line" in failure.message, "the author's line, not one of ours"


# --- values and failures


def test_outcomes_have_their_types_again() -> None:
    @do
    def typed() -> Any:
        env = yield CreateWorktree()
        when = yield Now()
        number = yield Random()
        answer = yield Gate("ok?")
        return [type(x).__name__ for x in (env, when, number, answer)]

    answers: dict[str, Any] = {
        "ResolveBase": {"branch": "main", "commit": "a" * 40}, "AddWorktree": TREE,
        "InstallDependencies": "", "Now": "2026-03-01T12:00:00Z", "Random": 0.5,
        "Gate": GateAnswer(decision="approve"),
    }  # fmt: skip
    stage = Stage(typed())
    assert stage.run(lambda r: gives(answers[type(r.effect).__name__])) == [
        "Worktree", "datetime", "float", "GateAnswer",
    ]  # fmt: skip


def test_a_failed_step_raises_its_own_class_with_its_data() -> None:
    @do
    def one() -> Any:
        try:
            yield RunAgent(env=TREE, prompt="x")
        except NoChange as error:
            return [error.code, error.message]

    stage = Stage(one())
    stage.settle("0", fails("no_change", NoChange))
    assert stage.value == ["no_change", "no_change it is"]


def test_h105_an_outcome_that_cannot_be_read_is_not_passed_over() -> None:
    stage = Stage(three())
    with pytest.raises(OrchError, match=r"step 0/gather.0/0 \(Commit/1\) cannot be read") as caught:
        stage.driver.settle("0/gather.0/0", gives({"not": "text"}))
    assert caught.value.code == "database_corrupt"


def test_an_outcome_is_delivered_once() -> None:
    stage = Stage(three())
    stage.settle("0/gather.0/0")
    with pytest.raises(KeyError):
        stage.driver.settle("0/gather.0/0", gives("again"))
    with pytest.raises(KeyError):
        stage.driver.settle("7", gives("never asked"))


def test_an_uncaught_failure_ends_the_program_with_it() -> None:
    stage = Stage(add_by_yield(1))
    stage.settle("0", fails("no_change", NoChange))
    assert stage.finished
    assert stage.failure is not None
    assert (stage.failure.code, stage.failure.kind) == ("no_change", "NoChange")


def test_a_failure_of_a_called_workflow_can_be_caught_with_its_own_class() -> None:
    class MyError(StepError):
        pass

    @do
    def inner() -> Any:
        yield ask("x")
        raise MyError("mine", code="mine")

    @do
    def outer() -> Any:
        try:
            yield inner()
        except MyError as error:
            return f"caught {error.code}"

    assert Stage(outer()).run() == "caught mine"
