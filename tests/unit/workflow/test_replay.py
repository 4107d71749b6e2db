"""A replay arrives where the journal stands, whatever order things happened in."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orch.model.effect import CreatePR
from orch.model.errors import OrchError, StepError
from orch.workflow.driver import Driver
from orch.workflow.program import Gather, do
from orch.workflow.replay import Replayed, replay
from tests.unit.workflow.book import Book, Deliveries, Page, arrive, standing
from tests.unit.workflow.stage import Stage, answer_to, ask, expand, gives, is_cancelled
from tests.unit.workflow.trees import (
    FORMS,
    TREES,
    Expected,
    Node,
    leaves_in,
    outcome_of,
    program,
    reference,
    right_value,
)


def played(tree: Node, form: Any, rng: Random) -> Book:
    """The tree, answered in a random order, some answers together, perhaps ended on the way."""
    book = Book(program(tree, form))
    try:
        _play_on(book, tree, rng)
    finally:
        book.stage.driver.close()
    return book


def _play_on(book: Book, tree: Node, rng: Random) -> None:
    stage = book.stage
    ends_at = rng.choice([None, None, rng.randrange(6)])
    while not stage.finished:
        paths = rng.sample(list(stage.open), min(len(stage.open), rng.choice([1, 1, 2, 3])))
        deliveries: Deliveries = []
        cancel = ends_at is not None and len(book.moves) >= ends_at
        if cancel:
            ends_at, paths = None, paths[: rng.choice([0, 1])]
        for path in paths:
            stopped = path in stage.interrupted and rng.random() < 0.7
            outcome = is_cancelled() if stopped else outcome_of(tree, stage.open[path])
            deliveries.append((path, outcome))
        if cancel and _would_end(stage, deliveries):
            continue
        book.move(deliveries, cancel=cancel)


def _would_end(stage: Stage, deliveries: Deliveries) -> bool:
    """A run that ends with its last outcome is not cancelled in the same move."""
    return len(deliveries) == len(stage.open)


@given(tree=TREES, form=st.sampled_from(FORMS), rng=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_h101_h102_h103_a_crash_anywhere_replays_to_the_same_place(
    tree: Node, form: Any, rng: Random
) -> None:
    book = played(tree, form, rng)
    for number, page in enumerate(book.pages):
        driver, arrived = arrive(page, program(tree, form))
        try:
            _stands_alike(driver, arrived, page)
            _goes_on_alike(driver, book, number)
        finally:
            driver.close()


def _stands_alike(driver: Driver, arrived: Replayed, page: Page) -> None:
    finished = arrived.progress.finished
    assert page.stand == standing(arrived.requests, driver.waiting, arrived.interrupted, finished)
    assert [r.path for r in arrived.open] == driver.waiting
    assert arrived.closed == page.closed
    assert not page.steps or arrived.unknown == []
    assert (finished, arrived.progress.value, arrived.progress.failure) == page.end


def _goes_on_alike(driver: Driver, book: Book, page: int) -> None:
    """From a crash after `page` moves, the rest of the story is the same, move for move."""
    known = {path for path, _, _ in book.pages[page].stand["requests"]}
    for (deliveries, cancel), then in zip(book.moves[page:], book.pages[page + 1 :], strict=True):
        moves = [driver.settle(path, outcome) for path, outcome in deliveries]
        if cancel:
            moves.append(driver.cancel())
        asked = [r for progress in moves for r in progress.requests]
        expected = [r for r in then.stand["requests"] if r[0] not in known]
        assert [(r.path, r.kind, r.raw) for r in asked] == expected
        known |= {r.path for r in asked}
        ended = [p for p in moves if p.finished]
        assert bool(ended) == then.end[0]
        if ended:
            assert (ended[0].value, ended[0].failure) == then.end[1:]


@given(tree=TREES, form=st.sampled_from(FORMS), rng=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_h101_h103_no_value_ends_up_in_another_branch(tree: Node, form: Any, rng: Random) -> None:
    book = played(tree, form, rng)
    for leaf, value in leaves_in(book.stage.value):
        assert value == right_value(leaf)
    for path, outcome in book.stage.closed:
        request = book.stage.requests[path]
        assert isinstance(request.effect, CreatePR)
        assert not outcome.ok or request.effect.title.encode() in bytes(outcome.value)


@given(tree=TREES, rng=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_h102_the_order_of_the_answers_changes_nothing(tree: Node, rng: Random) -> None:
    """Without an end from outside and without fail_fast, a plain recursion says what comes out."""
    if any(node.kind == "fast" for node in tree.walk()):
        tree = Node("seq", [node for node in tree.walk() if node.kind == "leaf"], name="seq")
    seen = []
    for form in FORMS:
        stage = answered(Stage(program(tree, form)), tree, rng)
        seen.append(stage)
        try:
            assert stage.value == reference(tree)
            assert stage.failure is None
        except Expected as expected:
            assert stage.failure is not None
            code = expected.args[0]
            assert stage.failure.code == code
    assert sorted(seen[0].asked) == sorted(seen[1].asked), "yield and await ask for the same"


def answered(stage: Stage, tree: Node, rng: Random) -> Stage:
    """Every request answered, one by one, in a random order."""
    try:
        while not stage.finished:
            path = rng.choice(list(stage.open))
            stage.settle(path, outcome_of(tree, stage.open[path]))
    finally:
        stage.driver.close()
    return stage


FAST = Node(
    "fast", [Node("leaf", name="a"), Node("leaf", name="b", fails=True), Node("leaf", name="c")]
)


@given(rng=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_h101_which_sibling_failed_first_is_read_off_the_journal(rng: Random) -> None:
    book = played(FAST, FORMS[0], rng)
    for page in book.pages:
        driver, arrived = arrive(page, program(FAST, FORMS[0]))
        assert (arrived.progress.finished, arrived.progress.value) == page.end[:2]
        driver.close()


def test_answers_in_any_order_go_to_their_own_branches() -> None:
    """H101, plainly: counting outcomes as they arrive would give `a` the answer of `b`."""

    @do
    def pair() -> Any:
        return (yield Gather(ask("a"), ask("b")))

    book = Book(pair())
    book.move([("0/gather.1/0", gives("answer of b"))])
    _, arrived = arrive(book.pages[-1], pair())
    assert [r.path for r in arrived.open] == ["0/gather.0/0"]
    driver, _ = arrive(book.pages[-1], pair())
    assert driver.settle("0/gather.0/0", gives("answer of a")).value == [
        "answer of a",
        "answer of b",
    ]


def test_an_empty_journal_is_a_start() -> None:
    @do
    def one() -> Any:
        yield ask("a")

    driver = Driver(one(), expand)
    arrived = replay(driver, [])
    assert [r.path for r in arrived.unknown] == [r.path for r in arrived.open] == ["0"]


def test_a_cancel_is_delivered_where_it_happened() -> None:
    @do
    def tidy() -> Any:
        try:
            yield ask("a")
            yield ask("b")
        finally:
            yield ask("cleanup")

    book = Book(tidy())
    book.move([("0", gives("answer of a"))])
    book.move([], cancel=True)
    driver, arrived = arrive(book.pages[-1], tidy())
    assert arrived.interrupted == ["1"]
    driver.close()
    book.move([("1", is_cancelled())])
    book.move([("2", gives("answer of cleanup"))])
    _, arrived = arrive(book.pages[-1], tidy())
    assert arrived.progress.failure is not None
    assert arrived.progress.failure.code == "cancelled"


def test_a_program_that_had_ended_by_itself_is_still_ended_when_a_cancel_came_after() -> None:
    @do
    def one() -> Any:
        yield ask("a")

    book = Book(one())
    book.move([("0", gives("answer of a"))])
    driver = Driver(one(), expand)
    assert replay(driver, book.steps, cancel_seq=10_000).progress.finished


def test_h105_a_journaled_outcome_that_cannot_be_read_stops_the_replay() -> None:
    @do
    def one() -> Any:
        yield ask("a")
        yield ask("b")

    book = Book(one())
    book.move([("0", gives("answer of a"))])
    from msgspec.structs import replace

    steps = [replace(s, outcome=gives(17)) if s.path == "0" else s for s in book.steps]
    with pytest.raises(OrchError, match="step 0") as caught:
        replay(Driver(one(), expand), steps)
    assert caught.value.code == "database_corrupt"
    assert not isinstance(caught.value, StepError)


def test_a_thousand_steps_replay_quickly() -> None:
    """The target is 50 ms of a free processor (`./dev bench`); a hundred times that is a bug."""

    @do
    def long() -> Any:
        for n in range(500):
            yield ask(str(n))
        yield Gather([ask(f"g{n}") for n in range(500)])

    book = Book(long())
    while not book.stage.finished:
        book.move([(path, answer_to(book.stage.open[path])) for path in list(book.stage.open)[:20]])
    steps = book.steps
    assert len(steps) == 1_000
    began = time.process_time()
    assert replay(Driver(long(), expand), steps).progress.finished
    assert time.process_time() - began < 5
