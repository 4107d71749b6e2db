"""What a source writes to a Jira, and what it hears people say there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orch.model import marks
from orch.model.errors import Conflict
from tests.integration.jira_rooms import KEY, Rooms, cloud as cloud, doc, rooms as rooms
from tests.standins.jira.world import RIGHTS, Status, Transition

# --- moving -------------------------------------------------------------------------------------


def test_a_state_is_shown_once(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    for state, word in (("in_progress", "In Progress"), ("in_review", "In Review")):
        source.put_state(issue.key, state)  # type: ignore[arg-type]
        assert issue.status.name == word
        wrote = len(rooms.standin.written())
        source.put_state(issue.key, state)  # type: ignore[arg-type]
        assert len(rooms.standin.written()) == wrote
    source.put_state(issue.key, "blocked")
    source.put_state(issue.key, "done")
    assert issue.status.name == "In Review"


def test_states_go_where_the_table_says(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source(transitions={"blocked": "go to in review", "in_progress": "In Progress"})
    source.put_state(issue.key, "blocked")  # by the transition's own name
    assert issue.status.name == "In Review"


def test_another_language_is_found_by_its_category(rooms: Rooms) -> None:
    world = rooms.world
    words = (("Offen", "new"), ("Läuft", "indeterminate"), ("Fertig", "done"))
    world.add_project("DE", rights={"bot": RIGHTS, "cat": RIGHTS}, words=words)
    issue = world.add_issue("DE", "x", by="cat")
    source = rooms.source(project="DE")
    source.put_state(issue.key, "in_progress")
    assert issue.status.name == "Läuft"
    source.put_state(issue.key, "in_review")
    assert issue.status.name == "Läuft"
    source.close(issue.key, done=True)
    assert issue.status.name == "Fertig"


def test_no_way_there_is_told_and_no_error(rooms: Rooms, caplog: pytest.LogCaptureFixture) -> None:
    rooms.project.transitions[:] = [t for t in rooms.project.transitions if t.to.name == "Done"]
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    rooms.source().put_state(issue.key, "in_review")
    assert issue.status.name == "To Do"
    assert "no transition leads from there to 'In Review'" in caplog.text


def test_a_screen_that_asks_is_a_clear_error(rooms: Rooms) -> None:
    for way in rooms.project.transitions:
        way.fields = {"story points": {}} if way.to.name == "In Review" else {}
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    with pytest.raises(Conflict, match="asks for Story points") as refused:
        rooms.source().put_state(issue.key, "in_review")
    assert refused.value.code == "fields_required"
    assert issue.status.name == "To Do"


def test_what_a_person_closed_stays_closed(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    rooms.world.move(issue, "cat", "Done")
    source = rooms.source()
    source.put_state(issue.key, "in_progress")
    source.close(issue.key, done=True)
    assert issue.status.name == "Done"
    assert rooms.standin.written() == []


def test_closing_gives_the_resolution_that_fits(rooms: Rooms) -> None:
    words = [{"name": one} for one in ("Won't Do", "Done")]
    for way in rooms.project.transitions:
        way.fields = {"resolution": {"allowedValues": words}} if way.to.name == "Done" else {}
    for done, resolution in ((True, "Done"), (False, "Won't Do")):
        issue = rooms.world.add_issue("ABC", "x", by="cat")
        rooms.source().close(issue.key, done=done)
        assert (issue.status.name, issue.resolution) == ("Done", resolution)


def test_what_will_not_be_goes_to_its_own_state(rooms: Rooms) -> None:
    gone = rooms.project.statuses["Cancelled"] = Status("88", "Cancelled", "done")
    rooms.project.transitions.insert(0, Transition("89", "Drop", None, gone))
    first, second = (rooms.world.add_issue("ABC", "x", by="cat") for _ in range(2))
    rooms.source().close(first.key, done=True)
    rooms.source().close(second.key, done=False)
    assert (first.status.name, second.status.name) == ("Done", "Cancelled")


def test_no_way_to_an_end_is_an_error(rooms: Rooms) -> None:
    rooms.project.transitions[:] = [t for t in rooms.project.transitions if t.to.name != "Done"]
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    with pytest.raises(Conflict) as refused:
        rooms.source().close(issue.key, done=True)
    assert refused.value.code == "no_transition"


# --- labels, comments, new ones -----------------------------------------------------------------


def test_labels_of_people_stay(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat", labels=["ui", "old"])
    source = rooms.source()
    source.put_labels(issue.key, ["orch-made", "ui"], ["old", "absent"])
    assert issue.labels == ["ui", "orch-made"]
    wrote = len(rooms.standin.written())
    source.put_labels(issue.key, ["orch-made", "ui"], ["old", "absent"])
    assert len(rooms.standin.written()) == wrote


def shown(rooms: Rooms, issue: Any) -> list[str]:
    """What a person sees in the comments."""
    return [json.dumps(one.body) for one in issue.comments]


def test_one_comment_is_made_edited_and_found_again(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    rooms.world.comment(issue, "cat", rooms.body("theirs"))
    source = rooms.source()
    made = source.put_comment(issue.key, "## Status\n\n- **at work**", key=KEY)
    assert source.put_comment(issue.key, "## Status\n\n- **at work**", key=KEY, known=made) == made
    assert len(rooms.standin.written()) == 1
    assert rooms.source().put_comment(issue.key, "now *done*", key=KEY) == made
    assert source.put_comment(issue.key, "another", key="other.0123") != made
    assert [one.author.name for one in issue.comments] == ["cat", "bot", "bot"]
    text = shown(rooms, issue)[1]
    assert "done" in text
    assert "<!--" not in text
    assert "at work" not in text


def test_doubles_go_and_the_oldest_stays(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    first = source.put_comment(issue.key, "said", key=KEY)
    one = issue.comments[0]
    for _ in range(2):
        rooms.world.comment(issue, "bot", one.body, **one.properties)
    assert source.put_comment(issue.key, "said again", key=KEY) == first
    assert [one.id for one in issue.comments] == [first]


def test_a_copied_mark_is_worth_nothing(rooms: Rooms) -> None:
    """RELIABILITY, threat 28: a stranger's comment with our mark is a stranger's."""
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    source.put_comment(issue.key, "ours", key=KEY)
    ours = issue.comments[0]
    issue.comments.clear()
    rooms.world.comment(issue, "eve", ours.body, **ours.properties)
    made = source.put_comment(issue.key, "ours again", key=KEY)
    assert [one.author.name for one in issue.comments] == ["eve", "bot"]
    assert issue.comments[1].id == made


def test_a_comment_that_a_person_deleted_comes_again(rooms: Rooms) -> None:
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    made = source.put_comment(issue.key, "said", key=KEY)
    issue.comments.clear()
    assert source.put_comment(issue.key, "said", key=KEY, known=made) != made
    assert len(issue.comments) == 1


def test_a_new_ticket_is_made_once(rooms: Rooms) -> None:
    source = rooms.source()
    first = source.create("A\n title", body="Some **words**", labels=["orch"], key=KEY)
    again = source.create("A title", body="Some **words**", labels=["orch"], key=KEY)
    assert first.source_id == again.source_id
    assert len(rooms.world.issues) == 1
    assert (first.title, first.labels) == ("A title", ("orch",))
    assert marks.has(first.body, KEY)
    assert "words" in first.body
    other = source.create("B", body="", labels=[], key="other.01")
    assert other.source_id != first.source_id
    long = source.create("c" * 300, body="", labels=[], key="other.02")
    assert len(long.title) == 255


# --- what people say ----------------------------------------------------------------------------


def test_what_people_say_is_told_once_and_in_order(rooms: Rooms) -> None:
    clock, world = rooms.world.clock, rooms.world
    issue, other = (world.add_issue("ABC", "x", by="cat") for _ in range(2))
    world.comment(issue, "cat", rooms.body("long ago"))
    source = rooms.source()
    clock.advance(3600)
    nothing, cursor = source.remarks("")
    assert nothing == ()
    clock.advance(10)
    world.comment(other, "cat", rooms.body("/retry"))
    clock.advance(10)
    world.comment(issue, "eve", rooms.body("please"))
    told, cursor = source.remarks(cursor)
    assert [(one.source_id, one.body, one.author.name) for one in told] == [
        (other.key, "/retry", "Cat"), (issue.key, "please", "Eve")]  # fmt: skip
    assert told[0].url.startswith(f"{rooms.standin.url}/browse/{other.key}")
    assert source.remarks(cursor)[0] == ()
    clock.advance(10)
    issue.comments[-1].body = rooms.body("please now")
    issue.comments[-1].updated = clock()
    world.touch(issue)
    told, cursor = source.remarks(cursor)
    assert [one.body for one in told] == ["please now"]
    clock.advance(4000)
    assert source.remarks(cursor)[0] == ()


def test_our_own_words_are_known_as_such(rooms: Rooms) -> None:
    """H42: a comment of ours carries its mark wherever it is read."""
    issue = rooms.world.add_issue("ABC", "x", by="cat")
    source = rooms.source()
    _, cursor = source.remarks("")
    rooms.world.clock.advance(5)
    source.put_comment(issue.key, "at work", key=KEY)
    rooms.world.comment(issue, "cat", rooms.body("fine"))
    told, _ = source.remarks(cursor)
    assert [marks.own_voice(one.body) for one in told] == [True, False]
    assert marks.has(told[0].body, KEY)


def test_a_search_that_lags_loses_no_word(rooms: Rooms) -> None:
    world, clock = rooms.world, rooms.world.clock
    issue = world.add_issue("ABC", "x", by="cat")
    clock.advance(600)
    world.lag_s = 120
    source = rooms.source()
    _, cursor = source.remarks("")
    heard: list[str] = []
    for number in range(8):
        clock.advance(17)
        world.comment(issue, "cat", rooms.body(f"word {number}"))
        clock.advance(23)
        told, cursor = source.remarks(cursor)
        heard += [one.body for one in told]
    clock.advance(150)
    told, cursor = source.remarks(cursor)
    heard += [one.body for one in told]
    assert heard == [f"word {number}" for number in range(8)]


def test_more_comments_than_a_search_shows_are_all_told(cloud: Rooms) -> None:
    issue = cloud.world.add_issue("ABC", "x", by="cat")
    source = cloud.source()
    _, cursor = source.remarks("")
    cloud.world.clock.advance(5)
    for number in range(130):
        cloud.world.comment(issue, "cat", doc(f"{number}"))
    told, _ = source.remarks(cursor)
    assert [one.body for one in told] == [str(number) for number in range(130)]
