"""Jira at its worst: limits, missing rights, lost answers, pages of HTML, roads to elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from orch.config.secret import Secret
from orch.hosts.failures import Forbidden, Limited, NoCredential, Unanswered, Unreadable
from orch.hosts.jira.client import connect
from orch.model.errors import ToolFailed
from orch.trackers.jira.source import JiraSource
from tests.integration.jira_rooms import KEY, WRITES, Rooms, rooms as rooms
from tests.standins.github.faults import Chances

TASKS = 15


@pytest.fixture(autouse=True)
def every_fault_is_met(rooms: Rooms) -> Iterator[None]:
    yield
    assert rooms.standin.faults.left == 0


@pytest.mark.parametrize("kind", ["lost", "late", "cut", "dropped", "status"])
def test_a_question_is_asked_again(rooms: Rooms, kind: str) -> None:
    rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    source.me()
    rooms.standin.faults.add("/search", kind, times=2)  # type: ignore[arg-type]
    assert len(source.look("").tickets) == 1


def test_a_question_without_an_answer_is_an_error(rooms: Rooms) -> None:
    rooms.standin.faults.add("/myself", "status", times=4, status=503)
    with pytest.raises(Unanswered):
        rooms.source().me()


def test_a_short_limit_is_sat_out_and_a_long_one_is_told(rooms: Rooms) -> None:
    source = rooms.source()
    began = rooms.world.clock()
    rooms.standin.faults.add("/myself", "too_many", seconds=2)
    assert source.me().id
    assert rooms.world.clock() - began >= 1.5
    rooms.standin.faults.add("/search", "too_many", seconds=90)
    with pytest.raises(Limited) as limit:
        source.look("")
    assert 80 <= limit.value.retry_at - rooms.world.clock() <= 95
    asked = len(rooms.standin.log)
    with pytest.raises(Limited):
        source.look("")
    assert len(rooms.standin.log) == asked  # nobody knocks before the time that was named
    rooms.world.clock.advance(95)
    assert source.look("").whole


def test_missing_rights_are_no_limit(rooms: Rooms) -> None:
    """H96"""
    rooms.standin.faults.add("/search", "forbidden")
    with pytest.raises(Forbidden) as refused:
        rooms.source().look("")
    assert "connect-jira" in refused.value.hint


def test_a_wrong_token_is_told_without_it(rooms: Rooms) -> None:
    jira = connect({}, url=rooms.standin.url, token=Secret("token-of-nobody"), source="board")
    with pytest.raises(NoCredential) as refused:
        jira.people.me()
    assert "the token of the source board" in refused.value.message
    assert "token-of-nobody" not in str(refused.value.as_dict())
    jira.close()


def test_no_road_leads_elsewhere(rooms: Rooms) -> None:
    """RELIABILITY, threat 23: a redirection is told and not followed."""
    source = rooms.source()
    rooms.standin.faults.add("/myself", "status", status=302)
    with pytest.raises(Unreadable, match=r"another place: 'login\.example\.org'"):
        source.me()
    rooms.standin.faults.add("/myself", "page")
    with pytest.raises(Unreadable) as refused:
        source.me()
    assert "base_url" in refused.value.hint


def writes(source: JiraSource, issue: str) -> dict[str, Callable[[], object]]:
    return {
        "comment": lambda: source.put_comment(issue, "said", key=KEY),
        "labels": lambda: source.put_labels(issue, ["x"], []),
        "create": lambda: source.create("new", body="", labels=[], key=KEY),
    }


@pytest.mark.parametrize("kind", ["lost", "late", "cut", "dropped", "status"])
@pytest.mark.parametrize("act", ["comment", "labels", "create"])
def test_a_write_is_sent_once_and_found_by_the_next_call(rooms: Rooms, act: str, kind: str) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    rooms.standin.faults.add(WRITES, kind)  # type: ignore[arg-type]
    if (act, kind) == ("labels", "cut"):
        writes(source, issue.key)[act]()  # 204 has no body that could break off
    else:
        with pytest.raises(ToolFailed) as unknown:
            writes(source, issue.key)[act]()
        assert unknown.value.code == "outcome_unknown"
    done = kind in ("lost", "late", "cut")
    assert len(rooms.standin.written()) == 1
    writes(source, issue.key)[act]()
    assert len(rooms.standin.written()) == (1 if done else 2)
    assert (len(issue.comments), len(rooms.world.issues), issue.labels) == {
        "comment": (1, 1, []), "labels": (0, 1, ["x"]), "create": (0, 2, []),
    }[act]  # fmt: skip


@pytest.mark.parametrize("kind", ["lost", "late"])
def test_a_move_whose_answer_got_lost_is_looked_for(rooms: Rooms, kind: str) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    rooms.standin.faults.add(WRITES, kind)  # type: ignore[arg-type]
    rooms.source().put_state(issue.key, "in_progress")
    assert issue.status.name == "In Progress"
    assert len(rooms.standin.written()) == 1


def test_a_move_that_did_not_happen_is_an_error(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    rooms.standin.faults.add(WRITES, "dropped")
    with pytest.raises(ToolFailed) as unknown:
        rooms.source().put_state(issue.key, "in_progress")
    assert unknown.value.code == "outcome_unknown"


def insisted(act: Callable[[], object]) -> object:
    """As the caller does: again, until it is known."""
    for _ in range(12):
        try:
            return act()
        except ToolFailed as unknown:
            if unknown.code not in ("outcome_unknown", "host_unreachable"):
                raise
    raise AssertionError("it never ended")


def test_under_lost_answers_each_thing_is_there_once(rooms: Rooms) -> None:
    rooms.standin.faults.chances = Chances(7, lost=60, late=30, failed=30)
    source = rooms.source()
    made = []
    for number in range(TASKS):
        key = f"t{number}.0123"
        ticket = insisted(lambda key=key: source.create(key, body="b", labels=["o"], key=key))  # type: ignore[misc]
        name = str(getattr(ticket, "source_id", ""))
        for act in (
            lambda name=name: source.put_state(name, "in_progress"),
            lambda name=name, key=key: source.put_comment(name, "at work", key=key),
            lambda name=name, key=key: source.put_comment(name, "done", key=key),
            lambda name=name: source.close(name, done=True),
        ):
            insisted(act)  # type: ignore[arg-type]
        made.append(name)
    assert len(set(made)) == TASKS == len(rooms.world.issues)
    for issue in rooms.world.issues.values():
        assert len(issue.comments) == 1
        assert issue.status.name == "Done"
        assert [one["items"][0]["toString"] for one in issue.histories] == ["In Progress", "Done"]
