"""What a workflow asks for, at which path, and what it gets back."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import Any

import pytest

from orch.model.effect import (
    Commit,
    CreatePR,
    CreateWorktree,
    Gate,
    GateAnswer,
    Log,
    MergeBranches,
    Now,
    Random,
    RunAgent,
)
from orch.model.errors import (
    Cancelled,
    EffectMisuse,
    NoChange,
    OrchError,
    StepError,
)
from orch.model.run import Source
from orch.model.step import Outcome
from orch.workflow.driver import Driver
from orch.workflow.program import Gather, Program, do
from orch.workflow.sources import Modules
from tests.records import a_pull
from tests.unit.workflow.stage import TREE, Stage, ask, expand, fails, gives, is_cancelled

# --- yield and await are the same thing


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
        result = stage.run(lambda r: fails() if _word(r) == "fails" else gives(_answer(r)))
        assert result == ["answer of one", *WHOLE[1:]]
    assert [w for _, w in stages[0].asked] == [w for _, w in stages[1].asked]
    paths = [path.replace("add_by_await", "add_by_yield") for path in stages[1].paths]
    assert stages[0].paths == paths


def _word(request: Any) -> str:
    return str(request.effect.message)


def _answer(request: Any) -> str:
    return f"answer of {_word(request)}"


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
    stage.run(_any)
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


def _any(request: Any) -> Outcome:
    if isinstance(request.effect, Commit):
        return gives(_answer(request))
    return gives("c" * 40 if type(request.effect).__name__ == "Push" else a_pull())


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


# --- Gather


@do
def three(*, fail_fast: bool = False) -> Any:
    return (yield Gather([ask("a"), ask("b"), ask("c")], fail_fast=fail_fast))


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


# --- composites


def test_a_composite_is_carried_out_by_its_sub_steps_and_closes_with_their_result() -> None:
    @do
    def one() -> Any:
        return (yield CreatePR(env=TREE, title="t"))

    stage = Stage(one())
    assert stage.asked == [("0", "CreatePR"), ("0/create_pr/0", "t")]
    assert stage.run(_any) == a_pull()
    [(path, outcome)] = stage.closed
    assert path == "0"
    assert outcome == gives(a_pull())


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


# --- misuse


def flow(text: str, tmp_path: Path) -> Program[Any]:
    """`workflow` of a file with this text, loaded as a run loads it."""
    source = Source("flow", str(tmp_path / "flow.py"), text, "digest")
    program: Program[Any] = Modules({"flow": source}).load("flow").workflow()
    return program


MISUSES = [
    ("yield 3", "3"),
    ("yield None", "None"),
    ("yield 'RunAgent'", "'RunAgent'"),
    ("yield [ask('a')]", "Commit"),
    ("yield ask", "function ask"),
    ("yield Gather(ask('a'), 3)", "3"),
    ("yield Gather('ab')", "'ab'"),
    ("yield Rude()", "Rude instance"),
]
HEAD = """
from orch import do, Gather, Commit
from tests.unit.workflow.stage import ask
class Rude:
    def __repr__(self):
        raise ValueError
