"""What a person has to mend blocks the run with the command that helps; afterwards it goes on, and no
agent works again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.world import WRITES, World


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


def mended(world: World, code: str, mend: str) -> None:
    """The run waits with `code`; after `mend` in its worktree it ends well without another agent."""
    record = world.run("basic_pr", "--issue", "1", code=6)
    assert (record["status"], record["reason"]["code"]) == ("blocked", code), record["reason"]
    assert f"then: orch resume {record['id']}" in record["reason"]["hint"]
    [tree] = {attempt["worktree"] for attempt in record["attempts"]}
    hint = record["reason"]["hint"].partition("; then:")[0]
    subprocess.run(
        ["sh", "-ec", mend or hint], cwd=tree, env=world.environ(), check=True, capture_output=True
    )
    ended = world.ask("resume", record["id"])
    assert ended["status"] == "done", ended
    assert len(ended["attempts"]) == len(record["attempts"])
    [pull] = ended["prs"]
    assert world.git("rev-parse", pull["head"]) == pull["head_sha"]
    assert "w" in world.git("ls-tree", "--name-only", pull["head"]).split()


BEGUN_ANEW = """
echo w > w; git add w; b=$(git symbolic-ref HEAD); git checkout -q --orphan zz
git commit -qm new; git update-ref $b HEAD; git symbolic-ref HEAD $b
"""


@pytest.mark.parametrize(
    ("agent", "code", "mend"),
    [
        ("echo w > w; git add w; git checkout -q --detach; git commit -qm det", "branch_moved", ""),
        ("git checkout -qb evil; echo w > w; git add w; git commit -qm x", "branch_moved", ""),
        ("echo w > w; git init -q sub; echo x > sub/y", "embedded_repository", "rm -rf sub/.git"),
        (
            BEGUN_ANEW,
            "history_replaced", "git reset -q --soft $(git rev-parse refs/remotes/origin/main)",
        ),
    ],
    ids=["detached", "other branch", "repository inside", "history begun anew"],
)  # fmt: skip
def test_what_an_agent_left_odd_waits_for_a_person(
    world: World, agent: str, code: str, mend: str
) -> None:
    world.configure({"one": shell(agent)})
    mended(world, code, mend)


def test_a_broken_record_of_a_pull_request_waits(world: World) -> None:
    first = world.run("basic_pr", "--issue", "1")["prs"][0]
    [place] = (world.home / "forge").rglob("*.json")
    good = place.read_bytes()
    place.write_text("{")
    record = world.run("basic_pr", "--issue", "1", code=6)
    assert record["reason"]["code"] == "pr_broken"
    place.write_bytes(good)
    assert world.ask("resume", "@")["status"] == "done"
    assert [pull["number"] for pull in world.ask("pr", "list")] == [2, first["number"]]


def test_a_lost_worktree_waits_at_once(world: World) -> None:
    world.configure({"one": shell('echo w > w; git add w; git commit -qm w; rm -rf "$PWD"')})
    record = world.run("basic_pr", "--issue", "1", code=6)
    assert record["reason"]["code"] == "worktree_missing"
    assert record["reason"]["kind"] == "human"
    [attempt] = record["attempts"]
    assert attempt["status"] == "ended", "its program is over, and nobody says that it works"
    hint = record["reason"]["hint"].partition("; then:")[0]
    subprocess.run(["sh", "-ec", hint], env=world.environ(), check=True, capture_output=True)
    ended = world.ask("resume", record["id"])
    assert ended["status"] == "done", ended
    assert [one["status"] for one in ended["attempts"]] == ["succeeded"], "it did not work again"


def test_a_run_with_a_lost_worktree_can_be_ended_for_good(world: World) -> None:
    world.configure({"one": shell('echo w > w; git add w; git commit -qm w; rm -rf "$PWD"')})
    record = world.run("basic_pr", "--issue", "1", code=6)
    ended = world.ask("stop", record["id"], "--abort", "--yes")
    assert ended["status"] == "aborted"
    ended = world.ask("show", record["id"])
    assert [one["status"] for one in ended["attempts"]] == ["succeeded"]
    [tree] = world.ask("worktree", "list")
    gone = world.orch("worktree", "delete", tree["slug"], "--yes")
    assert gone.code == 0, gone.err


def test_a_run_that_is_ended_does_not_wait_to_be_mended(world: World) -> None:
    world.configure({"one": shell("echo w > w; git init -q sub; echo x > sub/y")})
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt="x")
    try:
        yield Gate("go?")
    finally:
        yield Commit(env=env, message="keep")
"""
    world.run(world.flow(flow), "--issue", "1", code=6)
    record = world.ask("stop", "@", "--abort", "--yes")
    assert record["status"] == "aborted"
    [left] = record["unresolved"]
    assert "a git repository of its own" in left["message"]


def test_a_clone_whose_head_names_no_branch(bare: World) -> None:
    bare.git("symbolic-ref", "HEAD", "refs/heads/gone", where=bare.remote)
    added = bare.ask("repo", "add", f"file://{bare.remote}", "--slug", "far")
    assert added["default_branch"] == "main"


