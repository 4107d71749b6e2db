"""What becomes of pull requests while nobody watches: checked, reviewed, repaired, merged, closed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import Process, World

JUDGE = """
import os, sys
with open({ledger!r}, "a") as file:
    file.write(open(os.environ["ORCH_PROMPT_FILE"]).read().split("`")[1] + "\\n")
text = open("work.txt").read()
if "better" in text:
    print('{{"approved": true}}')
else:
    print('{{"approved": false, "findings": [{{"file": "work.txt", "line": 1,'
          ' "comment": "say it better"}}, {{"file": "far/away.txt", "comment": "not yours"}}]}}')
"""
SLOW_YES = """
import time
with open({ledger!r}, "a") as file:
    file.write("looked\\n")
time.sleep(3)
print('{{"approved": true}}')
"""
AUTHOR = """
import os, subprocess, sys
prompt = open(os.environ["ORCH_PROMPT_FILE"]).read()
with open({ledger!r}, "a") as file:
    file.write(prompt.replace("\\n", "|") + "\\n")
if "conflicts with its base" in prompt:
    base = prompt.split("git merge ")[1].split("`")[0]
    subprocess.run(["git", "merge", base], check=False)
    open("README.md", "w").write("both\\n")
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "both"],
                   check=True)
elif "say it better" in prompt or "exit code" in prompt:
    open("work.txt", "w").write("better\\n")
else:
    open("work.txt", "w").write("work\\n")
    {more}
