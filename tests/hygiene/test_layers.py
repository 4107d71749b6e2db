"""Who may import whom: the contracts hold here, and each fails on a copy with a planted import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["contracts"]}
FILES = {"__main__", "_version", "api", "client", "compose", "config", "plugins", "ports", "shelf"}
STOREYS = [
    [room.strip(" ()") for room in storey.split("|")] for storey in CONTRACTS["rooms"]["layers"]
]


def upward() -> list[tuple[str, str, str]]:
    """For each storey an import of the one above it, and for each pair of neighbours one across."""
    cases = []
    for above, below in pairwise(STOREYS):
        cases.append(("rooms", below[0], f"orch.{above[0]}"))
    for storey in STOREYS:
        for left, right in pairwise(storey):
            cases.append(("rooms", left, f"orch.{right}"))
    return cases


def forbidden() -> list[tuple[str, str, str]]:
    """For each other contract every source once and every forbidden module once."""
    cases = []
    for name, contract in CONTRACTS.items():
        if name == "rooms":
            continue
        sources, targets = contract["source_modules"], contract["forbidden_modules"]
        for index in range(max(len(sources), len(targets))):
            source = sources[index % len(sources)].removeprefix("orch.")
            cases.append((name, source, targets[index % len(targets)]))
    return cases


def copy_of_the_tree(target: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".cache")
    shutil.copytree(ROOT / "src", target / "src", ignore=ignored)
    shutil.copytree(ROOT / "tools", target / "tools", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def module_of(tree: Path, room: str) -> tuple[Path, str]:
    """File and dotted name of a module in `room` to write to; a missing room is made."""
    single, package = tree / f"src/orch/{room}.py", tree / f"src/orch/{room}"
    if single.exists() or (room in FILES and not package.exists()):
        return single, f"orch.{room}"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    return package / "planted.py", f"orch.{room}.planted"


CASES = [*upward(), *forbidden()]


def lint(tree: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    argv = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo", *chosen]
    env = {**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "400", "NO_COLOR": "1"}
    return subprocess.run(argv, cwd=tree, env=env, capture_output=True, text=True, check=False)


def test_every_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract_sees_every_planted_import(contract: str, tmp_path: Path) -> None:
    """All of a contract's in one copy: each is told of in words of its own."""
    tree = copy_of_the_tree(tmp_path)
    told = []
    for _, room, target in (case for case in CASES if case[0] == contract):
        if target.startswith("orch."):
            aim, _ = module_of(tree, target.removeprefix("orch."))
            aim.touch()
        file, name = module_of(tree, room)
        before = file.read_text("utf-8") if file.exists() else ""
        file.write_text(f"{before}\nimport {target}\n", "utf-8")
        told.append(f"{name} -> {target} (l.")
    done = lint(tree, contract)
    assert done.returncode == 1, done.stdout
    assert f"{CONTRACTS[contract]['name']} BROKEN" in done.stdout
    assert [words for words in told if words not in done.stdout] == []


def test_a_room_that_is_in_no_storey_is_seen(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    (tree / "src/orch/attic.py").write_text('"""Nobody said where this belongs."""\n', "utf-8")
    done = lint(tree, "rooms")
    assert done.returncode == 1
    assert "orch.attic" in done.stdout


def test_every_contract_was_seen_failing() -> None:
    assert {contract for contract, _, _ in CASES} == set(CONTRACTS)


def test_contracts_name_only_rooms_that_have_a_storey() -> None:
    rooms = {f"orch.{room}" for storey in STOREYS for room in storey}
    for contract in CONTRACTS.values():
        named = [*contract.get("source_modules", []), *contract.get("forbidden_modules", [])]
        assert {name for name in named if name.startswith("orch.")} <= rooms
