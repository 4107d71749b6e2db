"""Questions: only on a terminal, only for what is final, and never with --no-input."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tests.acceptance.test_lifecycle import GATE
from tests.acceptance.world import World


@pytest.fixture
def waiting(world: World) -> World:
    """A run waits at its gate."""
    world.run(world.flow(GATE), code=6)
    return world


def on_a_terminal(world: World, *words: str, typed: str) -> tuple[int, str]:
    """Exit code, and everything that was on the screen, when a person types an answer."""
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "orch", *words], cwd=world.root, env=world.environ(),
        stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
    )  # fmt: skip
    world.started.append(process)  # type: ignore[arg-type]
    os.close(inner)
    screen, deadline = b"", time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([outer], [], [], 0.2)[0]:
            continue
        try:
            more = os.read(outer, 4096)
        except OSError:  # the other end is closed: the command has ended
            break
        screen += more
        if typed and b"[y/N]" in screen:
            os.write(outer, typed.encode())
            typed = ""
    os.close(outer)
    return process.wait(timeout=60), screen.decode()


@pytest.mark.parametrize(
    ("typed", "code", "status"),
    [("n\n", 1, "blocked"), ("\n", 1, "blocked"), ("y\n", 0, "aborted")],
)
def test_what_is_final_is_asked_for(waiting: World, typed: str, code: int, status: str) -> None:
    answer, screen = on_a_terminal(waiting, "stop", "@", "--abort", typed=typed)
    assert answer == code, screen
    assert "for good?" in screen
    assert ("nothing was done" in screen) == (code == 1)
    assert waiting.ask("show", "@")["status"] == status


@pytest.mark.parametrize("words", [("--yes",), ("-y", "--no-input")])
def test_yes_is_an_answer(waiting: World, words: tuple[str, ...]) -> None:
    answer, screen = on_a_terminal(waiting, "stop", "@", "--abort", *words, typed="")
    assert answer == 0, screen
    assert "for good?" not in screen


def test_no_input_refuses_what_would_be_asked(waiting: World) -> None:
    for words in (("stop", "@", "--abort", "--no-input"), ("--no-input", "stop", "@", "--abort")):
        waiting.refused(*words, code="needs_yes", exit_code=2)
    assert waiting.ask("stop", "@", "--no-input")["status"] == "blocked", "this is not final"


def test_without_a_terminal_nothing_is_asked(waiting: World) -> None:
    assert waiting.ask("stop", "@", "--abort")["status"] == "aborted"


def test_shared_options_stand_anywhere(waiting: World) -> None:
    listed = waiting.orch("ps", "--json").out
    for words in (("--json", "ps"), ("ps", "--json")):
        assert waiting.orch(*words).out == listed
    assert waiting.orch("issue", "-q", "list").out == "ISSUE-001\n"
    assert waiting.refused("--json", "issue", "show", "9", code="unknown_issue", exit_code=3)