print("done")
"""


def furnished(path: Path, review: str, more: str = "pass") -> World:
    made = worlds.furnished(path)
    agents = {}
    for name, text in (("one", AUTHOR), ("judge", JUDGE)):
        script = made.root / f"{name}.py"
        script.write_text(text.format(ledger=str(made.root / name), more=more), encoding="utf-8")
        argv = json.dumps(["python3", "-I", "-S", str(script)])
        agents[name] = f'command = {argv}\npass_env = ["PATH"]'
    made.configure(agents, f"[review]\nlook_s = 0.5\n{review}")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Any:
    worlds_made: list[World] = []

    def make(review: str, more: str = "pass") -> World:
        worlds_made.append(furnished(tmp_path / f"w{len(worlds_made)}", review, more))
        return worlds_made[-1]

    yield make
    for one in worlds_made:
        one.close()


def in_state(world: World, state: str, number: int = 1, reason: str = "") -> dict[str, Any]:
    last: dict[str, Any] = {}

    def look() -> dict[str, Any] | None:
        nonlocal last
        last = world.ask("task", "get", str(number))
        return last if last["status"] == state and reason in last["reason"] else None

    try:
        found: dict[str, Any] = world.until(look, f"task {number} to be {state}", 90)
    except AssertionError as error:
        raise AssertionError(json.dumps(last, indent=1)) from error
    return found


def add(world: World) -> Process:
    service = serving(world)
    world.ask("task", "add", "Write it", "--repo", "thing", "--agent", "one")
    return service


def lines(world: World, agent: str) -> list[str]:
    path = world.root / agent
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_another_agent_reviews_and_what_it_wants_is_mended(place: Any) -> None:
    """H76: the state says where it stands."""
    world = place('agent = "auto"')
    service = add(world)
    record = in_state(world, "in_review", reason="is open")
    assert [(a["role"], a["agent"]) for a in record["attempts"]] == [
        ("work", "one"), ("review", "judge"), ("work", "one"), ("review", "judge"),
    ]  # fmt: skip
    assert "say it better" in lines(world, "one")[1]
    assert "not yours" not in lines(world, "one")[1]
    assert len(set(lines(world, "judge"))) == 2, "no head is reviewed twice"
    checks = world.ask("pr", "checks", "thing#1")
    assert [(check["name"], check["state"]) for check in checks] == [("review", "success")]
    assert left(service) == 0
    again = serving(world)
    world.ask("pr", "merge", "thing#1")
    record = in_state(world, "done")
    assert "merged" in record["reason"]
    assert len(lines(world, "judge")) == 2
    world.until(lambda: world.ask("ps")[0]["status"] == "done", "the end of the run")
    assert world.ask("worktree", "list") == []
    assert left(again) == 0


def test_checks_run_on_what_was_pushed_and_green_ones_merge(place: Any) -> None:
    world = place('checks = ["grep -q better work.txt", "true"]\nauto_merge = true')
    service = add(world)
    record = in_state(world, "done")
    assert record["prs"][0]["state"] == "merged"
    assert len(lines(world, "one")) == 2
    assert "exit code 1" in lines(world, "one")[1]
    checks = world.ask("pr", "checks", "thing#1")
    assert {(check["name"], check["state"]) for check in checks} == {
        ("grep -q better work.txt", "success"), ("true", "success"),
    }  # fmt: skip
    assert world.git("show", "main:work.txt", where=world.remote) == "better"
    assert world.ask("worktree", "list") == []
    assert left(service) == 0


def test_what_is_never_good_enough_waits_for_a_person_with_the_findings(place: Any) -> None:
    """H77: known is known: the same head is not reviewed again, nor is it forgotten."""
    world = place('checks = ["false"]\nmax_cycles = 1')
    service = add(world)
    record = in_state(world, "needs_review")
    assert "`false`: exit code 1" in record["reason"]
    assert "orch task retry 1" in record["hint"]
    assert len(lines(world, "one")) == 2
    world.ask("task", "retry", "1")
    world.until(lambda: len(lines(world, "one")) == 3, "another round")
    in_state(world, "needs_review")
    world.ask("pr", "close", "thing#1")
    record = in_state(world, "cancelled")
    assert "closed without being merged" in record["reason"]
    world.until(lambda: world.ask("ps")[0]["status"] == "done", "the end of the run")
    world.ask("pr", "reopen", "thing#1")
    record = world.ask("task", "get", "1")
    assert (record["status"], record["hint"]) == ("in_review", "orch pr merge thing#1")
    world.ask("pr", "merge", "thing#1", "--force")
    assert world.ask("task", "get", "1")["status"] == "done"
    assert left(service) == 0


def test_a_conflict_with_the_base_is_repaired(place: Any) -> None:
    """H78: by its author, where git cannot do it; then it is checked again."""
    world = place("clean_up = true", 'open("README.md", "w").write("mine\\n")')
    service = add(world)
    in_state(world, "in_review", reason="is open")
    world.commit("README.md", "theirs\n")
    world.git("push", "--quiet", "origin", "HEAD:main")
    world.ask("task", "retry", "1")  # a person lets it look at the remote at once
    world.until(lambda: len(lines(world, "one")) == 2, "the repair")
    in_state(world, "in_review", reason="is open")
    world.ask("pr", "merge", "thing#1")
    in_state(world, "done")
    assert world.git("show", "main:README.md", where=world.remote) == "both"
    assert left(service) == 0


def test_a_merged_pull_request_closes_its_task_though_its_run_is_over(place: Any) -> None:
    world = place("")
    service = add(world)
    record = in_state(world, "in_review")
    assert record["runs"][0]["status"] == "done"
    assert left(service) == 0
    world.ask("pr", "merge", "thing#1")
    assert world.ask("task", "get", "1")["status"] == "done"


def test_a_branch_that_was_pushed_without_a_pull_request_gets_one(place: Any) -> None:
    world = place("")
    flow = world.flow(
        "@do\ndef workflow(issue):\n    env = yield CreateWorktree(issue=issue)\n"
        "    yield RunAgent(env=env, prompt=issue.title)\n"
        '    yield Commit(env=env, message="by hand")\n    yield Push(env=env)\n    return "there"\n'
    )
    service = serving(world)
    world.ask("task", "add", "Write it", "--repo", "thing", "--agent", "one", "--workflow", flow)
    record = in_state(world, "in_review")
    assert [pull["state"] for pull in record["prs"]] == ["open"]
    assert left(service) == 0


def test_checks_of_others_are_waited_for_but_not_for_ever(place: Any) -> None:
    """H79: the time counts from when they were first seen pending, over a restart."""
    world = place('agent = "judge"\nauto_merge = true\ntimeout_s = 6', "import time; time.sleep(1)")
    (world.root / "judge.py").write_text(SLOW_YES.format(ledger=str(world.root / "judge")))
    service = add(world)
    world.until(lambda: lines(world, "judge"), "the review")
    world.ask("pr", "check", "thing#1", "outside", "pending")
    record = in_state(world, "in_review", reason="have not ended")
    service.kill()
    service.wait(timeout=60)
    again = serving(world)
    record = in_state(world, "needs_review")
    assert "have not ended within 6 s" in record["reason"]
    assert [a["role"] for a in record["attempts"]] == ["work", "review"]
    world.ask("pr", "check", "thing#1", "outside", "success")
    world.ask("task", "retry", "1")
    assert in_state(world, "done")["prs"][0]["state"] == "merged"
    assert len(lines(world, "judge")) == 1, "H77: a head that is approved stays approved"
    assert left(again) == 0


def test_a_merge_by_hand_is_seen_at_the_remote(place: Any) -> None:
    """H81: whoever merged it, and whatever became of its run."""
    world = place("refresh_s = 1")
    service = add(world)
    record = in_state(world, "in_review")
    world.git("fetch", "--quiet", "origin")
    world.git("merge", "--quiet", "--no-edit", f"origin/{record['branch']}")
    world.git("push", "--quiet", "origin", "HEAD:main")
    assert "merged" in in_state(world, "done")["reason"]
    assert left(service) == 0


def test_a_review_that_was_killed_with_the_service_goes_on(place: Any) -> None:
    world = place('agent = "judge"')
    (world.root / "judge.py").write_text(SLOW_YES.format(ledger=str(world.root / "judge")))
    service = add(world)
    world.until(lambda: lines(world, "judge"), "the review")
    record = in_state(world, "in_review", reason="reviews it")
    assert record["attempts"][-1]["role"] == "review"
    service.kill()
    service.wait(timeout=60)
    again = serving(world)
    in_state(world, "in_review", reason="is open")
    assert len(lines(world, "judge")) == 1
    assert left(again) == 0
