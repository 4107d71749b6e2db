"""What git says about a worktree's files: porcelain v2 with NUL ends, as data.

Invariant: looking takes no lock, runs no program and descends into no submodule or embedded
repository (git would run a second git there, under configuration that an agent wrote). Paths are
bytes, exactly as on the disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from orch.git.gateway import Gateway, Place

_GITLINK = "160000"
_UNOPENED = re.compile(r"^warning: could not open directory '(.*)':", re.MULTILINE)


class Entry(msgspec.Struct, frozen=True):
    """One changed path. `staged` and `unstaged` are git's letters (`M T A D R C`, `.` for none);
    an untracked path has `?` in both. `mode` is the one it has or gets in the index."""

    path: bytes
    staged: str
    unstaged: str
    mode: str = ""

    @property
    def untracked(self) -> bool:
        return self.unstaged == "?"

    @property
    def embedded(self) -> bool:
        """A repository inside the worktree that the branch does not know as a submodule."""
        if self.untracked:
            return self.path.endswith(b"/")
        return self.staged == "A" and self.mode == _GITLINK


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`head` is empty on an unborn branch, `branch` when HEAD is detached. `unopened` are
    directories that could not be looked into. `ignored`, if asked for, are ignored paths; a directory
    that a rule names is one, with a slash, and nothing in it is listed."""

    head: str
    branch: str
    entries: tuple[Entry, ...] = ()
    unmerged: tuple[bytes, ...] = ()
    unopened: tuple[str, ...] = ()
    ignored: tuple[bytes, ...] = ()

    @property
    def tracked_changes(self) -> tuple[bytes, ...]:
        """Changed paths that git tracks; untracked files do not make a tree dirty (H66)."""
        return self.unmerged + tuple(e.path for e in self.entries if not e.untracked)


def read_status(
    gateway: Gateway, place: Place, *, variables: Mapping[str, str | bytes] | None = None,
    ignored: bool = False,
) -> Status:  # fmt: skip
    """The state of the worktree at `place`. `variables` may name another index."""
    output = gateway.run(
        [
            "status",
            "--porcelain=v2",
            "-z",
            "--branch",
            "--no-ahead-behind",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=dirty",
            *(["--ignored=matching"] if ignored else []),
        ],
        place,
        variables=variables,
    )
    seen = parse_status(output.stdout)
    unopened = tuple(_UNOPENED.findall(output.stderr))
    return msgspec.structs.replace(seen, unopened=unopened) if unopened else seen


def parse_status(text: bytes) -> Status:
    """`git status --porcelain=v2 -z --branch --no-renames` as data; see git-status(1)."""
    head = branch = ""
    entries: list[Entry] = []
    unmerged: list[bytes] = []
    ignored: list[bytes] = []
    for line in text.split(b"\0"):
        kind = line[:1]
        if kind == b"#":
            _, name, value = line.split(b" ", 2)
            if name == b"branch.oid":
                head = "" if value == b"(initial)" else value.decode()
            elif name == b"branch.head":
                branch = "" if value == b"(detached)" else shown(value)
        elif kind == b"1":
            # 1 XY sub mH mI mW hH hI path
            fields = line.split(b" ", 8)
            letters = fields[1].decode()
            entries.append(Entry(fields[8], letters[0], letters[1], fields[4].decode()))
        elif kind == b"u":
            unmerged.append(line.split(b" ", 10)[10])
        elif kind == b"?":
            entries.append(Entry(line[2:], "?", "?"))
        elif kind == b"!":
            ignored.append(line[2:])
    return Status(
        head=head, branch=branch, entries=tuple(entries), unmerged=tuple(unmerged),
        ignored=tuple(ignored),
    )  # fmt: skip


def shown(path: bytes) -> str:
    """A path as text for people and JSON; bytes that are not UTF-8 are escaped."""
    return path.decode("utf-8", "backslashreplace")
