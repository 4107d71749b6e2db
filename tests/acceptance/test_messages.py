"""Speaking to a running agent: `orch send`, and joining it in its terminal: `orch attach`."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import World

LISTENS = (
    "while IFS= read -r line; do printf '%s\\n' \"$line\" >> heard.txt;"
    ' [ "$line" = done ] && break; done; sleep 1'
)
TALKER = f'command = ["sh", "-c", {json.dumps(LISTENS)}]\nio = "tty"\n'
TWO = """
@do
def workflow(issue):
    one = yield CreateWorktree(issue=issue, suffix="one")
    two = yield CreateWorktree(issue=issue, suffix="two")
    yield Gather(
        RunAgent(env=one, prompt="x", agent="talker"), RunAgent(env=two, prompt="x", agent="talker")
    )
"""


@pytest.fixture
def talking(world: World) -> World:
    """A run whose agent, `talker`, listens to its terminal until it hears `done`."""
    world.configure({"talker": TALKER})
    world.start("run", "basic_pr", "--issue", "1", "--agent", "talker", "--json")
    world.until(lambda: live(world), "the agent")
    return world


def live(world: World) -> list[dict[str, Any]]:
    answer = world.orch("show", "@", "--json")
    if answer.code:
        return []
    return [a for a in answer.json["attempts"] if a["status"] == "running"]


def heard(world: World) -> str:
    path = Path(live(world)[0]["worktree"], "heard.txt")
    return path.read_text() if path.exists() else ""


def sent(world: World) -> list[dict[str, Any]]:
    """What the books have about messages."""
    world.rows()
    with sqlite3.connect(world.root / "books-to-look-at") as books:
        rows = books.execute("select data from events where kind = 'MessageSent'").fetchall()
    books.close()
    return [json.loads(data) for (data,) in rows]


def test_a_message_reaches_the_agent_and_the_books(talking: World) -> None:
    told = talking.ask("send", "@:talker", "--", "-use postgres; not “mysql”;")
    assert (told["delivered"], told["reason"], told["message"], told["hint"]) == (True, "", "", "")
    assert told["attempt"] == live(talking)[0]["id"]
    assert "read" in told["proof"]
    file = talking.root / "notes.md"
    file.write_text("one\n  two\n")
    for words in (("@", f"@{file}"), ("@:work", "plain")):
        answer = talking.orch("send", *words)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.startswith("delivered: All ")
    assert talking.orch("send", "@", "-", stdin="from a pipe\n").code == 0
    wanted = "-use postgres; not “mysql”;\none\n  two\nplain\nfrom a pipe\n"
    talking.until(lambda: heard(talking) == wanted, "what was sent")
    assert [(m["size"], m["delivered"]) for m in sent(talking)] == [
        (31, True), (9, True), (5, True), (11, True),
    ]  # fmt: skip
    assert talking.orch("send", "@", "done", "--quiet").out.strip() == told["attempt"]
    talking.until(lambda: talking.ask("show", "@")["status"] == "done", "the end")
    error = talking.refused("send", "@", "late", code="no_live_attempt", exit_code=5)
    assert error["hint"].startswith("orch logs ")
    talking.refused("attach", "@", code="no_live_attempt", exit_code=5)


def test_what_does_not_arrive_is_said_with_why(talking: World) -> None:
    for text, code in (("\x1b[201~", "control_character"), ("x" * 5_000, "line_too_long")):
        answer = talking.orch("send", "@", text)
        assert answer.code == 5
        assert answer.out.startswith("not delivered: ")
        assert f"[{code}]" in answer.out
        assert answer.err.startswith("  try: orch ")
        told = talking.orch("send", "@", text, "--json")
        assert told.code == 5
        assert (told.json["delivered"], told.json["reason"]) == (False, code)
        assert told.json["hint"].startswith("orch ")
    assert [m["code"] for m in sent(talking)] == ["control_character"] * 2 + ["line_too_long"] * 2
    assert heard(talking) == ""


def test_what_nobody_knows_is_not_said_to_be_undelivered(world: World) -> None:
    """The program ends because of the message, and takes its terminal with it."""
    leaves = 'command = ["sh", "-c", "read -r line; echo $line > heard.txt"]\nio = "tty"\n'
    world.configure({"leaver": leaves})
    for told_as in ("plain", "json"):
        world.start("run", "basic_pr", "--issue", "1", "--agent", "leaver", "--json")
        [attempt] = world.until(lambda: live(world), "the agent")
        answer = world.orch("send", "@", "bye\nnever read", *["--json"][: told_as == "json"])
        assert answer.code == 5, answer
        hint = f"orch logs {world.ask('show', '@')['id']}:{attempt['id']}"
        if told_as == "json":
            assert (answer.json["delivered"], answer.json["reason"]) == (False, "unknown")
            assert answer.json["message"].startswith("not known to be delivered: ")
            assert answer.json["hint"] == hint
        else:
            assert answer.out.startswith("not known to be delivered: ")
            assert "before it is sent again" in answer.out
            assert answer.out.endswith("[unknown]\n")
            assert hint in answer.err
        world.until(lambda: world.ask("show", "@")["status"] == "done", "the end")
        assert world.orch(*hint.split()[1:]).code == 0


def test_a_program_with_pipes_is_not_spoken_to(world: World) -> None:
    world.configure({"deaf": ["sh", "-c", "sleep 60"]})
    world.start("run", "basic_pr", "--issue", "1", "--agent", "deaf")
    world.until(lambda: live(world), "the agent")
    answer = world.orch("send", "@:deaf", "hello", "--json")
    assert (answer.code, answer.json["reason"]) == (5, "pipes")
    assert answer.json["hint"] == "orch help config"
    assert world.orch("stop", "@", "--abort", "--yes").code == 0


def test_nothing_is_sent_by_a_dry_run(talking: World) -> None:
    talking.until(lambda: talking.snapshot() == talking.snapshot(), "a quiet moment")
    before = talking.snapshot()
    told = talking.ask("send", "@", "hello", "--dry-run")
    assert (told["would"], told["bytes"]) == ("send", 5)
    assert "5 bytes to talker" in talking.orch("send", "@", "hello", "--dry-run").out
    assert talking.orch("send", "@", "\x03", "--dry-run").code == 5
    assert talking.snapshot() == before
    assert heard(talking) == ""


def test_who_is_not_there_or_could_be_two_is_refused(world: World) -> None:
    world.refused("send", "@", "hello", code="unknown_run", exit_code=3)
    world.configure({"talker": TALKER})
    world.start("run", world.flow(TWO), "--issue", "1")
    world.until(lambda: len(live(world)) == 2, "both agents")
    ids = [attempt["id"] for attempt in live(world)]
    for verb in (("send", "@:talker", "hello"), ("attach", "@")):
        error = world.refused(*verb, code="ambiguous", exit_code=2)
        assert all(id in error["message"] for id in ids)
        assert error["hint"].startswith(f"orch {verb[0]} ")
    error = world.refused("send", "@:nobody", "hello", code="unknown_agent", exit_code=3)
    assert "talker" in error["message"]
    assert world.ask("send", f"@:{ids[1][:6]}", "hello")["attempt"] == ids[1]
    assert world.orch("stop", "@", "--abort", "--yes").code == 0


# --- attach


class Screen:
    """A person's own terminal: a tmux of theirs, with their environment."""

    def __init__(self, world: World) -> None:
        self._socket = world.root / "person.sock"
        self._all = world.root / "person.out"
        self._environ = world.environ({"TERM": "xterm-256color"})

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words],
            env=self._environ, capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        return done.stdout

    def run(self, *words: str) -> None:
        """Type into a shell in there; what `words` leave is shown behind them."""
        self.tmux("new-session", "-d", "-x", "100", "-y", "30", "sh")
        self.tmux("pipe-pane", f"cat > {self._all}")
        line = " ".join([sys.executable, "-m", "orch", *words])
        self.tmux("send-keys", f"PS1='> '; {line}; echo code $?", "Enter")

    def shows(self) -> str:
        return self.tmux("capture-pane", "-p")

    def said(self) -> str:
        """All that was ever written to it: what a program drew over it is there too."""
        return self._all.read_text("utf-8", "replace")


