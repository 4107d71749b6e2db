"""Claude Code and Codex side by side in one run, which is killed again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import Process, World
from tests.real.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(600)]
KILLS = 10
SEEDS = [int(word) for word in os.environ.get("ORCH_SEEDS", "1").split(",")]
WORK = 'CMD<<sleep 4; basename "$PWD" > "$(basename "$PWD").txt">>'


def killed(process: Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wrappers(world: World) -> list[int]:
    """The processes that run an agent now."""
    found = []
    for one in world.ask("show", "@")["attempts"]:
        mark = Path(one["directory"], "started")
        if one["status"] == "running" and mark.exists():
            found.append(int(json.loads(mark.read_text())["pid"]))
    return found


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it had just ended


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_ten_times_two_agents_end_in_one_pull_request(machine: Machine, seed: int) -> None:
    """The engine, and now and then an agent with it. Each conversation is gone on with, or was over,
    and ends once."""
    dice = random.Random(seed)
    world = machine.furnished(
        machine.agent("claude"), machine.agent("codex"), more="[run]\nlost_attempts = 20\n"
    )
    world.ask("issue", "create", "Write side by side", "--body", WORK)
    machine.server.pause_s = 0.2
    params = json.dumps({"impl_agent": "claude", "test_agent": "codex"})
    process = world.start("run", "multi_agent", "--issue", "2", "-p", params, "--json")
    world.until(lambda: world.ask("ps"), "the run", 90)
    for number in range(KILLS):
        time.sleep(dice.uniform(0.05, 1.5))  # the moment is what is tried
        agents = wrappers(world) if dice.random() < 0.3 else []
        killed(process)
        if agents:
            end(dice.choice(agents))
        process = world.start("resume", "@", "--json")
        assert number < KILLS

    def over() -> Any:
        record = world.ask("show", "@")
        return record if record["status"] in ("done", "error", "blocked") else None

    record = world.until(over, "the end of the run", 120)
    process.wait(timeout=60)
    assert record["status"] == "done", record
    [pull] = record["prs"]
    names = world.git("ls-tree", "--name-only", pull["head"], where=world.remote).split()
    written = [name for name in names if name.endswith(".txt")]
    assert len(written) == 2, names
    assert {"impl", "tests"} == {name.split("-")[-2] for name in written}, written
    for agent in ("claude", "codex"):
        tries = [one for one in record["attempts"] if one["agent"] == agent]
        assert [one["status"] for one in tries].count("succeeded") == 1, tries
        # One that was killed before its program had kept a word is begun anew, and told so.
        gone = max(
            (n for n, one in enumerate(tries) if one["code"] == "conversation_gone"), default=-1
        )
        known = {_session(world, one, agent) for one in tries[gone + 1 :]} - {None}
        codes = [(one["status"], one["code"]) for one in tries]
        assert len(known) == 1, (agent, codes)
        assert all(status == "lost" for status, _ in codes[gone + 1 : -1]), (agent, codes)
    assert not world.terminals()


def _session(world: World, attempt: dict[str, Any], agent: str) -> str | None:
    output = Path(attempt["directory"], "stdout")
    if not output.exists():
        return None
    told = world.ask("parse", str(output), "--agent", agent)
    session: str | None = told["session_id"]
    return session
