"""What labels of an issue mean, as tables."""

from __future__ import annotations

import pytest

from orch.config.source_tree import SourceConfig
from orch.hosts.github.facts import Issue, Label, Link, Person
from orch.model.tracked import Author
from orch.trackers.github_words import author, label_of, person, priority_of, state_of, tracked


def an_issue(**fields: object) -> Issue:
    words = {"repo": "o/r", "number": 1, "id": 7, "node": "I_7", "url": "u", "title": "T"}
    return Issue(**(words | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "priority"),
    [
        ((), ""),
        (("bug", "status:new"), ""),
        (("priority:high",), "high"),
        (("Priority: Critical",), "urgent"),
        (("priority/medium",), "normal"),
        (("prio-low",), "low"),
        (("P0",), "urgent"),
        (("p4",), "low"),
        (("HIGH",), "high"),
        (("low", "p1", "medium"), "high"),
        (("priority:whatever", "highlight", "p10", "priority"), ""),
        (("blocker",), "urgent"),
    ],
)
def test_labels_that_tell_a_priority(labels: tuple[str, ...], priority: str) -> None:
    assert priority_of(labels, {"Blocker": "urgent"}) == priority


def test_what_is_configured_comes_before_the_table() -> None:
    assert priority_of(["P1"], {"p1": "urgent"}) == "urgent"
    assert priority_of(["P2"], {"p1": "urgent"}) == "normal"


@pytest.mark.parametrize(
    ("state", "labels", "ours"),
    [
        ("open", (), "open"),
        ("open", ("status:new",), "open"),
        ("open", ("Status:In_Progress",), "in_progress"),
        ("open", ("status:in_review",), "in_progress"),
        ("open", ("status:routed",), "in_progress"),
        ("open", ("status:blocked",), "open"),
        ("open", ("WIP",), "in_progress"),
        ("open", ("parked", "status:routed"), "closed"),
        ("closed", ("status:in_progress", "wip"), "closed"),
    ],
)
def test_states_by_labels(state: str, labels: tuple[str, ...], ours: str) -> None:
    issue = an_issue(state=state, labels=labels)
    assert state_of(issue, {"wip": "in_progress", "Parked": "closed"}) == ours


def test_only_open_blockers_that_can_be_seen_hold() -> None:
    links = (Link("o/r", 2), Link("O/R", 3, "closed"), Link("a/b", 4), Link("", 0, "unknown"))
    found = tracked(
        an_issue(blocked_by=links, parent=Link("a/b", 9, "closed")), source="s", repo="thing",
        config=SourceConfig(),
    )  # fmt: skip
    assert found.blocked_by == ("2", "a/b#4")
    assert found.parent == "a/b#9"


def test_people_go_by_their_ids() -> None:
    assert author(Person("cat", 7, "User")) == Author(id="7", name="cat")
    assert author(Person("thing[bot]", 8)) == Author(id="8", name="thing[bot]", bot=True)
    assert author(Person()) == Author()
    assert person(Author(id="7", name="cat")) == Person("cat", 7, "User")
    assert person(Author(id="x7", name="cat")).id == 0


def test_labels_of_ours_have_their_colours() -> None:
    assert label_of("status:new") == Label("status:new", "0e8a16")
    assert label_of("status:needs_review").color == "e4e669"
    assert label_of("agent:codex").color == label_of("new").color == "c5def5"
