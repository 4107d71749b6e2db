"""The built wheel, installed elsewhere with nothing but what it declares, is the whole product."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tools.licences import PROJECT, needed_at_run_time

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")


def clean_environment(home: Path, *path: Path) -> dict[str, str]:
    search = os.pathsep.join([*map(str, path), os.environ["PATH"]])
    return {"PATH": search, "HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": str(home)}


def run(argv: list[str], cwd: Path, env: dict[str, str]) -> str:
    """Standard output of a program that must succeed."""
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the checkout stays as it is."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SHIPPED:
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src")
    argv = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tree / "out"),
    ]
    run([*argv, str(tree)], tree, clean_environment(tree))
    (built,) = (tree / "out").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and links to the run-time dependencies, and no more.

    pip finds the dependencies installed, checks their versions and asks no index; a dependency
    that the wheel forgot to declare is not there, however many tools this environment has.
    """
    venv = tmp_path_factory.mktemp("elsewhere") / "venv"
    env = clean_environment(venv.parent)
    run([sys.executable, "-m", "venv", "--without-pip", str(venv)], venv.parent, env)
    (site,) = (venv / "lib").glob("python3*/site-packages")
    for name in needed_at_run_time(PROJECT):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}:
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install"]
    run([*pip, "--quiet", "--no-index", "--no-cache-dir", str(wheel)], venv.parent, env)
    return venv


def test_wheel_holds_all_of_the_product_and_nothing_else(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "orch").rglob("*")
        if path.is_file() and not {"__pycache__", ".cache"} & set(path.parts)
    }
    assert packed == wanted
    assert {Path(name).suffix for name in packed} <= {".py", ".sql", ".typed", ".toml", ".conf"}


def test_wheel_carries_the_licence_and_both_commands(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    assert "MIT License" in archive.read(f"{folder}/licenses/LICENSE").decode()
    entries = archive.read(f"{folder}/entry_points.txt").decode()
    assert "orch = orch.__main__:main" in entries
    assert "conductor = orch.__main__:main" in entries


def test_installed_wheel_imports_without_the_checkout(installed: Path) -> None:
    python = str(installed / "bin" / "python")
    where = run([python, "-c", "import orch; print(orch.__file__)"], installed, {})
    assert Path(where.strip()).is_relative_to(installed)


def test_installed_wheel_says_its_version(installed: Path) -> None:
    env = clean_environment(installed.parent, installed / "bin")
    assert "0.1.0" in run(["orch", "--version"], installed.parent, env)


@pytest.mark.slow
def test_installed_wheel_plays_the_demo(installed: Path, tmp_path: Path) -> None:
    env = clean_environment(tmp_path, installed / "bin")
    run(["orch", "demo", "--no-input"], tmp_path, env)
