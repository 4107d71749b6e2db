"""A run from its start to its end: gates, stop and resume, Ctrl-C, kill -9, two commands at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

import orch
from tests.acceptance.world import World

GATE = """
@do
def workflow():
    yield Log("before")
    try:
        answer = yield Gate("Ship it?")
    except GateRejected as error:
        return "rejected: " + str(error.message)
    return f"{answer.decision}: {answer.text}"
"""


def waiting_agent(world: World, name: str = "go", seconds: float = 30) -> list[str]:
    """An agent that notes that it runs, waits for a file and then writes one."""
    ledger = world.root / "ledger"
    script = (
        f"echo $ORCH_ATTEMPT >> {ledger}; i=0; "
        f"while [ ! -e {world.root}/{name} ] && [ $i -lt {int(seconds / 0.05)} ]; "
        "do sleep 0.05; i=$((i+1)); done; echo done > work.txt"
    )
    return ["sh", "-c", script]


def ledger(world: World) -> list[str]:
    path = world.root / "ledger"
    return path.read_text().split() if path.exists() else []


def go(world: World, name: str = "go") -> None:
    (world.root / name).touch()


def working(world: World, count: int = 1) -> None:
    world.until(lambda: len(ledger(world)) >= count, "the agent's start")


# --- gates


@pytest.mark.parametrize(
    ("verb", "said", "result"),
    [
        (("approve",), (), "approve: "),
        (("answer",), ("yes, but slowly ✓",), "answer: yes, but slowly ✓"),
        (("reject",), ("not today",), None),
    ],
)
def test_a_gate_waits_for_an_answer(
    world: World, verb: tuple[str, ...], said: tuple[str, ...], result: str | None
) -> None:
    flow = world.flow(GATE)
    waiting = world.run(flow, code=6)
    assert waiting["status"] == "blocked"
    assert (waiting["reason"]["kind"], waiting["reason"]["code"]) == ("human", "gate")
    assert "Ship it?" in waiting["reason"]["message"] + json.dumps(world.ask("gate", "list"))
    early = world.orch("resume", waiting["id"], "--json")
    assert early.code == 6, early
    assert "orch gate" in early.error["hint"]
    answered = world.orch("gate", *verb, "@", *said)
    assert answered.code == 0, answered
    assert f"orch resume {waiting['id']}" in answered.err
    assert world.ask("gate", "list") == []
    record = world.ask("resume", "@")
    assert record["status"] == "done"
    assert record["id"] == waiting["id"]
    if result is None:
        assert record["result"].startswith("rejected: ")
        assert "not today" in record["result"]
    else:
        assert record["result"] == result
    again = world.orch("gate", "approve", "@", "--json")
    assert again.code == 5
    assert again.error["code"] == "run_is_final"


def test_a_gate_nobody_catches_fails_the_run(world: World) -> None:
    flow = world.flow('@do\ndef workflow():\n    yield Gate("Go?")\n')
    world.run(flow, code=6)
    world.ask("gate", "reject", "@", "no")
    answer = world.orch("resume", "@", "--json")
    assert answer.code == 1, answer
    assert answer.json["error"]["code"] == "rejected"


def test_a_waiting_run_keeps_its_text(world: World) -> None:
    """The workflow's file is edited, and deleted: the run goes on with what it began with."""
    path = Path(world.flow("from beside import WORD\n" + GATE.replace("{answer.text}", "{WORD}")))
    (world.root / "beside.py").write_text("WORD = 'old'\n")
    world.run(str(path), code=6)
    path.write_text("from orch import *\n@do\ndef workflow():\n    return 'new'\n")
    (world.root / "beside.py").unlink()
    world.ask("gate", "approve", "@")
    assert world.ask("resume", "@")["result"] == "approve: old"
    path.unlink()


def test_an_upgraded_template_does_not_change_a_run(world: World) -> None:
    """A run of a shipped template goes on with the text that was shipped when it began."""
    package = Path(orch.__file__).parent
    shipped = world.root / "lib" / "orch"
    shutil.copytree(package, shipped, ignore=shutil.ignore_patterns("__pycache__"))
    world.extra["PYTHONPATH"] = str(shipped.parent)
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    template = shipped / "workflow" / "templates" / "basic_pr.py"
    text = template.read_text().replace("import CreatePR", "import Gate, CreatePR")
    template.write_text(text.replace("    return (", '    yield Gate("new")\n    return ('))
    go(world)
    [old] = world.ask("resume")
    assert old["status"] == "done"
    new = world.run("basic_pr", "--issue", "1", code=6)
    assert new["reason"]["code"] == "gate", "the new text is what a new run gets"


