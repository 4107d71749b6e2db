"""One project of a Jira as a ticket source, Cloud and Data Center, over HTTP on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orch.config.secret import Secret
from orch.hosts.failures import Unanswered, Unreadable
from orch.hosts.jira.client import connect
from orch.hosts.jira.shapes import Server
from orch.model.errors import NotFound, SignInNeeded
from orch.model.tracked import Author
from tests.integration.jira_rooms import KEY, Rooms, cloud as cloud, doc, rooms as rooms
from tests.standins.jira.server import JiraStandIn
from tests.standins.jira.world import Status

# --- tickets ------------------------------------------------------------------------------------


def test_a_ticket_is_told_with_all_that_matters(rooms: Rooms) -> None:
    world = rooms.world
    blocker = world.add_issue("ABC", "first", by="cat")
    over = world.add_issue("ABC", "over", by="cat")
    world.move(over, "cat", "Done")
    epic = world.add_issue("ABC", "the epic", by="cat")
    issue = world.add_issue(
        "ABC", "Fix it", by="cat", description=rooms.body("It is broken."), labels=["orch", "ui"],
        priority="Highest", assignee=world.add_user("eve"), parent=epic, blockers=[blocker, over],
        versions=[{"name": "1.0", "released": True}, {"name": "2.0", "released": False}],
    )  # fmt: skip
    world.retitle(issue, "eve", "Fix it now")
    told = rooms.source().get(issue.key)
    cat, eve = world.users["cat"], world.users["eve"]
    ids = {one.name: (one.account if rooms.cloud else one.key) for one in (cat, eve)}
    assert (told.source, told.source_id, told.repo, told.id) == (
        "board", issue.key, "thing", f"board:{issue.key}")  # fmt: skip
    assert (told.title, told.body) == ("Fix it now", "It is broken.")
    assert (told.state, told.word) == ("open", "To Do")
    assert (told.labels, told.priority) == (("orch", "ui"), "urgent")
    assert (told.author, told.assignee) == (Author(id=ids["cat"], name="Cat"), "Eve")
    assert told.url == f"{rooms.standin.url}/browse/{issue.key}"
    assert (told.parent, told.blocked_by) == (epic.key, (blocker.key,))
    assert told.milestone == "2.0"
    assert told.editor == Author(id=ids["eve"], name="Eve")
    assert told.edited
    assert told.edited <= told.updated
    assert told.updated.endswith("Z")
    assert json.loads(told.raw)["key"] == issue.key


def test_an_epic_of_an_old_server_is_the_parent() -> None:
    with JiraStandIn(cloud=False) as standin:
        rooms = Rooms(standin)
        issue = rooms.world.add_issue("ABC", "x", by="cat", more={"customfield_10008": "ABC-9"})
        assert rooms.source(options={"epic_field": "customfield_10008"}).get(issue.key).parent == (
            "ABC-9")  # fmt: skip
        rooms.close()


def test_a_description_arrives_with_its_files_and_leaves_no_markup(cloud: Rooms) -> None:
    """ADF end to end: what is text there stays text here, media have their address and words."""
    picture = {"type": "media", "attrs": {"type": "file", "id": "ab-1", "collection": "c",
                                          "alt": "shot.png"}}  # fmt: skip
    description = doc("<!-- hidden --> *not bold*")
    description["content"] += [
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Steps"}]},
        {"type": "mediaSingle", "content": [picture]},
    ]
    place = f"{cloud.standin.url}/rest/api/3/attachment/content/1"
    issue = cloud.world.add_issue(
        "ABC", "x", by="cat", description=description, attachments=[("shot.png", place)]
    )
    body = cloud.source().get(issue.key).body
    assert "## Steps" in body
    assert f"![shot.png]({place})" in body or f"[shot.png]({place})" in body
    assert "\\<!-- hidden" in body
    assert "\\*not bold\\*" in body


def test_a_property_of_ours_on_a_strangers_ticket_is_no_mark(cloud: Rooms) -> None:
    """RELIABILITY, threat 28."""
    issue = cloud.world.add_issue("ABC", "x", by="eve", description=doc("text"))
    issue.properties["orch"] = {"key": KEY}
    source = cloud.source()
    assert source.get(issue.key).body == "text"
    assert source.create("y", body="", labels=[], key=KEY).source_id != issue.key


@pytest.mark.parametrize(
    ("word", "category", "state"),
    [("Reopened", "done", "open"), ("In Review", "new", "in_progress"), ("Resolved", "new", "closed"),
     ("Wartet", "new", "open"), ("Läuft", "indeterminate", "in_progress"),
     ("Fertig", "done", "closed"), ("Deployed", "done", "in_progress")],
)  # fmt: skip
def test_words_then_categories_say_the_state(
    rooms: Rooms, word: str, category: str, state: str
) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    issue.status = Status("77", word, category)
    assert rooms.source(states={"deployed": "in_progress"}).get(issue.key).state == state


def test_a_ticket_of_elsewhere_is_none_of_ours(rooms: Rooms) -> None:
    """H94: what was moved away, another project's, and what is no key are not there."""
    rooms.world.add_project("XYZ", rights={"bot": ("BROWSE_PROJECTS",)})
    moved = rooms.world.add_issue("ABC", "x", by="cat")
    old = moved.key
    rooms.world.carry(moved, "XYZ")
    source = rooms.source()
    asked = len(rooms.standin.log)
    for word in ("XYZ-1", "ABC-1/../../myself", "abc-1", "", "ABC-1?x=1"):
        with pytest.raises(NotFound) as refused:
            source.get(word)
        assert refused.value.code == "unknown_issue"
    assert len(rooms.standin.log) == asked
    for word in (old, "ABC-99"):
        with pytest.raises(NotFound) as refused:
            source.get(word)
        assert refused.value.code == "unknown_issue"


