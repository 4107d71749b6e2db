"""`orch doctor`: what is wrong is found, each thing by itself, and each with what mends it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from orch.checkup.report import Hidden
from tests.acceptance.world import World

ALL = {
    "python", "git", "tmux", "folders", "config", "database", "clock", "disk", "lock", "socket",
    "repositories", "vault", "agent one", "remote of thing", "plugins",
}  # fmt: skip


def failed(world: World, code: int = 1) -> dict[str, Any]:
    """The checks that failed, by name; every one has a fix."""
    found = [check for check in world.ask("doctor", code=code) if not check["ok"]]
    for check in found:
        assert check["message"], found
        assert check["fix"] or "could not be looked at: the database" in check["message"], found
    return {check["name"]: check for check in found}


def test_a_sound_home_passes_every_check(world: World) -> None:
    checks = world.ask("doctor")
    assert {check["name"] for check in checks} == ALL
    assert world.orch("doctor", "-q").out == ""


def test_folders_that_others_can_read(world: World) -> None:
    (world.home / "attempts").chmod(0o755)
    (world.home / "config.toml").chmod(0o644)
    found = failed(world)
    assert set(found) == {"folders"}
    assert "attempts, config.toml" in found["folders"]["message"]
    assert found["folders"]["fix"] == f"chmod -R go-rwx {world.home}"


def test_a_configuration_as_an_editor_makes_it_is_only_told_of(world: World) -> None:
    (world.home / "config.toml").chmod(0o644)
    answer = world.orch("doctor")
    assert answer.code == 0, answer
    assert "note  folders: others could read config.toml" in answer.out
    assert f"fix: chmod go-rwx {world.home}/config.toml" in answer.out
    world.configure({"one": 'command = ["true"]\nenv = { KEY = "env:HOME" }\n'})
    (world.home / "config.toml").chmod(0o644)
    assert world.orch("doctor").code == 0
    world.configure({"one": 'command = ["true"]\nenv = { KEY = "sk-1" }\n'})
    (world.home / "config.toml").chmod(0o644)
    assert set(failed(world)) == {"folders"}


def test_without_any_agent_it_is_said_what_makes_one(world: World) -> None:
    world.configure({})
    answer = world.orch("doctor")
    assert answer.code == 0, answer
    assert "note  agents: none is configured yet" in answer.out
    assert "fix: orch config set agents." in answer.out


def test_a_broken_configuration_hides_nothing_else(world: World) -> None:
    (world.home / "config.toml").write_text("oops =")
    found = failed(world)
    assert set(found) == {"config", "agents"}
    assert found["config"]["message"].startswith(f"{world.home}/config.toml:1: ")


def test_a_repositorys_configuration(world: World) -> None:
    (world.repo / ".orch.toml").write_text("[agents.x]\ncommand = ['rm']\n")
    assert "cannot be set by a repository" in failed(world)["config of thing"]["message"]


def test_a_damaged_database_hides_nothing_else(world: World) -> None:
    (world.home / "orch.db").write_bytes(b"no database" * 1000)
    for ending in ("-wal", "-shm"):
        Path(f"{world.home / 'orch.db'}{ending}").unlink(missing_ok=True)
    found = failed(world)
    assert "database" in found
    place = world.home / "orch.db"
    assert f"mv {place} {world.home}/damaged/" in found["database"]["fix"]
    assert f"cp BACKUP {place}" in found["database"]["fix"]
    assert {check["fix"] for name, check in found.items() if name != "database"} == {""}
    assert not {"git", "tmux", "folders", "socket", "plugins", "vault"} & set(found)


def test_a_file_where_a_folder_should_be(world: World) -> None:
    """The path that is in the way is named, and the doctor still comes."""
    home = world.root / "second home"
    home.mkdir(mode=0o700)
    (home / "worktrees").write_text("")
    env = {"ORCH_HOME": str(home)}
    fix = f"mv '{home}/worktrees' '{home}/worktrees.old'"
    answer = world.orch("repo", "list", "--json", env=env)
    assert answer.code == 9, answer
    assert answer.error["message"].startswith(f"{home}/worktrees is not a folder")
    assert answer.error["hint"] == fix
    found = {check["name"]: check for check in world.ask("doctor", code=1, env=env)}
    assert found["folders"]["fix"] == fix
    assert [name for name, check in found.items() if not check["ok"]] == ["folders"]


def test_a_clock_that_went_back(world: World) -> None:
    """What comes next would be older than what is there."""
    world.spoil("update events set at = at + 90000 where seq = (select max(seq) from events)")
    found = failed(world)
    assert set(found) == {"clock"}
    assert "s behind the last event" in found["clock"]["message"]


def test_a_run_that_nobody_drives(world: World) -> None:
    world.run(world.flow("@do\ndef workflow():\n    yield Log('x')\n"))
    world.spoil(
        "update runs set status = 'running', body = replace(body, '\"done\"', '\"running\"')"
    )
    found = failed(world)
    assert (found["lock"]["message"], found["lock"]["fix"]) == (
        "free, and 1 run is driven by nobody", "orch resume",
    )  # fmt: skip


def test_a_socket_that_others_can_reach(world: World) -> None:
    (world.home / "run").chmod(0o777)
    found = failed(world)
    assert found["socket"]["fix"] == f"chmod 700 {world.home / 'run'}"
    assert set(found) == {"folders", "socket"}


def test_a_home_too_deep_for_a_socket_is_told_where_it_is(world: World) -> None:
    deep = world.root / ("d" * 60) / ("e" * 60)
    found = {c["name"]: c for c in world.ask("doctor", env={"ORCH_HOME": str(deep)}, code=0)}
    assert "too long for a socket" in found["socket"]["message"]
    assert found["config"]["message"] == "all values are built in"


def test_a_repository_that_went_away_or_lost_its_view(world: World) -> None:
    shutil.rmtree(world.home / "pinned" / "thing")
    assert failed(world)["repo thing"]["fix"] == f"orch repo add {world.repo}"
    world.ask("repo", "add", str(world.repo))
    world.repo.rename(world.root / "elsewhere")
    assert "orch repo add PATH --slug thing" in failed(world)["repo thing"]["fix"]


def test_issues_that_cannot_be_read(world: World) -> None:
    (world.home / "vault" / "ISSUE-002.md").write_text("no front matter")
    found = failed(world)
    assert set(found) == {"vault"}
    assert "ISSUE-002.md" in found["vault"]["message"]


def test_a_plugin_that_cannot_be_loaded(world: World) -> None:
    site = world.root / "site"
    info = site / "orch_broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: orch-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orch.agents]\nodd = orch_broken\n")
    (site / "orch_broken.py").write_text("raise RuntimeError('too old')\n")
    world.extra["PYTHONPATH"] = str(site)
    found = failed(world)
    message = found["plugin agents odd"]["message"]
    assert "RuntimeError: too old" in message
    assert "orch-broken" in message


def test_tools_that_are_missing(world: World) -> None:
    folder = world.root / "no-tools"
    folder.mkdir()
    world.extra["PATH"] = str(folder)
    found = failed(world)
    assert set(found) - {"tmux"} == {"git", "agent one"}, "the repositories are not to blame"


def test_a_report_has_no_names_paths_and_secrets(world: World) -> None:
    secret = "sk-live-0123456789abcdef"
    world.extra["SOME_API_KEY"] = "a value that is secret"
    world.git("remote", "set-url", "origin", f"https://pat:{secret}@example.org/x.git")
    world.ask("repo", "add", str(world.repo))
    world.configure({"one": ["prog", "a value that is secret"], "two": [f"{world.root}/{secret}"]})
    (world.repo / ".orch.toml").write_text(f"[agents.x]\ncommand = ['{secret}']\n")
    answer = world.orch("doctor", "--report")
    assert answer.code == 1
    assert answer.out.startswith("### orch ")
    assert "FAIL **agent one**" in answer.out
    for hidden in (str(world.root), secret, "a value that is secret", os.uname().nodename):
        assert hidden not in answer.out, answer.out
    assert "$ORCH_HOME" in answer.out
    assert set(world.ask("doctor", "--report", code=1)) == {"report"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/pat/.orch/x and /home/pat/y", "$ORCH_HOME/x and ~/y"),
        ("/home/patricia/x", "/home/patricia/x"),
        ("pat@work, patent", "USER@HOST, patent"),
        ("https://pat:s3cret@example.org/x?access_token=abc&x=1", "https://***@example.org/x?access_token=***&x=1"),
        ("ssh://git@example.org/x", "ssh://***@example.org/x"),
        ("ghp_0123456789abcdefghij", "***"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "***"),
        ("the word of my secret variable: hunter22!", "the word of my secret variable: ***"),
        ("password = hunter2", "password = ***"),
    ],
)  # fmt: skip
def test_what_is_hidden(text: str, shown: str) -> None:
    environ = {"HOME": "/home/pat", "MY_SECRET": "hunter22!", "USER": "pat", "TERM": "screen"}
    hidden = Hidden(environ, home="/home/pat/.orch", person="pat", host="work")
    assert hidden.cleaned(text) == shown