# --- determinism and code that hangs


def test_a_workflow_that_changes_its_mind_is_blocked(world: World) -> None:
    flow = world.flow(
        "from pathlib import Path\n@do\ndef workflow():\n"
        f"    if Path('{world.root}/mind').exists():\n        yield Now()\n"
        "    else:\n        yield Random()\n"
        '    yield Gate("?")\n'
    )
    world.run(flow, code=6)
    (world.root / "mind").touch()
    world.ask("gate", "approve", "@")
    answer = world.orch("resume", "@", "--json")
    assert answer.code == 6, answer
    record = answer.json
    assert (record["status"], record["reason"]["kind"]) == ("blocked", "human")
    assert record["reason"]["code"] == "non_determinism"
    assert record["reason"]["message"]


@pytest.mark.parametrize("body", ["while True: pass", "import time; time.sleep(600)"])
def test_a_workflow_that_hangs_is_blocked_and_the_command_returns(world: World, body: str) -> None:
    world.configure({}, "[run]\nadvance_deadline_s = 0.5\n")
    flow = world.flow(f"@do\ndef workflow():\n    yield Log('x')\n    {body}\n")
    answer = world.orch("run", flow, "--json")
    assert answer.code == 6, answer
    assert answer.json["status"] == "blocked"
    assert answer.json["reason"]["code"] == "workflow_stuck"


def test_an_exception_of_the_workflow_names_its_line(world: World) -> None:
    record = world.run(world.flow("@do\ndef workflow():\n    yield Log('x')\n    1 / 0\n"), code=1)
    assert record["error"]["code"] == "workflow_error"
    assert "ZeroDivisionError" in record["error"]["message"]
    assert "6" in record["error"]["message"]


# --- stop, resume, abort


