"""Delegations as children: of tasks labelled plan, bounded, told where they are not taken."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model import command as cmd, event as ev, task_rules
from orch.model.delegating import MOST_AT_ONCE
from orch.model.errors import Conflict, UsageError
from orch.model.task import Task
from orch.model.task_wishes import LARGEST_NOTE, MOST_NOTES
from orch.store.memory import MemoryStore
from tests.records import (
    ENGINE,
    ME,
    PERSON,
    RUN,
    advance,
    agent_plan,
    an_attempt,
    create_run,
    settle,
)


def store_with(*labels: str) -> MemoryStore:
    """Task 1 with a run whose agent is at work."""
    store = MemoryStore(now=lambda: 1000.0)
    store.send(cmd.AddTask(title="Whole", labels=labels, priority=3), PERSON)
    store.send(cmd.TakeEngine(ME), ENGINE)
    store.send(create_run(repo="", task=1, unattended=True), ENGINE)
    store.send(cmd.TakeRun(RUN, ME), ENGINE)
    store.send(advance(planned=(agent_plan(attempt=an_attempt()),)), ENGINE)
    return store


def hand_on(store: MemoryStore, items: list[Any], **more: Any) -> list[ev.Event]:
    fact = cmd.Delegated(tuple(items))
    return store.send(advance(settled=(settle("0", facts=(fact,)),), **more), ENGINE)


def told(events: list[ev.Event]) -> list[str]:
    return [event.data.message for event in events if isinstance(event.data, ev.Logged)]


def child(store: MemoryStore, number: int) -> Task:
    found = store.task(number)
    assert found is not None
    return found


def test_the_agent_of_a_planning_task_gives_it_children() -> None:
    store = store_with("plan")
    hand_on(store, [{"title": " Left \n half ", "body": "do", "labels": ["a", "a", 1]},
                    {"title": "Right half"}])  # fmt: skip
    left, right = store.children(1)
    assert (left.title, left.body, left.labels) == ("Left half", "do", ("a",))
    assert (left.parent, left.depth, left.priority, left.source) == (1, 1, 3, "agent:1")
    assert (right.id, right.state, right.queued) == (3, "new", True)


def test_without_the_label_they_are_told_and_not_taken() -> None:
    store = store_with("bug")
    events = hand_on(store, [{"title": "A"}, {"title": "B"}, {"title": "C"}])
    assert told(events) == ["3 delegations were ignored: the task is not labelled plan"]
    assert store.children(1) == []


def test_the_parent_waits_when_its_run_ends_in_the_same_move_and_goes_on_after_the_last() -> None:
    store = store_with("plan")
    hand_on(store, [{"title": "A"}, {"title": "B"}], finish=cmd.Finish("done", "planned"))
    parent = child(store, 1)
    assert (parent.state, parent.reason) == ("blocked", "waits for 2 children: 2, 3")
    store.send(cmd.CloseTask(2, done=True), PERSON)
    assert child(store, 1).state == "blocked"
    store.send(cmd.CloseTask(3, done=True), PERSON)
    assert child(store, 1).state == "new"


def test_a_planner_that_changed_nothing_waits_for_its_children_all_the_same() -> None:
    store = store_with("plan")
    failure: Any = Conflict("nothing to open a pull request for", code="no_change")
    from orch.model.errors import Failure

    end = cmd.Finish("error", error=Failure("no_change", str(failure), "", "NoChange", {}))
    hand_on(store, [{"title": "A"}], finish=end)
    assert child(store, 1).state == "blocked"


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ([{"body": "no title"}], "1 delegation was ignored: it has no title"),
        ([{}, {"title": 3}], "2 delegations were ignored: they have no title"),
        (
            [{"title": f"{n}"} for n in range(MOST_AT_ONCE + 2)],
            f"2 delegations were ignored: a step hands on {MOST_AT_ONCE} at most",
        ),
    ],
)
def test_what_is_not_taken_is_told(items: list[Any], sentence: str) -> None:
    store = store_with("plan")
    assert told(hand_on(store, items)) == [sentence]
    assert len(store.children(1)) <= MOST_AT_ONCE


def test_a_task_never_has_more_children_than_are_allowed() -> None:
    store = store_with("plan")
    for number in range(task_rules.MOST_CHILDREN - 1):
        store.send(cmd.AddTask(title=f"{number}", parent=1), PERSON)
    events = hand_on(store, [{"title": "A"}, {"title": "B"}])
    assert len(store.children(1)) == task_rules.MOST_CHILDREN
    assert told(events) == ["1 delegation was ignored: task 1 may have 50 children at most"]


def test_two_steps_of_one_move_give_children_with_numbers_of_their_own() -> None:
    store = store_with("plan")
    other = agent_plan("1", attempt=an_attempt("b" * 12, path="1"))
    store.send(advance(planned=(other,)), ENGINE)
    facts = (cmd.Delegated(({"title": "A"},)),)
    both = (settle("0", facts=facts), settle("1", facts=facts))
    store.send(advance(settled=both), ENGINE)
    assert [one.id for one in store.children(1)] == [2, 3]


# --- wishes


def queue(*titles: str) -> MemoryStore:
    store = MemoryStore(now=lambda: 1000.0)
    for title in titles:
        store.send(cmd.AddTask(title=title), PERSON)
    return store


def test_a_task_is_never_below_itself() -> None:
    store = queue("A", "B", "C")
    store.send(cmd.MoveTask(2, 1), PERSON)
    store.send(cmd.MoveTask(3, 2), PERSON)
    for parent in (1, 2, 3):
        with pytest.raises(Conflict) as refusal:
            store.send(cmd.MoveTask(1, parent), PERSON)
        assert refusal.value.code == "task_cycle"
    assert [child(store, n).depth for n in (1, 2, 3)] == [0, 1, 2]
    assert child(store, 1).state == "blocked"


def test_a_task_that_moves_takes_those_below_along_and_frees_its_parent() -> None:
    store = queue("A", "B", "C", "D")
    store.send(cmd.MoveTask(3, 2), PERSON)
    store.send(cmd.MoveTask(2, 1), PERSON)
    assert (child(store, 2).depth, child(store, 3).depth) == (1, 2)
    store.send(cmd.MoveTask(2, 4), PERSON)
    assert (child(store, 1).state, child(store, 4).state) == ("new", "blocked")
    store.send(cmd.MoveTask(2), PERSON)
    assert (child(store, 2).depth, child(store, 3).depth) == (0, 1)
    assert child(store, 4).state == "new"


def test_moving_never_goes_deeper_than_is_allowed() -> None:
    store = queue("A")
    for number in range(1, task_rules.DEEPEST + 1):
        store.send(cmd.AddTask(title="x", parent=number), PERSON)
    store.send(cmd.AddTask(title="top"), PERSON)
    with pytest.raises(Conflict) as refusal:
        store.send(cmd.MoveTask(1, task_rules.DEEPEST + 2), PERSON)
    assert refusal.value.code == "too_deep"


def test_notes_are_kept_replaced_and_taken_away() -> None:
    store = queue("A")
    for key, value in (("a", {"x": [1]}), ("b", "text"), ("a", 2), ("b", None), ("c", None)):
        store.send(cmd.SetTaskNote(1, key, value), PERSON)
    assert child(store, 1).notes == {"a": 2}
    assert store.send(cmd.SetTaskNote(1, "a", 2), PERSON) == []


def test_notes_are_bounded() -> None:
    store = queue("A")
    for key, value in (("", 1), ("x" * 101, 1), ("a\nb", 1), ("big", "x" * LARGEST_NOTE)):
        with pytest.raises(UsageError):
            store.send(cmd.SetTaskNote(1, key, value), PERSON)
    for number in range(MOST_NOTES):
        store.send(cmd.SetTaskNote(1, f"{number}", number), PERSON)
    with pytest.raises(Conflict):
        store.send(cmd.SetTaskNote(1, "more", 1), PERSON)
    store.send(cmd.SetTaskNote(1, "0", "changed"), PERSON)


def test_who_does_it_is_changed_while_it_waits_only() -> None:
    store = store_with("plan")
    with pytest.raises(Conflict) as refusal:
        store.send(cmd.RerouteTask(1, "two"), PERSON)
    assert refusal.value.code == "task_at_work"
    waiting = queue("A")
    waiting.send(cmd.RerouteTask(1, "two"), PERSON)
    assert child(waiting, 1).pin == "two"
    assert waiting.send(cmd.RerouteTask(1, "two"), PERSON) == []
    waiting.send(cmd.RerouteTask(1), PERSON)
    assert child(waiting, 1).pin == ""


def test_a_ticket_is_bound_once() -> None:
    store = queue("A")
    store.send(cmd.LinkTask(1, "ISSUE-001"), PERSON)
    assert store.send(cmd.LinkTask(1, "ISSUE-001"), PERSON) == []
    with pytest.raises(Conflict):
        store.send(cmd.LinkTask(1, "ISSUE-002"), PERSON)