def test_an_empty_remote_is_refused_and_can_be_added_later(bare: World) -> None:
    empty = bare.root / "empty.git"
    bare.git("init", "-q", "--bare", str(empty))
    bare.refused("repo", "add", f"file://{empty}", "--slug", "e", code="no_commits", exit_code=5)
    bare.git("push", "-q", str(empty), "main")
    assert bare.ask("repo", "add", f"file://{empty}", "--slug", "e")["default_branch"] == "main"


def test_what_a_workflow_prints_does_not_reach_stdout(world: World) -> None:
    flow = """
import os
print("LOADED")
@do
def workflow():
    print("NOISE")
    os.system("echo ECHO")
    yield Log("x")
    return 1
"""
    told = world.orch("run", world.flow(flow), "--json")
    assert told.json["result"] == 1
    for word in ("LOADED", "NOISE", "ECHO"):
        assert word in told.err


def test_secrets_do_not_stay_on_the_disk(world: World) -> None:
    (world.root / "secret").write_text("hunter2\n")
    env = f'env = {{S = "file:{world.root}/secret"}}'
    world.configure({"one": f'command = ["sh", "-c", "echo $S > w.txt"]\n{env}'})
    record = world.run("basic_pr", "--issue", "1")
    assert "hunter2" in world.git("show", f"{record['prs'][0]['head']}:w.txt")
    for folder, _, files in os.walk(world.home / "attempts"):
        for name in files:
            assert b"hunter2" not in Path(folder, name).read_bytes(), name
    [launch] = (world.home / "attempts").rglob("launch.json")
    assert json.loads(launch.read_text())["env"] == {}


def test_an_agent_that_cannot_start_is_refused_before_anything_changes(world: World) -> None:
    world.configure({"one": 'command = ["sh"]\nenv = {A = "env:NOT_THERE"}'})
    world.refused("run", "basic_pr", "--issue", "1", code="agent_unusable", exit_code=2)


def test_gates_are_answered_by_name(world: World) -> None:
    flow = """
@do
def workflow():
    found = yield Gather([Gate("one?", name="one"), Gate("two?", name="two")])
    return [answer.text for answer in found]
"""
    record = world.run(world.flow(flow), code=6)
    assert record["reason"]["hint"] == f"orch gate list {record['id']}"
    assert {item["name"] for item in world.ask("gate", "list")} == {"one", "two"}
    world.ask("gate", "answer", "@", "first", "--gate", "one")
    world.ask("gate", "answer", "@", "second", "--gate", "two")
    assert world.ask("resume", "@")["result"] == ["first", "second"]


def test_a_command_that_is_late_is_a_timeout(world: World) -> None:
    flow = """
@do
def workflow():
    env = yield CreateWorktree()
    try:
        yield RunCommand(env=env, command=["sleep", "30"], timeout=0.3, check=True)
    except StepTimeout as error:
        return error.code
"""
    record = world.run(world.flow(flow))
    assert record["result"] == "timeout"
    [attempt] = record["attempts"]
    assert (attempt["exit_code"], attempt["message"]) == (124, "out of time")


def test_a_title_on_a_terminal_that_cannot_say_it(world: World) -> None:
    world.ask("issue", "create", "日本 – ok")
    posix = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    told = world.orch("issue", "show", "2", env=posix)
    assert told.code == 0
    assert "ok" in told.out


def test_a_workflow_without_an_end_waits_for_a_person(world: World) -> None:
    flow = "@do\ndef workflow():\n    while True:\n        yield Log('x')\n"
    config = world.home / "config.toml"
    config.write_text(f"{config.read_text('utf-8')}\n[run]\nmax_steps = 30\n", "utf-8")
    path = world.flow(flow)
    run = world.run(path, code=6)
    assert (run["status"], run["reason"]["code"]) == ("blocked", "too_many_steps")
    assert "more than 30 steps" in run["reason"]["message"]
    assert len(run["steps"]) <= 30
    config.write_text(config.read_text("utf-8").replace("= 30", "= 900"), "utf-8")
    assert world.orch("resume", run["id"]).code == 6
    assert 30 < len(world.ask("show", run["id"])["steps"]) <= 900
    hint = run["reason"]["hint"].split()[1:]
    assert world.orch(*hint, "--yes").code == 0
    assert world.ask("show", run["id"])["status"] == "aborted"


def test_advice_that_is_kept_names_the_run_it_is_about(world: World) -> None:
    world.configure({"one": WRITES})
    params = '{"test_command": ["false"], "max_retries": 0}'
    failed = world.run("enforced_pr", "--issue", "1", "--params", params, code=1)
    assert failed["error"]["hint"] == f"orch logs {failed['id']}:test"
    world.run("basic_pr", "--issue", "1")
    assert world.orch(*failed["error"]["hint"].split()[1:]).code == 0


def test_a_checkout_is_registered_once_however_many_ask_at_once(bare: World) -> None:
    asking = [
        bare.start("repo", "add", str(bare.repo), "--slug", f"s{number}") for number in range(3)
    ]
    ends = sorted(each.wait(60) for each in asking)
    assert ends[0] == 0
    assert len(bare.ask("repo", "list")) == 1
