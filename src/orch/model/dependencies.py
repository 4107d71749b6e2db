"""Which command installs the dependencies of a fresh worktree. Pure: file texts in, argv out.

Rules: SEED-CONTRACT 1A. Only by lockfile, always frozen, packages' own scripts off unless the
repository is trusted.
"""

from __future__ import annotations

import json

import msgspec

MANIFESTS = ("package.json", "uv.lock")
LOCKS = ("bun.lockb", "bun.lock", "pnpm-lock.yaml", "yarn.lock", "package-lock.json")
TABLES = ("dependencies", "devDependencies", "peerDependencies")


class Install(msgspec.Struct, frozen=True):
    """`argv` is empty when nothing is to be run; `sentence` then says why."""

    argv: tuple[str, ...]
    tool: str
    sentence: str = ""


def wanted() -> tuple[str, ...]:
    """The files of a worktree's root whose text `plan` asks for (a lock's may be empty)."""
    return (*MANIFESTS, *LOCKS, ".yarnrc.yml")


def plan(files: dict[str, str], *, trusted: bool) -> Install | None:
    """What to run for these root files; None when there is nothing to install."""
    if "package.json" in files:
        found = _javascript(files, trusted=trusted)
        if found is not None:
            return found
    if "uv.lock" in files:
        argv = ["uv", "sync", "--frozen"]
        if not trusted:
            argv += ["--no-build", "--no-install-project"]
        return Install(tuple(argv), "uv")
    return None


def _javascript(files: dict[str, str], *, trusted: bool) -> Install | None:
    try:
        manifest = json.loads(files["package.json"])
    except (ValueError, RecursionError):
        return Install((), "", "package.json is not valid JSON: no dependencies were installed")
    if not isinstance(manifest, dict) or not any(manifest.get(table) for table in TABLES):
        return None
    quiet = [] if trusted else ["--ignore-scripts"]
    if "bun.lockb" in files or "bun.lock" in files:
        return Install(("bun", "install", "--frozen-lockfile", *quiet), "bun")
    if "pnpm-lock.yaml" in files:
        return Install(("pnpm", "install", "--frozen-lockfile", *quiet), "pnpm")
    if "yarn.lock" in files:
        if ".yarnrc.yml" in files:
            berry = () if trusted else ("--mode=skip-build",)
            return Install(("yarn", "install", "--immutable", *berry), "yarn")
        return Install(("yarn", "install", "--frozen-lockfile", *quiet), "yarn")
    if "package-lock.json" in files:
        return Install(("npm", "ci", "--no-audit", "--no-fund", *quiet), "npm")
    return Install((), "", "package.json has no lockfile: no dependencies were installed")
