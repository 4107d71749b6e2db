"""`orch watch`: the board in a real terminal, the lines, the JSON lines; nothing is touched."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.glass import Glass
from tests.acceptance.test_lifecycle import go, waiting_agent, working
from tests.acceptance.world import World

SAYS = "echo hello; printf 'half a line'; "
HOSTILE = r"printf '\033]0;owned\007\033[2J\033[31mred\033[0m tail\n'; "
TWO = """
@do
def workflow(issue):
    first, second = yield Gather([CreateWorktree(issue=issue), CreateWorktree(issue=issue)])
    yield Gather([
        RunAgent(env=first, prompt="a", name="impl"), RunAgent(env=second, prompt="b", name="check")
    ])
"""


def talking(world: World, said: str = SAYS) -> list[str]:
    """An agent that says something, then waits for the file `go`."""
    shell, option, script = waiting_agent(world)
    return [shell, option, said + script]


@pytest.fixture
def at_work(world: World) -> World:
    """A run of two agents that have spoken and wait."""
    world.configure({"one": talking(world)})
    world.start("run", world.flow(TWO), "--issue", "1")
    working(world, 2)
    return world


@pytest.fixture
def glass(at_work: World) -> Iterator[Glass]:
    glass = Glass(at_work)
    yield glass
    glass.close()


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
def test_the_board_fits_and_is_given_back(
    at_work: World, size: tuple[int, int], colour: bool
) -> None:
    glass = Glass(at_work, *size, env={} if colour else {"NO_COLOR": "1"})
    try:
        glass.type("echo BEFORE")
        glass.orch("watch", "@")
        glass.shows("q or Ctrl-C leaves")
        glass.shows("half a line")
        shown, columns, rows = glass.lines(), *size
        [record] = at_work.ask("ps")
        assert shown[0].startswith(f"run {record['id']}  flow  running  ")
        assert shown[1] == "thing  ISSUE-001: Do a thing"
        assert shown[rows - 1].startswith("q or Ctrl-C leaves")
        assert all(len(line) <= columns for line in shown)
        text = glass.text()
        assert "BEFORE" not in text
        for word in ("agent impl", "agent check", "| hello", "| half a line"):
            assert word in text
        assert ("\x1b[34m" in glass.colours()) is colour
        assert (glass.ask("alternate_on"), glass.ask("cursor_flag")) == ("1", "0")
        glass.key("C-c")
        glass.shows("no longer watching")
        assert (glass.ask("alternate_on"), glass.ask("cursor_flag")) == ("0", "1")
        glass.type("echo code $?")
        glass.shows("code 130")
        assert "BEFORE" in glass.text()
        assert "half a line" not in glass.text()
        assert [run["status"] for run in at_work.ask("ps")] == ["running"], "it was not touched"
    finally:
        glass.close()


def test_a_board_that_ends_with_its_run_gives_its_code(glass: Glass) -> None:
    glass.orch("watch")
    glass.shows("half a line")
    go(glass.world)
    glass.shows("(flow): done")
    assert glass.ask("alternate_on") == "0"
    glass.type("echo code $?")
    glass.shows("code 0")


def test_a_new_size_is_a_new_picture(glass: Glass) -> None:
    glass.orch("watch", "@")
    glass.shows("half a line")
    for columns, rows in ((120, 40), (60, 12), (40, 8)):
        glass.resize(columns, rows)
        glass.until(lambda rows=rows: whole(glass, rows), "the picture")


def whole(glass: Glass, rows: int) -> bool:
    """The board's first line is the first, its last one the last, and neither stands there twice."""
    shown = glass.lines()
    heads = [n for n, line in enumerate(shown) if line.startswith("run ")]
    feet = [n for n, line in enumerate(shown) if line.startswith("q or Ctrl-C")]
    return (heads, feet) == ([0], [rows - 1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])
def test_a_signal_gives_the_terminal_back(glass: Glass, number: int) -> None:
    glass.type("echo BEFORE")
    glass.orch("watch", "@")
    glass.shows("half a line")
    os.kill(child(glass), number)
    glass.until(lambda: glass.ask("alternate_on") == "0", "the other screen")
    glass.shows("BEFORE")
    glass.type("echo code $?")
    glass.shows(f"code {128 + number}")
    glass.type("echo typed")
    glass.until(lambda: glass.text().count("typed") == 2, "the echo of what is typed")


def test_a_suspended_board_lends_the_terminal(glass: Glass) -> None:
    glass.type("set -m")
    glass.orch("watch", "@")
    glass.shows("half a line")
    glass.key("C-z")
    glass.until(lambda: glass.ask("alternate_on") == "0", "the shell's screen")
    glass.type("fg")
    glass.until(lambda: glass.ask("alternate_on") == "1", "the board")
    glass.shows("q or Ctrl-C leaves")
    glass.key("q")
    glass.shows("no longer watching")


def test_what_agents_print_moves_nothing_on_the_board(world: World) -> None:
    """A stranger's text sets no title, clears nothing and paints nothing."""
    world.configure({"one": talking(world, HOSTILE)})
    world.start("run", "basic_pr", "--issue", "1")
    working(world)
    glass = Glass(world)
    try:
        glass.orch("watch", "@")
        glass.shows("| red tail")
        assert glass.lines()[0].startswith("run ")
        assert "\x1b[31m" not in glass.colours()
        assert "owned" not in glass.ask("pane_title")
    finally:
        glass.close()


