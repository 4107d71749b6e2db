"""A replay arrives where the journal stands, whatever order things happened in, or says why not.

The journal here is the product's own: moves are `Advance` commands to a store in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from orch.model.command import Advance, Plan, RegisterRepo, Settle, TakeEngine
from orch.model.effect import CreatePR, Gate, Log, MergeBranches
from orch.model.errors import NonDeterminism, OrchError, StepError
from orch.model.step import Outcome, Step
from orch.store.memory import MemoryStore
from orch.workflow.driver import Driver, Request
from orch.workflow.program import Gather, Program, do
from orch.workflow.replay import Replayed, replay
from tests.records import ENGINE, ME, PERSON, RUN, a_repo, create_run
from tests.unit.workflow.stage import TREE, Stage, answer_to, ask, expand, gives, is_cancelled
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

Deliveries = list[tuple[str, Outcome]]


class Book:
    """A program under way and its journal. `pages` holds, after each move, what a crash would leave
    (the steps and the number of the cancel) and how the program stood."""

    def __init__(self, made: Program[Any]) -> None:
        self.store = MemoryStore(now=lambda: 1.0)
        self.store.send(RegisterRepo(a_repo()), PERSON)
        self.store.send(TakeEngine(ME), ENGINE)
        self.store.send(create_run(), PERSON)
        self.moves: list[tuple[Deliveries, bool]] = []
        self.pages: list[Page] = []
        self._noted = (0, 0)
        self.stage = Stage(made)
        self._write([], cancel=False)

    def move(self, deliveries: Deliveries, *, cancel: bool = False) -> None:
        """Deliver outcomes in this order, tell it to end, and journal all of it at once."""
        for path, outcome in deliveries:
            self.stage.settle(path, outcome)
        if cancel:
            self.stage.cancel()
        self.moves.append((deliveries, cancel))
        self._write(deliveries, cancel=cancel)

    def _write(self, deliveries: Deliveries, *, cancel: bool) -> None:
        requests, closed = list(self.stage.requests.values()), self.stage.closed
        asked, done = self._noted
        planned = {r.path: Plan(r.path, r.kind, r.raw) for r in requests[asked:]}
        settled = [Settle(path, outcome) for path, outcome in deliveries]
        settled += [Settle(p, o, plan=planned.pop(p, None)) for p, o in closed[done:]]
        self._noted = (len(requests), len(closed))
        self.store.send(
            Advance(
                run=RUN, epoch=1, settled=tuple(settled), planned=tuple(planned.values()),
                cancel=cancel,
            ),
            ENGINE,
        )  # fmt: skip
        self.pages.append(Page(self))

    @property
    def steps(self) -> list[Step]:
        return self.store.steps(RUN)

    @property
    def cancel_seq(self) -> int:
        run = self.store.run(RUN)
        assert run is not None
        return run.cancel_seq


class Page:
    """What is known after a move."""

    def __init__(self, book: Book) -> None:
        stage = book.stage
        self.steps, self.cancel_seq = book.steps, book.cancel_seq
        self.stand = standing(stage.requests, list(stage.open), stage.interrupted, stage.finished)
        self.end = (stage.finished, stage.value, stage.failure)
        self.closed = dict(stage.closed)


def standing(
    requests: dict[str, Request], waiting: list[str], interrupted: list[str], finished: bool
) -> dict[str, Any]:
    """Everything that the engine acts on."""
    return {
        "requests": [(r.path, r.kind, r.raw) for r in requests.values()],
        "waiting": waiting,
        "to be interrupted": [path for path in interrupted if path in waiting],
        "finished": finished,
    }


def arrive(page: Page, made: Program[Any]) -> tuple[Driver, Replayed]:
    driver = Driver(made, expand)
    try:
        return driver, replay(driver, page.steps, page.cancel_seq)
    except OrchError:
        driver.close()
        raise


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


# --- non-determinism


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


@example(thousands=1)
@given(thousands=st.just(1))
@settings(deadline=None, max_examples=1)
def test_a_thousand_steps_replay_quickly(thousands: int) -> None:
    """The target is 50 ms on an idle machine; ten times that is a bug, not a slow day."""

    @do
    def long() -> Any:
        for n in range(500 * thousands):
            yield ask(str(n))
        yield Gather([ask(f"g{n}") for n in range(500 * thousands)])

    stage = Stage(long())
    steps = []
    seq = 0
    while not stage.finished:
        path = next(iter(stage.open))
        request = stage.open[path]
        seq += 1
        outcome = answer_to(request)
        stage.settle(path, outcome)
        steps.append(
            Step(run=RUN, path=path, kind=request.kind, request=request.raw, status="confirmed",
                 outcome=outcome, settled_seq=seq)
        )  # fmt: skip
    began = time.perf_counter()
    assert replay(Driver(long(), expand), steps).progress.finished
    assert time.perf_counter() - began < 0.5
