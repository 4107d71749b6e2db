"""Claude Code and Codex, as they are installed everywhere, at work for Orch."""

from __future__ import annotations

import pytest

from orch.model.failure_class import class_of
from tests.real import plays
from tests.real.machine import Machine

AGENTS = ("claude", "codex")
pytestmark = [pytest.mark.slow, pytest.mark.real]


@pytest.mark.parametrize("agent", AGENTS)
def test_it_carries_a_ticket_to_a_merged_pull_request(machine: Machine, agent: str) -> None:
    world, work = plays.to_the_base_branch(machine, agent, machine.agent(agent))
    assert work["usage"]["input_tokens"] == 2400
    assert work["usage"]["cache_read_input_tokens"] == 1600
    did = world.orch("logs", f"{work['run']}:{agent}", "--actions").out.splitlines()
    command = ("Bash", "shell")[AGENTS.index(agent)] + "  printf 'hello\\n' > hello.txt"
    assert [line for line in did if not line.startswith("usage  ")][:1] == [command], did
    assert sum("usage  in all 2,400 in, 1,600 cached, 68 out" in line for line in did) == 1, did


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
    plays.into_a_failure(machine, agent, machine.agent(agent, scenario), code)
    assert class_of(code) == decided_as


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
    plays.parsed(world, agent, attempt)


@pytest.mark.parametrize("agent", AGENTS)
def test_done_that_changed_nothing_is_no_success(machine: Machine, agent: str) -> None:
    plays.without_a_change(machine, machine.agent(agent))
