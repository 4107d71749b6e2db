"""Tasks: asked for while the service is there or not, done once, told about."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.world import Process, World

FAILS = ["sh", "-c", "echo broken; exit 3"]


@pytest.fixture
def world(person: Path) -> Any:
    made = worlds.furnished(person)
    made.configure({"one": worlds.WRITES, "bad": FAILS})
    yield made
    made.close()


def serving(world: World) -> Process:
    process = world.start("serve", "--json")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "{" in line, (line, process.stderr.read() if process.stderr else "")
    return process


def settled(world: World, number: int) -> dict[str, Any]:
    """The record of a task once nothing works on it any more."""

    def look() -> dict[str, Any] | None:
        record: dict[str, Any] = world.ask("task", "get", str(number))
        return record if record["status"] not in ("new", "routed", "in_progress") else None

    found: dict[str, Any] = world.until(look, f"the end of task {number}", 30)
    return found


def left(process: Process) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60)


def test_a_task_becomes_a_pull_request_while_nobody_watches(world: World) -> None:
    service = serving(world)
    made = world.ask("task", "add", "Write it", "--repo", "thing", "--agent", "one")
    assert made["status"] in ("new", "routed", "in_progress")
    record = settled(world, made["id"])
    assert record["status"] == "in_review", record
    assert record["prs"][0]["state"] == "open"
    assert [attempt["status"] for attempt in record["attempts"]] == ["succeeded"]
    assert [step["to"] for step in record["history"]] == [
        "new", "routed", "in_progress", "in_review",
    ]  # fmt: skip
    assert left(service) == 0


def test_a_task_asked_for_while_nothing_runs_waits_and_is_done_later_once(world: World) -> None:
    made = world.ask("task", "add", "Write it", "--repo", "thing", "--agent", "one")
    assert "orch service start" in world.ask("task", "get", "1")["reason"]
    service = serving(world)
    assert settled(world, made["id"])["status"] == "in_review"
    assert left(service) == 0
    again = serving(world)
    assert len(world.ask("task", "get", "1")["runs"]) == 1
    assert left(again) == 0


def test_a_task_without_a_repository_runs_its_agent_only(world: World) -> None:
    service = serving(world)
    world.ask("task", "add", "Think", "--agent", "one")
    record = settled(world, 1)
    assert record["status"] == "done", record
    assert not record["prs"]
    assert (Path(record["worktree"]) / "work.txt").exists()
    assert left(service) == 0


def test_what_cannot_become_a_run_waits_for_a_person_and_holds_up_nobody(world: World) -> None:
    world.ask("task", "add", "First", "--repo", "thing", "--agent", "one")
    world.ask("task", "add", "Second", "--agent", "one")
    world.git("remote", "remove", "origin")
    world.ask("repo", "add", str(world.repo))
    service = serving(world)
    first = settled(world, 1)
    assert first["status"] == "needs_review"
    assert "no remote" in first["reason"]
    assert "orch task retry 1" in first["hint"]
    assert settled(world, 2)["status"] == "done"
    assert left(service) == 0


def test_the_second_service_says_who_holds_the_lock(world: World) -> None:
    """H89: two services never drive one home."""
    first = serving(world)
    answer = world.orch("serve")
    assert answer.code != 0
    assert str(first.pid) in answer.err
    assert "service_running" in answer.err
    assert left(first) == 0


def test_children_hold_their_parent_back_until_they_are_done(world: World) -> None:
    """H41: the links are in the store, not in a tracker."""
    world.ask("task", "add", "Whole", "--agent", "one")
    for part in ("Half", "Other half"):
        world.ask("task", "add", part, "--agent", "one", "--parent", "1")
    parent = world.ask("task", "get", "1")
    assert parent["status"] == "blocked"
    assert parent["children"] == [2, 3]
    assert "2 children" in parent["reason"]
    service = serving(world)
    world.until(lambda: world.ask("task", "get", "1")["status"] == "done", "the parent's end")
    history = [(step["to"], step["why"]) for step in world.ask("task", "get", "1")["history"]]
    assert ("new", "all its children are done") in history
    assert left(service) == 0
    tree = world.ask("task", "tree", "1")
    assert [child["id"] for child in tree["children"]] == [2, 3]


def test_a_task_that_is_closed_ends_its_run_and_one_that_is_retried_begins_anew(
    world: World,
) -> None:
    world.ask("task", "add", "Never mind", "--agent", "one")
    assert world.ask("task", "close", "1", "--note", "not needed")["status"] == "cancelled"
    record = world.ask("task", "get", "1")
    assert record["history"][-1]["why"] == "not needed"
    assert world.ask("task", "retry", "1")["status"] == "new"
    service = serving(world)
    assert settled(world, 1)["status"] == "done"
    assert left(service) == 0


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("add", "  "), "empty_title", 2),
        (("add", "X", "--repo", "nowhere"), "unknown_repo", 3),
        (("add", "X", "--agent", "nobody"), "unknown_agent", 3),
        (("add", "X", "--workflow", "nothing"), "unknown_workflow", 3),
        (("add", "X", "--workflow", "basic_pr"), "repo_needed", 2),
        (("add", "X", "--parent", "7"), "unknown_task", 3),
        (("get", "7"), "unknown_task", 3),
        (("get", "seven"), "unknown_task", 3),
        (("list", "--status", "dun"), "bad_state", 2),
        (("retry", "7"), "unknown_task", 3),
        (("close", "7"), "unknown_task", 3),
        (("tree", "7"), "unknown_task", 3),
        (("status", "7"), "unknown_task", 3),
        (("unblock", "7"), "unknown_task", 3),
    ],
)
def test_what_is_refused_changes_nothing(
    world: World, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    world.refused("task", *words, code=code, exit_code=exit_code)


def test_what_waits_for_a_person_is_left_alone_by_a_new_service(world: World) -> None:
    """H22: needs_review is never run again by itself, at a start neither."""
    world.configure({"bad": FAILS}, "[retry]\nmax_attempts = 1\n")
    world.ask("task", "add", "Do it", "--agent", "bad")
    first = serving(world)
    assert settled(world, 1)["status"] == "needs_review"
    assert left(first) == 0
    second = serving(world)
    world.ask("task", "add", "Another", "--agent", "bad")
    assert settled(world, 2)["status"] == "needs_review"
    record = world.ask("task", "get", "1")
    assert len(record["attempts"]) == 1
    assert left(second) == 0


def test_a_task_that_goes_back_to_the_queue_is_routed_anew(world: World) -> None:
    """H25: agent and model go with the state that they belong to."""
    service = serving(world)
    world.ask("task", "add", "Do it", "--labels", "agent:one", "--workflow", "agent_only")
    assert settled(world, 1)["agent"] == "one"
    assert left(service) == 0
    world.ask("task", "retry", "1")
    record = world.ask("task", "get", "1")
    assert (record["status"], record["agent"], record["model"]) == ("new", None, None)


def test_a_loop_that_succeeds_is_stopped_by_its_breaker(world: World) -> None:
    """A task whose children end again and again is run only so often without a person."""
    world.configure({"one": worlds.WRITES}, "[breakers]\nruns_per_task = 1\n")
    service = serving(world)
    world.ask("task", "add", "Whole", "--agent", "one")
    assert settled(world, 1)["status"] == "done"
    assert left(service) == 0
    world.spoil(
        "update tasks set state = 'new', body = json_set(body, '$.state', 'new') where id = 1"
    )
    service = serving(world)
    record = settled(world, 1)
    assert record["status"] == "needs_review", record
    assert "runs_per_task" in record["reason"]
    assert record["hint"] == "orch task retry 1"
    world.ask("task", "retry", "1")
    assert settled(world, 1)["status"] == "done", "a person's word counts anew"
    assert left(service) == 0


def test_a_gate_that_is_answered_goes_on_where_the_service_lives(world: World) -> None:
    flow = world.flow(
        'GATED = "go on?"\n\n@do\ndef workflow(issue):\n    yield Gate(question=GATED)\n'
        '    yield Log(message="after")\n    return "went on"\n'
    )
    service = serving(world)
    answer = world.orch("run", flow, "--issue", "1", "--json")
    run = answer.json["id"]
    assert answer.json["status"] == "blocked", answer
    told = world.orch("gate", "approve", run)
    assert "the service goes on" in told.err, told
    world.until(lambda: world.ask("show", run)["status"] == "done", "the run's end")
    assert left(service) == 0
