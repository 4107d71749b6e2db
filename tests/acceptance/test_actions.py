"""What agents do, seen as lines: a recorded stream of Claude Code, played by an agent of its kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.glass import Glass
from tests.acceptance.test_lifecycle import go, waiting_agent, working
from tests.acceptance.world import World

SAMPLES = Path(__file__).parents[1] / "samples" / "agents"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\u202e tail\nSee\x9b31m it"
LONG = "pytest -q " + "tests/unit/some/where " * 12


def does(**part: Any) -> str:
    return json.dumps({"type": "assistant", "message": {"id": "m", "content": [part]}}) + "\n"


def recorded() -> str:
    """The real stream after records of the test's own; `<WORKTREE>` stands for the place of work."""
    begins, *real = (SAMPLES / "claude-stream-json-ok.jsonl").read_text().splitlines(keepends=True)
    retry = (SAMPLES / "claude-stream-json-429.jsonl").read_text().splitlines(keepends=True)[1]
    wrong = {"type": "tool_result", "is_error": True, "content": "Exit code 1\n2 failed"}
    return "".join([
        begins, retry, "no record\n",
        does(type="text", text=HOSTILE),
        does(type="tool_use", name="Edit", input={"file_path": "<WORKTREE>/src/a.py"}),
        does(type="tool_use", name="Bash", input={"command": LONG}),
        json.dumps({"type": "user", "message": {"content": [wrong]}}) + "\n",
        *real,
    ])  # fmt: skip


PLAYED = [
    ("retry", "", "no answer (429), attempt 1"),
    ("message", "", "red tail See it"),
    ("edit", "Edit", "src/a.py"),
    ("tool", "Bash", LONG.strip()),
    ("failed", "", "Exit code 1 2 failed"),
    ("tool", "Bash", "printf 'hello from fake model\\n' > hello.txt && pwd"),
    ("usage", "", "1,200 in, 800 cached"),
    ("message", "", "Done: wrote hello.txt"),
    ("usage", "", "1,200 in, 800 cached"),
    ("usage", "", "in all 2,400 in, 1,600 cached, 68 out, $0.0123"),
]
LINES = [
    "retry  no answer (429), attempt 1",
    "no record",
    "says  red tail See it",
    "edit  src/a.py",
    "Bash  pytest -q tests/unit/some/where tests/unit/some/where",
    "failed  Exit code 1 2 failed",
    "Bash  printf 'hello from fake model\\n' > hello.txt && pwd",
    "says  Done: wrote hello.txt",
    "usage  in all 2,400 in, 1,600 cached, 68 out, $0.0123",
]


def play(world: World, *, first: bool = False) -> None:
    """An agent that plays the stream when it may `go`; `first`: before it waits."""
    (world.root / "stream").write_text(recorded(), encoding="utf-8")
    shell, option, waits = waiting_agent(world)
    plays = f'sed "s|<WORKTREE>|$PWD|g" {world.root}/stream'
    script = f"{plays}; {waits}" if first else f"{waits}; {plays}"
    command = json.dumps([shell, option, script])
    world.configure({"impl": f'kind = "claude"\ncommand = {command}'})
    world.start("run", "basic_pr", "--issue", "1")
    working(world)


def after(world: World, *words: str) -> str:
    """What a follower that began before the stream tells until the run's end."""
    following = world.start(*words)
    begun = following.stdout.readline()
    go(world)
    out, err = following.communicate(timeout=60)
    assert following.returncode == 0, err
    return begun + out


def actions(out: str) -> list[tuple[str, str, str]]:
    told = [json.loads(line) for line in out.splitlines()]
    return [(one["kind"], one["tool"], one["text"]) for one in told if one["type"] == "action"]


def of_impl(out: str) -> list[str]:
    """The lines behind the program's name."""
    lines = [line.removeprefix("impl").lstrip(" |") for line in out.splitlines()
             if line.startswith(("impl  ", "impl | "))]  # fmt: skip
    return [line for line in lines if not line.startswith("(")]


def same(lines: list[str], expected: list[str]) -> bool:
    """Line for line; a line that is cut begins as it should."""
    return len(lines) == len(expected) and all(
        line == wanted or (line.endswith("…") and line.startswith(wanted))
        for line, wanted in zip(lines, expected, strict=True)
    )


