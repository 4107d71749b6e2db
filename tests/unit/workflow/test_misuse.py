"""What is the author's to mend is named with the line in the author's file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orch.model.errors import EffectMisuse
from orch.model.run import Source
from orch.workflow.program import Program, do
from orch.workflow.sources import Modules
from tests.unit.workflow.stage import Stage, ask


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
    assert failure.message.startswith("ValueError: no (test_misuse.py line ")


def test_a_person_at_the_keyboard_is_no_failure_of_the_workflow() -> None:
    @do
    def interrupted() -> Any:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        Stage(interrupted())
