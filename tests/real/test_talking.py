"""Speaking with real agents: while they work, when they ask, after they were cut off."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests import stride
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import World
from tests.real.machine import Machine

AGENTS = ("claude", "codex")
pytestmark = [pytest.mark.slow, pytest.mark.real]
WAITS = "CMD<<while ! test -e go; do sleep 0.1; done; unlink go; printf 'hello\\n' > hello.txt>>"


def attempt_of(world: World, run: str = "@") -> dict[str, Any]:
    found: dict[str, Any] = world.ask("show", run)["attempts"][-1]
    return found


def begun(machine: Machine, world: World, *, flow: str = "basic_pr") -> str:
    """Start a run of an issue whose command waits for the file `go`; its worktree, once it waits."""
    world.ask("issue", "create", "Wait and write", "--body", WAITS)
    world.start("run", flow, "--issue", "2", "--json")

    def works() -> Any:
        runs = world.ask("ps")
        attempts = world.ask("show", "@")["attempts"] if runs else []
        return attempts and attempts[-1]["status"] == "running" and machine.server.requests

    world.until(works, "the model to be asked", 90)
    return str(attempt_of(world)["worktree"])


def conversation(machine: Machine, world: World, agent: str) -> Path:
    """Where the program keeps its conversations, once it has kept this one: one that is killed sooner
    has none."""
    place = world.root / ".claude" / "projects"
    if agent == "codex":
        place = machine.folder / "codex-ok" / "sessions"

    def kept() -> bool:
        return any("while ! test" in one.read_text() for one in place.rglob("*.jsonl"))

    world.until(kept, "the conversation to be kept", 90)
    return place


def over(world: World, limit_s: float = 150) -> dict[str, Any]:
    def look() -> Any:
        record = world.ask("show", "@")
        return record if record["status"] in ("done", "error", "blocked") else None

    found: dict[str, Any] = world.until(look, "the end of the run", limit_s)
    return found


def test_a_message_to_an_interactive_claude_is_in_its_next_request(machine: Machine) -> None:
    """It is said to be delivered because Claude Code told that it took it, and only then."""
    world = machine.furnished(machine.agent("claude", lines='io = "tty"'))
    machine.claude_is_set_up()
    tree = begun(machine, world)
    before = len(machine.told(""))
    sent = world.ask("send", "@:claude", "use postgres, not mysql")
    assert sent["delivered"], sent
    assert "taken it up" in sent["proof"]
    assert len(machine.told("")) == before  # its tool still runs
    Path(tree, "go").touch()
    record = over(world)
    assert record["status"] == "done", record
    assert machine.told("use postgres, not mysql")[before:][0] is True
    attempt = record["attempts"][0]
    assert (attempt["status"], attempt["exit_code"]) == ("succeeded", 0)
    assert attempt["usage"]["input_tokens"] >= 1200
    assert world.git("show", f"{attempt['branch']}:hello.txt") == "hello"
    assert not world.terminals()


def test_without_the_agents_word_nothing_is_delivered(machine: Machine) -> None:
    """The same bytes reach the same program; but its hook is gone."""
    world = machine.furnished(machine.agent("claude", lines='io = "tty"'))
    machine.claude_is_set_up()
    tree = begun(machine, world)
    folder = Path(attempt_of(world)["directory"])
    (folder / "stdout").rename(folder / "elsewhere")
    (folder / "stdout").mkdir()  # nothing can be told any more
    sent = world.ask("send", "@:claude", "use postgres, not mysql", code=5)
    assert not sent["delivered"], sent
    assert sent["reason"] == "unknown"
    (folder / "stdout").rmdir()
    (folder / "elsewhere").rename(folder / "stdout")
    Path(tree, "go").touch()
    assert over(world)["status"] == "done"


def test_an_interactive_claude_that_would_ask_first_is_not_started(machine: Machine) -> None:
    """H108: what is typed into a dialog answers it."""
    world = machine.furnished(machine.agent("claude", lines='io = "tty"'))
    record = world.run("basic_pr", "--issue", "1", code=1)
    assert "claude" in json.dumps(record)
    assert not machine.server.requests


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_supervised_agent_asks_before_it_acts(
    machine: Machine, agent: str, decision: str
) -> None:
    world = machine.furnished(machine.agent(agent, lines='permissions = "supervised"'))
    world.start("run", "basic_pr", "--issue", "1", "--json")
    [asked] = world.until(lambda: world.ask("inbox"), "its question", 90)
    assert asked["kind"] == "question"
    assert "hello.txt" in asked["text"]
    assert not Path(attempt_of(world)["worktree"], "hello.txt").exists()
    world.ask("inbox", decision, asked["id"][:5], "printf it is")
    record = over(world)
    assert not world.ask("inbox") or decision == "deny"
    if decision == "approve":
        assert record["status"] == "done", record
    else:
        assert record["attempts"][0]["code"] in ("permission_denied", "no_change"), record
        assert machine.told("printf it is")[-1]
    kinds = [event["kind"] for event in world.ask("show", "@", "--trace")]
    assert kinds.count("QuestionAsked") == 1
    assert kinds.count("QuestionAnswered") == 1
    again = world.orch("inbox", decision, asked["id"])
    assert again.code == 3, again


@pytest.mark.parametrize("agent", AGENTS)
def test_a_conversation_that_was_cut_off_is_gone_on_with(machine: Machine, agent: str) -> None:
    world = machine.furnished(machine.agent(agent))
    tree = begun(machine, world)
    first = attempt_of(world)
    conversation(machine, world, agent)
    os.kill(json.loads(Path(first["directory"], "started").read_text())["pid"], signal.SIGKILL)
    world.until(lambda: len(world.ask("show", "@")["attempts"]) == 2, "the next attempt", 90)
    Path(tree, "go").touch()
    record = over(world)
    assert record["status"] == "done", record
    lost, second = record["attempts"]
    assert (lost["status"], second["status"]) == ("lost", "succeeded")
    assert machine.told("You were interrupted")[-1]
    # Its first words stand there twice: in the conversation, and in what it was told now.
    last = json.dumps(machine.server.requests[-1].body)
    assert last.count("while ! test -e go") >= 2
    output = Path(second["directory"], "stdout").read_text()
    assert second["usage"]["session_id"] in output
    assert second["usage"]["session_id"] in Path(lost["directory"], "stdout").read_text()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_conversation_that_is_gone_is_begun_anew(machine: Machine, agent: str) -> None:
    world = machine.furnished(machine.agent(agent))
    tree = begun(machine, world)
    first = attempt_of(world)
    place = conversation(machine, world, agent)
    os.kill(json.loads(Path(first["directory"], "started").read_text())["pid"], signal.SIGKILL)
    place.rename(f"{place}-gone")  # at once: the dying program may still write
    world.until(lambda: len(world.ask("show", "@")["attempts"]) == 3, "the third attempt", 90)
    Path(tree, "go").touch()
    record = over(world)
    assert record["status"] == "done", record
    codes = [one["code"] for one in record["attempts"]]
    assert codes == ["lost", "conversation_gone", ""]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_task_is_retried_with_its_conversation(machine: Machine, agent: str) -> None:
    """And what was used before is not counted again."""
    world = machine.furnished(machine.agent(agent), more="[retry]\nmax_attempts = 1\n")
    service = serving(world)
    world.ask("task", "add", "CMD<<true>> SAY<<I have looked around>>", "--repo", "thing")

    def waits() -> Any:
        return world.ask("task", "get", "1")["status"] == "needs_review"

    world.until(waits, "a person to be needed", 150)
    before = len(machine.told(""))
    world.ask("task", "retry", "1", "--resume")
    world.until(lambda: len(machine.told("")) > before, "the second attempt", 150)
    world.until(waits, "the end of the second attempt", 150)
    first, second = world.ask("task", "get", "1")["attempts"]
    assert second["usage"]["session_id"] == first["usage"]["session_id"]
    assert "I have looked around" in json.dumps(machine.server.requests[before].body)
    assert second["usage"]["input_tokens"] == first["usage"]["input_tokens"] == 2400
    assert left(service) == 0


@pytest.mark.parametrize(
    ("scenario", "code"),
    [("429", "rate_limit"), ("401", "auth"), ("500", "server_error"), ("credit", "billing")][
        : 4 if stride.thorough() else 2
    ],
)
def test_a_failure_of_an_interactive_claude_ends_it(
    machine: Machine, scenario: str, code: str
) -> None:
    """It would wait at its prompt for ever."""
    world = machine.furnished(machine.agent("claude", scenario, lines='io = "tty"'))
    machine.claude_is_set_up()
    world.run("basic_pr", "--issue", "1", code=1)
    attempt = attempt_of(world)
    assert (attempt["status"], attempt["code"]) == ("failed", code), attempt
