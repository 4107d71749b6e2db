"""Which command installs the dependencies of a fresh worktree. Pure: file texts in, argv out.

Invariant: only by lockfile, always frozen, and without trust nothing that a repository holds is run
on the way: neither the packages' own scripts nor what a package manager lets a repository plug into
the manager itself. Where that cannot be switched off, nothing is installed and the sentence says so.
Rules: SEED-CONTRACT 1A.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

MANIFEST = "package.json"
LOCKS = (
    "bun.lockb", "bun.lock", "pnpm-lock.yaml", "yarn.lock", "package-lock.json",
    "npm-shrinkwrap.json",
)  # fmt: skip
UV_LOCK = "uv.lock"
TABLES = ("dependencies", "devDependencies", "peerDependencies")
_PLUGS = {
    "yarn": ((".yarnrc.yml", r"^\s*['\"]?(?:yarnPath|plugins)\b"), (".yarnrc", r"yarn-path")),
    "bun": (("bunfig.toml", r"scanner|preload"),),
    # A path as the version is an interpreter to run; so is one that came with the repository.
    "uv": (
        (".python-version", r"[/\\]"), (".python-versions", r"[/\\]"), (".venv/pyvenv.cfg", r""),
        (".venv/bin/python", r""),
    ),
}  # fmt: skip
"""Tool -> (file, pattern): where the text matches, the repository brings code that the tool runs
itself, whatever its flags."""


class Install(msgspec.Struct, frozen=True):
    """`argv` is empty when nothing is to be run; `sentence` then says why."""

    argv: tuple[str, ...]
    tool: str
    sentence: str = ""


def wanted() -> tuple[str, ...]:
    """The files of a worktree's root whose text `plan` asks for. Of a lock the beginning is enough,
    and of a binary one nothing."""
    plugs = tuple(name for files in _PLUGS.values() for name, _ in files)
    return (MANIFEST, *LOCKS, UV_LOCK, *plugs)


def plan(files: Mapping[str, str], *, trusted: bool) -> Install | None:
    """What to run for these root files; None when there is nothing to install.

    With JavaScript and Python in one root, the JavaScript dependencies are installed and the
    sentence says that the others were not.
    """
    script = _javascript(files, trusted=trusted)
    python = _python(files, trusted=trusted)
    if script is None or python is None:
        return script or python
    if not script.argv:
        return python
    return Install(script.argv, script.tool, f"{UV_LOCK} was left alone")


def _javascript(files: Mapping[str, str], *, trusted: bool) -> Install | None:
    if MANIFEST not in files:
        return None
    try:
        manifest = msgspec.json.decode(files[MANIFEST].removeprefix("\ufeff"))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return _nothing("", f"{MANIFEST} is not valid JSON")
    if not _declares(manifest):
        return None
    lock = next((name for name in LOCKS if name in files), "")
    if not lock:
        return _nothing("", f"{MANIFEST} has no lockfile beside it")
    if lock.startswith("bun"):
        argv = ["bun", "install", "--frozen-lockfile"]
        careful = ["--ignore-scripts"]
    elif lock == "pnpm-lock.yaml":
        argv = ["pnpm", "install", "--frozen-lockfile"]
        careful = ["--ignore-scripts", "--ignore-pnpmfile"]
    elif lock == "yarn.lock" and _is_berry(files):
        argv = ["yarn", "install", "--immutable"]
        careful = ["--mode=skip-build"]
    elif lock == "yarn.lock":
        argv = ["yarn", "install", "--frozen-lockfile"]
        careful = ["--ignore-scripts"]
    else:
        argv = ["npm", "ci", "--no-audit", "--no-fund"]
        # A repository's .npmrc may name the program that stands for git.
        careful = ["--ignore-scripts", "--git=git"]
    return _checked(files, argv, careful, trusted=trusted)


def _python(files: Mapping[str, str], *, trusted: bool) -> Install | None:
    if UV_LOCK not in files:
        return None
    argv = ["uv", "sync", "--frozen", "--no-install-project"]
    return _checked(files, argv, ["--no-build"], trusted=trusted)


def _checked(
    files: Mapping[str, str], argv: list[str], careful: list[str], *, trusted: bool
) -> Install:
    tool = argv[0]
    if trusted:
        return Install(tuple(argv), tool)
    for name, pattern in _PLUGS.get(tool, ()):
        if name in files and re.search(pattern, files[name], re.MULTILINE):
            return _nothing(
                tool, f"{name} makes {tool} run code of the repository, which is not trusted"
            )
    return Install((*argv, *careful), tool)


def _nothing(tool: str, reason: str) -> Install:
    return Install((), tool, f"{reason}: no dependencies were installed")


def _declares(manifest: Any) -> bool:
    return isinstance(manifest, dict) and any(
        isinstance(manifest.get(table), dict) and manifest[table] for table in TABLES
    )


def _is_berry(files: Mapping[str, str]) -> bool:
    """Yarn 2 and later: its lock says so, and it has another configuration file."""
    return "__metadata:" in files["yarn.lock"] or ".yarnrc.yml" in files