def test_watch_tells_an_action_a_line(world: World) -> None:
    play(world)
    out = after(world, "watch", "@")
    assert same(of_impl(out), LINES), out
    assert "{" not in out
    assert all(line.isprintable() for line in out.splitlines())
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith("impl  "))


def test_watch_raw_tells_what_was_written(world: World) -> None:
    play(world)
    out = after(world, "watch", "@", "--raw")
    lines = [line for line in out.splitlines() if line.startswith("impl | ")]
    assert len(lines) == recorded().count("\n")
    assert not any(line.startswith("impl  Bash") for line in out.splitlines())


@pytest.mark.parametrize("command", ["watch", "stream"])
@pytest.mark.parametrize("raw", [False, True])
def test_json_has_actions_beside_what_else_is_told(world: World, command: str, raw: bool) -> None:
    play(world)
    out = after(world, command, "@", "--json", *(["--raw"] if raw else []))
    assert actions(out) == PLAYED
    told = [json.loads(line) for line in out.splitlines()]
    texts = [one["text"] for one in told if one["type"] == "output"]
    if raw:
        assert len(texts) == recorded().count("\n")
    else:
        assert texts == ["no record\n"]
    shapes = [set(one) for one in told if one["type"] == "action" and one["kind"] != "usage"]
    own = {"type", "attempt", "name", "kind", "tool", "text"}
    assert shapes[0] == (own | {"task", "run", "agent"} if command == "stream" else own)
    assert shapes.count(shapes[0]) == len(shapes)
    [sum_] = [one for one in told if one.get("kind") == "usage" and not one["call"]]
    assert sum_["used"]["output_tokens"] == 68


def test_stream_tells_whose_action_it_is(world: World) -> None:
    play(world)
    out = after(world, "stream", "@")
    said = [line.partition("/impl")[2].lstrip(" |") for line in out.splitlines()]
    assert same([line for line in said if line and not line.startswith("*")], LINES), out


def test_logs_are_raw_and_tell_actions_on_request(world: World) -> None:
    play(world)
    go(world)
    world.until(lambda: world.ask("show", "@")["status"] == "done", "the run's end")
    assert world.orch("logs", "@").out.count('{"type"') == recorded().count('{"type"')
    out = world.orch("logs", "@", "--actions").out
    assert same(out.splitlines(), LINES), out
    assert world.orch("logs", "-f", "@", "--actions").out == out, "the same after the fact"
    assert world.orch("logs", "@", "--actions", "-n", "2").out.splitlines() == LINES[-2:]
    told = world.ask("logs", "@", "--actions")
    assert [(one["kind"], one["tool"], one["text"]) for one in told if "kind" in one] == PLAYED
    assert [one["text"] for one in told if one["type"] == "output"] == ["no record\n"]
    assert world.orch("logs", "@", "--actions", "-n", "0").out == ""
    world.refused("logs", "@:nobody", "--actions", code="unknown_agent", exit_code=3)


def test_the_kind_is_of_now_and_without_one_lines_are_lines(world: World) -> None:
    """The agent was taken out of the configuration: nobody knows its stream any more."""
    play(world)
    go(world)
    world.until(lambda: world.ask("show", "@")["status"] == "done", "the run's end")
    world.configure({"other": ["true"]})
    assert world.orch("logs", "@", "--actions").out.count('{"type"') == recorded().count('{"type"')


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
def test_the_board_shows_actions(world: World, colour: bool) -> None:
    play(world, first=True)
    glass = Glass(world, env={} if colour else {"NO_COLOR": "1"})
    try:
        glass.orch("watch", "@")
        glass.shows("| says  Done: wrote hello.txt")
        said = [line[4:] for line in glass.lines() if line.startswith("  | ")]
        assert same(said, LINES[:-1]), glass.text()
        assert "4,068 tokens $0.01  " in glass.text()
        assert all(len(line) <= 80 for line in glass.lines())
        assert ("\x1b[1mBash" in glass.colours()) is colour
        assert "owned" not in glass.ask("pane_title")
        glass.key("q")
        glass.shows("no longer watching")
        glass.orch("watch", "@", "--raw")
        glass.shows('| {"type":"assistant"')
    finally:
        glass.close()
    go(world)
