"""Programs of jobs: there is always an answer, and only the end of what they wrote is kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orch.engine.job_program import Ended, run_program

ENVIRON = {"PATH": os.environ["PATH"]}


def ran(script: str, cwd: Path, timeout_s: float = 30.0) -> Ended:
    return run_program(["sh", "-c", script], cwd=cwd, environ=ENVIRON, timeout_s=timeout_s)


def test_exit_code_and_both_outputs(tmp_path: Path) -> None:
    assert ran("pwd; echo oops >&2; exit 3", tmp_path) == Ended(3, f"{tmp_path}\noops\n")
    assert ran("cat; env | grep -c HOME", tmp_path) == Ended(1, "0\n")


def test_only_the_end_of_a_flood_is_kept(tmp_path: Path) -> None:
    ended = ran("yes 0123456789 | head -c 3000000; echo end", tmp_path)
    assert (ended.exit_code, len(ended.output)) == (0, 500)
    assert ended.output.endswith("end\n")
    assert "\ufffd" in ran(r"printf '\377\n'", tmp_path).output


@pytest.mark.parametrize("script", ["sleep 60 & sleep 60", "exec >&- 2>&-; sleep 60", "yes >&2"])
def test_at_its_limit_a_program_is_killed_with_its_children(tmp_path: Path, script: str) -> None:
    begun = time.monotonic()
    ended = ran(script, tmp_path, timeout_s=0.5)
    assert time.monotonic() - begun < 20
    assert (ended.exit_code, ended.reason) == (None, "it was not over after 0.5 s, and was killed")


def test_a_child_that_lives_on_with_the_output_open_holds_nothing_up(tmp_path: Path) -> None:
    begun = time.monotonic()
    ended = ran("sleep 20 & echo $!", tmp_path)
    try:
        assert time.monotonic() - begun < 15
        assert ended.exit_code == 0
    finally:
        os.kill(int(ended.output), 9)


def test_what_cannot_be_started_is_a_reason(tmp_path: Path) -> None:
    ended = run_program(["no-such-program"], cwd=tmp_path, environ=ENVIRON, timeout_s=5)
    assert ended == Ended(
        None, reason="no-such-program cannot be started: No such file or directory"
    )
    assert ran("kill -9 $$", tmp_path).reason == "it was killed by signal 9"
