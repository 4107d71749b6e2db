"""`orch run --dry-run`: the plan on stubs, in three scenarios, without touching anything."""

from __future__ import annotations

import pytest

from tests.acceptance.world import World

KEYS = {"workflow", "repo", "issue", "agent", "params", "effects"}
STUCK = """
@do
def flow(issue):
    yield Log("x")
    while True:
        pass
"""


def test_three_scenarios_with_numbered_steps_and_nothing_touched(world: World) -> None:
    before = world.snapshot()
    plan = world.ask("run", "enforced_pr", "--issue", "ISSUE-001", "--dry-run")
    assert set(plan) >= KEYS
    ends = [(s["name"], s["end"]) for s in plan["scenarios"]]
    assert ends == [("pass", "done"), ("retry", "done"), ("spent", "error")]
    passes, retries, spent = plan["scenarios"]
    assert [step["effect"] for step in passes["steps"]] == [
        "CreateWorktree", "RunAgent", "RunCommand", "CreatePR",
    ]  # fmt: skip
    assert len(retries["steps"]) == len(passes["steps"]) + 2
    assert "result" in passes
    assert spent["error"]["code"] == "tests_failed"
    assert all(set(step) == {"path", "effect", "summary"} for step in spent["steps"])
    plain = world.orch("run", "enforced_pr", "--issue", "ISSUE-001", "--dry-run")
    assert plain.code == 0
    assert "   3. RunCommand      test pytest -> exit code 0" in plain.out
    assert max(map(len, plain.out.splitlines()[3:])) <= 110
    assert world.snapshot() == before
    assert world.terminals() == []


def test_code_that_hangs_is_left_and_told(world: World) -> None:
    world.configure({"one": ["true"]}, "[run]\nadvance_deadline_s = 0.3\n")
    plan = world.ask("run", world.flow(STUCK), "--issue", "ISSUE-001", "--dry-run")
    assert {s["end"] for s in plan["scenarios"]} == {"stuck"}
    assert plan["scenarios"][0]["error"]["code"] == "workflow_stuck"


def test_a_loop_without_an_end_is_told(world: World) -> None:
    flow = world.flow(STUCK.replace("pass", 'yield Log("y")'))
    plan = world.ask("run", flow, "--issue", "ISSUE-001", "--dry-run")
    assert {s["end"] for s in plan["scenarios"]} == {"unfinished"}
    assert len(plan["scenarios"][0]["steps"]) == 200
    answer = world.orch("run", flow, "--issue", "ISSUE-001", "--dry-run")
    assert "still going on after 200 steps" in answer.out


def test_a_repositorys_own_workflow_is_rehearsed_only_when_trusted(world: World) -> None:
    path = world.repo / ".orch" / "workflows" / "own.py"
    path.parent.mkdir(parents=True)
    path.write_text("from orch import *\n@do\ndef own(issue):\n    yield Log('x')\n    return 7\n")
    words = ("run", "own", "--issue", "ISSUE-001", "--repo", "thing", "--dry-run")
    world.refused(*words, code="workflows_untrusted", exit_code=5)
    world.ask("trust", "thing")
    plan = world.ask(*words)
    assert (plan["origin"], plan["scenarios"][0]["result"]) == ("repository", 7)


@pytest.mark.parametrize(
    ("configured", "given", "wanted"),
    [
        ("", "{}", None),
        ('test_command = "make check"', "{}", ["make", "check"]),
        ('test_command = "make check"', '{"test_command": "tox"}', "tox"),
    ],
)
def test_the_configured_test_command_is_what_enforced_pr_runs(
    world: World, configured: str, given: str, wanted: object
) -> None:
    path = world.home / "config.toml"
    path.write_text(path.read_text().replace("[defaults]", f"[defaults]\n{configured}"))
    words = ("run", "enforced_pr", "--issue", "ISSUE-001", "--params", given, "--dry-run")
    plan = world.ask(*words)
    assert plan["params"].get("test_command") == wanted
    shown = " ".join(wanted) if isinstance(wanted, list) else wanted or "pytest"
    assert f"test {shown}" in plan["scenarios"][0]["steps"][2]["summary"]
