"""`orch init`: a configuration to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = worlds.make(tmp_path / "w")
    yield made
    made.close()


def test_a_repository_gets_a_file_that_holds_and_is_registered(world: World) -> None:
    words = (
        "init",
        "--repo",
        str(world.repo),
        "--test-command",
        "make test",
        "--max-parallel",
        "2",
    )
    plan = world.ask(*words, "--dry-run")
    assert not (world.repo / ".orch.toml").exists()
    assert world.ask("repo", "list") == []
    made = world.ask(*words)
    assert made["text"] == plan["text"] == Path(made["file"]).read_text()
    assert (made["file"], made["repo"]) == (str(world.repo / ".orch.toml"), "thing")
    assert [repo["slug"] for repo in world.ask("repo", "list")] == ["thing"]
    assert 'test_command = ["make", "test"]' in made["text"]
    again = world.refused(*words, code="config_exists", exit_code=5)
    assert "left as it is" in again["message"]


def test_what_a_repository_may_not_say_is_refused_before_anything_is_done(world: World) -> None:
    world.refused(
        "init", "--repo", str(world.repo), "--max-parallel", "5", code="config_forbidden",
        exit_code=2,
    )  # fmt: skip
    world.refused(
        "init", "--repo", str(world.repo), "--agent", "nobody", code="config_unknown_agent",
        exit_code=2,
    )  # fmt: skip
    assert world.ask("repo", "list") == []


def test_a_home_gets_the_agents_that_are_installed(world: World) -> None:
    file = world.home / "config.toml"
    world.refused("init", code="config_exists", exit_code=5)
    file.unlink()
    tools = world.root / "tools"
    tools.mkdir()
    (tools / "codex").write_text("#!/bin/sh\n")
    (tools / "codex").chmod(0o755)
    path = {"PATH": f"{tools}:{world.environ()['PATH']}"}
    answer = world.orch("init", "--max-parallel", "3", env=path)
    assert answer.code == 0, answer
    assert file.stat().st_mode & 0o077 == 0
    assert 'kind = "codex"' in file.read_text()
    assert world.ask("config", "get", "service.max_parallel")["value"] == 3
    file.unlink()
    world.refused("init", "--agent", "nobody", code="unknown_agent", exit_code=2)
