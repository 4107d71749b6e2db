"""A program that asks for something else than the journal holds is stopped, and told where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orch.model.effect import CreatePR, Gate, Log, MergeBranches
from orch.model.errors import NonDeterminism
from orch.workflow.program import Gather, Program, do
from tests.unit.workflow.book import Book, Page, arrive
from tests.unit.workflow.stage import TREE, answer_to, ask


@do
def original() -> Any:
    yield ask("a")
    yield Gather(ask("b"), pair_of("c", "d"))
    yield CreatePR(env=TREE, title="t")
    yield pair_of("e", "f")
    yield ask("z")


@do
def pair_of(one: str, two: str) -> Any:
    yield ask(one)
    yield ask(two)


def changed(body: Callable[[], Any]) -> Program[Any]:
    return do(body)()


def other_effect() -> Any:
    yield ask("A")


def other_kind() -> Any:
    yield Log("a")


def gather_for_a_leaf() -> Any:
    yield Gather(ask("a"))


def call_for_a_leaf() -> Any:
    yield pair_of("a", "b")


def composite_for_a_leaf() -> Any:
    yield CreatePR(env=TREE, title="a")


def nothing_at_all() -> Any:
    return 1
    yield


def leaf_for_a_gather() -> Any:
    yield ask("a")
    yield ask("b")


def call_for_a_gather() -> Any:
    yield ask("a")
    yield pair_of("b", "c")


def fewer_branches() -> Any:
    yield ask("a")
    yield Gather(ask("b"))


def more_branches() -> Any:
    yield ask("a")
    yield Gather(ask("b"), pair_of("c", "d"), ask("extra"))


def swapped_branches() -> Any:
    yield ask("a")
    yield Gather(pair_of("c", "d"), ask("b"))


def one_step_more_in_the_middle() -> Any:
    yield ask("a")
    yield ask("extra")
    yield Gather(ask("b"), pair_of("c", "d"))


def one_step_more_in_a_branch() -> Any:
    @do
    def longer() -> Any:
        yield ask("c")
        yield Gather(ask("d"), ask("extra"))

    yield ask("a")
    yield Gather(ask("b"), longer())


def _to_the_composite() -> Any:
    yield ask("a")
    yield Gather(ask("b"), pair_of("c", "d"))


def other_composite() -> Any:
    yield from _to_the_composite()
    yield MergeBranches([TREE])


def leaf_for_a_composite() -> Any:
    yield from _to_the_composite()
    yield Gate("t")


def other_title() -> Any:
    yield from _to_the_composite()
    yield CreatePR(env=TREE, title="other")


def ends_early() -> Any:
    yield from _to_the_composite()


def renamed_call() -> Any:
    @do
    def other() -> Any:
        yield ask("e")

    yield from _to_the_composite()
    yield CreatePR(env=TREE, title="t")
    yield other()


def leaf_for_a_call() -> Any:
    yield from _to_the_composite()
    yield CreatePR(env=TREE, title="t")
    yield ask("e")


def gathers_what_was_last() -> Any:
    yield from _to_the_composite()
    yield CreatePR(env=TREE, title="t")
    yield pair_of("e", "f")
    yield Gather(ask("z"), ask("extra"))


INSIDE = "steps inside a Gather or a called workflow"
MISMATCHES: list[tuple[Callable[[], Any], str, str, str]] = [
    # (program, where, what it asks for now, what the journal holds)
    (other_effect, "0", "Commit/1 with message 'A'", "Commit/1 with message 'a'"),
    (other_kind, "0", "Log/1", "Commit/1"),
    (gather_for_a_leaf, "0", INSIDE, "Commit/1"),
    (call_for_a_leaf, "0", INSIDE, "Commit/1"),
    (composite_for_a_leaf, "0", "CreatePR/1", "Commit/1"),
    (nothing_at_all, "0", "nothing", "Commit/1"),
    (leaf_for_a_gather, "1", "Commit/1", INSIDE),
    (call_for_a_gather, "1/pair_of/0", "Commit/1", "nothing"),
    (fewer_branches, "1/gather.1/0", "nothing", "Commit/1"),
    (more_branches, "1/gather.2/0", "Commit/1", "nothing"),
    (swapped_branches, "1/gather.0/0", "Commit/1 with message 'c'", "Commit/1 with message 'b'"),
    (other_composite, "2", "MergeBranches/1", "CreatePR/1"),
    (leaf_for_a_composite, "2", "Gate/1", "CreatePR/1"),
    (other_title, "2", "CreatePR/1 with title 'other'", "CreatePR/1 with title 't'"),
    (ends_early, "2", "nothing", "CreatePR/1"),
    (one_step_more_in_the_middle, "1", "Commit/1", INSIDE),
    (gathers_what_was_last, "4", INSIDE, "Commit/1"),
    (renamed_call, "3/other/0", "Commit/1", "nothing"),
    (leaf_for_a_call, "3", "Commit/1", INSIDE),
    (one_step_more_in_a_branch, "1/gather.1/1", INSIDE, "Commit/1"),
]


def a_full_journal() -> Book:
    book = Book(original())
    while list(book.stage.open) != ["4"]:
        path = next(iter(book.stage.open))
        book.move([(path, answer_to(book.stage.open[path]))])
    return book


@pytest.mark.parametrize(
    ("body", "path", "asks", "holds"), MISMATCHES, ids=[m[0].__name__ for m in MISMATCHES]
)
def test_a_program_that_asks_for_something_else_is_named(
    body: Callable[[], Any], path: str, asks: str, holds: str
) -> None:
    """With the path, what it asks for now and what the journal holds."""
    with pytest.raises(NonDeterminism) as caught:
        arrive(a_full_journal().pages[-1], changed(body))
    error = caught.value
    assert (error.code, error.exit_code, error.data["path"]) == ("non_determinism", 5, path)
    now, held = error.message.split(", but the journal holds ")
    assert now.startswith(f"at {path} the workflow now asks for {asks}")
    assert held.startswith(holds)
    assert "effects" in error.hint


def _first_that_shows(book: Book, body: Callable[[], Any]) -> Page:
    for page in book.pages:
        try:
            driver, _ = arrive(page, changed(body))
            driver.close()
        except NonDeterminism:
            return page
    raise AssertionError("no page shows it")


@pytest.mark.parametrize(
    ("body", "pages"),
    [(other_effect, 0), (gather_for_a_leaf, 0), (more_branches, 1), (fewer_branches, 1),
     (leaf_for_a_gather, 1), (one_step_more_in_the_middle, 1), (gathers_what_was_last, 9)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)  # fmt: skip
def test_it_is_seen_before_anything_that_was_not_journaled_could_start(
    body: Callable[[], Any], pages: int
) -> None:
    book = a_full_journal()
    assert book.pages.index(_first_that_shows(book, body)) == pages


def test_the_unchanged_program_is_not_accused() -> None:
    for page in a_full_journal().pages:
        driver, arrived = arrive(page, original())
        assert arrived.unknown == []
        driver.close()


def test_a_renamed_branch_that_asks_for_the_same_is_the_same() -> None:
    """A branch is named by its place; only a call that stands alone is named by its workflow."""

    @do
    def renamed() -> Any:
        yield ask("c")
        yield ask("d")

    def body() -> Any:
        yield ask("a")
        yield Gather(ask("b"), renamed())

    pages = a_full_journal().pages
    driver, arrived = arrive(pages[2], changed(body))
    assert [r.path for r in arrived.open] == ["1/gather.1/0"]
    driver.close()


def test_no_workflow_can_catch_it() -> None:
    @do
    def catches() -> Any:
        try:
            yield ask("other")
        except Exception:  # noqa: BLE001 - the most that a workflow can write
            yield ask("a")

    book = Book(original())
    with pytest.raises(NonDeterminism):
        arrive(book.pages[-1], changed(catches.function))


def test_long_requests_are_shortened_in_the_message() -> None:
    @do
    def shout(text: str) -> Any:
        yield ask(text)

    book = Book(shout("a" * 100_000))
    with pytest.raises(NonDeterminism) as caught:
        arrive(book.pages[-1], shout("b" * 100_000))
    assert len(caught.value.message) < 1_000