@pytest.fixture
def screen(talking: World) -> Iterator[Screen]:
    made = Screen(talking)
    yield made
    made.tmux("kill-server")


def test_without_a_terminal_the_command_is_told(talking: World) -> None:
    answer = talking.orch("attach", "@")
    assert answer.code == 2
    assert "[no_terminal]" in answer.err
    [name] = talking.terminals()
    assert f"attach-session -t ={name}:" in answer.err
    told = talking.ask("attach", "@", "--read-only")
    assert told["command"][-4:] == ["attach-session", "-r", "-t", f"={name}:"]
    assert os.path.isabs(told["command"][0])
    assert told["terminal"] == name


def test_a_person_joins_types_and_leaves_inside_a_tmux_of_theirs(
    talking: World, screen: Screen
) -> None:
    [name] = talking.terminals()
    screen.run("attach", "@:talker")
    talking.until(lambda: f"{name}" in screen.shows(), "the status line of the terminal")
    screen.tmux("send-keys", "-l", "by hand")
    screen.tmux("send-keys", "Enter")
    talking.until(lambda: heard(talking) == "by hand\n", "what was typed")
    assert talking.orch("send", "@", "beside").code == 0
    talking.until(lambda: "beside" in screen.shows(), "what was sent")
    screen.tmux("send-keys", "C-b", "d")
    talking.until(lambda: "code 0" in screen.shows(), "the person's shell")
    talking.until(lambda: "Ctrl-b Ctrl-b d leaves" in screen.said(), "how to leave")
    assert talking.terminals() == [name]
    assert heard(talking) == "by hand\nbeside\n"


def test_who_only_watches_types_nothing(talking: World, screen: Screen) -> None:
    [name] = talking.terminals()
    screen.run("attach", "@", "--read-only")
    talking.until(lambda: name in screen.shows(), "the status line of the terminal")
    screen.tmux("send-keys", "-l", "not heard")
    screen.tmux("send-keys", "Enter")
    assert talking.orch("send", "@", "heard").code == 0
    talking.until(lambda: "heard" in screen.shows(), "what was sent")
    assert heard(talking) == "heard\n"
