"""`orch demo`: everything it claims is true, and nothing is left that it does not name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import World, make


def alive_below(place: Path) -> list[str]:
    """Command lines of live processes that name or stand in `place`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            here = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(place) in words or here.startswith(str(place)):
            found.append(words)
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make(tmp_path_factory.mktemp("demo") / "me")
    yield world
    world.close()


@pytest.fixture(scope="module")
def shown(world: World) -> dict[str, Any]:
    before = set(world.root.iterdir())
    began = time.monotonic()
    answer = world.orch("demo", "--json")
    assert answer.code == 0, answer
    report: dict[str, Any] = answer.json
    assert set(world.root.iterdir()) - before == {Path(report["place"])}
    return report | {"seconds": time.monotonic() - began, "narration": answer.err}


def test_it_is_quick_and_every_claim_is_kept(shown: dict[str, Any]) -> None:
    assert shown["seconds"] < 20
    assert shown["ok"] is True
    assert len(shown["claims"]) == 6
    assert all(shown["claims"].values())


def test_git_confirms_what_is_claimed(world: World, shown: dict[str, Any]) -> None:
    place, head = Path(shown["place"]), shown["pr"]["head"]
    remote = place / "remote.git"
    assert world.git("rev-parse", head, where=remote) == shown["pr"]["head_sha"]
    assert world.git("fsck", "--no-dangling", where=remote) == ""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=shown["worktree"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Ran 3 tests" in done.stderr
    before = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=place / "calculator",
        capture_output=True, check=False,
    )  # fmt: skip
    assert before.returncode != 0, "the person's own checkout stays as it was"


@pytest.mark.linux
def test_nothing_is_left_running(world: World, shown: dict[str, Any]) -> None:
    assert alive_below(Path(shown["place"])) == []
    planted = subprocess.Popen(["sleep", "60"], cwd=shown["place"])
    try:
        # The kernel shows a process a moment before it shows its words.
        world.until(lambda: alive_below(Path(shown["place"])) == ["sleep 60 "], "the planted one")
    finally:
        planted.kill()
        planted.wait()


def test_steps_are_shown_as_they_happen(shown: dict[str, Any]) -> None:
    said = shown["narration"]
    for piece in (
        "$ orch repo add",
        "$ orch run multi_agent",
        "impl starts",
        "pull request",
        "ok ",
    ):
        assert piece in said
    assert (
        said.index("impl starts") < said.index("impl succeeded") < said.index("pull request calc")
    )


def test_what_it_says_to_look_at_works(world: World) -> None:
    answer = world.orch("demo")
    assert answer.code == 0, answer
    lines = [line.strip() for line in answer.out.splitlines() if line.startswith("  ORCH_HOME=")]
    assert len(lines) == 4
    for line in lines:
        home, *words = line.split()
        done = subprocess.run(
            words, env=world.environ({"ORCH_HOME": home.removeprefix("ORCH_HOME=")}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout
    assert f"rm -r {next(iter(world.root.glob('orch-demo-*'))).parent}/orch-demo-" in answer.out


def test_no_keep_leaves_nothing(world: World) -> None:
    before = sorted(world.root.iterdir())
    answer = world.orch("demo", "--no-keep", "--quiet")
    assert (answer.code, answer.err) == (0, ""), answer
    assert sorted(world.root.iterdir()) == before


def test_it_fails_where_something_is_missing(world: World) -> None:
    """A program that is not there is named, and the exit code is not 0."""
    tools = world.root / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("git", "sh"):
        path = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout
        (tools / name).symlink_to(path.strip())
    answer = world.orch("demo", "--json", env={"PATH": str(tools)})
    assert answer.code != 0, answer
    assert "tmux" in json.loads(answer.out)["error"]["message"]
