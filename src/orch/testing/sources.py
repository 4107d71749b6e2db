"""The contract of `orch.ports.tickets.TicketSource`, for ours and for anybody's.

A third party proves an adapter with:

    class TestMine(SourceContract):
        @pytest.fixture
        def source(self, service): return MySource(...)

        def person_opens(self, source, title, **fields): return service.new(title, **fields)

What people do at the service, and what goes wrong there, are methods that skip until the adapter's
test fills them in. The people are `WRITER`, who may change the project, and `STRANGER`, who may not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from orch.model import marks
from orch.model.errors import NotFound, ToolFailed
from orch.model.tracked import Author, Batch, Tracked
from orch.ports.tickets import TicketSource

WRITER, STRANGER = "writer", "stranger"
KEY = "status/7.0123456789abcdef0123"
TEXTS = [
    "Add a --json flag",
    "日本語のタイトル 👩‍👩‍👧‍👦 e\u0301",
    "quotes \" and ' and \\ and `backticks`",
    "feat: colons: everywhere #not-a-comment",
    "{curly: [and, square]} *bold* &anchor !tag %percent @at |pipe",
    "$(touch pwned); `touch pwned` #{pane} #(touch pwned)",
    "--upload-pack=touch",
    "<!-- orch:v1:forged.00 -->",
    "null",
]


class SourceContract:
    """Subclass as `TestX` and give a `source` fixture over an empty project, new for each test."""

    many = 205
    """More tickets than fit on two pages of the service's lists."""
    after_writes_s = 30.0
    """Longer than the service's lists ever lag behind."""

    @pytest.fixture
    def source(self) -> Any:
        raise NotImplementedError("give a fixture `source` with an empty project")

    # --- what the adapter's test fills in -----------------------------------------------------

    def reopened(self, source: Any) -> Any:
        """The same project, as another process would find it."""
        return source

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        """Gives the ticket's `source_id`."""
        pytest.skip("nobody can open tickets here")

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        """`WRITER` changes `title` or `body`."""
        pytest.skip("nobody can edit tickets here")

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        pytest.skip("nobody can label tickets here")

    def person_closes(self, source: Any, source_id: str) -> None:
        pytest.skip("nobody can close tickets here")

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        """The ticket `source_id` has to wait for the ticket `by`."""
        pytest.skip("tickets do not wait for one another here")

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        """Gives the id of the `Remark`."""
        pytest.skip("nobody can comment here")

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        pytest.skip("comments cannot be edited here")

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        pytest.skip("comments cannot be deleted here")

    def person_opens_pull_request(self, source: Any) -> None:
        pytest.skip("there are no pull requests here")

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        pytest.skip("tickets cannot be deleted here")

    def another_of_the_same_name(self, source: Any, author: Author) -> Author:
        """`author` as somebody else would look who bears the name."""
        return Author(id=f"9{author.id}", name=author.name)

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        """The bodies below a ticket as the service has them, oldest first."""
        pytest.skip("nobody can look at the service")

    def tickets_there(self, source: Any) -> int:
        """How many tickets the service has, whatever its lists show."""
        pytest.skip("nobody can look at the service")

    def lose_next_answer(self, source: Any) -> None:
        """The next write is done, and its answer gets lost."""
        pytest.skip("no answer gets lost here")

    def lag(self, source: Any, seconds: float) -> None:
        """From now on lists show new things so much later."""
        pytest.skip("lists do not lag here")

    def wait(self, source: Any, seconds: float) -> None:
        """Time passes, at the service and here."""

    def shown_state(self, source: Any, source_id: str) -> str:
        """What the ticket shows of its task's state."""
        labels = source.get(source_id).labels
        found = [label.partition(":")[2] for label in labels if label.startswith("status:")]
        assert len(found) <= 1
        return "".join(found)

    # --- looking ------------------------------------------------------------------------------

    def test_who_we_are_is_an_id(self, source: TicketSource) -> None:
        me = source.me()
        assert me.id
        assert me.name
        assert self.reopened(source).me() == me
        assert source.kind

    def test_an_empty_project_is_whole_and_has_a_cursor(self, source: TicketSource) -> None:
        batch = source.look("")
        assert batch == Batch(tickets=(), cursor=batch.cursor, whole=True)
        assert batch.cursor
        assert source.look(batch.cursor).tickets == ()
        number = self.person_opens(source, "First")
        self.wait(source, 1)
        assert ids(source.look(batch.cursor)) == {number}

    def test_the_first_look_has_all_that_is_open(self, source: TicketSource) -> None:
        one = self.person_opens(source, "One", body="Body", labels=["bug"])
        two = self.person_opens(source, "Two")
        self.person_closes(source, two)
        batch = source.look("")
        assert batch.whole
        assert one in ids(batch)
        assert {found.state for found in batch.tickets if found.source_id == two} <= {"closed"}
        ticket = by_id(batch, one)
        assert (ticket.title, ticket.body.strip(), ticket.state) == ("One", "Body", "open")
        assert "bug" in ticket.labels
        assert ticket.author.name
        assert ticket.author.id not in ("", source.me().id)
        assert ticket.url
        assert ticket.created
        assert ticket.updated >= ticket.created
        assert ticket.raw or source.kind == "memory"

    def test_a_later_look_has_what_changed(self, source: TicketSource) -> None:
        numbers = [self.person_opens(source, f"T{n}") for n in range(4)]
        cursor = source.look("").cursor
        self.wait(source, 600)
        self.person_edits(source, numbers[0], title="New")
        self.person_closes(source, numbers[1])
        late = self.person_opens(source, "Late")
        self.wait(source, 1)
        batch = self.reopened(source).look(cursor)
        assert not batch.whole
        assert {numbers[0], numbers[1], late} <= ids(batch)
        assert by_id(batch, numbers[0]).title == "New"
        assert by_id(batch, numbers[1]).state == "closed"
        assert by_id(batch, late).state == "open"
        self.wait(source, 600)
        again = source.look(batch.cursor)
        assert ids(again) <= ids(batch)
        assert source.look(again.cursor).cursor == again.cursor

    def test_h93_however_many_there_are(self, source: TicketSource) -> None:
        numbers = {self.person_opens(source, f"T{n}") for n in range(self.many)}
        batch = source.look("")
        assert ids(batch) == numbers
        assert len(batch.tickets) == len(numbers)

    def test_what_lists_show_late_is_seen_late_and_not_missed(self, source: TicketSource) -> None:
        self.person_opens(source, "Early")
        self.wait(source, 600)
        self.lag(source, 10)
        late = self.person_opens(source, "Late")
        cursor = source.look("").cursor
        self.wait(source, 5)
        cursor = source.look(cursor).cursor
        self.lag(source, 0)
        self.wait(source, 20)
        assert late in ids(source.look(cursor))

    def test_h45_a_pull_request_is_no_ticket(self, source: TicketSource) -> None:
        self.person_opens(source, "A ticket")
        cursor = source.look("").cursor
        self.person_opens_pull_request(source)
        self.wait(source, 1)
        assert len(ids(source.look(""))) == 1
        assert len(ids(source.look(cursor))) <= 1

    @pytest.mark.parametrize("text", TEXTS)
    def test_texts_are_data(self, source: TicketSource, text: str) -> None:
        number = self.person_opens(source, text, body=text)
        found = source.get(number)
        assert (found.title, found.body.strip()) == (text, text)
        assert by_id(source.look(""), number).title == text

    def test_one_ticket_is_as_in_the_list(self, source: TicketSource) -> None:
        number = self.person_opens(source, "One", body="B", labels=["bug", "a b"])
        listed = by_id(source.look(""), number)
        found = source.get(number)
        for field in Tracked.__struct_fields__:
            if field not in ("raw", "updated"):
                assert getattr(found, field) == getattr(listed, field), field
        assert found.id == f"{found.source}:{number}"

    @pytest.mark.parametrize("source_id", ["999999", "", "0", "-1", "../1", "a b", "1" * 60])
    def test_what_is_not_there_is_not_found(self, source: TicketSource, source_id: str) -> None:
        for act in (
            lambda: source.get(source_id),
            lambda: source.put_comment(source_id, "x", key=KEY),
            lambda: source.put_state(source_id, "routed"),
            lambda: source.close(source_id, done=True),
        ):
            with pytest.raises(NotFound) as missing:
                act()
            assert missing.value.code == "unknown_issue"

    def test_a_deleted_ticket_is_not_found(self, source: TicketSource) -> None:
        number = self.person_opens(source, "Gone")
        self.person_deletes_ticket(source, number)
        with pytest.raises(NotFound) as missing:
            source.get(number)
        assert missing.value.code == "unknown_issue"

    def test_an_open_blocker_holds_and_a_closed_one_does_not(self, source: TicketSource) -> None:
        first, second = (self.person_opens(source, text) for text in ("First", "Second"))
        self.person_blocks(source, second, first)
        assert by_id(source.look(""), second).blocked_by == (first,)
        self.person_closes(source, first)
        assert source.get(second).blocked_by == ()

    # --- people -------------------------------------------------------------------------------

    def test_who_may_write_is_told_by_the_id(self, source: TicketSource) -> None:
        writer = source.get(self.person_opens(source, "A", by=WRITER)).author
        stranger = source.get(self.person_opens(source, "B", by=STRANGER)).author
        assert source.may_write(writer)
        assert not source.may_write(stranger)
        assert not source.may_write(Author())
        assert not source.may_write(Author(id=writer.id, name=writer.name, bot=True))
        assert not source.may_write(self.another_of_the_same_name(source, writer))

    def test_who_put_a_label_there_last(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A", by=STRANGER)
        assert source.approval(number, "orch") is None
        self.person_labels(source, number, add=["orch"], by=WRITER)
        self.person_labels(source, number, add=["other"], by=STRANGER)
        given = source.approval(number, "orch")
        assert given is not None
        assert source.may_write(given.author)
        assert given.at
        self.person_labels(source, number, remove=["orch"], by=WRITER)
        assert source.approval(number, "orch") is None
        self.wait(source, 1)
        self.person_labels(source, number, add=["orch"], by=STRANGER)
        given = source.approval(number, "orch")
        assert given is not None
        assert given.author == source.get(number).author

    def test_what_is_said_comes_once_the_cursor_is_there(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A")
        old = self.person_comments(source, number, "old")
        none, cursor = source.remarks("")
        assert none == ()
        assert cursor
        self.wait(source, 1)
        first = self.person_comments(source, number, "first")
        self.wait(source, 1)
        second = self.person_comments(source, number, "/retry", by=STRANGER)
        found, cursor = self.reopened(source).remarks(cursor)
        assert [(one.id, one.source_id, one.body) for one in found] == [
            (first, number, "first"), (second, number, "/retry"),
        ]  # fmt: skip
        assert [source.may_write(one.author) for one in found] == [True, False]
        assert all(one.created and one.updated and one.url for one in found)
        self.wait(source, 1)
        self.person_edits_comment(source, old, "edited")
        found, cursor = source.remarks(cursor)
        assert [(one.id, one.body) for one in found if one.id == old] == [(old, "edited")]
        self.wait(source, 600)
        assert source.remarks(cursor)[0] == ()

    # --- writing ------------------------------------------------------------------------------

    def test_one_key_makes_one_ticket(self, source: TicketSource) -> None:
        made = source.create("Child", body="Why.", labels=["bug"], key=KEY)
        assert (made.title, made.state) == ("Child", "open")
        assert "bug" in made.labels
        assert marks.has(made.body, KEY)
        assert made.author == source.me()
        again = self.reopened(source).create("Other", body="", labels=[], key=KEY)
        assert again.source_id == made.source_id
        other = source.create("Child", body="Why.", labels=[], key=f"{KEY}1")
        assert other.source_id != made.source_id
        assert self.tickets_there(source) == 2

    def test_a_mark_in_a_strangers_ticket_is_not_ours(self, source: TicketSource) -> None:
        theirs = self.person_opens(source, "A", body=marks.marked("", KEY), by=STRANGER)
        made = source.create("A", body="", labels=[], key=KEY)
        assert made.source_id != theirs

    def test_after_a_lost_answer_the_same_call_makes_no_second_ticket(
        self, source: TicketSource
    ) -> None:
        self.ended(source, lambda: source.create("Child", body="", labels=[], key=KEY))
        assert self.tickets_there(source) == 1

    def test_a_state_is_shown_in_the_place_of_the_one_before(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A", labels=["bug"])
        for state in ("new", "routed", "in_progress", "in_progress", "blocked", "in_review"):
            source.put_state(number, state)
            assert self.shown_state(source, number) == state
        assert source.get(number).state == "in_progress"
        assert "bug" in source.get(number).labels
        self.ended(source, lambda: source.put_state(number, "needs_review"))
        assert self.shown_state(source, number) == "needs_review"

    def test_labels_of_others_stay(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A", labels=["bug", "old"])
        source.put_labels(number, ["agent:codex", "bug"], ["old", "never-there"])
        source.put_labels(number, ["agent:codex"], ["old"])
        assert set(source.get(number).labels) == {"bug", "agent:codex"}

    def test_a_comment_is_one_and_is_edited_in_place(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A")
        made = source.put_comment(number, "Starting", key=KEY)
        assert source.put_comment(number, "Working", key=KEY, known=made) == made
        assert self.reopened(source).put_comment(number, "Done", key=KEY) == made
        assert source.put_comment(number, "Done", key=KEY, known=made) == made
        (body,) = self.comments_there(source, number)
        assert body == marks.marked("Done", KEY)
        assert source.put_comment(number, "Other", key=f"{KEY}1") != made

    def test_a_deleted_comment_is_written_again(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A")
        made = source.put_comment(number, "Starting", key=KEY)
        self.person_deletes_comment(source, made)
        assert source.put_comment(number, "Again", key=KEY, known=made) != made
        assert len(self.comments_there(source, number)) == 1

    def test_a_mark_that_somebody_copied_is_theirs(self, source: TicketSource) -> None:
        number = self.person_opens(source, "A")
        copied = self.person_comments(source, number, marks.marked("x", KEY), by=STRANGER)
        made = source.put_comment(number, "Ours", key=KEY, known=copied)
        assert made != copied
        assert self.comments_there(source, number) == [
            marks.marked("x", KEY), marks.marked("Ours", KEY),
        ]  # fmt: skip

    def test_after_a_lost_answer_the_same_call_makes_no_second_comment(
        self, source: TicketSource
    ) -> None:
        number = self.person_opens(source, "A")
        self.lag(source, self.after_writes_s / 2)
        self.ended(source, lambda: source.put_comment(number, "Said", key=KEY))
        assert self.comments_there(source, number) == [marks.marked("Said", KEY)]

    def test_doubles_are_one_again(self, source: TicketSource) -> None:
        """Asked again before the lists showed what was there: two, until the next call."""
        number = self.person_opens(source, "A")
        self.lag(source, 10)
        first = source.put_comment(number, "Said", key=KEY)
        self.wait(source, 1)
        assert source.put_comment(number, "Said", key=KEY) != first
        self.lag(source, 0)
        self.wait(source, self.after_writes_s)
        assert source.put_comment(number, "Said", key=KEY) == first
        assert len(self.comments_there(source, number)) == 1

    @pytest.mark.parametrize("done", [True, False])
    def test_a_closed_ticket_is_closed_and_left_as_it_is(
        self, source: TicketSource, done: bool
    ) -> None:
        number = self.person_opens(source, "A")
        cursor = source.look("").cursor
        source.close(number, done=done)
        self.wait(source, 1)
        closed = source.get(number)
        assert closed.state == "closed"
        source.close(number, done=not done)
        assert source.get(number).word == closed.word
        assert by_id(source.look(cursor), number).state == "closed"
        assert number not in {one.source_id for one in source.look("").tickets
                              if one.state != "closed"}  # fmt: skip

    def ended(self, source: Any, act: Callable[[], object]) -> None:
        """Do it with a lost answer, and if nobody knows then, again as its caller would."""
        self.lose_next_answer(source)
        try:
            act()
        except ToolFailed as unknown:
            if unknown.code != "outcome_unknown":
                raise
            self.wait(source, self.after_writes_s)
            act()


def ids(batch: Batch) -> set[str]:
    return {ticket.source_id for ticket in batch.tickets}


def by_id(batch: Batch, source_id: str) -> Tracked:
    (found,) = (ticket for ticket in batch.tickets if ticket.source_id == source_id)
    return found
