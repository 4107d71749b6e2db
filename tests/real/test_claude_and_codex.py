"""Claude Code and Codex, as they are installed everywhere, at work for Orch."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from orch.model.failure_class import class_of
from orch.terminals.inside import tree
from tests.acceptance.test_tasks import left, serving
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


def test_a_used_up_quota_has_to_be_paid(machine: Machine) -> None:
    """Codex' provider says so of an account without credit; waiting does not help."""
    attempt = plays.into_a_failure(machine, "codex", machine.agent("codex", "quota"), "billing")
    assert class_of(attempt["code"]) == "billing"


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


@pytest.mark.parametrize("agent", AGENTS)
def test_one_that_is_killed_is_no_success_and_is_tried_again(machine: Machine, agent: str) -> None:
    """The program itself, not what it is kept by; its exit tells of the signal."""
    world = machine.furnished(machine.agent(agent), more="[retry]\nbase_s = 0.2\n")
    service = serving(world)
    world.ask("task", "add", "CMD<<sleep 600>>", "--repo", "thing")
    first = world.until(lambda: world.ask("task", "get", "1")["attempts"], "its attempt")[0]
    world.until(lambda: machine.server.requests, "the model to be asked", 90)
    wrapper = json.loads(Path(world.home, "attempts", first["id"], "started").read_text())["pid"]
    os.kill(tree.below({wrapper})[0], signal.SIGKILL)

    def again() -> Any:
        attempts = world.ask("task", "get", "1")["attempts"]
        return attempts if len(attempts) == 2 else None

    killed, _ = world.until(again, "the next attempt", 150)
    assert (killed["status"], killed["code"]) == ("failed", "killed"), killed
    world.ask("task", "close", "1")
    assert left(service) == 0


@pytest.mark.parametrize("agent", AGENTS)
def test_one_whose_worktree_is_gone_ends_with_the_command_that_helps(
    machine: Machine, agent: str
) -> None:
    world = machine.furnished(machine.agent(agent))
    flow = world.flow(
        "@do\ndef gone(issue):\n    env = yield CreateWorktree(issue=issue)\n"
        "    yield RunCommand(env=env, command=['sh', '-c', 'rm -r \"$PWD\"'])\n"
        "    return (yield RunAgent(env=env, prompt='Write it.'))\n"
    )
    answer = world.orch("run", flow, "--issue", "1", "--json")
    assert answer.code == 6, answer
    reason = answer.json["reason"]
    assert reason["kind"] == "human"
    assert "git" in reason["hint"]
    assert not machine.server.requests


def test_the_end_of_a_usage_window_is_read_from_its_field(machine: Machine) -> None:
    """Claude Code with a subscription: not the words, which have no zone."""
    agent = machine.agent("claude", "window").replace('ANTHROPIC_API_KEY = "k"',
                                                      'CLAUDE_CODE_OAUTH_TOKEN = "t"')  # fmt: skip
    world = machine.furnished(agent)
    world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] == "usage_window", attempt
    told = world.ask("parse", str(Path(attempt["directory"], "stdout")), "--agent", "claude")
    assert told["failure"]["class"] == "usage_limit"
    assert told["failure"]["retry_at"] == "2100-01-01T00:00:00Z"
