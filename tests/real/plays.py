"""What every agent program is put through, whoever makes it: from a ticket to the base branch, into a
failure, to an end without a change."""

from __future__ import annotations

from typing import Any

from orch.model.failure_class import class_of
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import World
from tests.real.machine import Machine

LANDS = '[review]\nlook_s = 0.5\nchecks = ["test -f hello.txt"]\nauto_merge = true\n'


def to_the_base_branch(machine: Machine, agent: str, config: str) -> tuple[World, dict[str, Any]]:
    """By the service, from a ticket to the base branch of the remote. Gives the attempt too."""
    world = machine.furnished(config, more=LANDS)
    service = serving(world)
    world.ask("task", "add", "Write hello.txt", "--repo", "thing")

    def over() -> Any:
        record = world.ask("task", "get", "1")
        return record if record["status"] in ("done", "needs_review") else None

    record = world.until(over, "the end of the task", 150)
    assert (record["status"], record["prs"][0]["state"]) == ("done", "merged"), record
    work: dict[str, Any]
    [work] = [one for one in record["attempts"] if one["role"] == "work"]
    assert (work["agent"], work["status"]) == (agent, "succeeded")
    assert world.git("show", "main:hello.txt", where=world.remote) == "hello"
    assert left(service) == 0
    return world, work


def into_a_failure(
    machine: Machine, agent: str, config: str, code: str, *, exit_code: int = 1
) -> dict[str, Any]:
    """The one attempt of a run that ends in this code, with a sentence for a person."""
    world = machine.furnished(config)
    world.run("basic_pr", "--issue", "1", code=exit_code)
    attempt: dict[str, Any]
    [attempt] = world.ask("show", "@")["attempts"]
    assert (attempt["status"], attempt["code"]) == ("failed", code), attempt
    assert class_of(code) != "agent"
    assert attempt["message"].startswith(f"the agent {agent} ")
    assert "{" not in attempt["message"]
    return attempt


def parsed(world: World, agent: str, attempt: dict[str, Any]) -> dict[str, Any]:
    """What `orch parse` says of what the attempt wrote; it agrees with what the run made of it."""
    output = world.home / "attempts" / attempt["id"] / "stdout"
    told: dict[str, Any] = world.ask("parse", str(output), "--agent", agent)
    assert (told["status"], told["files"]) == ("done", ["hello.txt"])
    assert told["session_id"] == attempt["usage"]["session_id"]
    return told


def without_a_change(machine: Machine, config: str) -> None:
    world = machine.furnished(config)
    world.ask("issue", "create", "Look around", "--body", "CMD<<true>>")
    world.run("basic_pr", "--issue", "2", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] == "no_change"
