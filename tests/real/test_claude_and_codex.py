"""Claude Code and Codex, as they are installed everywhere, at work for Orch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orch.model.failure_class import class_of
from tests.acceptance.test_tasks import left, serving
from tests.real.machine import Machine

AGENTS = ("claude", "codex")
pytestmark = [pytest.mark.slow, pytest.mark.real]
LANDS = '[review]\nlook_s = 0.5\nchecks = ["test -f hello.txt"]\nauto_merge = true\n'


def merged(world: Any) -> dict[str, Any]:
    def over() -> Any:
        record = world.ask("task", "get", "1")
        return record if record["status"] in ("done", "needs_review") else None

    record: dict[str, Any] = world.until(over, "the end of the task", 60)
    return record


@pytest.mark.parametrize("agent", AGENTS)
def test_it_carries_a_ticket_to_a_merged_pull_request(machine: Machine, agent: str) -> None:
    """By the service, from the ticket to the base branch of the remote."""
    world = machine.furnished(machine.agent(agent), more=LANDS)
    service = serving(world)
    world.ask("task", "add", "Write hello.txt", "--repo", "thing")
    record = merged(world)
    assert (record["status"], record["prs"][0]["state"]) == ("done", "merged"), record
    [work] = [one for one in record["attempts"] if one["role"] == "work"]
    assert (work["agent"], work["status"]) == (agent, "succeeded")
    assert work["usage"]["input_tokens"] == 2400
    assert work["usage"]["cache_read_input_tokens"] == 1600
    did = world.orch("logs", f"{work['run']}:{agent}", "--actions").out.splitlines()
    command = ("Bash", "shell")[AGENTS.index(agent)] + "  printf 'hello\\n' > hello.txt"
    assert [line for line in did if not line.startswith("usage  ")][:1] == [command], did
    assert sum("usage  in all 2,400 in, 1,600 cached, 68 out" in line for line in did) == 1, did
    assert world.git("show", "main:hello.txt", where=world.remote) == "hello"
    assert left(service) == 0


TABLE = [
    ("429", "rate_limit", "limit"),
    ("529", "server_error", "transient"),
    ("500", "server_error", "transient"),
    ("503", "server_error", "transient"),
    ("401", "auth", "auth"),
    ("403", "auth", "auth"),
    ("credit", "billing", "billing"),
    ("usage", "usage_window", "limit"),
    ("ctx", "context_overflow", "context_overflow"),
    ("model", "unknown_model", "unknown_model"),
]


@pytest.mark.parametrize(("scenario", "code", "decided_as"), TABLE)
@pytest.mark.parametrize("agent", AGENTS)
def test_a_failure_ends_in_the_right_class(
    machine: Machine, agent: str, scenario: str, code: str, decided_as: str
) -> None:
    world = machine.furnished(machine.agent(agent, scenario))
    world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert (attempt["status"], attempt["code"]) == ("failed", code), attempt
    assert class_of(attempt["code"]) == decided_as
    assert attempt["message"].startswith(f"the agent {agent} ")
    assert "{" not in attempt["message"]


@pytest.mark.parametrize("agent", AGENTS)
def test_without_a_key_it_is_not_signed_in(machine: Machine, agent: str) -> None:
    world = machine.furnished(machine.agent(agent, key=False))
    world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] == "auth"


def test_a_cut_stream_is_the_servers_fault(machine: Machine) -> None:
    """Claude Code gets over it by itself."""
    world = machine.furnished(machine.agent("codex", "cut"))
    world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] == "server_error"


@pytest.mark.parametrize("agent", AGENTS)
def test_what_it_did_is_in_the_worktree_and_its_words_in_the_record(
    machine: Machine, agent: str
) -> None:
    world = machine.furnished(machine.agent(agent))
    record = world.run("basic_pr", "--issue", "1")
    [attempt] = record["attempts"]
    assert attempt["usage"]["session_id"]
    output = Path(attempt["directory"], "stdout")
    told = world.ask("parse", str(output), "--agent", agent)
    assert (told["status"], told["files"]) == ("done", ["hello.txt"])
    assert told["session_id"] == attempt["usage"]["session_id"]


@pytest.mark.parametrize("agent", AGENTS)
def test_done_that_changed_nothing_is_no_success(machine: Machine, agent: str) -> None:
    world = machine.furnished(machine.agent(agent))
    world.ask("issue", "create", "Look around", "--body", "CMD<<true>>")
    world.run("basic_pr", "--issue", "2", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] == "no_change"
