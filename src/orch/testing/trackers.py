"""The contract of `orch.ports.Tracker`, for ours and for anybody's.

A third party proves an adapter with:

    class TestMine(TrackerContract):
        @pytest.fixture
        def tracker(self, tmp_path): return MyTracker(...)

What a backend cannot be made to do from a test (a person who deletes or damages an item) is a
method here that skips until the adapter's test fills it in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orch.model.errors import NotFound, UsageError
from orch.model.ticket import Ticket
from orch.ports import Tracker

CREATED = "2025-11-21T04:00:00Z"
TITLES = [
    "Add a --json flag",
    "a" * 300,
    "日本語のタイトル" * 37 + "あいうえ",
    "👩‍👩‍👧‍👦 family and e\u0301 accents",
    "quotes \" and ' and \\ and `backticks`",
    "feat: colons: everywhere #not-a-comment # nor this",
    "---",
    "- [ ] a list",
    "{curly: [and, square]}",
    "*bold* &anchor !tag %percent @at |pipe >fold",
    "$(touch pwned); `touch pwned` #{pane} #(touch pwned)",
    "--upload-pack=touch",
    "\x1b]0;owned\x07\x1b[31mred\x9b0m and \x00 nul",
    "\u202eabc\u2066def\u2069 bidi",
    "true",
    "null",
    "~",
    "007",
    "2025-01-01",
    "\ufeffbom and \ufffe",
]
BODIES = [
    "",
    "one line, no newline",
    "ends with a newline\n",
    "\nbegins with one\n\n\n",
    "\r\nwindows\r\nlines\r\n",
    "---\ntitle: not the title\n---\n",
    "tabs\t and trailing   \n\n",
    "\x00\x1b[2J\x85\u2028\u202e",
    "\ufeffa mark",
    "日本語\n" * 500,
]


class TrackerContract:
    """Subclass as `TestX` and give a `tracker` fixture: an empty one, new for each test."""

    @pytest.fixture
    def tracker(self) -> Any:
        raise NotImplementedError("give a fixture `tracker` with an empty tracker")

    def reopened(self, tracker: Any) -> Any:
        """The same items, as another process would find them."""
        return tracker

    def delete(self, tracker: Any, identifier: str) -> None:
        """What a person does who deletes an item."""
        pytest.skip("this tracker's items cannot be deleted by the test")

    def damage(self, tracker: Any, identifier: str) -> None:
        """What a person does who leaves an item unreadable."""
        pytest.skip("this tracker's items cannot be damaged by the test")

    # --- creating -------------------------------------------------------------------------

    def test_a_new_ticket_is_open_and_has_what_was_given(self, tracker: Tracker) -> None:
        made = tracker.create(
            "Fix it", body="Now.\n", labels=["bug", "a b"], repo="thing", created=CREATED
        )
        assert made.title == "Fix it"
        assert made.body == "Now.\n"
        assert made.labels == ("bug", "a b")
        assert made.repo == "thing"
        assert made.created == CREATED
        assert made.status == "open"
        assert made.resolved == ""
        assert made.pr_url == ""
        assert self.reopened(tracker).get(made.id) == made

    @pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
    def test_a_title_is_data_whatever_it_holds(self, tracker: Tracker, title: str) -> None:
        made = tracker.create(title, created=CREATED)
        assert made.title == title
        assert self.reopened(tracker).get(made.id).title == title
        assert [ticket.title for ticket in self.reopened(tracker).list()[0]] == [title]

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("two\nlines", "two lines"),
            ("windows\r\nlines\r\n", "windows lines"),
            ("old\rmac", "old mac"),
            ("unicode\u2028line\x85and\u2029paragraph", "unicode line and paragraph"),
            ("form\x0cfeed\x0btab", "form feed tab"),
            ("  outer space  ", "outer space"),
            ("a\n---\nstatus: closed\n", "a --- status: closed"),
        ],
    )
    def test_line_breaks_in_a_title_become_spaces(
        self, tracker: Tracker, given: str, kept: str
    ) -> None:
        made = tracker.create(given, created=CREATED)
        assert made.title == kept
        assert self.reopened(tracker).get(made.id).title == kept
        assert made.status == "open"

    @pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
    def test_a_body_is_kept_to_the_byte(self, tracker: Tracker, body: str) -> None:
        made = tracker.create("T", body=body, created=CREATED)
        assert made.body == body
        assert self.reopened(tracker).get(made.id).body == body

    @pytest.mark.parametrize("title", ["", "   ", "\n\r\n", "\u2028"])
    def test_a_ticket_without_a_title_is_refused(self, tracker: Tracker, title: str) -> None:
        with pytest.raises(UsageError) as refused:
            tracker.create(title, created=CREATED)
        assert refused.value.code == "empty_title"
        assert tracker.list() == ((), ())

    def test_text_that_is_no_unicode_is_refused_before_anything_changes(
        self, tracker: Tracker
    ) -> None:
        for words in ({"title": "a\udcff"}, {"title": "T", "body": "\udcff"}):
            with pytest.raises(UsageError) as refused:
                tracker.create(**words, created=CREATED)
            assert refused.value.code == "not_utf8"
        assert tracker.list() == ((), ())

    def test_a_text_that_is_too_large_is_refused_before_anything_changes(
        self, tracker: Tracker
    ) -> None:
        for words in ({"title": "T", "body": "é" * 600_000}, {"title": "a" * 5000}):
            with pytest.raises(UsageError) as refused:
                tracker.create(**words, created=CREATED)
            assert refused.value.code == "too_large"
        assert tracker.list() == ((), ())

    def test_h110_numbers_grow_and_are_all_different(self, tracker: Tracker) -> None:
        ids = [tracker.create(f"T{n}", created=CREATED).id for n in range(12)]
        assert len(set(ids)) == 12
        assert [ticket.id for ticket in tracker.list()[0]] == ids[::-1]

    def test_h110_the_number_of_a_deleted_ticket_is_not_used_again(self, tracker: Tracker) -> None:
        first = tracker.create("one", created=CREATED).id
        second = tracker.create("two", created=CREATED).id
        self.delete(tracker, second)
        third = self.reopened(tracker).create("three", created=CREATED).id
        assert third not in (first, second)
        self.delete(tracker, third)
        self.delete(tracker, first)
        fourth = self.reopened(tracker).create("four", created=CREATED).id
        assert fourth not in (first, second, third)
        with pytest.raises(NotFound):
            tracker.get(second)

    def test_h85_one_key_makes_one_ticket(self, tracker: Tracker) -> None:
        first = tracker.create("one", body="text", created=CREATED, key="abc234")
        again = self.reopened(tracker).create("other", created=CREATED, key="abc234")
        assert again == first
        other = tracker.create("one", created=CREATED, key="abc2345")
        assert other.id != first.id
        assert len(tracker.list()[0]) == 2

    def test_a_key_in_the_text_of_another_ticket_is_not_that_tickets_key(
        self, tracker: Tracker
    ) -> None:
        bait = tracker.create("key: abc234", body="key: abc234\n", created=CREATED)
        assert tracker.create("real", created=CREATED, key="abc234").id != bait.id

    @pytest.mark.parametrize("key", ["a b", "a\nb", "-->", "é", "x" * 201, '"', "-a"])
    def test_a_key_that_is_no_word_is_refused(self, tracker: Tracker, key: str) -> None:
        with pytest.raises(UsageError) as refused:
            tracker.create("T", created=CREATED, key=key)
        assert refused.value.code == "bad_key"

    # --- finding --------------------------------------------------------------------------

    def test_an_unknown_id_names_the_nearest_and_how_to_list(self, tracker: Tracker) -> None:
        for n in range(3):
            tracker.create(f"T{n}", created=CREATED)
        with pytest.raises(NotFound) as missing:
            tracker.get("ISSUE-030")
        assert missing.value.code == "unknown_issue"
        assert "orch issue list" in missing.value.hint
        assert "ISSUE-00" in missing.value.message + missing.value.hint

    @pytest.mark.parametrize(
        "word",
        [
            "", " ", "4", "ISSUE-", "ISSUE-004", "-1", "1.0", "../ISSUE-001", "ISSUE-001.md",
            "ISSUE-001/../ISSUE-001", "/etc/passwd", "ISSUE-00\x001", "one", "9" * 5000, "٣", "1 1",
            "iſſue-1",
        ],
    )  # fmt: skip
    def test_a_word_that_is_no_id_is_not_found(self, tracker: Tracker, word: str) -> None:
        tracker.create("one", created=CREATED)
        with pytest.raises(NotFound) as missing:
            tracker.get(word)
        assert missing.value.code == "unknown_issue"
        assert len(missing.value.message) < 200

    def test_an_empty_tracker_lists_nothing(self, tracker: Tracker) -> None:
        assert tracker.list() == ((), ())

    # --- changing -------------------------------------------------------------------------

    def test_a_change_changes_the_named_fields_only(self, tracker: Tracker) -> None:
        made = tracker.create(
            "T", body="B\n", labels=["a"], repo="r", created=CREATED, key="abc234"
        )
        changed = tracker.update(
            made.id, status="resolved", resolved="2025-12-01T00:00:00Z", pr_url="https://x.org/pr/1"
        )
        assert changed.status == "resolved"
        assert changed.resolved == "2025-12-01T00:00:00Z"
        assert changed.pr_url == "https://x.org/pr/1"
        assert (changed.id, changed.title, changed.body, changed.labels, changed.repo) == (
            made.id, "T", "B\n", ("a",), "r",
        )  # fmt: skip
        assert changed.created == CREATED
        assert self.reopened(tracker).get(made.id) == changed
        assert tracker.create("T", created=CREATED, key="abc234") == changed

    def test_every_field_can_be_set_changed_and_cleared(self, tracker: Tracker) -> None:
        made = tracker.create("T", created=CREATED)
        changes: list[dict[str, Any]] = [
            {"labels": ["x", "y z", "true"]},
            {"labels": ["y z"]},
            {"labels": []},
            {"pr_url": "file:///a b#c"},
            {"pr_url": ""},
            {"title": 'A: "new" one'},
            {"body": "\nnew\r\nbody"},
            {"body": ""},
            {"status": "in_progress"},
            {"resolved": "2025-12-01T00:00:00Z", "status": "closed", "title": "last"},
        ]
        for fields in changes:
            changed = tracker.update(made.id, **fields)
            for name, value in fields.items():
                expected = tuple(value) if isinstance(value, list) else value
                assert getattr(changed, name) == expected
            assert self.reopened(tracker).get(made.id) == changed

    def test_no_change_is_no_change(self, tracker: Tracker) -> None:
        made = tracker.create("T", labels=["a"], created=CREATED)
        assert tracker.update(made.id) == made
        assert tracker.update(made.id, status="open", labels=["a"], pr_url="") == made

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"status": "done"}, "bad_status"),
            ({"title": " "}, "empty_title"),
            ({"id": "ISSUE-009"}, "unknown_field"),
            ({"nonsense": "x"}, "unknown_field"),
            ({"labels": "a,b"}, "bad_labels"),
            ({"status": "closed", "body": "\udcff"}, "not_utf8"),
        ],
    )
    def test_a_change_that_cannot_be_is_refused_whole(
        self, tracker: Tracker, fields: dict[str, str], code: str
    ) -> None:
        made = tracker.create("T", created=CREATED)
        with pytest.raises(UsageError) as refused:
            tracker.update(made.id, **fields)
        assert refused.value.code == code
        assert tracker.get(made.id) == made

    def test_changing_an_unknown_ticket_is_not_found(self, tracker: Tracker) -> None:
        with pytest.raises(NotFound) as missing:
            tracker.update("1", status="closed")
        assert missing.value.code == "unknown_issue"
        assert tracker.list() == ((), ())

    # --- broken items ---------------------------------------------------------------------

    def test_h105_a_broken_ticket_is_reported_and_stops_no_other(self, tracker: Tracker) -> None:
        ids = [tracker.create(f"T{n}", created=CREATED).id for n in range(3)]
        self.damage(tracker, ids[1])
        tickets, reports = self.reopened(tracker).list()
        assert [ticket.id for ticket in tickets] == [ids[2], ids[0]]
        assert len(reports) == 1
        assert ids[1] in reports[0]
        assert "line 1" in reports[0]
        acts: list[Callable[[], Ticket]] = [
            lambda: tracker.get(ids[1]),
            lambda: tracker.update(ids[1], status="closed"),
        ]
        for act in acts:
            with pytest.raises(UsageError) as broken:
                act()
            assert broken.value.code == "issue_broken"
            assert broken.value.data["line"] == 1
            assert ids[1] in broken.value.data["file"]
        assert tracker.create("next", created=CREATED).id not in ids

    def test_a_ticket_says_which_tracker_it_is_of(self, tracker: Tracker) -> None:
        made: Ticket = tracker.create("T", created=CREATED)
        assert made.tracker == tracker.name
