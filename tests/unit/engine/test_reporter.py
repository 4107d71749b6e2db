"""Tickets out: one comment and one label that say how a task stands, whatever goes wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from orch.config.source_tree import SourceConfig
from orch.engine.reporter import Reporter
from orch.engine.seams import ReportWaits, report_waits_from
from orch.engine.world import World
from orch.model import marks, reporting
from orch.model.command import AddTask, CloseTask, HoldTask, QueueTask
from orch.model.errors import LimitReached, OrchError, ToolFailed, UsageError
from orch.model.event import Actor
from orch.model.task import Task, TaskState
from orch.model.ticket_books import Known
from orch.ports import Failpoints, TicketSource
from orch.store.memory import MemoryStore
from orch.testing.forges import SteppingClock
from orch.trackers.memory_source import MemoryProject, MemorySource

ME = Actor("engine")
SECRET = b"k" * 32
LAG_S = 15.0


class Killed(BaseException):
    """The process ends here."""


class Unlucky(MemorySource):
    """A source whose answers get lost, and at which the process may end, before or after an act."""

    rng = random.Random(0)
    rate = 0.0

    def _acted(self, act: Any, *words: Any, **named: Any) -> Any:
        chance = self.rng.random()
        if chance < self.rate / 3:
            raise Killed
        if chance < self.rate:
            raise ToolFailed("502", code="host_unreachable")
        done = act(*words, **named)
        chance = self.rng.random()
        if chance < self.rate / 3:
            raise Killed
        if chance < self.rate:
            raise ToolFailed("no answer", code="outcome_unknown")
        return done

    def put_state(self, source_id: str, state: TaskState) -> None:
        self._acted(super().put_state, source_id, state)

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        done: str = self._acted(super().put_comment, source_id, body, key=key, known=known)
        return done

    def close(self, source_id: str, *, done: bool) -> None:
        self._acted(super().close, source_id, done=done)


class One:
    def __init__(self, source: TicketSource, **changed: Any) -> None:
        self.source = source
        self.table = SourceConfig(**{"kind": "memory", "repo": "thing", **changed})

    def all(self) -> Mapping[str, SourceConfig]:
        return {"thing": self.table}

    def open(self, name: str) -> TicketSource:
        return self.source


class Calm:
    def hit(self, name: str) -> None:
        """Nothing happens here."""


async def at_once(call: Any) -> Any:
    return call()


def a_world(store: MemoryStore, clock: SteppingClock) -> World:
    """Only what is needed here; whatever else is touched is not there."""
    nothing = cast(Any, None)
    return World(
        home=Path("/nonexistent"), store=store, journal=nothing, git=nothing, terminals=nothing,
        forge=nothing, tracker=nothing, agents=nothing, clock=clock, ids=nothing,
        failpoints=cast(Failpoints, Calm()), environ={"HOME": "/home/pat"}, command_environ={},
        alive=lambda owner: True, offload=at_once, advance=at_once,
        dependencies=lambda slug, path: None, lost_attempts=lambda slug: 1,
    )  # fmt: skip


class Place:
    def __init__(
        self, seed: int = 0, rate: float = 0.0, lag_s: float = 0.0, **changed: Any
    ) -> None:
        self.clock = SteppingClock()
        self.store = MemoryStore(now=self.clock.now)
        self.project = MemoryProject(self.clock)
        self.project.lag_s = lag_s
        self.source = Unlucky(self.project, name="thing")
        self.source.rng, self.source.rate = random.Random(seed), rate
        self.sources = One(self.source, **changed)
        self.reporter = self._reporter()
        self.calls = 0

    def _reporter(self) -> Reporter:
        return Reporter(a_world(self.store, self.clock), self.sources, lambda: SECRET)

    def task(self, title: str = "T", **more: Any) -> tuple[int, str]:
        number = self.project.opens(title)
        asked = AddTask(title=title, issue=f"thing:{number}", once=True, **more)
        return self.store.send(asked, ME)[0].task, number

    def write(self) -> float | None:
        """One pass; a process that ends in it is started anew."""
        self.calls += 1
        try:
            return asyncio.run(self.reporter.write_due())
        except Killed:
            self.reporter = self._reporter()
            return 0.0

    def settle(self, limit: int = 500) -> None:
        """Until nothing is due any more, time passing."""
        for _ in range(limit):
            pause = self.write()
            if pause is None:
                return
            self.clock.at += max(pause, 0.5)
        raise AssertionError("it never comes to an end")

    def ours(self, number: str) -> Sequence[str]:
        return [
            one.remark.body for one in self.project.said.values()
            if one.remark.source_id == number and one.remark.author == self.source.me()
        ]  # fmt: skip

    def state_label(self, number: str) -> list[str]:
        labels = self.source.get(number).labels
        return [label for label in labels if label.startswith("status:")]


def test_a_ticket_says_how_its_task_stands() -> None:
    place = Place()
    task, number = place.task()
    place.settle()
    (said,) = place.ours(number)
    assert said.startswith(f"**Orch**: task {task} waits to be begun.")
    assert marks.has(said, marks.key_of(SECRET, f"thing:{number}", f"task-{task}"))
    assert place.state_label(number) == ["status:new"]
    place.store.send(HoldTask(task, "waits for <b>@you</b> | x", hint="orch task get 1"), ME)
    place.settle()
    (said,) = place.ours(number)
    assert "waits for \\<b\\>\\@\u200byou\\</b\\> \\| x" in said
    assert place.state_label(number) == ["status:blocked"]
    place.store.send(CloseTask(task, "done by hand", done=True), ME)
    place.settle()
    assert place.state_label(number) == ["status:done"]
    assert place.source.get(number).state == "closed"
    assert place.source.get(number).word == "completed"
    assert len(place.ours(number)) == 1


def test_h95_no_secret_and_no_place_of_this_machine_is_told() -> None:
    place = Place()
    task, number = place.task()
    why = "it said ghp_0123456789abcdefghijABCDEFGHIJ456789 at /nonexistent/run and /home/pat/x_y"
    place.store.send(HoldTask(task, why, hint="cat /home/pat/x_y"), ME)
    place.settle()
    (said,) = place.ours(number)
    assert "it said \\*\\*\\* at ORCH\\_HOME/run and \\~/x\\_y" in said
    assert "cat \\~/x\\_y" in said


def test_labels_tell_who_works_unless_a_person_has_said_so() -> None:
    task = Task(id=1, title="T", state="in_progress", agent="claude", complexity="simple")
    assert reporting.labels_of(task, ["bug"]) == ("agent:claude", "complexity:simple")
    assert reporting.labels_of(task, ["Agent:codex"]) == ("complexity:simple",)
    assert reporting.labels_of(replace(task, agent=""), []) == ("complexity:simple",)


def test_labels_of_ours_are_exchanged_and_a_persons_stay() -> None:
    place = Place()
    task, number = place.task()
    place.project.labels(number, ["bug"], [], by="writer")
    for agent in ("claude", "codex"):
        known = place.store.task(task)
        assert known is not None
        place.store.tickets.put([Known(ticket=place.source.get(number), synced_at=1.0)])
        place.store._tables.put_task(replace(known, agent=agent, updated_at=place.clock.at))
        place.reporter = Reporter(a_world(place.store, place.clock), place.sources, lambda: SECRET)
        place.settle()
        labels = set(place.source.get(number).labels)
        assert labels == {"bug", "status:new", f"agent:{agent}"}


def test_nothing_is_written_where_nothing_is_news() -> None:
    place = Place()
    _, number = place.task()
    place.settle()
    turn = place.project.items[number].turn
    place.reporter = Reporter(a_world(place.store, place.clock), place.sources, lambda: SECRET)
    place.settle()
    assert place.project.items[number].turn == turn


@pytest.mark.parametrize(
    ("changed", "comments", "labels", "state"),
    [
        ({"write": "none"}, 0, [], "open"),
        ({"write": "comments"}, 1, [], "open"),
        ({"close": False}, 1, ["status:done"], "open"),
        ({}, 1, ["status:done"], "closed"),
    ],
)
def test_what_is_written_back_is_the_sources_policy(
    changed: dict[str, Any], comments: int, labels: list[str], state: str
) -> None:
    place = Place(**changed)
    task, number = place.task()
    place.store.send(CloseTask(task, done=True), ME)
    place.settle()
    assert len(place.ours(number)) == comments
    assert place.state_label(number) == labels
    assert place.source.get(number).state == state


def test_what_was_asked_for_below_a_ticket_is_answered_there_and_changes_nothing_of_it() -> None:
    place = Place()
    _, number = place.task()
    place.settle()
    (before,), labels = place.ours(number), place.source.get(number).labels
    asked = AddTask(title="Asked: T", source=f"mention:thing:{number}")
    (made, *_) = place.store.send(asked, ME)
    place.settle()
    same, answer = place.ours(number)
    assert same == before
    assert answer.startswith(f"**Orch**: task {made.task}, asked for here, waits to be begun.")
    assert "/retry" not in answer  # that would be for the ticket's own task
    place.store.send(CloseTask(made.task, "nobody could", True), ME)
    place.settle()
    same, answer = place.ours(number)
    assert same == before
    assert "nobody could" in answer
    ticket = place.source.get(number)
    assert (ticket.state, ticket.labels) == ("open", labels)


def test_a_person_who_ends_a_task_does_not_end_the_ticket() -> None:
    place = Place()
    task, number = place.task()
    place.store.send(CloseTask(task, "not now"), ME)
    place.settle()
    assert place.source.get(number).state == "open"
    assert place.state_label(number) == ["status:cancelled"]


def test_a_copied_mark_is_not_ours_and_a_deleted_comment_is_written_again() -> None:
    place = Place()
    task, number = place.task()
    key = marks.key_of(SECRET, f"thing:{number}", f"task-{task}")
    place.project.comments(number, f"I am orch\n\n{marks.mark(key)}", by="stranger")
    place.settle()
    assert len(place.ours(number)) == 1
    for comment in [c for c, one in place.project.said.items() if one.remark.author.name == "orch"]:
        del place.project.said[comment]
    place.store.send(HoldTask(task, "later"), ME)
    place.settle()
    assert len(place.ours(number)) == 1


def test_after_an_outcome_that_is_not_known_nothing_is_sent_before_lists_can_be_trusted() -> None:
    place = Place(lag_s=LAG_S)
    _, number = place.task()
    place.clock.at += 5
    place.source.rate, place.source.rng = 1.0, cast(Any, Chances([0.99, 0.9, 1.0, 0.9]))
    place.write()
    first = place.ours(number)
    place.source.rate = 0.0
    while place.clock.at - 1_763_697_600.0 < 5 + ReportWaits().grace_s - 1:
        place.write()
        assert place.ours(number) == first
        place.clock.at += 1
    place.settle()
    assert len(place.ours(number)) == 1


class Chances:
    """`random()` gives these, then 1."""

    def __init__(self, given: list[float]) -> None:
        self._given = given

    def random(self) -> float:
        return self._given.pop(0) if self._given else 1.0


@pytest.mark.parametrize("seed", range(40))
def test_h85_there_is_one_comment_whatever_is_lost_and_whoever_dies(seed: int) -> None:
    """Processes die before and after each act, answers get lost, lists lag behind."""
    rng = random.Random(seed)
    place = Place(seed=seed, rate=0.4, lag_s=rng.choice([0.0, 5.0, LAG_S]))
    made = [place.task(f"T{n}") for n in range(4)]
    for _ in range(60):
        task, _ = rng.choice(made)
        command = rng.choice([
            HoldTask(task, f"waits {rng.random()}"), QueueTask(task, "on"),
            CloseTask(task, done=True),
        ])  # fmt: skip
        try:
            place.store.send(command, ME)
        except OrchError:
            continue
        place.write()
        place.clock.at += rng.choice([0.1, 1.0, 10.0, 100.0])
    place.source.rate = 0.0
    place.settle()
    place.clock.at += ReportWaits().sweep_s + LAG_S
    place.settle()
    for task, number in made:
        known = place.store.task(task)
        assert known is not None
        assert len(place.ours(number)) == 1
        assert place.state_label(number) == [f"status:{known.state}"]
        assert known.state != "done" or place.source.get(number).state == "closed"


def test_a_limit_is_waited_for() -> None:
    place = Place()
    place.task()

    def used_up(*words: Any, **named: Any) -> Any:
        raise LimitReached("used up", retry_at=place.clock.at + 500)

    place.source.put_state = used_up  # type: ignore[method-assign]
    place.clock.at += 5
    place.write()
    assert place.write() == pytest.approx(500, abs=5)


def test_h85_a_comment_that_is_there_is_known_though_the_end_could_not_be_written() -> None:
    """The limit comes between the comment and the end: lists that lag do not show the comment yet."""
    place = Place(lag_s=LAG_S)
    task, number = place.task()
    place.store.send(CloseTask(task, done=True), ME)
    place.clock.at += 5

    def used_up(*words: Any, **named: Any) -> Any:
        raise LimitReached("used up", retry_at=place.clock.at + 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place.source, "close", used_up)
        place.write()
    assert len(place.ours(number)) == 1
    place.clock.at += 3
    place.write()
    assert len(place.ours(number)) == 1
    assert place.source.get(number).state == "closed"


def test_the_waits_of_reports_are_given_by_the_environment_of_a_test() -> None:
    assert report_waits_from({}) == ReportWaits()
    assert report_waits_from({"ORCH_REPORT_WAITS": "1:2:0.5"}) == ReportWaits(1, 2, 0.5)
    with pytest.raises(UsageError, match="GRACE:SWEEP:SETTLE"):
        report_waits_from({"ORCH_REPORT_WAITS": "soon"})


def test_a_ticket_that_is_gone_is_left_alone() -> None:
    place = Place()
    _, number = place.task()
    place.store.tickets.put([Known(ticket=place.source.get(number), synced_at=1.0)])
    del place.project.items[number]
    place.settle()
    report = place.store.tickets.reports()[0]
    assert "no ticket" in report.error
    (known,) = place.store.tickets.tickets("thing")
    assert (known.gone, known.decided) == (True, "")  # and the next look tells its task so
