"""The files by which a system starts the service say everything that a login shell would have."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orch.service import units

PERSON = Path("/home/you")
ARGV = [sys.executable, "-m", "orch", "serve"]
ENVIRON = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SECRET_TOKEN": "x", "HOME": "/home/you"}
ODD = Path('/home/you/a "b" 100%')


def test_a_unit_ends_the_service_alone_and_names_its_environment() -> None:
    unit = units.systemd(PERSON / ".orch", ARGV, ENVIRON, PERSON)
    assert unit.path == PERSON / ".config/systemd/user/orch.service"
    lines = unit.text.splitlines()
    assert "KillMode=process" in lines
    assert "Restart=on-failure" in lines
    assert 'Environment="PATH=/usr/bin:/bin"' in lines
    assert 'Environment="ORCH_HOME=/home/you/.orch"' in lines
    assert f'ExecStart="{sys.executable}" "-m" "orch" "serve"' in lines
    assert "SECRET_TOKEN" not in unit.text
    assert any("enable --now orch.service" in command for command in unit.enable)


def test_another_home_has_a_unit_of_its_own() -> None:
    one, other = (units.systemd(Path(p), ARGV, ENVIRON, PERSON) for p in ("/a", "/b"))
    assert one.path != other.path
    assert one.path.name.startswith("orch-")
    assert units.launchd(Path("/a"), ARGV, ENVIRON, PERSON, 501).path.name != "dev.orch.orch.plist"


def test_words_that_systemd_would_understand_are_quoted() -> None:
    text = units.systemd(ODD, ["/bin/a $b", 'c"d\\', "%h"], ENVIRON, PERSON).text
    assert 'ExecStart="/bin/a $$b" "c\\"d\\\\" "%%h"' in text
    assert 'Environment="ORCH_HOME=/home/you/a \\"b\\" 100%%"' in text


@pytest.mark.parametrize("home", [PERSON / ".orch", ODD], ids=["usual", "odd"])
def test_systemd_takes_the_unit(home: Path, tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("there is no systemd-analyze here")
    unit = units.systemd(home, ARGV, ENVIRON, PERSON)
    path = tmp_path / unit.path.name
    path.write_text(unit.text)
    done = subprocess.run(
        [verifier, "verify", "--user", "--man=no", str(path)], capture_output=True, text=True,
        check=False, env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert unit.path.name not in done.stderr, done.stderr


def test_a_plist_says_the_same() -> None:
    unit = units.launchd(PERSON / ".orch", ARGV, ENVIRON, PERSON, 501)
    said = plistlib.loads(unit.text.encode())
    assert unit.path == PERSON / "Library/LaunchAgents/dev.orch.orch.plist"
    assert said["ProgramArguments"] == ARGV
    assert said["AbandonProcessGroup"] is True
    assert said["KeepAlive"] == {"SuccessfulExit": False}
    assert said["EnvironmentVariables"] == {
        "ORCH_HOME": "/home/you/.orch", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"
    }  # fmt: skip
    assert said["Umask"] == 0o077
    assert unit.enable == [f"launchctl bootstrap gui/501 {unit.path}"]