def test_stop_ends_the_agents_and_resume_goes_on(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1", "--json")
    working(world)
    stopped = world.ask("stop", "@")
    assert (stopped["status"], stopped["reason"]["kind"]) == ("blocked", "stopped")
    assert world.terminals() == []
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 5
    assert json.loads(out)["status"] == "blocked"
    assert world.ask("resume") == [], "what a person stopped is not taken up by the way"
    told = world.orch("resume")
    assert told.code == 0
    assert told.err == f"1 run was stopped by a person: orch resume {stopped['id']}\n"
    assert world.ask("stop", "@")["status"] == "blocked", "again is no error"
    go(world)
    record = world.ask("resume", "@")
    assert record["status"] == "done"
    assert len(set(ledger(world))) == 2


def test_abort_is_final(world: World) -> None:
    """H106: terminal states never change again; the agents are ended, the pull requests stay."""
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1", "--json")
    working(world)
    aborted = world.ask("stop", "@", "--abort", "--yes")
    assert aborted["status"] == "aborted"
    assert world.terminals() == []
    running.communicate(timeout=60)
    assert running.returncode == 1
    for words in (("resume", "@"), ("stop", "@"), ("stop", "@", "--abort", "--yes"),
                  ("stop", "@", "--dry-run"), ("gate", "approve", "@")):  # fmt: skip
        world.refused(*words, code="run_is_final", exit_code=5)


def test_a_run_that_is_done_stays_done(world: World) -> None:
    """H106: it does not lose its pull request either."""
    done = world.run("basic_pr", "--issue", "1")
    for words in (("stop", "@"), ("stop", "@", "--abort", "--yes"), ("resume", "@")):
        world.refused(*words, code="run_is_final", exit_code=5)
    assert world.ask("show", "@") == done


def test_abort_of_a_run_that_nobody_drives(world: World) -> None:
    world.run(world.flow(GATE), code=6)
    assert world.ask("stop", "@", "--abort", "--yes")["status"] == "aborted"
    assert world.ask("gate", "list") == []


# --- Ctrl-C and kill -9


def test_ctrl_c_detaches_and_resume_adopts_the_same_attempt(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, out + err
    assert "orch resume" in err
    assert "Traceback" not in err
    [terminal] = world.terminals()
    record = world.ask("show", "@")
    assert record["reason"]["code"] == "detached"
    assert terminal == f"orch-{record['attempts'][0]['id']}"
    go(world)
    [ended] = world.ask("resume")
    assert ended["status"] == "done"
    assert [a["id"] for a in ended["attempts"]] == ledger(world)
    assert len(ledger(world)) == 1


def test_ctrl_c_with_json_is_one_json_value(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1", "--json")
    working(world)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(out)["reason"]["code"] == "detached"
    go(world)
    assert world.orch("resume").code == 0


def test_kill_9_costs_nothing(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert world.ask("ps")[0]["status"] == "running"
    go(world)
    [record] = world.ask("resume")
    assert record["status"] == "done"
    assert [a["id"] for a in record["attempts"]] == ledger(world)
    assert len(ledger(world)) == 1
    assert len(world.ask("pr", "list")) == 1
    assert world.ask("resume") == []


def test_kill_9_of_tmux_loses_the_attempt_and_not_the_run(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1", "--json")
    working(world)
    server = world.until(lambda: server_of(world), "the server")
    go(world)
    os.kill(server, signal.SIGKILL)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, out + err
    record: dict[str, Any] = json.loads(out)
    assert record["status"] == "done"
    assert len(record["prs"]) == 1


def server_of(world: World) -> int:
    done = subprocess.run(
        ["tmux", "-S", str(world.socket), "display-message", "-p", "#{pid}"], check=False,
        env=world.environ(), capture_output=True, text=True,
    )  # fmt: skip
    return int(done.stdout) if done.stdout.strip().isdigit() else 0


# --- two commands at once


def test_two_commands_at_once_both_finish(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    both = [world.start("run", "basic_pr", "--issue", "1", "--json") for _ in range(2)]
    working(world, 2)
    go(world)
    records = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len({record["id"] for record in records}) == 2
    assert all(record["status"] == "done" for record in records)
    assert len({pull["head"] for pull in world.ask("pr", "list")}) == 2
    assert len(ledger(world)) == 2


@pytest.mark.parametrize("killed", [0, 1], ids=["the one that drives", "the one that follows"])
def test_when_one_of_two_is_killed_the_other_goes_on(world: World, killed: int) -> None:
    world.configure({"one": waiting_agent(world)})
    both = [world.start("run", "basic_pr", "--issue", "1", "--json")]
    working(world, 1)
    both.append(world.start("run", "basic_pr", "--issue", "1", "--json"))
    working(world, 2)
    victim, other = both[killed], both[1 - killed]
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    go(world)
    out, err = other.communicate(timeout=60)
    assert other.returncode == 0, out + err
    assert json.loads(out)["status"] == "done"
    world.orch("resume")
    assert {run["status"] for run in world.ask("ps")} == {"done"}
    assert len(ledger(world)) == 2, "no attempt ran twice"


def test_ctrl_c_of_the_one_that_follows_leaves_the_run_alone(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    both = [world.start("run", "basic_pr", "--issue", "1", "--json")]
    working(world, 1)
    both.append(world.start("run", "basic_pr", "--issue", "1", "--json"))
    working(world, 2)
    both[1].send_signal(signal.SIGINT)
    both[1].communicate(timeout=60)
    assert both[1].returncode == 130
    go(world)
    both[0].communicate(timeout=60)
    assert both[0].returncode == 0
    world.orch("resume")
    assert {run["status"] for run in world.ask("ps")} == {"done"}
    assert len(ledger(world)) == 2


def test_a_record_can_be_read_while_the_run_works(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    record = world.ask("show", "@")
    assert record["status"] == "running"
    assert record["attempts"][0]["status"] == "running"
    assert world.ask("issue", "create", "Meanwhile")["id"] == "ISSUE-002"
    assert world.ask("worktree", "create", "thing", "fix-meanwhile")["status"] == "active"
    go(world)
    running.communicate(timeout=60)
    assert running.returncode == 0


# --- logs


def test_logs_show_what_was_written(world: World) -> None:
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; echo x > x"
    world.configure({name: ["sh", "-c", f"{script}; echo I am {name} > {name}"]
                     for name in ("one", "two")})  # fmt: skip
    params = '{"impl_agent": "one", "test_agent": "two"}'
    world.run("multi_agent", "--issue", "1", "--params", params)
    both = world.orch("logs", "@").out
    assert both.count("out 1") == 2
    assert both.count("err 3") == 2
    for target in ("@:impl", "@:one"):
        assert world.orch("logs", target, "-n", "1").out == "out 3\nerr 3\n"
    told = world.ask("logs", "@:tests")
    assert {item["stream"] for item in told} == {"stdout", "stderr"}
    error = world.refused("logs", "@:nobody", code="unknown_agent", exit_code=3)
    assert "impl" in error["message"]