"""


@pytest.mark.parametrize(("line", "shown"), MISUSES)
def test_asking_for_what_is_no_effect_is_named_with_its_line(
    line: str, shown: str, tmp_path: Path
) -> None:
    stage = Stage(flow(f"{HEAD}@do\ndef workflow():\n    {line}\n", tmp_path))
    for path in list(stage.open):
        stage.settle(path)
    failure = stage.failure
    assert failure is not None
    assert (failure.code, failure.kind) == ("not_an_effect", "EffectMisuse")
    assert shown in failure.message
    assert "(flow.py line 9)" in failure.message
    assert failure.data["at"] == "flow.py line 9"


def test_misuse_can_be_caught_and_the_workflow_goes_on() -> None:
    @do
    def careful() -> Any:
        try:
            yield 3
        except EffectMisuse:
            return (yield ask("then"))

    stage = Stage(careful())
    assert stage.paths == ["1"]
    assert stage.run() == "answer of then"


WRONG_FIELDS = [
    ("Commit(env='tree', message='m')", r"$.env"),
    ("Commit(env=TREE, message=None)", r"$.message"),
    ("Commit(env=TREE, message=object())", "Commit"),
    ("Commit(env=TREE, message='\\ud800')", "Commit"),
]


@pytest.mark.parametrize(("line", "shown"), WRONG_FIELDS)
def test_an_effect_with_a_wrong_field_fails_at_its_line_before_it_is_journaled(
    line: str, shown: str, tmp_path: Path
) -> None:
    text = f"{HEAD}from tests.unit.workflow.stage import TREE\n"
    text += f"@do\ndef workflow():\n    yield {line}\n"
    stage = Stage(flow(text, tmp_path))
    assert stage.asked == []
    assert stage.failure is not None
    assert stage.failure.code == "not_an_effect"
    assert shown in stage.failure.message
    assert "flow.py line 10" in stage.failure.message


ASYNCIO = [
    "await asyncio.sleep(0)",
    "await asyncio.sleep(1)",
    "asyncio.create_task(workflow.function())",
    "await asyncio.get_running_loop().create_future()",
]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    ("line", "in_a_loop"),
    [(line, loop) for line in ASYNCIO for loop in (False, True) if not (loop and "task" in line)],
)
def test_awaiting_asyncio_is_misuse_with_or_without_a_running_loop(
    line: str, in_a_loop: bool, tmp_path: Path
) -> None:
    text = f"import asyncio\nfrom orch import do\n@do\nasync def workflow():\n    {line}\n"

    async def play() -> Stage:
        return Stage(flow(text, tmp_path))

    stage = asyncio.run(play()) if in_a_loop else Stage(flow(text, tmp_path))
    assert stage.failure is not None
    assert stage.failure.code == "not_an_effect"
    assert "flow.py line 5" in stage.failure.message


def test_a_yield_inside_an_async_def_is_misuse() -> None:
    @do
    async def both() -> Any:
        yield ask("x")

    @do
    def calls() -> Any:
        yield both()

    for program in (both(), calls()):
        failure = Stage(program).failure
        assert failure is not None
        assert failure.code == "not_an_effect"
        assert "await" in failure.message


# --- exceptions of the workflow's own code


RAISES = [
    ("raise ValueError('no')", "ValueError: no (flow.py line 9)"),
    ("1 / 0", "ZeroDivisionError: division by zero (flow.py line 9)"),
    ("raise SystemExit(3)", "SystemExit: 3 (flow.py line 9)"),
    ("raise StopIteration", "RuntimeError: generator raised StopIteration (flow.py line 9)"),
    ("raise GeneratorExit", "GeneratorExit (flow.py line 9)"),
    ("import asyncio; raise asyncio.CancelledError", "CancelledError (flow.py line 9)"),
    ("import json; json.loads('{')", "(flow.py line 9)"),
    ("def f(): f()\n    f()", "RecursionError: maximum recursion depth exceeded"),
]


@pytest.mark.parametrize(("line", "says"), RAISES)
def test_an_exception_carries_the_line_of_the_workflows_file(
    line: str, says: str, tmp_path: Path
) -> None:
    """The line of the author's file, even where a library raised it."""
    stage = Stage(flow(f"{HEAD}@do\ndef workflow():\n    {line}\n    yield ask('x')\n", tmp_path))
    failure = stage.failure
    assert failure is not None
    assert failure.code == "workflow_error"
    assert says in failure.message
    assert failure.data["at"].startswith("flow.py line ")


def test_an_exception_of_a_called_workflow_names_the_inner_line(tmp_path: Path) -> None:
    text = f"""{HEAD}
@do
def inner():
    yield ask('x')
    raise ValueError('inside')
@do
def workflow():
    yield Gather(inner(), ask('y'))
"""
    stage = Stage(flow(text, tmp_path))
    stage.settle("0/gather.1/0")
    stage.settle("0/gather.0/0")
    assert stage.failure is not None
    assert "(flow.py line 11)" in stage.failure.message


def test_a_plain_function_that_raises_fails_like_a_generator() -> None:
    @do
    def plain() -> Any:
        raise ValueError("no")

    @do
    def catches() -> Any:
        try:
            yield plain()
        except ValueError:
            return "caught"

    assert Stage(catches()).value == "caught"
    failure = Stage(plain()).failure
    assert failure is not None
    assert failure.message.startswith("ValueError: no (test_driver.py line ")


def test_a_person_at_the_keyboard_is_no_failure_of_the_workflow() -> None:
    @do
    def interrupted() -> Any:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        Stage(interrupted())


# --- cancel


@do
def tidy() -> Any:
    try:
        yield ask("work")
        yield ask("more work")
    finally:
        yield ask("cleanup 1")
        yield ask("cleanup 2")


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


# --- size


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
