"""The rules in rules.py hold for this checkout, and each of them sees the sin it is there for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hygiene import rules

ROOT = Path(__file__).resolve().parents[2]
LONG_FUNCTION = "def f():\n" + "    x = 1\n" * rules.LONGEST_FUNCTION
MACHINE_PATH = "see /wor" + "k/shared/notes and /roo" + "t/.profile\n"

Rule = Callable[[Path], list[str]]
CASES: list[tuple[Rule, str, str]] = [
    (rules.oversized_files, "src/orch/model/big.py", "x = 1\n" * (rules.LONGEST_FILE + 1)),
    (rules.long_functions, "src/orch/model/long.py", LONG_FUNCTION),
    (rules.long_functions, "src/orch/model/async_long.py", "async " + LONG_FUNCTION),
    (rules.modules_without_docstring, "src/orch/model/silent.py", "x = 1\n"),
    (rules.empty_module_names, "src/orch/model/utils.py", '"""Odds and ends."""\n'),
    (rules.empty_module_names, "src/orch/helpers/git.py", '"""Odds and ends."""\n'),
    (rules.empty_module_names, "src/orch/model/base_agent.py", '"""Odds and ends."""\n'),
    (rules.shell_use, "src/orch/cli/a.py", "import subprocess as s\ns.run('ls', shell=True)\n"),
    (rules.shell_use, "src/orch/cli/b.py", "import subprocess as s\ns.run('ls', shell=loud)\n"),
    (rules.shell_use, "src/orch/cli/c.py", "import os\nos.system('ls')\n"),
    (rules.shell_use, "src/orch/cli/d.py", "from os import system\n"),
    (
        rules.types_worked_out_elsewhere,
        "src/orch/api/p.py",
        "import msgspec\nmsgspec.convert(1, X)\n",
    ),
    (rules.types_worked_out_elsewhere, "src/orch/api/q.py", "msgspec.json.decode(raw, type=X)\n"),
    (rules.types_worked_out_elsewhere, "src/orch/api/r.py", "D = msgspec.json.Decoder(X)\n"),
    (rules.programs_run_elsewhere, "src/orch/cli/e.py", "argv = ['git', 'status']\n"),
    (rules.programs_run_elsewhere, "src/orch/git/f.py", "argv = ['/usr/bin/tmux', 'ls']\n"),
    (rules.programs_run_elsewhere, "src/orch/terminals/g.py", "run(('git', 'gc'))\n"),
    (rules.programs_run_elsewhere, "src/orch/engine/h.py", "create_subprocess_exec('git')\n"),
    (rules.foreign_imports_of_the_model, "src/orch/model/i.py", "import click\n"),
    (rules.foreign_imports_of_the_model, "src/orch/model/j.py", "def f():\n    import apsw\n"),
    (rules.undeclared_imports, "src/orch/engine/k.py", "import pytest\n"),
    (rules.undeclared_imports, "src/orch/engine/l.py", "from requests.auth import X\n"),
    (rules.undeclared_imports, "src/orch/testing/l.py", "import requests\n"),
    (rules.paths_of_one_machine, "docs/m.md", MACHINE_PATH),
    (rules.paths_of_one_machine, "src/orch/cli/n.py", "HOME = '/ho" + "me/ada/.orch'\n"),
    (rules.registry_hosts, "dev", "INDEX = 'https://py" + "pi.org/simple'\n"),
]
NAMES = sorted({rule.__name__ for rule, _, _ in CASES})


@pytest.fixture(scope="module", autouse=True)
def _trees_are_kept_no_longer_than_needed() -> Iterator[None]:
    yield
    rules.parsed.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_rule_holds_for_this_checkout(name: str) -> None:
    assert getattr(rules, name)(ROOT) == []


@pytest.mark.parametrize(
    ("rule", "place", "text"), CASES, ids=[f"{rule.__name__}:{p}" for rule, p, _ in CASES]
)
def test_rule_sees_a_planted_sin(rule: Rule, place: str, text: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text('"""Nothing wrong here."""\n', "utf-8")
    (tmp_path / "src/orch").mkdir(parents=True, exist_ok=True)
    (tmp_path / "src/orch/fine.py").write_text('"""A job."""\nNAMES = ("git", "tmux")\n', "utf-8")
    if rule is not rules.empty_module_names:
        assert rule(tmp_path) == []
    planted.write_text(text, "utf-8")
    complaints = rule(tmp_path)
    assert complaints
    assert all(place in complaint for complaint in complaints)


def ruff(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "ruff")
    argv = [program, "check", "--no-cache", "--output-format=concise", target]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def planted_for_ruff(folder: Path, place: str, text: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "pyproject.toml", folder)
    planted = folder / place
    planted.parent.mkdir(parents=True)
    planted.write_text(f'"""Doc."""\n\n{text}', "utf-8")
    return ruff(folder, place)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("T201", "print('x')\n"),
        ("S605", "import os\nos.system('x')\n"),
        ("S602", "import subprocess\nsubprocess.run('x', shell=True)\n"),
        ("S110", "try:\n    f()\n    g()\nexcept Exception:\n    pass\n"),
        ("BLE001", "try:\n    f()\nexcept Exception:\n    g()\n"),
        ("ASYNC251", "import time\nasync def f():\n    time.sleep(1)\n"),
        ("TID252", "from . import runner\n"),
        ("DTZ005", "import datetime\ndatetime.datetime.now()\n"),
    ],
)
def test_linter_settings_refuse(code: str, text: str, tmp_path: Path) -> None:
    done = planted_for_ruff(tmp_path, "src/orch/engine/planted.py", text)
    assert done.returncode == 1
    assert f" {code} " in done.stdout


def test_only_the_output_module_prints(tmp_path: Path) -> None:
    done = planted_for_ruff(tmp_path, "src/orch/cli/output.py", 'print("x")\n')
    assert done.returncode == 0, done.stdout
