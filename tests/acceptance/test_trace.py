"""`orch show --trace`, `--export`, and `orch ps` with its filters."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.acceptance.test_lifecycle import go, waiting_agent
from tests.acceptance.test_stop_agents import noted
from tests.acceptance.world import World

ENVELOPE = {
    "seq", "at", "kind", "v", "actor", "cause", "repo", "task", "run", "step", "data"
}  # fmt: skip


@pytest.fixture
def done(world: World) -> World:
    world.run("basic_pr", "--issue", "1")
    return world


def test_a_trace_is_everything_that_happened_in_order(done: World) -> None:
    trace = done.ask("show", "@", "--trace")
    assert all(set(event) == ENVELOPE for event in trace)
    assert [event["seq"] for event in trace] == sorted(event["seq"] for event in trace)
    kinds = [event["kind"] for event in trace]
    assert kinds[:2] == ["TaskCreated", "RunCreated"]
    assert kinds[-2:] == ["RunFinished", "TaskMoved"]
    record = done.ask("show", "@")
    settled = [event["step"] for event in trace if event["kind"] == "StepSettled"]
    assert sorted(settled) == sorted(step["path"] for step in record["steps"])
    assert {event["run"] for event in trace} == {record["id"]}
    plain = done.orch("show", "@", "--trace")
    rows = plain.out.splitlines()
    assert rows[0].split() == ["TIME", "(UTC)", "ELAPSED", "STEP", "WHAT"]
    assert len(rows) == len(trace) + 1
    assert all(len(row) <= 80 for row in rows)
    assert "RunAgent/1 intended" in plain.out
    assert "run done" in plain.out


def test_a_trace_is_exported_whole_and_replaces_nothing(done: World) -> None:
    target = done.root / "trace.jsonl"
    answer = done.ask("show", "@", "--export", "trace.jsonl")
    lines = target.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == done.ask("show", "@", "--trace")
    assert (answer["events"], answer["file"]) == (len(lines), "trace.jsonl")
    assert target.stat().st_mode & 0o077 == 0, "prompts are nobody else's"
    done.refused("show", "@", "--export", "trace.jsonl", code="file_exists", exit_code=5)
    done.refused("show", "@", "--export", ".", code="file_exists", exit_code=5)
    done.refused("show", "@", "--export", "none/trace", code="unwritable", exit_code=9)
    assert not list(done.root.glob(".*partial"))


def test_every_kind_of_trouble_has_its_line(world: World) -> None:
    flow = """
@do
def workflow():
    yield Log("looks bad", level="warning")
    try:
        yield RunAgent(env=(yield CreateWorktree(name="x")), prompt="x", name="impl")
    except AgentFailed:
        pass
    try:
        yield Gate("Go on?")
    except GateRejected:
        yield Gate("Sure?")
"""
    world.configure({"one": ["sh", "-c", "exit 3"]})
    world.orch("run", world.flow(flow))
    world.ask("gate", "reject", "@", "not yet")
    assert world.orch("resume", "@").code == 6
    world.orch("stop", "@", "--abort", "--yes")
    text = "\n".join(
        " ".join(line.split()) for line in world.orch("show", "@", "--trace").out.splitlines()
    )
    for said in (
        "warning: looks bad", "impl (one) starts: attempt", " failed, e", "RunAgent/1 refused",
        "run blocked: waits", "reject by", "abort asked for", "run aborted",
    ):  # fmt: skip
        assert said in text, said


def test_runs_are_filtered(world: World) -> None:
    world.configure({"one": ["sh", "-c", "echo x > work.txt"], "two": waiting_agent(world)})
    ended = world.run("basic_pr", "--issue", "1", "--agent", "one")["id"]
    failed = world.flow("@do\ndef workflow():\n    raise ValueError('no')\n    yield\n", "bad.py")
    assert world.orch("run", failed).code == 1
    driver = world.start("run", "basic_pr", "--issue", "1", "--agent", "two")
    noted(world)

    def ids(*words: str) -> list[str]:
        return [run["id"] for run in world.ask("ps", *words)]

    live, bad, _ = ids()
    assert ids("--status", "done") == [ended]
    assert ids("--status", "done", "--status", "error") == [bad, ended]
    assert ids("--workflow", "bad") == [bad]
    assert ids("--status", "driven") == ids("--status", "running") == [live]
    assert ids("--status", "stalled") == []
    assert ids("--repo", "thing", "--status", "done") == [ended]
    world.refused("ps", "--repo", "nothing", code="unknown_repo", exit_code=3)
    world.refused("ps", "--status", "fine", code="usage", exit_code=2)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert ids("--status", "stalled") == [live]
    assert ids("--status", "driven") == []
    plain = world.orch("ps")
    assert [line.split()[1] for line in plain.out.splitlines()[1:]] == ["stalled", "error", "done"]
    assert all(len(line) <= 80 for line in plain.out.splitlines())
    assert f"nobody drives {live}" in plain.err
    assert "no run is like that" in world.orch("ps", "--status", "blocked").err
    go(world)
    world.ask("resume", live)