def child(glass: Glass) -> int:
    """The process that the shell of the glass waits for."""
    shell = glass.ask("pane_pid")
    with open(f"/proc/{shell}/task/{shell}/children", encoding="ascii") as file:
        return int(file.read().split()[-1])


# --- without a terminal


def test_one_line_a_change_where_there_is_no_terminal(at_work: World) -> None:
    watching = at_work.start("watch", "@")
    lines = [watching.stdout.readline() for _ in range(1)]
    assert lines[0].startswith("run ")
    assert lines[0].endswith("(flow): running\n")
    go(at_work)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err
    assert "impl (one) succeeded" in out
    assert "is done" in out
    assert "\x1b" not in out


def test_one_agent_is_watched(at_work: World) -> None:
    watching = at_work.start("watch", "@", "--agent", "impl")
    watching.stdout.readline()
    go(at_work)
    out, _ = watching.communicate(timeout=60)
    assert "impl (one) succeeded" in out
    assert "check (one)" not in out
    at_work.refused("watch", "@", "--agent", "nobody", code="unknown_agent", exit_code=3)


def told(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_json_lines_begin_with_a_snapshot_and_end_with_the_record(at_work: World) -> None:
    watching = at_work.start("watch", "@", "--json")
    first = json.loads(watching.stdout.readline())
    assert set(first) == {"type", "seq", "run"}
    assert first["type"] == "snapshot"
    assert first["run"]["status"] == "running"
    go(at_work)
    out, err = watching.communicate(timeout=60)
    assert (watching.returncode, err) == (0, "")
    rest = told(out)
    assert rest[-1]["type"] == "end"
    assert rest[-1]["run"] == at_work.ask("show", "@")
    events = [item for item in rest if item["type"] == "event"]
    assert all(
        set(event) == {
            "type", "seq", "at", "kind", "v", "actor", "cause", "repo", "task", "run", "step", "data"
        }
        for event in events
    )  # fmt: skip
    numbers = [event["seq"] for event in events]
    assert numbers == sorted(set(numbers))
    assert min(numbers) > first["seq"]
    assert [event["kind"] for event in events].count("AttemptEnded") == 2


def test_output_comes_before_the_end_of_whoever_wrote_it(world: World) -> None:
    shell, option, waits = waiting_agent(world)
    says = "; echo one; echo two >&2; printf 'three \\377'"
    world.configure({"one": [shell, option, waits + says]})
    world.start("run", "basic_pr", "--issue", "1")
    working(world)
    watching = world.start("watch", "@", "--json")
    watching.stdout.readline()
    go(world)
    out, _ = watching.communicate(timeout=60)
    rest = told(out)
    said = [n for n, item in enumerate(rest) if item["type"] == "output"]
    texts = {(rest[n]["stream"], rest[n]["text"]) for n in said}
    assert texts == {("stdout", "one\n"), ("stderr", "two\n"), ("stdout", "three \ufffd")}
    [end] = [n for n, item in enumerate(rest) if item.get("kind") == "AttemptEnded"]
    assert max(said) < end
    assert {rest[n]["name"] for n in said} == {"one"}


def test_a_run_that_waits_for_a_person_is_over_for_now(world: World) -> None:
    flow = world.flow('@do\ndef workflow():\n    yield Gate("Go on?")\n')
    assert world.orch("run", flow).code == 6
    answer = world.orch("watch", "@", "--json")
    assert answer.code == 6
    assert [item["type"] for item in told(answer.out)] == ["snapshot", "end"]
    assert "Go on?" in world.orch("watch").out


def next_of(watching: Any, kind: str) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = json.loads(watching.stdout.readline())
        if found["type"] == kind:
            return found


def test_nobody_drives_is_said_and_nothing_is_driven(world: World) -> None:
    world.configure({"one": talking(world)})
    driver = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    watching = world.start("watch", "@", "--json")
    assert json.loads(watching.stdout.readline())["run"]["driven"] is True
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert next_of(watching, "driven")["driven"] is False
    plain = world.start("watch", "@")
    assert "running" in plain.stdout.readline()
    assert "nobody drives it: its process has ended; orch resume" in plain.stdout.readline()
    resumed = world.start("resume")
    assert next_of(watching, "driven")["driven"] is True
    os.kill(plain.pid, signal.SIGINT)
    _, err = plain.communicate(timeout=60)
    assert plain.returncode == 130
    assert "no longer watching" in err
    go(world)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert told(out)[-1]["run"]["status"] == "done"
    resumed.communicate(timeout=60)


def test_an_ended_run_is_told_at_once(world: World) -> None:
    record = world.run("basic_pr", "--issue", "1")
    first, last = told(world.orch("watch", "@", "--json").out)
    assert first["run"] == last["run"] == record
    assert world.orch("watch", "@", "--quiet").out == record["id"] + "\n"
    failed = world.flow("@do\ndef workflow():\n    raise ValueError('no')\n    yield\n")
    assert world.orch("run", failed).code == 1
    assert world.orch("watch").code == 1
    world.refused("watch", "fffffffffff0", code="unknown_run", exit_code=3)