# --- looking ------------------------------------------------------------------------------------


def test_a_first_look_is_whole_over_all_pages(rooms: Rooms) -> None:
    """H93: more tickets than a page has."""
    for number in range(23):
        issue = rooms.world.add_issue("ABC", f"t{number}", by="cat")
        if number % 5 == 0:
            rooms.world.move(issue, "cat", "Done")
    batch = rooms.source(page=4).look("")
    assert batch.whole
    assert [one.title for one in batch.tickets] == [f"t{n}" for n in range(23) if n % 5]


def test_nothing_is_missed_while_pages_shift(rooms: Rooms) -> None:
    """H93: tickets are closed while the pages are read; those behind them move up, none is lost."""
    issues = [rooms.world.add_issue("ABC", f"t{number}", by="cat") for number in range(20)]

    def shift() -> None:
        for issue in issues[:4]:
            rooms.world.move(issue, "cat", "Done")

    rooms.standin.faults.add("POST .*/search", "then", then=shift)
    batch = rooms.source(page=5).look("")
    told = {one.title for one in batch.tickets}
    assert {f"t{number}" for number in range(4, 20)} <= told


def test_a_lost_page_is_an_error_and_no_shorter_list(rooms: Rooms) -> None:
    """H93"""
    for number in range(9):
        rooms.world.add_issue("ABC", f"t{number}", by="cat")
    source = rooms.source(page=4)
    source.me()
    rooms.standin.faults.add("POST .*/search", "then", then=lambda: rooms.standin.faults.add(
        "POST .*/search", "status", times=9, status=503))  # fmt: skip
    with pytest.raises(Unanswered):
        source.look("")


def test_an_answer_that_says_it_is_cut_is_an_error(cloud: Rooms) -> None:
    """H93"""
    cloud.world.add_issue("ABC", "x", by="cat")
    cloud.world.warning = "The result was truncated."
    with pytest.raises(Unreadable, match="does not tell all: The result was truncated"):
        cloud.source().look("")


def test_behind_the_gateway_people_read_at_the_site() -> None:
    jira = connect({}, url="https://api.atlassian.com/ex/jira/11-22", token=Secret("t"))
    jira._server = Server(baseUrl="https://example.atlassian.net/", deploymentType="Cloud")
    assert jira.browse("ABC-1") == "https://example.atlassian.net/browse/ABC-1"


def test_a_later_look_tells_what_changed_and_overlaps(rooms: Rooms) -> None:
    clock, world = rooms.world.clock, rooms.world
    for number in range(5):
        world.add_issue("ABC", f"t{number}", by="cat")
    clock.advance(3600)
    source = rooms.source()
    first = source.look("")
    clock.advance(3600)
    world.move(world.issues["ABC-2"], "cat", "Done")
    world.add_issue("ABC", "new", by="cat")
    clock.advance(30)
    asked = len(rooms.standin.log)
    second = source.look(first.cursor)
    assert not second.whole
    assert {one.title: one.state for one in second.tickets} == {"t1": "closed", "new": "open"}
    clock.advance(3600)
    third = source.look(second.cursor)
    assert {one.title for one in third.tickets} == {"t1", "new"}  # of the overlap: told once more
    assert source.look(third.cursor).tickets == ()
    assert len(rooms.standin.log) == asked + 3


@pytest.mark.parametrize("lag", [0.0, 59.0, 299.0])
@pytest.mark.parametrize("zone", ["Etc/UTC", "Asia/Kolkata", "America/Los_Angeles"])
def test_no_change_falls_between_two_looks(rooms: Rooms, lag: float, zone: str) -> None:
    """Jira knows whole minutes, reads times in the zone of the account, and its search lags: each
    change is told by one of the looks after it, whatever the seconds are at which they happen."""
    world, clock = rooms.world, rooms.world.clock
    world.users["bot"].zone = zone
    world.lag_s = lag
    source = rooms.source()
    cursor = source.look("").cursor
    made, told = [], set()
    for number in range(12):
        clock.advance(7 + 11 * number)
        made.append(world.add_issue("ABC", f"t{number}", by="cat").summary)
        clock.advance(13)
        batch = source.look(cursor)
        cursor = batch.cursor
        told |= {one.title for one in batch.tickets}
    clock.advance(lag + 1)
    told |= {one.title for one in source.look(cursor).tickets}
    assert told == set(made)


