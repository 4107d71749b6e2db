"""Both stores remember tickets that live elsewhere, and what was written to them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orch.model.command import AddTask
from orch.model.event import Actor
from orch.model.ticket_books import Known, Report, SourceState, TicketBooks, stamp_of
from orch.model.tracked import Author, Tracked
from orch.ports import Store

ME = Actor("person", "me")


def a_ticket(source_id: str = "1", source: str = "thing", **more: object) -> Tracked:
    made = Tracked(
        source=source, source_id=source_id, repo="thing", title="T", body="ünï\0\u202e",
        labels=("bug", "status:new"), author=Author("7", "octo"), updated="2026-01-01T00:00:00Z",
        raw='{"a": 1}',
    )  # fmt: skip
    return replace(made, **more)


def known(ticket: Tracked, at: float = 5.0) -> Known:
    return Known(ticket=ticket, synced_at=at)


@pytest.fixture
def books(store: Store) -> TicketBooks:
    return store.tickets


def test_a_ticket_is_kept_to_the_letter_with_its_raw_answer_beside_it(books: TicketBooks) -> None:
    state = SourceState(name="thing", cursor="c", looked_at=5.0)
    assert books.put([known(a_ticket())], state) == 1
    found = books.ticket("thing:1")
    assert found is not None
    assert found.ticket == a_ticket(raw="")
    assert books.raw("thing:1") == '{"a": 1}'
    assert books.state("thing") == state
    assert books.ticket("thing:2") is books.ticket("other:1") is None
    assert books.raw("thing:2") == ""


def test_h94_the_same_number_of_two_sources_is_two_tickets(books: TicketBooks) -> None:
    books.put([known(a_ticket()), known(a_ticket(source="other", title="O"))])
    assert [row.ticket.id for row in books.with_source_id("1")] == ["other:1", "thing:1"]
    assert books.forget("other") == 1
    assert [row.ticket.id for row in books.tickets()] == ["thing:1"]


def test_listings_have_the_highest_number_first_and_words_last(books: TicketBooks) -> None:
    books.put([known(a_ticket(word)) for word in ("9", "10", "A-2", "A-11", "x")])
    assert [row.ticket.source_id for row in books.tickets()] == ["A-11", "10", "9", "A-2", "x"]
    assert [row.ticket.source_id for row in books.tickets("thing", limit=2)] == ["A-11", "10"]


def test_what_is_open_is_listed_and_counted_without_what_is_closed_or_gone(
    books: TicketBooks,
) -> None:
    books.put([known(a_ticket(word)) for word in ("1", "2", "10")])
    books.put([known(a_ticket("3", state="closed")), known(a_ticket("9", source="other"))])
    books.change(replace(known(a_ticket("4")), gone=True))
    assert [row.ticket.source_id for row in books.open_tickets("thing")] == ["10", "2", "1"]
    assert (books.count_open("thing"), books.count_open("other"), books.count_open("no")) == (
        3,
        1,
        0,
    )
    books.put([known(a_ticket("10", state="closed", updated="2026-01-02T00:00:00Z"))])
    assert [row.ticket.source_id for row in books.open_tickets("thing")] == ["2", "1"]


def test_an_older_answer_never_takes_a_newer_ones_place(books: TicketBooks) -> None:
    books.put([known(a_ticket(title="new", updated="2026-01-02T00:00:00Z"))])
    assert books.put([known(a_ticket(title="old"))]) == 0
    found = books.ticket("thing:1")
    assert found is not None
    assert found.ticket.title == "new"


def test_our_own_writes_are_no_news(books: TicketBooks) -> None:
    books.put([known(a_ticket())])
    books.decide("thing:1", stamp_of(a_ticket()), "nothing follows")
    assert books.undecided("thing") == []
    later = "2026-01-03T00:00:00Z"
    assert books.put([known(a_ticket(labels=("bug", "status:in_review"), updated=later))]) == 0
    assert books.undecided("thing") == []
    assert books.put([known(a_ticket(labels=("bug", "orch"), updated=later))]) == 1
    (row,) = books.undecided("thing")
    assert row.why == "nothing follows"
    assert row.ticket.labels == ("bug", "orch")


def test_a_persons_link_survives_the_next_look(books: TicketBooks) -> None:
    books.put([known(a_ticket())])
    books.change(replace(known(a_ticket()), pr_url="https://x/1"))
    books.put([known(a_ticket(title="other", updated="2026-01-03T00:00:00Z"))])
    found = books.ticket("thing:1")
    assert found is not None
    assert (found.pr_url, found.ticket.title) == ("https://x/1", "other")


def test_reports_and_states_are_kept_by_name(books: TicketBooks) -> None:
    books.put_report(Report(task=2, ticket="thing:1", comment="9", begun_at=3.0))
    books.put_report(Report(task=1, ticket="thing:4"))
    books.put_report(Report(task=2, ticket="thing:1", comment="9"))
    assert [report.task for report in books.reports()] == [1, 2]
    assert books.report(2) == Report(task=2, ticket="thing:1", comment="9")
    assert books.report(3) is None
    books.put_state(SourceState(name="b"))
    books.put_state(SourceState(name="a", error="no"))
    assert [state.name for state in books.states()] == ["a", "b"]


def test_h85_a_ticket_gets_one_task_however_often_it_is_asked_for(store: Store) -> None:
    def ask(issue: str, held: str = "") -> int:
        asked = AddTask(title="T", issue=issue, source=f"ticket:{issue}", once=True, held=held)
        return len(store.send(asked, ME))

    assert [ask("thing:1"), ask("thing:1"), ask("thing:2", "waits for thing:1")] == [1, 0, 2]
    assert [task.issue for task in store.tasks_of_sources()] == ["thing:1", "thing:2"]
    held = store.task_of_issue("thing:2")
    assert held is not None
    assert (held.state, held.reason) == ("blocked", "waits for thing:1")
    assert held.hint == f"orch task retry {held.id}"
    assert store.task_of_issue("thing:3") is None
    assert [task.issue for task in store.waiting_tasks()] == ["thing:1"]


def test_what_people_label_is_not_made_by_a_machine(store: Store) -> None:
    for source in ("person:me", "ticket:thing:1", "job:nightly", "mention:thing:1"):
        store.send(AddTask(title="T", source=source), ME)
    assert store.tasks_by_machine(0.0) == 2
