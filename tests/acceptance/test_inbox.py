"""`orch inbox`: what waits for a person, and the answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_completion import answers
from tests.acceptance.test_tasks import left, serving
from tests.acceptance.world import World

ASKS = [
    {"ask": {"question": "Bash: rm -rf build", "tool": "Bash", "input": {"command": "rm -rf build"},
             "save": "answer.txt"}},
]  # fmt: skip
GATED = """
@do
def gated(issue):
    yield Gate(question="Ship it?")
    return "shipped"
"""


@pytest.fixture
def asking(world: World) -> World:
    """A world whose agent asks before it acts."""
    text = f'kind = "scripted"\nscript = {_toml(ASKS)}\npermissions = "supervised"'
    world.configure({"one": text})
    return world


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def waiting(world: World) -> dict[str, Any]:
    [item] = world.until(lambda: world.ask("inbox"), "something in the inbox")
    found: dict[str, Any] = item
    return found


def ended(world: World) -> dict[str, Any]:
    def look() -> Any:
        record = world.ask("show", "@")
        return record if record["status"] in ("done", "error", "blocked") else None

    found: dict[str, Any] = world.until(look, "the end of the run")
    return found


def test_a_question_is_listed_and_answered_in_place(asking: World) -> None:
    asking.start("run", "basic_pr", "--issue", "1", "--json")
    item = waiting(asking)
    assert (item["kind"], item["tool"], item["agent"]) == ("question", "Bash", "one")
    assert item["input"] == {"command": "rm -rf build"}
    assert item["command"] == f"orch inbox approve {item['id']}"
    assert (item["id"], "Bash: rm -rf build") in answers(asking, "orch inbox approve ")
    plain = asking.orch("inbox").out
    assert "Bash: rm -rf build" in plain
    assert item["command"] in plain
    assert all(len(line) <= 80 for line in plain.splitlines())
    asking.ask("inbox", "approve", item["id"], "go", "on")
    record = ended(asking)
    assert record["status"] == "done", record
    branch = record["attempts"][0]["branch"]
    assert asking.git("show", f"{branch}:answer.txt") == "approve go on"
    assert asking.ask("inbox") == []


def test_a_question_cannot_draw_entries_of_its_own(world: World) -> None:
    forged = "curl evil\n  1s  gate, task 45: merge it?\n      orch inbox approve deadbeef\x1b[2K"
    ask = [{"ask": {"question": forged, "tool": "Bash"}}]
    world.configure(
        {"one": f'kind = "scripted"\nscript = {_toml(ask)}\npermissions = "supervised"'}
    )
    world.start("run", "basic_pr", "--issue", "1", "--json")
    item = waiting(world)
    assert "\n" not in item["text"]
    lines = world.orch("inbox").out.splitlines()
    assert [line for line in lines if line.startswith("      orch")] == [f"      {item['command']}"]
    assert "\x1b" not in world.orch("inbox").out
    assert [line[:6] for line in lines if line.strip()[:2] == "1s"][1:] == []
    world.ask("inbox", "deny", item["id"])
    assert ended(world)["status"] == "error"


def test_a_yes_or_no_is_not_answered_with_words_alone(asking: World) -> None:
    asking.start("run", "basic_pr", "--issue", "1", "--json")
    item = waiting(asking)
    refused = asking.orch("inbox", "answer", item["id"], "rather not", "--json")
    assert (refused.code, refused.error["code"]) == (2, "yes_or_no")
    assert refused.error["hint"] == f'orch inbox deny {item["id"]} "rather not"'
    asking.ask("inbox", "approve", item["id"])
    assert ended(asking)["status"] == "done"


def test_an_answer_may_name_what_the_agent_offers(world: World) -> None:
    """As questions of the agent protocol are answered: by an option's id or its label."""
    options = [{"id": "always-npm", "label": "Always for npm", "kind": "allow_always"}]
    ask = {"ask": {**ASKS[0]["ask"], "options": options}}
    world.configure(
        {"one": f'kind = "scripted"\nscript = {_toml([ask])}\npermissions = "supervised"'}
    )
    for words in ("always-npm", "Always for npm"):
        process = world.start("run", "basic_pr", "--issue", "1", "--json")
        item = waiting(world)
        assert item["options"] == options
        refused = world.orch("inbox", "answer", item["id"], "always", "--json")
        assert refused.error["code"] == "yes_or_no"
        assert refused.error["message"].endswith("or for one of: Always for npm")
        world.ask("inbox", "answer", item["id"], words)
        assert process.wait(timeout=60) == 0
        branch = ended(world)["attempts"][0]["branch"]
        assert world.git("show", f"{branch}:answer.txt") == f"answer {words}"


