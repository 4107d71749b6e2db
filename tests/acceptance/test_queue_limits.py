"""Agents that stop moving, and budgets: ended for a reason, never for a silent screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_queue_policy import agents, rested
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import World

HANGS = ["sh", "-c", "sleep 300"]
BUSY = [
    "sh",
    "-c",
    "end=$(($(date +%s) + 5)); while [ $(date +%s) -lt $end ]; do :; done; echo x > work.txt",
]
WRITES_SLOWLY = [
    "sh",
    "-c",
    "for i in $(seq 14); do echo $i > work.txt; sleep 0.5; done",
]
SILENCE = "[retry]\nbase_s = 0.2\nmax_s = 0.5\n[timeouts]\nstuck_medium_s = 4.0\n"


@pytest.fixture
def world(person: Path) -> Any:
    made = worlds.furnished(person)
    yield made
    made.close()


def test_a_hung_agent_is_ended_cools_and_another_one_takes_over(world: World) -> None:
    """H27: a hang cools its agent; H26: the next one has the same worktree."""
    agents(world, SILENCE + '[router]\nmode = "round_robin"\n', hangs=HANGS, good=worlds.WRITES)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing", "--labels", "agent:hangs")
    record = rested(world)
    assert record["status"] == "in_review", record
    assert [(a["agent"], a["code"]) for a in record["attempts"]] == [
        ("hangs", "stuck"),
        ("good", ""),
    ]
    assert "no sign of life" in record["attempts"][0]["message"]
    assert left(service) == 0


@pytest.mark.parametrize("command", [BUSY, WRITES_SLOWLY], ids=["works", "writes files"])
def test_a_quiet_agent_that_works_is_left_alone(world: World, command: list[str]) -> None:
    """H28: silence on a screen kills nobody."""
    agents(world, SILENCE, quiet=command)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing")
    record = rested(world)
    assert record["status"] == "in_review", record
    assert len(record["attempts"]) == 1
    assert left(service) == 0


def test_a_budget_that_is_used_up_ends_the_attempt_and_holds_the_task(world: World) -> None:
    """A limit of time is noticed when it is reached, not at the next look for signs of life."""
    agents(world, "[budget.task]\nseconds = 1\n", spends=HANGS)
    service = serving(world)
    world.ask("task", "add", "Do it", "--repo", "thing")

    def held() -> dict[str, Any] | None:
        record: dict[str, Any] = world.ask("task", "get", "1")
        return record if record["status"] == "blocked" else None

    record = world.until(held, "the pause", 20)
    assert "has used" in record["reason"], record["reason"]
    assert record["hint"] == "orch config set budget.task.seconds 3", record
    assert [a["status"] for a in record["attempts"]] == ["stopped"]
    assert not world.terminals()
    assert left(service) == 0
