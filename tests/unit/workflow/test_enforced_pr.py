"""`enforced_pr`: the test command decides by its exit code, in bounded rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orch.model.effect import CommandResult, RunAgent, RunCommand
from orch.model.errors import AgentFailed, CommandFailed, StepError
from orch.model.step import Outcome
from orch.workflow.driver import Request
from tests.unit.workflow.book import Book, arrive, standing
from tests.unit.workflow.stage import Stage, fails, gives
from tests.unit.workflow.test_templates import ISSUE, program_of, shipped, told, world

Answers = Callable[[Request], Outcome]


def exits(*codes: int, stdout: str = "", **fields: Any) -> Answers:
    """The test command ends with these exit codes, one after another."""
    left = iter(codes)

    def answer(request: Request) -> Outcome:
        if isinstance(request.effect, RunCommand):
            return gives(CommandResult(exit_code=next(left), stdout=stdout, **fields))
        return world(request)

    return answer


def of(stage: Stage, kind: type) -> list[Any]:
    return [r.effect for r in stage.requests.values() if isinstance(r.effect, kind)]


def kinds(stage: Stage) -> list[str]:
    """What the template itself asks for, in order."""
    return [line.partition(" ")[2] for line in told(stage) if "/" not in line]


def test_tests_that_pass_at_once_open_the_pull_request() -> None:
    stage = shipped("enforced_pr", issue=ISSUE)
    assert stage.run(exits(0)).title == ISSUE.title
    assert kinds(stage) == ["CreateWorktree", "RunAgent", "RunCommand", "CreatePR"]
    (tests,) = of(stage, RunCommand)
    assert (tests.command, tests.check, tests.timeout) == ("pytest", False, 1800)


def test_a_failure_goes_back_to_the_agent_with_what_the_tests_printed() -> None:
    stage = shipped("enforced_pr", issue=ISSUE, test_command=["make", "test"])
    stage.run(exits(2, 0, stdout="x" * 9000 + "E assert 1 == 2", stderr="warned"))
    assert kinds(stage) == [
        "CreateWorktree", "RunAgent", "RunCommand", "RunAgent", "RunCommand", "CreatePR",
    ]  # fmt: skip
    work, fix = of(stage, RunAgent)
    assert (work.name, fix.name) == ("work", "fix-1")
    assert work.env == fix.env
    for words in ("E assert 1 == 2", "warned", "`make test`", "exit code 2", ISSUE.body):
        assert words in fix.prompt
    assert len(fix.prompt) < 8000


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_tests_that_never_pass_end_the_run_without_a_pull_request(retries: int) -> None:
    stage = shipped("enforced_pr", issue=ISSUE, max_retries=retries)
    with pytest.raises(CommandFailed) as caught:
        stage.run(exits(*[1] * 10, stdout="E no"))
    assert caught.value.code == "tests_failed"
    assert (caught.value.data["exit_code"], caught.value.data["stdout"]) == (1, "E no")
    assert kinds(stage).count("RunCommand") == retries + 1
    assert kinds(stage).count("RunAgent") == retries + 1
    assert "CreatePR" not in kinds(stage)


def test_the_words_of_an_agent_count_for_nothing() -> None:
    stage = shipped("enforced_pr", issue=ISSUE, max_retries=0)

    def boasts(request: Request) -> Outcome:
        if isinstance(request.effect, RunAgent):
            return gives("all tests pass")
        return exits(1)(request)

    with pytest.raises(CommandFailed):
        stage.run(boasts)


def test_tests_that_hang_are_told_as_such() -> None:
    stage = shipped("enforced_pr", issue=ISSUE, max_retries=1, test_timeout=5)
    with pytest.raises(CommandFailed, match="took too long"):
        stage.run(exits(124, 124, timed_out=True))
    assert "took too long" in of(stage, RunAgent)[1].prompt


def test_a_test_command_that_is_not_there_is_not_given_to_an_agent() -> None:
    stage = shipped("enforced_pr", issue=ISSUE, test_command="no-such-program -q")
    with pytest.raises(CommandFailed) as caught:
        stage.run(exits(127))
    assert caught.value.code == "command_not_found"
    assert "no-such-program -q" in caught.value.message
    assert len(of(stage, RunAgent)) == 1


def test_an_agent_that_fails_ends_the_run() -> None:
    stage = shipped("enforced_pr", issue=ISSUE)
    with pytest.raises(AgentFailed):
        stage.run(lambda r: fails("x", AgentFailed) if isinstance(r.effect, RunAgent) else world(r))
    assert kinds(stage) == ["CreateWorktree", "RunAgent"]


def test_an_impossible_bound_is_refused_before_anything_is_asked_for() -> None:
    stage = shipped("enforced_pr", issue=ISSUE, max_retries=-1)
    assert stage.failure is not None
    assert "max_retries is -1" in stage.failure.message
    assert stage.asked == []


def pages(name: str, answers: Answers, **arguments: Any) -> Iterator[tuple[Book, int]]:
    """The template played to its end, with a crash after each of its moves."""
    book = Book(program_of(name, **arguments))
    while not book.stage.finished:
        path = next(iter(book.stage.open))
        book.move([(path, answers(book.stage.open[path]))])
    for number in range(len(book.pages)):
        yield book, number


ENDINGS: list[tuple[str, tuple[int, ...]]] = [
    ("enforced_pr", (0,)),
    ("enforced_pr", (1, 1, 0)),
    ("enforced_pr", (1, 1, 1, 1)),
]


@pytest.mark.parametrize(("name", "codes"), ENDINGS)
def test_h101_a_crash_after_any_move_replays_to_the_same_place(
    name: str, codes: tuple[int, ...]
) -> None:
    seen = 0
    for book, number in pages(name, exits(*codes), issue=ISSUE):
        page = book.pages[number]
        driver, arrived = arrive(page, program_of(name, issue=ISSUE))
        ended = arrived.progress.finished
        stand = standing(arrived.requests, driver.waiting, arrived.interrupted, ended)
        assert page.stand == stand
        assert (ended, arrived.progress.value, arrived.progress.failure) == page.end
        driver.close()
        seen += 1
    assert seen > len(codes) * 2


def test_failures_are_typed_and_survive_the_journal() -> None:
    stage = shipped("enforced_pr", issue=ISSUE, max_retries=0)
    with pytest.raises(StepError):
        stage.run(exits(1))
    assert stage.failure is not None
    assert isinstance(stage.failure.raised(), CommandFailed)