def test_a_clock_that_is_wrong_by_hours_misses_nothing(rooms: Rooms) -> None:
    """The cursor is the server's time."""
    standin, world = rooms.standin, rooms.world
    for ahead in (-7200.0, 7200.0):
        source = rooms.source()
        source._jira.caller.now = lambda ahead=ahead: world.clock() + ahead  # type: ignore[attr-defined,misc]
        cursor = source.look("").cursor
        world.clock.advance(600)
        made = world.add_issue("ABC", f"t{ahead}", by="cat")
        world.clock.advance(100)
        batch = source.look(cursor)
        assert [one.source_id for one in batch.tickets if one.source_id == made.key] == [made.key]
        assert not batch.whole
    assert standin.requests("/search")


def test_a_query_narrows_and_reaches_no_other_project(rooms: Rooms) -> None:
    """Threat 22: a condition stays within its brackets."""
    world = rooms.world
    world.add_project("XYZ", rights={"bot": ("BROWSE_PROJECTS",)})
    world.add_issue("XYZ", "theirs", by="cat", labels=["ui"])
    world.add_issue("ABC", "ui", by="cat", labels=["ui"])
    world.add_issue("ABC", "other", by="cat")
    source = rooms.source(query='labels = "ui" OR project = XYZ ORDER BY created DESC')
    assert [one.title for one in source.look("").tickets] == ["ui"]


def test_what_our_table_calls_open_is_in_a_whole_look(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "still to deploy", by="cat")
    rooms.world.move(issue, "cat", "Done")
    assert rooms.source().look("").tickets == ()
    batch = rooms.source(states={"DONE": "in_progress"}).look("")
    assert [one.state for one in batch.tickets] == ["in_progress"]


def test_an_answer_to_nobody_is_no_empty_list(cloud: Rooms) -> None:
    """H93, H96: some of Jira's answers take a wrong token for nobody's, with 200."""
    cloud.world.add_issue("ABC", "x", by="cat")
    source = cloud.source("bot")
    cursor = source.look("").cursor
    del cloud.world.users["bot"]
    cloud.standin.anonymous = True
    for again in ("", cursor):
        with pytest.raises(SignInNeeded):
            source.look(again)


# --- people -------------------------------------------------------------------------------------


def test_who_may_write_is_asked_by_account_and_kept(rooms: Rooms) -> None:
    world = rooms.world
    for one in ("cat", "eve", "stranger"):
        world.add_user(one)
    world.add_user("robot", kind="app")
    rooms.project.rights["robot"] = {"EDIT_ISSUES"}
    source = rooms.source()

    def author(name: str, **more: Any) -> Author:
        user = world.users[name]
        return Author(id=user.account if rooms.cloud else user.key, name=user.display, **more)

    assert source.may_write(author("cat"))
    assert not source.may_write(author("eve"))
    assert not source.may_write(author("stranger"))
    assert not source.may_write(author("robot", bot=True))
    assert not source.may_write(Author(name="Cat"))
    assert not source.may_write(Author(id="cat", name="cat"))
    asked = len(rooms.standin.log)
    assert source.may_write(author("cat"))
    assert len(rooms.standin.log) == asked
    rooms.project.rights["cat"].clear()
    world.clock.advance(601)
    assert not source.may_write(author("cat"))


def test_who_may_not_ask_about_rights_hears_no(rooms: Rooms) -> None:
    bot = rooms.world.users["bot"]
    author = Author(id=bot.account if rooms.cloud else bot.key, name="Bot")
    assert not rooms.source("cat").may_write(author)


def test_who_put_a_label_there_last(rooms: Rooms) -> None:
    """H44 for Jira: by what happened, not by what is told."""
    world = rooms.world
    world.add_user("cat")
    issue = world.add_issue("ABC", "x", by="eve", labels=["from-start"])
    source = rooms.source()
    given = source.approval(issue.key, "from-start")
    assert given is not None
    assert given.author.name == "Eve"
    assert source.approval(issue.key, "orch") is None
    world.label(issue, "eve", "orch")
    world.label(issue, "cat")
    assert source.approval(issue.key, "orch") is None
    world.label(issue, "cat", "orchestra", "orch")
    given = source.approval(issue.key, "orch")
    assert given is not None
    assert given.author.name == "Cat"
    assert given.at.endswith("Z")
    assert source.approval(issue.key, "from-start") is None
