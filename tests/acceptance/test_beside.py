"""Agents that work beside the workflow, issues, sleep: each effect for real, and across a kill."""

from __future__ import annotations

import json
import os
import signal
import sys

from tests.acceptance.test_lifecycle import go, ledger, waiting_agent, working
from tests.acceptance.world import World

SPAWN = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt=issue.title, name="impl")
    up = yield WaitForStatus(ref, status="running")
    yield Log("up: " + up.status)
    ended = yield WaitForStatus([ref])
    again = yield WaitForStatus(ref)
    text = yield CaptureOutput(ref, lines=1)
    return [ended[0].status, again.value, text]
"""


def test_an_agent_works_beside_the_workflow(world: World) -> None:
    world.configure({"one": ["sh", "-c", "echo first; echo last; echo x > work.txt"]})
    record = world.run(world.flow(SPAWN), "--issue", "1")
    assert record["result"] == ["succeeded", "first\nlast", "last"]
    [attempt] = record["attempts"]
    assert (attempt["status"], attempt["exit_code"]) == ("succeeded", 0)
    assert world.terminals() == []


def test_a_spawned_agent_is_started_once_across_kill_9(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", world.flow(SPAWN), "--issue", "1")
    working(world)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    go(world)
    [ended] = world.ask("resume")
    assert ended["status"] == "done"
    assert ended["result"][0] == "succeeded"
    assert len(ledger(world)) == 1


def test_a_failed_one_is_a_value(world: World) -> None:
    world.configure({"one": ["sh", "-c", "echo 'error: no such thing' >&2; exit 3"]})
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt="x")
    ended = yield WaitForStatus(ref)
    return [ended.ok, ended.status, ended.code, ended.message]
"""
    ok, status, code, message = world.run(world.flow(flow), "--issue", "1")["result"]
    assert (ok, status, code) == (False, "failed", "exit_nonzero")
    assert "no such thing" in message


def test_time_is_over_and_the_agent_goes_on(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    flow = f"""
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt="x")
    try:
        yield WaitForStatus(ref, timeout=0.3)
    except StepTimeout as error:
        yield Log(str(error))
    yield RunCommand(env=env, command=["touch", "{world.root}/go"])
    ended = yield WaitForStatus(ref)
    return ended.status
"""
    record = world.run(world.flow(flow), "--issue", "1")
    assert record["result"] == "succeeded"
    assert len(ledger(world)) == 1


def test_what_still_works_when_its_run_ends_is_stopped_and_recorded(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    yield SpawnAgent(env=env, prompt="x")
    return "over"
"""
    record = world.run(world.flow(flow), "--issue", "1")
    assert record["status"] == "done"
    [attempt] = record["attempts"]
    assert (attempt["status"], attempt["code"]) == ("stopped", "stopped")
    assert world.terminals() == []


def test_a_stopped_run_stops_them_and_resume_starts_the_next_attempt(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", world.flow(SPAWN), "--issue", "1")
    working(world)
    world.ask("stop", "@")
    running.wait()
    assert world.terminals() == []
    go(world)
    [ended] = [world.ask("resume", "@")]
    assert ended["status"] == "done", ended
    assert [a["status"] for a in ended["attempts"]] == ["stopped", "succeeded"]
    assert len(ledger(world)) == 2


def test_issues_are_made_found_and_resolved_once(world: World) -> None:
    flow = """
@do
def workflow():
    made = yield CreateIssue("Split it", body="in two", labels=["plan", "later"])
    found = yield ListIssues(labels=["plan"])
    every = yield ListIssues(status="all", limit=1)
    same = yield GetIssue(made.id)
    done = yield ResolveIssue(made, pr_url="https://example.org/1", result="split")
    rest = yield ListIssues(labels=["plan"])
    return [made.id, [t.id for t in found], len(every), same.title, done.status, len(rest)]
"""
    record = world.run(world.flow(flow))
    assert record["result"] == ["ISSUE-002", ["ISSUE-002"], 1, "Split it", "resolved", 0]
    told = world.ask("issue", "show", "2")
    assert (told["status"], told["pr_url"]) == ("resolved", "https://example.org/1")
    assert (told["resolution"], told["repo"]) == ("split", "thing")
    assert told["resolved"].endswith("Z")


def test_an_unknown_issue_is_a_typed_failure(world: World) -> None:
    flow = """
@do
def workflow():
    try:
        yield GetIssue("ISSUE-099")
    except StepError as error:
        return error.code
"""
    assert world.run(world.flow(flow))["result"] == "unknown_issue"


def test_sleep_is_not_longer_for_a_crash(world: World) -> None:
    flow = """
@do
def workflow():
    before = yield Now()
    yield Sleep(1.5)
    after = yield Now()
    return (after - before).total_seconds()
"""
    running = world.start("run", world.flow(flow))
    world.until(lambda: [s for r in world.ask("ps") for s in r["steps"] if "Sleep" in s["effect"]],
                "the sleep")  # fmt: skip
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    [ended] = world.ask("resume")
    assert ended["result"] >= 1.5


LISTENER = (
    "import sys; print('ready', flush=True); open('work.txt', 'w').write(sys.stdin.readline())"
)


def test_a_message_reaches_an_agent_at_its_terminal(world: World) -> None:
    world.configure({
        "one": f"command = {json.dumps([sys.executable, '-c', LISTENER])}\nio = 'tty'",
        "two": ["sh", "-c", "sleep 30"],
    })  # fmt: skip
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt="x", agent="one")
    other = yield CreateWorktree(issue=issue, suffix="b")
    deaf = yield SpawnAgent(env=other, prompt="x", agent="two")
    no = yield SendMessage(deaf, "hello")
    yes = yield SendMessage(ref, "hello – ünï;")
    ended = yield WaitForStatus(ref, timeout=20)
    text = yield RunCommand(env=env, command=["cat", "work.txt"])
    return [no.delivered, no.code, yes.delivered, ended.status, text.stdout]
"""
    record = world.run(world.flow(flow), "--issue", "1")
    assert record["result"] == [False, "pipes", True, "succeeded", "hello – ünï;\n"]
