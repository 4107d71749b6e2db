"""`orch stop RUN --agent NAME`: that agent ends for good, the run hears of it and goes on."""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.test_lifecycle import go, ledger, waiting_agent, working
from tests.acceptance.world import World

GUARDED = """
@do
def guarded(env, name):
    try:
        return (yield RunAgent(env=env, prompt=name, name=name, retry=Retry(attempts=5, base_s=0.01)))
    except AgentFailed as error:
        return [error.code, str(error.message)]

@do
def workflow(issue):
    envs = yield Gather([CreateWorktree(issue=issue), CreateWorktree(issue=issue)])
    return (yield Gather([guarded(envs[0], "impl"), guarded(envs[1], "check")]))
"""
STOPPED = ["stopped", "the agent impl was stopped by a person"]


def noted(world: World) -> None:
    """The agents are at work and the books have it: nothing else is written meanwhile."""
    working(world)
    world.until(
        lambda: all(a["status"] == "running" for a in world.ask("show", "@")["attempts"]),
        "the note that they run",
    )


def test_another_process_drives(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    driver = world.start("run", world.flow(GUARDED), "--issue", "1", "--json")
    working(world, 2)
    would = world.ask("stop", "@", "--agent", "impl", "--dry-run")
    assert (would["would"], len(would["attempts"])) == ("stop", 1)
    answer = world.ask("stop", "@", "--agent", "impl")
    assert answer["settled"] is True
    [attempt] = answer["attempts"]
    assert attempt["id"] in would["attempts"]
    assert (attempt["status"], attempt["code"], attempt["stop_requested"]) == (
        "stopped", "stopped", True
    )  # fmt: skip
    assert world.terminals() == [
        a["terminal"] for a in world.ask("show", "@")["attempts"] if a["name"] == "check"
    ]
    go(world)
    driver.communicate(timeout=60)
    record = world.ask("show", "@")
    assert (record["status"], record["result"][0]) == ("done", STOPPED)
    assert len(ledger(world)) == 2, "no other attempt followed"


def test_nobody_drives(world: World) -> None:
    """The program ends at once; what it means for the run is settled when the run goes on."""
    world.configure({"one": waiting_agent(world)})
    driver = world.start("run", world.flow(GUARDED), "--issue", "1")
    working(world, 2)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    answer = world.orch("stop", "@", "--agent", "impl")
    assert answer.code == 0, answer
    assert "orch resume" in answer.err
    assert len(world.terminals()) == 1
    go(world)
    [record] = world.ask("resume")
    assert record["result"][0] == STOPPED
    [impl] = [a for a in record["attempts"] if a["name"] == "impl"]
    assert impl["status"] == "stopped"
    assert len(ledger(world)) == 2


@pytest.mark.parametrize("waiting", [True, False])
def test_an_agent_beside_the_workflow(world: World, waiting: bool) -> None:
    world.configure({"one": waiting_agent(world), "two": waiting_agent(world, "other")})
    between = "" if waiting else 'yield RunAgent(env=env, prompt="x", agent="two")'
    flow = f"""
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt="x", agent="one", name="impl")
    {between}
    ended = yield WaitForStatus(ref)
    return [ended.status, ended.code]
"""
    driver = world.start("run", world.flow(flow), "--issue", "1")
    working(world, 1 if waiting else 2)
    answer = world.ask("stop", "@", "--agent", "impl")
    assert [one["status"] for one in answer["attempts"]] == ["stopped"]
    go(world, "other")
    driver.communicate(timeout=60)
    record = world.ask("show", "@")
    assert (record["status"], record["result"]) == ("done", ["stopped", "stopped"])
    assert world.terminals() == []


def test_a_command(world: World) -> None:
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    try:
        yield RunCommand(env=env, command=["sleep", "600"], name="tests")
    except CommandFailed as error:
        return error.code
"""
    driver = world.start("run", world.flow(flow), "--issue", "1")
    world.until(world.terminals, "the command")
    world.ask("stop", "@", "--agent", "tests")
    driver.communicate(timeout=60)
    assert world.ask("show", "@")["result"] == "stopped"


def test_a_stopped_run_remembers_whom_a_person_ended(world: World) -> None:
    """Ended for good, then the run is stopped and resumed: the agent is not started anew."""
    world.configure({"one": waiting_agent(world)})
    driver = world.start("run", world.flow(GUARDED), "--issue", "1")
    working(world, 2)
    world.ask("stop", "@", "--agent", "impl")
    world.ask("stop", "@")
    driver.communicate(timeout=60)
    go(world)
    record = world.ask("resume", "@")
    assert record["result"][0] == STOPPED
    assert len(ledger(world)) == 3, "only the other one was started again"


def test_what_cannot_be_stopped_is_refused(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    driver = world.start("run", "basic_pr", "--issue", "1")
    noted(world)
    stop = ("stop", "@", "--agent")
    world.refused(*stop, "nobody", code="unknown_agent", exit_code=3)
    world.refused(*stop, "one", "--abort", "--yes", code="usage", exit_code=2)
    go(world)
    driver.communicate(timeout=60)
    world.refused(*stop, "one", code="no_live_attempt", exit_code=5)
