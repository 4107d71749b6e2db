"""What a person is told: who drives, what was answered, what is done already, what helps next."""

from __future__ import annotations

import json
import shlex
import shutil
import signal

import pytest

from tests.acceptance.test_lifecycle import GATE, go, waiting_agent, working
from tests.acceptance.world import World


def test_a_run_whose_process_died_says_that_nobody_drives_it(world: World) -> None:
    world.configure({"one": waiting_agent(world)})
    running = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    [seen] = world.ask("ps")
    assert (seen["status"], seen["driven"]) == ("running", True)
    running.send_signal(signal.SIGKILL)
    running.wait()
    [left] = world.ask("ps")
    assert (left["status"], left["driven"]) == ("running", False)
    assert f"nobody drives {left['id']}: orch resume" in world.orch("ps").err
    shown = world.orch("show", "@").out
    assert "nobody drives it" in shown
    assert f"orch resume {left['id']}" in shown
    go(world)
    [ended] = world.ask("resume")
    assert (ended["status"], ended["driven"]) == ("done", False)


def test_an_answered_gate_says_so_and_names_resume(world: World) -> None:
    world.run(world.flow(GATE), code=6)
    assert "orch gate approve" in world.orch("show", "@").out
    assert world.orch("gate", "approve", "@").code == 0
    shown = world.orch("show", "@").out
    assert "was answered: approve" in shown
    assert "orch gate approve" not in shown
    assert "try: orch resume" in shown
    [ended] = world.ask("resume")
    assert ended["result"] == "approve: "


def test_a_second_run_of_an_issue_hears_of_the_first(world: World) -> None:
    first = world.run("basic_pr", "--issue", "1")
    again = world.orch("run", "basic_pr", "--issue", "1")
    assert again.code == 0
    assert f"ISSUE-001 has the open pull request thing#1 already (run {first['id']})" in again.err


def test_a_failed_run_names_the_command_that_starts_it_again(world: World) -> None:
    world.configure({"one": ["sh", "-c", "exit 3"]})
    told = world.orch("run", "basic_pr", "--issue", "1", "--params", '{"prompt": "it\'s"}')
    assert told.code == 1
    [line] = [line for line in told.out.splitlines() if "again:" in line]
    assert line.endswith(
        """again: orch run basic_pr --repo thing --issue ISSUE-001"""
        """ --params '{"prompt":"it'"'"'s"}'"""
    )


def test_a_worktree_that_a_person_removed_blocks_the_run_and_keeps_it(world: World) -> None:
    flow = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    yield Gate("Look?")
    return (yield CreatePR(env=env, title=issue.title))
"""
    world.run(world.flow(flow), "--issue", "1", code=6)
    [tree] = world.ask("worktree", "list")
    shutil.move(tree["path"], tree["path"] + ".away")
    assert world.orch("gate", "approve", "@").code == 0
    [left] = world.ask("resume", code=6)
    assert (left["status"], left["reason"]["kind"]) == ("blocked", "human")
    assert "is missing" in left["reason"]["message"]
    shutil.move(tree["path"] + ".away", tree["path"])
    (world.root / tree["path"] / "work.txt").write_text("x\n")
    assert world.ask("resume", left["id"])["status"] == "done"


def test_control_characters_of_a_title_do_not_reach_the_log(world: World) -> None:
    world.ask("issue", "create", "Nice\x1b]0;owned\x07 try\x9b31m")
    record = world.run("basic_pr", "--issue", "2")
    subject = world.git("log", "-1", "--format=%s", record["prs"][0]["head"])
    assert subject.startswith("Nice")
    assert subject.isprintable()


def test_the_doctor_goes_on_where_the_books_are_broken(world: World) -> None:
    (world.home / "orch.db").write_bytes(b"no database at all" * 500)
    for ending in ("-wal", "-shm"):
        (world.home / f"orch.db{ending}").unlink(missing_ok=True)
    told = world.orch("doctor", "--json")
    assert told.code == 1
    checks = {check["name"]: check for check in json.loads(told.out)}
    assert not checks["database"]["ok"]
    assert "backup" in checks["database"]["fix"]
    assert {"git", "tmux", "disk", "lock", "agent one"} <= set(checks)


def test_books_that_were_emptied_are_not_taken_for_new(world: World) -> None:
    world.run("basic_pr", "--issue", "1")
    copy = world.root / "copy.db"
    assert world.orch("doctor", "--backup", str(copy)).code == 0
    (world.home / "orch.db").write_bytes(b"")
    for ending in ("-wal", "-shm"):
        (world.home / f"orch.db{ending}").unlink(missing_ok=True)
    told = world.orch("ps", "--json")
    assert told.code == 1
    assert told.error["code"] == "database_corrupt"
    assert (world.home / "orch.db").stat().st_size == 0
    shutil.copyfile(copy, world.home / "orch.db")
    [back] = world.ask("ps")
    assert back["status"] == "done"


@pytest.mark.parametrize("words", [("ps",), ("resume",)])
def test_one_row_that_cannot_be_read_leaves_the_other_runs_alone(
    world: World, words: tuple[str, ...]
) -> None:
    bad = world.run(world.flow(GATE), code=6)
    good = world.run(world.flow(GATE, "other.py"), code=6)
    world.spoil("update steps set answer = '{' where run = ?", bad["id"])
    assert world.orch("gate", "approve", good["id"]).code == 0
    if words == ("ps",):
        assert world.orch("ps").code == 0
        return
    told = world.orch("resume")
    assert told.code == 0, told
    assert world.ask("show", good["id"])["status"] == "done"
    assert f"run {bad['id']} is left alone" in told.err


def test_what_starts_it_again_works_for_files(world: World) -> None:
    world.configure({"one": ["sh", "-c", "exit 3"]})
    (world.root / "my issue.md").write_text("# Do it\n")
    flow = "@do\ndef ship(issue):\n    env = yield CreateWorktree(issue=issue)\n"
    flow += '    return (yield RunAgent(env=env, prompt="x"))\n'
    file = world.flow(flow, "my flow.py")
    told = world.orch("run", file, "--issue", str(world.root / "my issue.md"))
    [line] = [line for line in told.out.splitlines() if "again:" in line]
    world.configure({"one": ["sh", "-c", "echo x > x"]})
    words = shlex.split(line.partition("orch ")[2])
    assert world.orch(*words).code == 0