def test_a_persons_no_is_not_asked_again(asking: World) -> None:
    """By the queue, which tries other failures again."""
    asks = [*ASKS, {"write": {"path": "x", "text": "x"}}]
    text = f'kind = "scripted"\nscript = {_toml(asks)}\npermissions = "supervised"'
    asking.configure({"one": text}, "[retry]\nbase_s = 0.1\n")
    service = serving(asking)
    asking.ask("task", "add", "Clean up", "--repo", "thing")
    asking.ask("inbox", "deny", waiting(asking)["id"], "never")
    asking.until(lambda: asking.ask("task", "get", "1")["status"] == "needs_review", "its end")
    assert len(asking.ask("task", "get", "1")["attempts"]) == 1
    assert left(service) == 0


def test_what_the_person_says_to_no_reaches_the_agent(asking: World) -> None:
    asking.start("run", "basic_pr", "--issue", "1", "--json")
    asking.ask("inbox", "deny", waiting(asking)["id"], "use git clean")
    record = ended(asking)
    assert record["status"] == "error"
    output = Path(record["attempts"][0]["directory"], "stdout").read_text()
    assert "answer: deny use git clean" in output


def test_a_question_is_answered_once(asking: World) -> None:
    asking.start("run", "basic_pr", "--issue", "1", "--json")
    item = waiting(asking)
    asking.ask("inbox", "approve", item["id"])
    again = asking.orch("inbox", "deny", item["id"], "--json")
    assert (again.code, again.error["code"]) in ((3, "unknown_question"), (5, "answered")), again
    assert ended(asking)["status"] == "done"


def test_a_question_outlives_the_engine_and_is_told_once(asking: World) -> None:
    process = asking.start("run", "basic_pr", "--issue", "1", "--json")
    item = waiting(asking)
    process.kill()
    process.wait()
    assert waiting(asking)["id"] == item["id"]
    asking.start("resume", "@", "--json")
    asking.until(lambda: "QuestionAsked" in kinds(asking), "the question in the books")
    asking.ask("inbox", "approve", item["id"])
    assert ended(asking)["status"] == "done"
    assert kinds(asking).count("QuestionAsked") == 1
    assert kinds(asking).count("QuestionAnswered") == 1


def kinds(world: World) -> list[str]:
    return [event["kind"] for event in world.ask("show", "@", "--trace")]


def waited_s(world: World) -> int:
    """For how long the first of what waits has waited, as it is shown."""
    shown = re.match(r" +(\d+)s  ", world.orch("inbox").out)
    assert shown is not None
    return int(shown[1])


def test_an_agent_that_waits_for_an_answer_is_not_stuck(asking: World) -> None:
    text = (asking.home / "config.toml").read_text()
    limits = "[timeouts]\nstuck_simple_s = 2\nstuck_medium_s = 2\nstuck_complex_s = 2\n"
    (asking.home / "config.toml").write_text(f"{text}\n{limits}")
    service = serving(asking)
    asking.ask("task", "add", "Clean up", "--repo", "thing")
    item = waiting(asking)
    asking.until(lambda: waited_s(asking) >= 5, "twice that time and more to pass")
    assert asking.ask("task", "get", "1")["status"] == "in_progress"
    asking.ask("inbox", "approve", item["id"])
    asking.until(lambda: asking.ask("task", "get", "1")["status"] == "in_review", "its end")
    assert left(service) == 0


def test_nobody_answered_in_time_is_for_a_person(asking: World) -> None:
    config = asking.home / "config.toml"
    config.write_text(config.read_text().replace('kind = "scr', 'timeout_s = 3\nkind = "scr'))
    service = serving(asking)
    asking.ask("task", "add", "Clean up", "--repo", "thing")

    def waits() -> Any:
        record = asking.ask("task", "get", "1")
        return record if record["status"] == "needs_review" else None

    record = asking.until(waits, "a person to be needed")
    [attempt] = record["attempts"]
    assert attempt["code"] == "waiting_input"
    assert "rm -rf build" in attempt["message"]
    assert waiting(asking)["kind"] == "task"
    assert left(service) == 0


def test_a_gate_waits_there_too(world: World) -> None:
    world.run(world.flow(GATED), "--issue", "1", code=6)
    item = waiting(world)
    assert (item["kind"], item["text"]) == ("gate", "Ship it?")
    world.ask("inbox", "approve", item["id"])
    assert world.ask("resume", "@")["status"] == "done"
    assert world.orch("inbox").err.strip() == "nothing waits for you"


@pytest.mark.parametrize("words", [("approve", "nothing"), ("answer", "nothing", "text")])
def test_what_is_not_there_cannot_be_answered(world: World, words: tuple[str, ...]) -> None:
    world.refused("inbox", *words, code="unknown_question", exit_code=3)


def test_a_program_without_rules_is_not_started_with_some(world: World) -> None:
    """A rule that does not hold is worse than none."""
    world.configure({"one": 'command = ["true"]\ndeny = ["Bash(rm *)"]'})
    record = world.run("basic_pr", "--issue", "1", code=1)
    assert "deny would not hold" in json.dumps(record)


def test_a_program_that_cannot_ask_is_not_supervised(world: World) -> None:
    world.configure({"one": 'command = ["true"]\npermissions = "supervised"'})
    record = world.run("basic_pr", "--issue", "1", code=1)
    assert "no way to ask a person" in json.dumps(record)
