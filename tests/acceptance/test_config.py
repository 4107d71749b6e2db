"""`orch config`, as a person uses it: look, ask why, change, check."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path

import pytest

from tests.acceptance.world import World

ENTRY = {"key", "value", "file", "line"}


@pytest.fixture
def fresh(bare: World) -> World:
    """A person who has no home yet."""
    bare.extra["ORCH_HOME"] = str(bare.root / "fresh")
    return bare


def test_every_key_is_listed_with_its_value_and_its_place(world: World) -> None:
    listed = world.ask("config")
    assert all(set(entry) == ENTRY for entry in listed)
    assert listed == world.ask("config", "list")
    by_key = {entry["key"]: entry for entry in listed}
    file = str(world.home / "config.toml")
    assert by_key["defaults.workflow"] == {
        "key": "defaults.workflow", "value": "basic_pr", "file": "built-in", "line": 0,
    }  # fmt: skip
    assert by_key["defaults.install_dependencies"]["value"] == "never"
    assert (by_key["agents.one.command"]["file"], by_key["agents.one.command"]["line"]) == (file, 6)
    plain = world.orch("config")
    assert plain.code == 0, plain
    assert max(map(len, plain.out.splitlines())) <= 80
    assert world.orch("config", "-q").out.split() == [entry["key"] for entry in listed]


def test_a_key_is_shown_bare_and_a_table_with_its_keys(world: World) -> None:
    assert world.orch("config", "defaults.install_dependencies").out == "never\n"
    assert world.ask("config", "get", "run.lost_attempts")["value"] == 3
    keys = [entry["key"] for entry in world.ask("config", "agents.one")]
    assert keys[:2] == ["agents.one.kind", "agents.one.command"]
    assert world.ask("config", "repos") == []
    error = world.refused("config", "defaults.agnet", code="unknown_config_key", exit_code=3)
    assert "defaults.agent" in error["hint"]
    world.refused("config", "sett", code="unknown_command", exit_code=2)


def test_what_a_value_hides_is_told_with_file_and_line(world: World) -> None:
    text = '[repos.thing]\nworkflow = "multi_agent"\n'
    world.configure({"one": ["true"]}, text)
    ours = world.repo / ".orch.toml"
    ours.write_text('[defaults]\nworkflow = "reviewed"\n')
    told = world.ask("config", "explain", "defaults.workflow", cwd=world.repo)
    assert (told["value"], told["file"], told["line"]) == ("reviewed", str(ours), 2)
    file = str(world.home / "config.toml")
    assert told["hides"] == [
        {"value": "multi_agent", "file": file, "line": 2},
        {"value": "basic_pr", "file": "built-in", "line": 0},
    ]
    assert told == world.ask("config", "explain", "defaults.workflow", "--repo", "thing")
    elsewhere = world.ask("config", "explain", "defaults.workflow")
    assert (elsewhere["value"], elsewhere["hides"]) == ("basic_pr", [])
    plain = world.orch("config", "explain", "defaults.workflow", cwd=world.repo)
    assert f'  hides "multi_agent" from {file}:2\n' in plain.out


def test_secrets_are_masked_and_references_say_where_they_lead(world: World) -> None:
    world.configure({"one": (
        'command = ["true"]\n'
        'env = { A = "sk-live-1234", B = "env:FROM", C = "file:/etc/key", D = "cmd:pass show 1234" }'
    )})  # fmt: skip
    for words in (("config",), ("config", "agents.one"), ("config", "explain", "agents.one.env.A"),
                  ("config", "agents.one.env"), ("config", "explain", "agents.one.env")):  # fmt: skip
        for answer in (world.orch(*words), world.orch(*words, "--json")):
            assert answer.code == 0, answer
            assert "1234" not in answer.out + answer.err
    assert world.ask("config", "agents.one.env")["value"] == {
        "A": "***", "B": "env:FROM", "C": "file:/etc/key", "D": "cmd:pass ***",
    }  # fmt: skip


def test_a_key_is_set_and_unset_and_every_comment_stays(world: World) -> None:
    file = world.home / "config.toml"
    file.write_text("# mine\n" + file.read_text() + "# the end\n")
    before = file.read_text()
    told = world.ask("config", "set", "defaults.agent", "one")
    assert told["changed"]
    assert world.ask("config", "defaults.agent")["value"] == "one"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert world.orch("config", "unset", "defaults.agent").code == 0
    assert file.read_text() == before
    dry = world.orch("config", "set", "defaults.agent", "one", "--dry-run")
    assert (dry.code, dry.out) == (0, f"would set defaults.agent in {file}\n")
    assert world.ask("config", "unset", "agents.one", "--dry-run")["dry_run"]
    assert file.read_text() == before
    world.refused(
        "config", "set", "defaults.agent", "two", code="config_unknown_agent", exit_code=2
    )
    error = world.refused(
        "config", "set", "service.max_parallel", "-1", code="config_invalid", exit_code=2
    )
    assert "max_parallel" in error["message"]
    world.refused("config", "unset", "git.name", code="config_not_set", exit_code=3)
    answer = world.orch("config", "set", "agents.one.env.KEY", "-", stdin="sk-secret\n")
    assert answer.code == 0, answer
    assert "sk-secret" not in answer.out + answer.err
    assert "KEY = " in file.read_text()


def test_looking_makes_no_home(fresh: World) -> None:
    for words in (("config",), ("config", "paths"), ("config", "validate"), ("config", "schema"),
                  ("config", "defaults.agent"), ("config", "explain", "git.name")):  # fmt: skip
        answer = fresh.orch(*words)
        assert answer.code == 0, answer
    assert not (fresh.root / "fresh").exists()
    fresh.ask("config", "set", "agents.one.command", '["sh", "-c", "echo hello > x"]')
    assert [p.name for p in (fresh.root / "fresh").iterdir()] == ["config.toml"]


def test_the_hint_of_a_first_run_is_a_command_that_works(fresh: World) -> None:
    folder = fresh.root / "agents-bin"
    folder.mkdir()
    (folder / "claude").write_text("#!/bin/sh\n")
    (folder / "claude").chmod(0o755)
    fresh.extra["PATH"] = f"{folder}:{fresh.environ()['PATH']}"
    fresh.ask("issue", "create", "T")
    error = fresh.refused(
        "run", "basic_pr", "-i", "1", code="no_agent", exit_code=2, cwd=fresh.repo
    )
    program, *words = shlex.split(error["hint"])
    assert program == "orch"
    assert fresh.orch(*words).code == 0
    assert fresh.ask("config", "agents.claude.kind")["value"] == "claude"


def test_validate_names_each_broken_file(world: World) -> None:
    assert world.ask("config", "validate") == [
        {"file": str(world.home / "config.toml"), "ok": True, "error": None}
    ]
    (world.repo / ".orch.toml").write_text("[agents.x]\ncommand = ['rm']\n")
    found = world.ask("config", "validate", code=2)
    assert [item["ok"] for item in found] == [True, False]
    assert found[1]["error"]["code"] == "config_forbidden"
    (world.home / "config.toml").write_text("[defaults]\nagnet = 1\n")
    answer = world.orch("config", "validate")
    assert answer.code == 2
    assert "config.toml:2: defaults.agnet: unknown key; did you mean agent?" in answer.out


def test_paths_tell_what_is_there(world: World) -> None:
    found = {item["name"]: item for item in world.ask("config", "paths")}
    assert found["home"] == {"name": "home", "path": str(world.home), "exists": True}
    assert found["database"]["exists"]
    assert found["repo thing"]["path"] == str(world.repo / ".orch.toml")
    assert not found["repo thing"]["exists"]


def test_the_schema_is_json(bare: World) -> None:
    answer = bare.orch("config", "schema")
    assert "defaults" in json.loads(answer.out)["properties"]


def test_a_file_of_a_newer_mind_is_refused_with_its_place(bare: World) -> None:
    path = Path(bare.home, "config.toml")
    path.write_text("[defaults]\nworkflow = 1\n")
    error = bare.refused("config", code="config_invalid", exit_code=2)
    assert error["data"]["line"] == 2
