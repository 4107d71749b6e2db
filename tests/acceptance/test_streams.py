"""Standard streams that are closed, full or deaf: what was asked for is done, and nothing lies."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.acceptance.world import Answer, World

pytestmark = pytest.mark.linux  # /dev/full


def orch(world: World, *words: str, **options: Any) -> Answer:
    """The command with streams of the test's choosing."""
    heard = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run(
        [sys.executable, "-m", "orch", *words], cwd=world.root, env=world.environ(),
        text=True, timeout=60, check=False,
        **(heard | options),
    )  # fmt: skip
    return Answer(words, done.returncode, done.stdout or "", done.stderr or "")


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_breaks_nothing(world: World, closed: int) -> None:
    """What is opened next must not become the standard stream: the books would be written over."""
    without = functools.partial(os.close, closed)
    for words in (("issue", "create", "another"), ("run", "basic_pr", "--issue", "1"), ("ps",)):
        answer = orch(world, *words, preexec_fn=without)
        assert answer.code == 0, answer
        assert "fault" not in answer.err, answer
    assert [run["status"] for run in world.ask("ps")] == ["done"]
    assert len(world.ask("issue", "list")) == 2
    assert all(check["ok"] for check in world.ask("doctor"))


def test_narration_that_cannot_be_written_does_not_end_the_run(world: World) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        answer = orch(world, "run", "basic_pr", "--issue", "1", "--json", stderr=full)
    assert answer.code == 0, answer
    assert json.loads(answer.out)["status"] == "done"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_data_that_cannot_be_written_is_an_error(world: World, flags: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        answer = orch(world, "issue", "list", *flags, stdout=full)
        ran = orch(world, "run", "basic_pr", "--issue", "1", *flags, stdout=full)
    assert (answer.code, ran.code) == (9, 9)
    for said in (answer.err, ran.err):
        assert "[output_lost]" in said
        assert "Traceback" not in said
    assert [run["status"] for run in world.ask("ps")] == ["done"]
