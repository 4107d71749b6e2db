"""The folders of a home: made when they are not there, and what stands in their way.

Invariant: nothing is moved or removed to make room; what is in the way is named.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from orch.model.errors import ToolFailed

FOLDERS = ("run", "repos", "worktrees", "attempts", "vault", "forge", "pinned", "log")


def make_folders(home: Path) -> list[ToolFailed]:
    """Make those that can be made; why the others cannot."""
    refusals = []
    for name in FOLDERS:
        try:
            (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            refusals.append(in_the_way(home / name))
        except OSError as error:
            full = error.errno in (28, 122)
            refusals.append(
                ToolFailed(
                    f"cannot make the home {home}: {error.strerror}",
                    code="disk_full" if full else "home_unusable",
                    hint="set ORCH_HOME to a folder that can be written to",
                )
            )
    return refusals


def in_the_way(path: Path) -> ToolFailed:
    """Something else stands where a folder has to be: at `path`, or above it."""
    there = next(p for p in (path, *path.parents) if os.path.lexists(p))
    ours = there.is_file() or there.is_symlink()
    return ToolFailed(
        f"{there} is not a folder; Orch needs one there", code="home_unusable",
        hint=f"mv {quote(str(there))} {quote(f'{there}.old')}" if ours
        else "set ORCH_HOME to a folder",
    )  # fmt: skip
