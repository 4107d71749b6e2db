"""Linear's issues as tickets, over HTTP to the stand-in.

The stand-in runs our documents by a part of Linear's schema; `test_service_types.py` looks whether
that part is Linear's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orch.hosts.failures import Limited
from orch.hosts.linear import documents
from orch.hosts.linear.client import LINEAR
from orch.model import marks
from orch.model.errors import ConfigError, NotFound, UsageError
from orch.model.tracked import Author
from orch.plugins import SOURCES, make
from orch.testing.forges import SteppingClock
from orch.testing.repositories import refused
from orch.testing.sources import KEY, WRITER
from orch.trackers.linear import LinearSource
from tests.integration.hosted import HostedSource, clock as clock, premises, sources
from tests.standins.linear.server import SCHEMA, LinearStandIn
from tests.standins.linear.world import Comment, Issue, World

Connected = Callable[..., LinearSource]


@pytest.fixture
def linear(clock: SteppingClock) -> Iterator[LinearStandIn]:
    with LinearStandIn(clock.now) as made:
        made.world.add_team("ENG", "octo", WRITER)
        made.world.add_team("OPS", "octo")
        yield made


@pytest.fixture
def world(linear: LinearStandIn) -> World:
    return linear.world


@pytest.fixture
def connected(linear: LinearStandIn, clock: SteppingClock, tmp_path: Path) -> Iterator[Connected]:
    yield from sources(LinearSource, LINEAR, linear, clock, tmp_path, kind="linear", project="ENG")


class TestLinearSource(HostedSource):
    @pytest.fixture
    def source(
        self, connected: Connected, linear: LinearStandIn, clock: SteppingClock
    ) -> LinearSource:
        self.connected, self.standin, self.clock = connected, linear, clock
        self.world = linear.world
        return connected()

    def item(self, source_id: str) -> Issue:
        return next(one for one in self.world.issues.values() if one.identifier == source_id)

    def comment(self, remark: str) -> Comment:
        return next(
            one for item in self.world.issues.values() for one in item.comments if one.id == remark
        )

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        return self.world.add_issue("ENG", title, by, body=body, labels=tuple(labels)).identifier

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        item = self.item(source_id)
        item.title, item.body = fields.get("title", item.title), fields.get("body", item.body)
        item.updated = self.world.stamp()

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        on, off = ([self.world.label(name) for name in names] for names in (add, remove))
        self.world.relabel(self.item(source_id), on, off, self.world.add_user(by))
        self.clock.at += 0.001  # times are what its history is ordered by

    def person_closes(self, source: Any, source_id: str) -> None:
        self.world.move(self.item(source_id), "Done")

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        self.item(source_id).blocked_by.append(self.item(by))

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        return self.world.say(self.item(source_id), by, body).id

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        comment = self.comment(remark)
        comment.body, comment.updated = body, self.world.stamp()

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        self.comment(remark).deleted = True

    def person_opens_pull_request(self, source: Any) -> None:
        """There are none at Linear."""

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        self.item(source_id).trashed = True

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        return [one.body for one in self.item(source_id).comments if not one.deleted]

    def tickets_there(self, source: Any) -> int:
        return len(self.world.issues)

    def lose_next_answer(self, source: Any) -> None:
        self.standin.faults.add("(Create|Update)", "lost")

    @pytest.mark.parametrize("source_id", ["ENG-999", "", "0", "ENG-0", "../1", "a b", "1" * 60])
    def test_what_is_not_there_is_not_found(self, source: Any, source_id: str) -> None:
        """As in the contract; tickets have other names here."""
        super().test_what_is_not_there_is_not_found(source, source_id)

    def test_doubles_are_one_again(self, source: Any) -> None:
        """Here there never are two: ids are made of the key, and what has one is read by it, however
        much later lists show it."""
        number = self.person_opens(source, "A")
        self.lag(source, 10)
        first = source.put_comment(number, "Said", key=KEY)
        assert source.put_comment(number, "Said", key=KEY) == first
        assert len(self.comments_there(source, number)) == 1


def test_h93_pages_that_shift_hide_nothing(
    connected: Connected, linear: LinearStandIn, world: World, clock: SteppingClock
) -> None:
    issues = []
    for number in range(120):
        clock.at += 1
        issues.append(world.add_issue("ENG", f"T{number}", WRITER))

    def work() -> None:
        world.add_issue("ENG", "New", WRITER)
        for issue in issues[100:]:
            world.move(issue, "Done")

    linear.faults.add("Issues", "then", then=work)
    batch = connected().look("")
    assert {f"ENG-{number}" for number in range(1, 101)} <= {one.source_id for one in batch.tickets}
    assert linear.faults.left == 0


def test_an_issue_with_many_labels_has_them_all(connected: Connected, world: World) -> None:
    names = tuple(f"l{number}" for number in range(30))
    world.add_issue("ENG", "A", WRITER, labels=names)
    (ticket,) = connected().look("").tickets
    assert ticket.labels == names


def test_an_issue_that_waits_is_started_and_one_at_work_stays_where_it_is(
    connected: Connected, world: World
) -> None:
    issue, source = world.add_issue("ENG", "A", WRITER), connected()
    source.put_state("ENG-1", "new")
    assert (issue.state, source.get("ENG-1").state) == ("Todo", "open")
    source.put_state("ENG-1", "routed")
    assert issue.state == "In Progress"
    world.move(issue, "In Review")
    source.put_state("ENG-1", "in_progress")
    assert issue.state == "In Review"
    source.close("ENG-1", done=False)
    assert issue.state == "Canceled"


def test_transitions_name_states_and_states_say_what_names_mean(
    connected: Connected, linear: LinearStandIn, world: World
) -> None:
    issue = world.add_issue("ENG", "A", WRITER, labels=("status:new",))
    source = connected(
        transitions={"in_review": "in review", "done": "Canceled", "blocked": "Nowhere"},
        states={"Backlog": "in_progress"},
    )
    source.put_state("ENG-1", "in_review")
    assert (issue.state, issue.labels) == ("In Review", [])
    writes = len(linear.requests("Update"))
    source.put_state("ENG-1", "in_review")
    assert len(linear.requests("Update")) == writes
    with refused(UsageError, "unknown_state"):
        source.put_state("ENG-1", "blocked")
    assert "Nowhere" in source.probe()
    world.move(issue, "Backlog")
    assert source.get("ENG-1").state == "in_progress"
    source.close("ENG-1", done=True)
    assert issue.state == "Canceled"


def test_a_label_that_an_issue_was_made_with_is_its_creators(
    connected: Connected, world: World
) -> None:
    world.add_issue("ENG", "A", WRITER, labels=("orch",))
    world.add_issue("ENG", "B", WRITER, labels=("orch",), external=True)
    given = connected().approval("ENG-1", "Orch")
    assert given is not None
    assert given.author.name == WRITER
    assert connected().approval("ENG-2", "orch") is None
    assert connected().get("ENG-2").author == Author()


def test_guests_and_programs_may_not_write(connected: Connected, world: World) -> None:
    team = world.teams["ENG"]
    team.members += [world.add_user("guest", guest=True), world.add_user("robot", app=True),
                     world.add_user("gone", active=False)]  # fmt: skip
    source = connected()
    may = {one.name: source.may_write(Author(id=one.id, name=one.name)) for one in team.members}
    assert may == {"octo": True, WRITER: True, "guest": False, "robot": False, "gone": False}


def test_what_went_to_another_team_is_not_there_any_more(
    connected: Connected, world: World
) -> None:
    issue = world.add_issue("ENG", "A", WRITER)
    source = connected()
    source.get("ENG-1")
    world.send(issue, "OPS", 1)
    for source_id in ("ENG-1", "OPS-1", issue.id):
        with refused(NotFound, "unknown_issue"):
            source.get(source_id)
    world.send(issue, "ENG", 2)
    assert source.get("ENG-2").title == "A"
    with refused(NotFound, "unknown_issue"):
        source.get("ENG-1")


def test_text_that_linear_formats_anew_is_not_written_again(
    connected: Connected, linear: LinearStandIn, world: World
) -> None:
    issue, source = world.add_issue("ENG", "A", WRITER), connected()
    made = source.put_comment("ENG-1", "One\n\n\nTwo", key=KEY)
    issue.comments[0].body = "One\n\nTwo\n"
    writes = len(linear.requests("UpdateComment"))
    assert source.put_comment("ENG-1", "One\n\n\nTwo", key=KEY) == made
    assert len(linear.requests("UpdateComment")) == writes
    source.put_comment("ENG-1", "Three", key=KEY)
    assert issue.comments[0].body == marks.marked("Three", KEY)


def test_priorities_are_linears_own_first(connected: Connected, world: World) -> None:
    world.add_issue("ENG", "A", WRITER, priority=2)
    world.add_issue("ENG", "B", WRITER, labels=("p0",))
    source = connected(priorities={"High": "urgent"})
    assert [source.get(f"ENG-{n}").priority for n in (1, 2)] == ["urgent", "urgent"]
    assert connected().get("ENG-1").priority == "high"


def test_a_limit_of_400_is_a_limit(
    connected: Connected, linear: LinearStandIn, clock: SteppingClock
) -> None:
    """H96"""
    source = connected()
    linear.limited = True
    with pytest.raises(Limited) as limited:
        source.look("")
    assert limited.value.retry_at == clock.at + 3601


def test_a_source_needs_a_team(connected: Connected) -> None:
    with refused(ConfigError, "no_project"):
        connected(project="").look("")
    assert connected().probe() == ""
    assert "no team 'NONE'" in connected(project="NONE").probe()


def test_every_document_is_valid_by_the_schema() -> None:
    from graphql import parse, validate

    texts = [text for name, text in vars(documents).items() if name.isupper() and name[0] != "_"]
    assert len(texts) == 15
    for text in texts:
        assert validate(SCHEMA, parse(text)) == []


def test_it_is_a_plugin(linear: LinearStandIn, clock: SteppingClock, tmp_path: Path) -> None:
    told = premises(linear, clock, tmp_path, kind="linear", project="ENG")
    made = make(SOURCES, "linear", told)
    assert made.me().name == "octo"
