"""What the command line loads before it answers: nothing that costs more than the answer.

asyncio is 33 ms, importlib.metadata 24 ms, a web or terminal toolkit over 100 ms; none of them is
needed to say a version, print a help text or list repositories.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "asyncio",
    "http.client",
    "httpx",
    "importlib.metadata",
    "prometheus_client",
    "requests",
    "rich",
    "starlette",
    "structlog",
    "textual",
    "urllib3",
    "uvicorn",
}
# `--version` answers before anything of ours but the version is loaded.
ALSO_HEAVY_FOR_VERSION = {"apsw", "argparse", "click", "inspect", "msgspec", "orch.cli", "typing"}


def loaded(words: list[str], home: Path, program: list[str], **more: str) -> tuple[set[str], str]:
    """Every module that a command imported, by the interpreter's own account, and its stdout."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"HOME": str(home), "ORCH_HOME": str(home / ".orch"), **more}
    argv = [sys.executable, "-X", "importtime", *program, *words]
    done = subprocess.run(argv, cwd=home, env=env, capture_output=True, text=True, check=False)
    times = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    others = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, "\n".join(others)
    return {line.rpartition("|")[2].strip() for line in times}, done.stdout


def test_the_account_of_imports_would_show_a_heavy_module(tmp_path: Path) -> None:
    names, _ = loaded([], tmp_path, ["-c", "import asyncio, importlib.metadata"])
    assert {"asyncio", "importlib.metadata"} <= names


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["repo", "list"], ["repo", "list", "--json"]], ids=" ".join
)
def test_command_line_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    names, _ = loaded(words, tmp_path, ["-m", "orch"])
    assert sorted(names & HEAVY) == []


def test_a_shell_that_completes_loads_nothing_heavy(tmp_path: Path) -> None:
    asked = {"COMP_WORDS": "orch run --repo ", "COMP_CWORD": "3", "_ORCH_COMPLETE": "bash_complete"}
    names, _ = loaded([], tmp_path, ["-m", "orch"], **asked)
    assert sorted(names & (HEAVY | {"orch.compose", "orch.engine"})) == []


def test_the_client_for_github_loads_no_http_before_its_first_request(tmp_path: Path) -> None:
    code = "from orch.hosts.github.client import connect; connect({'GITHUB_TOKEN': 'x'})"
    names, _ = loaded([], tmp_path, ["-c", code])
    assert "orch.hosts.github.client" in names
    assert sorted(names & (HEAVY | {"jwt", "cryptography", "email.utils", "ssl"})) == []


def test_version_is_answered_before_anything_is_imported(tmp_path: Path) -> None:
    names, stdout = loaded(["--version"], tmp_path, ["-m", "orch"])
    before, _ = loaded([], tmp_path, ["-c", "pass"])
    assert stdout.strip()
    assert sorted((names - before) & (HEAVY | ALSO_HEAVY_FOR_VERSION)) == []


@pytest.mark.parametrize("name", ["orch", "conductor"])
def test_both_names_of_the_command_are_installed(name: str, tmp_path: Path) -> None:
    argv = [str(Path(sys.executable).parent / name), "--version"]
    env = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout
