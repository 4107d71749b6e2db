"""The service as a person meets it: started, asked, left alone, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from orch.terminals.process import identity, wait
from tests.acceptance.world import World

STATUS = {
    "running", "pid", "version", "uptime_s", "tasks", "attempts_live", "next_jobs", "short",
    "config_error",
}  # fmt: skip
ENVELOPE = ["seq", "at", "kind", "v", "actor", "cause", "repo", "task", "run", "step", "data"]


def end(world: World) -> None:
    """No service of it is left."""
    known = world.ask("service", "status")
    if known["running"]:
        began = identity(known["pid"]).started
        os.kill(known["pid"], signal.SIGKILL)
        assert wait({known["pid"]: began}, 20)


@pytest.fixture
def served(world: World) -> Iterator[World]:
    """A world with a service."""
    world.ask("service", "start")
    yield world
    end(world)


def test_without_a_service_its_absence_is_told(world: World) -> None:
    known = world.ask("service", "status")
    assert set(known) == STATUS
    assert (known["running"], known["pid"], known["attempts_live"]) == (False, None, 0)
    assert world.ask("service", "stop")["stopped"] is False
    assert "no service runs" in world.orch("service", "status").out
    for words in (("run", "basic_pr", "--issue", "1", "--detach"),):
        error = world.refused(*words, code="no_service", exit_code=8)
        assert error["hint"] == "orch service start"
    assert world.orch("log").out == ""


def test_a_service_is_started_asked_and_stopped(world: World) -> None:
    try:
        assert world.ask("service", "start", "--dry-run") == {"would": "start"}
        started = world.ask("service", "start")
        known = world.ask("service", "status")
        assert set(known) == STATUS
        assert (known["running"], known["pid"]) == (True, started["pid"])
        world.refused("service", "start", code="service_running", exit_code=5)
        again = world.ask("service", "restart")
        assert again["pid"] != started["pid"]
        stopped = world.ask("service", "stop")
        assert (stopped["stopped"], stopped["pid"]) == (True, again["pid"])
        assert stopped["attempts_live"] == []
        assert world.ask("service", "status")["running"] is False
    finally:
        end(world)


def test_a_detached_run_is_driven_by_the_service(served: World) -> None:
    recorded = served.ask("run", "basic_pr", "--issue", "ISSUE-001", "--detach")
    assert recorded["status"] in ("pending", "running")

    def over() -> bool:
        return bool(served.ask("show", recorded["id"])["status"] == "done")

    served.until(over, "the run's end", limit_s=40)
    told = served.orch("run", "basic_pr", "--issue", "1", "--detach")
    assert (told.code, "the service drives it" in told.out) == (0, True), told


def test_an_answer_over_the_socket_moves_the_run_at_once(served: World) -> None:
    from orch.client import connect

    flow = served.flow('@do\ndef workflow():\n    return (yield Gate("Go on?"))\n')
    run = served.ask("run", flow, "--detach", "--repo", "thing")["id"]
    served.until(lambda: served.ask("gate", "list", run), "the gate", limit_s=20)
    client = connect(served.home)
    assert client is not None
    with client:
        client.call("gate.answer", {"run": run, "decision": "approve"})
        told = client.subscribe("events.subscribe", {"run": run})
        assert any(params["event"]["kind"] == "GateAnswered" for _, params in told)


def test_events_are_the_same_from_the_service_and_from_the_books(world: World) -> None:
    world.run("basic_pr", "--issue", "ISSUE-001")
    run = world.ask("ps")[0]["id"]
    words = (("--since", "3"), ("--run", "@"), ("--task", "1"), ("--run", run, "--quiet"), ())
    alone = [world.orch("events", *more, "--json") for more in words]
    lines = [json.loads(line) for line in alone[0].out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(4, 4 + len(lines)))
    assert list(lines[0]) == ENVELOPE
    assert {json.loads(line)["run"] for line in alone[1].out.splitlines()} == {run}
    last = lines[-1]["seq"]
    world.ask("service", "start")
    try:
        for more, before in zip(words, alone, strict=True):
            after = world.orch("events", *more, "--json")
            kept = [line for line in after.out.splitlines() if json.loads(line)["seq"] <= last]
            assert kept == before.out.splitlines(), more
        shown = world.orch("events")
        assert max(map(len, shown.out.splitlines())) <= 80
    finally:
        end(world)
    world.refused("events", "--run", "fff", code="unknown_run", exit_code=3)


@pytest.mark.parametrize("service", [True, False], ids=["service", "books"])
def test_events_are_followed(world: World, service: bool) -> None:
    try:
        if service:
            world.ask("service", "start")
        before = len(world.orch("events", "--quiet").out.split())
        follower = world.start("events", "--follow", "--json", "--since", str(before))
        assert follower.stdout is not None
        world.ask("session", "start", "Look")
        event = json.loads(follower.stdout.readline())
        assert (event["seq"], event["kind"]) == (before + 1, "SessionStarted")
        if service:
            end(world)  # the books go on telling
        world.ask("session", "end")
        assert json.loads(follower.stdout.readline())["kind"] == "SessionEnded"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 130
    finally:
        end(world)


def test_a_killed_service_leaves_nothing_that_hinders(served: World) -> None:
    end(served)
    assert served.ask("service", "status")["running"] is False
    assert served.ask("service", "start")["pid"]


def test_the_log_tells_of_the_service(served: World) -> None:
    [begun] = [json.loads(line) for line in served.orch("log", "--json").out.splitlines()]
    assert (begun["level"], begun["message"]) == ("info", "the service begins")
    assert "the service begins" in served.orch("log", "1").out
    served.refused("log", "yesterday", code="bad_number", exit_code=2)
    watching = served.start("log", "watch", "--json")
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline()) == begun
    served.ask("service", "stop")
    assert json.loads(watching.stdout.readline())["message"] == "the service ends"


def test_the_system_starts_it_by_a_file(world: World) -> None:
    plan = world.ask("service", "install", "--system", "systemd", "--dry-run")
    assert not os.path.exists(plan["path"])
    assert f"ORCH_HOME={world.home}" in plan["text"]
    world.refused("service", "uninstall", "--system", "systemd", code="not_installed", exit_code=3)
    told = world.orch("service", "install", "--system", "systemd")
    assert "enable-linger" in told.err
    with open(plan["path"], encoding="utf-8") as file:
        assert file.read() == plan["text"]
    assert world.ask("service", "uninstall", "--system", "systemd")["path"] == plan["path"]
    assert not os.path.exists(plan["path"])
    plist = world.ask("service", "install", "--system", "launchd", "--dry-run")
    assert "AbandonProcessGroup" in plist["text"]


def test_a_socket_that_somebody_removed_is_made_again(served: World) -> None:
    socket = served.home / "run" / "orch.sock"
    pid = served.ask("service", "status")["pid"]
    socket.unlink()
    served.until(socket.exists, "a socket", 20)
    assert served.ask("service", "status")["pid"] == pid
    assert served.ask("service", "stop")["stopped"] is True
    assert not socket.exists()
    assert served.ask("service", "status")["running"] is False


def test_an_agent_that_was_configured_a_moment_ago_is_used(served: World) -> None:
    """Before the service has looked at the file again."""
    for number in range(1, 5):
        command = json.dumps(["sh", "-c", f"echo {number} > {number}.txt"])
        assert served.orch("config", "set", f"agents.new{number}.command", command).code == 0
        served.ask("task", "add", f"Task {number}", "--repo", "thing", "--agent", f"new{number}")
    for number in range(1, 5):
        served.until(
            lambda n=number: served.ask("task", "get", str(n))["status"] == "in_review",
            "its PR",
            30,
        )


def test_a_broken_configuration_keeps_nobody_from_following_and_ending_work(
    served: World,
) -> None:
    served.orch("config", "set", "agents.sits.command", '["sh", "-c", "echo sitting; sleep 600"]')
    served.ask("task", "add", "Sit", "--repo", "thing", "--agent", "sits")
    served.until(lambda: served.ask("task", "live"), "an agent at work", 30)
    config = served.home / "config.toml"
    sound = config.read_text("utf-8")
    config.write_text(sound + "[[[\n", "utf-8")
    for words in (("logs", "@"), ("task", "live"), ("task", "attach", "1")):
        answer = served.orch(*words, "--json")
        assert answer.code == 0, answer
        assert "the configuration is broken" in answer.err, answer
    refused = served.orch("task", "add", "More", "--json")
    assert (refused.code, refused.error["code"]) == (2, "config_syntax")
    assert served.orch("task", "kill", "1").code == 0
    served.until(lambda: not served.ask("task", "live"), "its end", 30)
    config.write_text(sound, "utf-8")
