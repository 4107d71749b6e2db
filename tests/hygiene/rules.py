"""Rules of the house that no linter knows, as functions of a source tree.

Each takes the root of a checkout and returns complaints, `place: what is wrong`, none when the
rule holds; so that a test can hold it against the real tree and against one with a planted sin.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LONGEST_FILE = 500  # lines; 300 is the aim, this is where it stops
LONGEST_FUNCTION = 80  # lines; 40 is the aim
EMPTY_NAMES = re.compile(r"(utils?|helpers?|managers?|common|base|misc)(_.*)?|.*_(utils?|helpers?)")
MODEL_MAY_IMPORT = sys.stdlib_module_names | {"msgspec", "cronsim", "markdown_it", "orch"}
ROOM_OF_PROGRAM = {"git": "git", "tmux": "terminals"}
# Not of the service: it runs in a terminal as an agent's program, and agents use git themselves.
AGENT_PROGRAMS = {"src/orch/agents/scripted.py", "src/orch/testing/evil.py"}
# Distributions whose module has another name.
IMPORTED_AS = {
    "agent_client_protocol": "acp",
    "markdown_it_py": "markdown_it",
    "pyjwt": "jwt",
}
STARTERS = {"Popen", "call", "check_call", "check_output", "create_subprocess_exec", "run", "which"}
STARTERS |= {"execv", "execve", "execvp", "execvpe", "posix_spawn", "posix_spawnp"}
SHELLS = {("os", "system"), ("os", "popen"), ("asyncio", "create_subprocess_shell")}
SHELLS |= {("subprocess", "getoutput"), ("subprocess", "getstatusoutput"), ("pty", "spawn")}

# A class of one character keeps this file from holding what it looks for.
MACHINE_PATHS = re.compile(
    r"(?<![\w.}~-])(/[w]ork/(main|shared|notes|venv|[.])|/[r]oot/|/[o]pt/(wheels|pypi))"
)
HOME_PATHS = re.compile(r"(?<![\w.}~-])/(home|Users)/(?!(you|me|someone)\b)[A-Za-z]")
REGISTRIES = re.compile(r"[p]ypi\.org|[p]ythonhosted|[n]pmjs|[c]rates\.io")
NOT_OURS = {".git", ".venv", ".cache", "__pycache__", "dist", "build", "node_modules"}
NOT_OURS |= {".hypothesis", ".ruff_cache", ".mypy_cache", ".pytest_cache", ".import_linter_cache"}


def modules(root: Path) -> Iterator[tuple[str, Path, ast.Module]]:
    """Path from the root, path and syntax tree of every module of the product."""
    for path in sorted((root / "src" / "orch").rglob("*.py")):
        yield str(path.relative_to(root)), path, parsed(path.read_text("utf-8"))


@functools.lru_cache(maxsize=1000)
def parsed(text: str) -> ast.Module:
    """Shared by all rules: nobody changes it."""
    return ast.parse(text)


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Path and content of every text file that belongs to the checkout."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - NOT_OURS)
        for name in sorted(set(names) - NOT_OURS):  # `.git` is a file in a linked worktree
            path = Path(folder, name)
            if path.is_symlink() or path.suffix in {".pyc", ".db", ".whl", ".gz"}:
                continue
            try:
                yield str(path.relative_to(root)), path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def oversized_files(root: Path) -> list[str]:
    found = []
    for place, path, _ in modules(root):
        lines = path.read_text("utf-8").count("\n")
        if lines > LONGEST_FILE:
            found.append(f"{place}: {lines} lines, {LONGEST_FILE} at most")
    return found


def long_functions(root: Path) -> list[str]:
    found = []
    for place, _, tree in modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    found.append(f"{place}:{node.lineno}: {node.name} has {lines} lines")
    return found


def modules_without_docstring(root: Path) -> list[str]:
    return [f"{place}: no docstring" for place, _, tree in modules(root) if not _docstring(tree)]


def _docstring(tree: ast.Module) -> str:
    return (ast.get_docstring(tree) or "").strip()


def empty_module_names(root: Path) -> list[str]:
    """Names that say nothing: they collect whatever has no home, until nobody finds anything."""
    names = {}
    for place, path, _ in modules(root):
        for part in (*path.relative_to(root / "src" / "orch").parts[:-1], path.stem):
            names[part] = place
    return [f"{place}: {name}" for name, place in names.items() if EMPTY_NAMES.fullmatch(name)]


def shell_use(root: Path) -> list[str]:
    """Programs start from an argv list; text that goes through a shell can be made to run."""
    return [
        f"{place}:{line}: {what}"
        for place, _, tree in modules(root)
        for node in ast.walk(tree)
        for line, what in _shells(node)
    ]


def _shells(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.keyword) and node.arg == "shell" and _maybe_true(node.value):
        yield node.value.lineno, "shell="
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if (node.value.id, node.attr) in SHELLS:
            yield node.lineno, f"{node.value.id}.{node.attr}"
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if (node.module, alias.name) in SHELLS:
                yield node.lineno, f"{node.module}.{alias.name}"


def types_worked_out_elsewhere(root: Path) -> list[str]:
    """msgspec works a type out in one thread at a time, or the process may end: `orch.model.typed`.
    Plain decoding into what JSON has, and programs of their own, are free."""
    free = ("src/orch/model/typed.py", "src/orch/testing/", "src/orch/agents/inside/")
    return [
        f"{place}:{node.lineno}: {word}"
        for place, _, tree in modules(root)
        if not place.startswith(free)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for word in [ast.unparse(node.func)]
        if word in ("msgspec.convert", "msgspec.json.Decoder")
        or (word == "msgspec.json.decode" and any(one.arg == "type" for one in node.keywords))
    ]


def _maybe_true(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value is False)


def programs_run_elsewhere(root: Path) -> list[str]:
    """git is started by orch.git alone, tmux by orch.terminals alone.

    Seen are argv lists that begin with the name, and names handed to what starts or finds a
    program. A tuple of names, as `doctor` has one to look for, is no argv.
    """
    found = []
    for place, path, tree in modules(root):
        if place in AGENT_PROGRAMS:
            continue
        room = path.relative_to(root / "src" / "orch").parts[0]
        for node in ast.walk(tree):
            program = _started_program(node)
            if program in ROOM_OF_PROGRAM and room != ROOM_OF_PROGRAM[program]:
                found.append(f"{place}:{node.lineno}: runs {program}")
    return found


def _started_program(node: Any) -> str:
    """The base name of the program that `node` starts, if it is written out there."""
    first: ast.expr | None = None
    if isinstance(node, ast.List) and len(node.elts) > 1:
        first = node.elts[0]
    elif isinstance(node, ast.Call) and node.args:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ""
        name = function.id if isinstance(function, ast.Name) else name
        first = node.args[0] if name in STARTERS - {"which"} else None
        if isinstance(first, ast.Tuple) and first.elts:
            first = first.elts[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value.rpartition("/")[2]
    return ""


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and top-level name of everything a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, (node.module or "").partition(".")[0]


def foreign_imports_of_the_model(root: Path) -> list[str]:
    return [
        f"{place}:{line}: {name}"
        for place, path, tree in modules(root)
        if path.is_relative_to(root / "src" / "orch" / "model")
        for line, name in imported(tree)
        if name not in MODEL_MAY_IMPORT
    ]


def undeclared_imports(root: Path) -> list[str]:
    """Third-party imports that pyproject.toml does not promise to users; dev tools do not count, and
    what the contract suites need is theirs alone."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    suites = _import_names(extras.get("testing", []))
    wanted = [n for e in extras if e not in ("dev", "testing") for n in extras[e]]
    allowed = _import_names([*project["dependencies"], *wanted])
    allowed |= sys.stdlib_module_names | {"orch"}
    return [
        f"{place}:{line}: {name}"
        for place, _, tree in modules(root)
        for line, name in imported(tree)
        if name not in allowed | (suites if place.startswith("src/orch/testing/") else set())
    ]


def _import_names(wanted: Iterable[str]) -> set[str]:
    names = {re.split(r"[^A-Za-z0-9_.-]", want)[0].lower().replace("-", "_") for want in wanted}
    return {IMPORTED_AS.get(name, name) for name in names}


def paths_of_one_machine(root: Path) -> list[str]:
    found = []
    for place, text in texts(root):
        patterns = [MACHINE_PATHS] if place.startswith("tests/") else [MACHINE_PATHS, HOME_PATHS]
        for pattern in patterns:
            found += [f"{place}: {match[0]}" for match in pattern.finditer(text)]
    return found


def registry_hosts(root: Path) -> list[str]:
    """Where packages come from is the business of whoever installs, not of this repository."""
    return [f"{p}: {match[0]}" for p, text in texts(root) for match in REGISTRIES.finditer(text)]
