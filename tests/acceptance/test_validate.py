"""`orch validate`: nothing is run, errors are exit code 2, and what it says is where to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.world import World

GOOD = """
@do
def flow(issue):
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt=issue.body)
    return (yield CreatePR(env=env, title=issue.title))
"""
BAD = GOOD.replace("    return", "    while True:\n        yield Log('x')\n    return")


def test_a_good_workflow_says_so(world: World) -> None:
    answer = world.orch("validate", world.flow(GOOD))
    assert (answer.code, answer.out) == (0, ""), answer
    assert "nothing found" in answer.err
    assert world.ask("validate", world.flow(GOOD)) == []


def test_errors_are_told_with_their_place_and_exit_code_2(world: World) -> None:
    path = world.flow(BAD)
    answer = world.orch("validate", path, "--json")
    assert answer.code == 2
    codes = [(item["line"], item["code"]) for item in answer.json]
    assert codes == [(8, "endless_loop"), (10, "unreachable")]
    first = answer.json[0]
    keys = {"file", "line", "column", "level", "code", "message", "hint"}
    assert set(first) == keys
    assert first["file"] == path
    plain = world.orch("validate", "flow.py")
    assert plain.code == 2
    assert "flow.py:8:5: error: " in plain.out
    assert "[endless_loop]" in plain.out


def test_warnings_alone_are_no_failure(world: World) -> None:
    path = world.flow(GOOD.replace("    return", "    print('x')\n    return"))
    answer = world.orch("validate", path, "--json")
    assert answer.code == 0
    assert [(i["level"], i["code"]) for i in answer.json] == [("warning", "prints")]


def test_nothing_is_run_and_no_trust_is_needed(world: World) -> None:
    text = f"open({str(world.root / 'ran')!r}, 'w')\n{GOOD}"
    path = world.repo / ".orch" / "workflows" / "own.py"
    path.parent.mkdir(parents=True)
    path.write_text(f"from orch import *\n{text}")
    before = world.snapshot()
    answer = world.orch("validate", "own", "--repo", "thing", "--json")
    assert [item["code"] for item in answer.json] == ["writes"]
    assert not (world.root / "ran").exists()
    assert world.snapshot() == before


def test_agents_are_held_against_the_configuration(world: World) -> None:
    text = GOOD.replace("issue.body)", "issue.body, agent='clod')")
    answer = world.orch("validate", world.flow(text), "--json")
    assert [item["code"] for item in answer.json] == ["unknown_agent"]
    assert "'clod'" in answer.json[0]["message"] or '"clod"' in answer.json[0]["message"]
    assert world.ask("validate", world.flow(text.replace("clod", "one"))) == []


def test_a_syntax_error_is_a_finding(world: World) -> None:
    answer = world.orch("validate", world.flow("@do\ndef flow(:\n"), "--json")
    assert answer.code == 2
    assert [(i["line"], i["code"]) for i in answer.json] == [(4, "workflow_syntax")]


def test_modules_beside_the_file_are_checked(world: World) -> None:
    (world.root / "words.py").write_text("import time\nAT = time.time()\n")
    path = world.flow("from words import AT\n" + GOOD)
    answer = world.orch("validate", path, "--json")
    assert [(Path(i["file"]).name, i["line"], i["code"]) for i in answer.json] == [
        ("words.py", 2, "clock")
    ]


@pytest.mark.parametrize("name", ["basic_pr", "enforced_pr", "multi_agent", "reviewed_pr"])
def test_the_shipped_templates_are_clean(world: World, name: str) -> None:
    assert world.ask("validate", name) == []


def test_an_unknown_workflow_is_refused(world: World) -> None:
    world.refused("validate", "basicpr", code="unknown_workflow", exit_code=3)
    world.refused("validate", "./gone.py", code="unknown_workflow", exit_code=3)


def test_control_characters_of_a_file_do_not_reach_the_terminal(world: World) -> None:
    text = GOOD.replace("issue.body", "'\\x1b[2J{issue.body}'").replace("\\x1b", "\x1b")
    answer = world.orch("validate", world.flow(text))
    assert answer.code == 2
    assert "\x1b" not in answer.out + answer.err
