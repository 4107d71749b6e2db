"""The examples are valid, and run for real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.world import WRITES, World

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
PASSES = ["sh", "-c", "echo right > work.txt"]
FAILS = ["sh", "-c", "echo wrong > work.txt"]


def example(world: World, name: str) -> str:
    path = next(path for path in EXAMPLES if path.stem == name)
    return str(shutil.copy(path, world.root))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid_without_a_finding(world: World, path: Path) -> None:
    assert world.ask("validate", str(path)) == []


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"ask_first", "best_of", "release_notes"}


def test_ask_first_waits_for_a_person_and_takes_what_they_say(world: World) -> None:
    keeps = 'cat "$ORCH_PROMPT_FILE" > prompt.txt; echo "$ORCH_ATTEMPT" > work.txt'
    world.configure({"one": ["sh", "-c", keeps]})
    flow = example(world, "ask_first")
    record = world.run(flow, "--issue", "ISSUE-001", code=6)
    assert record["prs"] == []
    world.ask("gate", "answer", record["id"], "Use fewer words.")
    assert world.orch("resume", record["id"]).code == 6
    world.ask("gate", "approve", record["id"])
    done = world.ask("resume", record["id"])
    (pull,) = done["prs"]
    assert "Use fewer words." in world.git("show", f"{pull['head']}:prompt.txt", where=world.remote)


def test_ask_first_ends_with_a_persons_no(world: World) -> None:
    record = world.run(example(world, "ask_first"), "--issue", "ISSUE-001", code=6)
    world.ask("gate", "reject", record["id"])
    answer = world.orch("resume", record["id"], "--json")
    assert answer.code == 1
    assert (answer.json["error"]["kind"], answer.json["prs"]) == ("GateRejected", [])


def test_best_of_takes_the_first_that_passes(world: World) -> None:
    world.configure({"bad": FAILS, "broken": ["false"], "good": PASSES})
    record = world.run(
        example(world, "best_of"), "--issue", "ISSUE-001", "--params",
        '{"agents": ["bad", "broken", "good"], "test_command": "grep -q right work.txt"}',
    )  # fmt: skip
    (pull,) = record["prs"]
    assert "-good-" in pull["head"]
    assert "by good" in pull["body"]


def test_best_of_opens_nothing_when_nobody_passes(world: World) -> None:
    world.configure({"bad": FAILS})
    params = '{"agents": ["bad"], "test_command": "grep -q right work.txt"}'
    words = (example(world, "best_of"), "--issue", "ISSUE-001", "--params", params)
    record = world.run(*words, code=1)
    assert (record["error"]["code"], record["prs"]) == ("tests_failed", [])


def test_release_notes_are_written_from_the_history(world: World) -> None:
    world.configure({"one": WRITES})
    flow, start = example(world, "release_notes"), world.git("rev-parse", "HEAD")
    words = ("--repo", "thing", "--params", f'{{"since": "{start}"}}')
    assert world.run(flow, *words)["result"] == f"nothing has changed since {start}"
    world.commit("more.txt")
    record = world.run(flow, *words)
    (pull,) = record["prs"]
    assert pull["title"] == f"Release notes since {start}"
