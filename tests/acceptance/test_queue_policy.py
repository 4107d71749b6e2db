"""What becomes of a queued task whose agents fail: again, another one, later, a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import World

RETRY = "[retry]\nbase_s = 0.2\nmax_s = 0.5\nmax_attempts = 3\n"
COUNTING = (
    'n=$(cat "$HOME/count" 2>/dev/null || echo 0); echo $((n+1)) > "$HOME/count";'
    ' [ "$n" -ge 2 ] && { echo done > work.txt; exit 0; };'
    ' echo "error: bad luck $n$n" >&2; exit 3'
)
TWICE = ["sh", "-c", COUNTING]
FAILS = ["sh", "-c", "echo partial >> partial.txt; echo 'error: cannot' >&2; exit 3"]
LIMIT = ["sh", "-c", "echo 'error: 429 rate limit exceeded' >&2; exit 1"]


@pytest.fixture
def world(person: Path) -> Any:
    made = worlds.furnished(person)
    yield made
    made.close()


def agents(world: World, text: str = RETRY, **commands: list[str]) -> None:
    lines = {
        name: f'command = {json.dumps(command)}\npass_env = ["HOME"]'
        for name, command in commands.items()
    }
    world.configure(lines, text)


def test_an_agent_that_fails_twice_is_tried_again_in_the_same_place(world: World) -> None:
    """H26: a retry keeps the worktree."""
    agents(world, twice=TWICE)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing", "--agent", "twice")
    record = rested(world)
    assert [a["status"] for a in record["attempts"]] == ["failed", "failed", "succeeded"]
    assert len({a["run"] for a in record["attempts"]}) == 1
    assert left(service) == 0


def rested(world: World, number: int = 1) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        record: dict[str, Any] = world.ask("task", "get", str(number))
        calm = ("done", "in_review", "needs_review", "cancelled")
        return record if record["status"] in calm else None

    found: dict[str, Any] = world.until(look, "the end of the task", 40)
    return found


def test_a_pinned_agent_is_retried_and_never_replaced(world: World) -> None:
    agents(world, bad=FAILS, good=worlds.WRITES)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing", "--agent", "bad")
    record = rested(world)
    assert record["status"] == "needs_review"
    assert {a["agent"] for a in record["attempts"]} == {"bad"}
    assert "the same error 3 times" in record["reason"] or "3 attempts" in record["reason"]
    assert record["hint"] == "orch task retry 1"
    assert left(service) == 0


def test_another_agent_takes_over_in_the_same_worktree(world: World) -> None:
    """H26: what the first one wrote is still there for the second."""
    agents(world, RETRY + '[router]\nmode = "round_robin"\n', bad=FAILS, good=worlds.WRITES)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing", "--labels", "agent:bad")
    record = rested(world)
    assert record["status"] == "in_review", record
    assert [a["agent"] for a in record["attempts"]] == ["bad", "good"]
    files = world.git("ls-tree", "--name-only", record["branch"], where=world.remote)
    assert {"partial.txt", "work.txt"} <= set(files.split())
    assert left(service) == 0


def test_an_agent_at_its_limit_is_waited_for_with_a_reason_and_no_attempt(world: World) -> None:
    """H31: all agents cooling is a wait, not a failure; the reason names the time."""
    agents(world, "[retry]\nbase_s = 600\nmax_s = 600\n", poor=LIMIT)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing")

    def held() -> dict[str, Any] | None:
        record: dict[str, Any] = world.ask("task", "get", "1")
        return record if record["status"] == "blocked" else None

    record = world.until(held, "the wait", 20)
    assert "cools until" in record["reason"], record["reason"]
    assert "rate limit" in record["reason"], record["reason"]
    assert record["wake_at"]
    assert len(record["attempts"]) == 1
    cooling = world.ask("cooldown", "list")
    assert [one["subject"] for one in cooling] == ["poor"]
    world.refused("cooldown", "clear", "rich", code="not_cooling", exit_code=3)
    world.refused("cooldown", "clear", code="which_cooldown", exit_code=2)
    assert world.ask("cooldown", "clear", "poor") == ["poor"]
    assert world.ask("cooldown", "list") == []
    assert left(service) == 0


def test_a_missing_tool_stops_at_once(world: World) -> None:
    """H46: an environment failure is not tried again."""
    agents(world, gone=["sh", "-c", "exec no-such-program-anywhere"])
    service = serving(world)
    world.ask("task", "add", "Do it", "--agent", "gone")
    record = rested(world)
    assert record["status"] == "needs_review"
    assert len(record["attempts"]) == 1, record
    assert left(service) == 0


def test_a_person_who_retries_starts_the_count_anew(world: World) -> None:
    agents(world, RETRY, bad=FAILS)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing", "--agent", "bad")
    first = rested(world)
    agents(world, RETRY, bad=worlds.WRITES)
    world.ask("task", "retry", "1")
    world.until(lambda: world.ask("task", "get", "1")["status"] != "needs_review", "the retry")
    record = rested(world)
    assert record["run"] == first["run"], "the same run goes on"
    assert len(record["attempts"]) > len(first["attempts"])
    assert left(service) == 0


def test_a_classifier_names_the_agent(world: World) -> None:
    answer = '{"executor": "good", "complexity": "simple", "profile": {"role": "docs"}}'
    agents(
        world, RETRY + '[router]\nmode = "llm"\nagent = "judge"\n',
        judge=["sh", "-c", f"echo '{answer}'"], good=worlds.WRITES, other=FAILS,
    )  # fmt: skip
    service = serving(world)
    world.ask("task", "add", "Write docs", "--repo", "thing")
    record = rested(world)
    assert record["status"] == "in_review", record
    assert [(a["role"], a["agent"]) for a in record["attempts"]] == [
        ("route", "judge"), ("work", "good"),
    ]  # fmt: skip
    assert (record["agent"], record["complexity"]) == ("good", "simple")
    assert left(service) == 0
