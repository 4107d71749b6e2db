"""Ignored files that a fresh worktree gets from the main checkout: copies, and links.

Patterns are those of `.gitignore`, relative to the main checkout's root. A linked directory is a
real one in the worktree, its entries are links: what is newly put into it stays there, and rules
that speak of directories (`node_modules/`) go on ignoring it. A copy shares its blocks with the
original where the file system can (`FICLONE`, `clonefile`).

Look: what is at a path already is left as it is. Act: a file is complete before it gets its name.
So the same call again completes what was interrupted.

Invariant: only files that git ignores in the worktree are brought, so that none of them is ever
committed; nothing outside of the main checkout is read and nothing outside of the worktree is
written, whatever links lie on the way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence

from orch.git import failures, pinned, places, status
from orch.git.gateway import Gateway, Place
from orch.model.repo import Repo
from orch.model.worktree import Carried, Worktree

_FICLONE = 0x40049409


def carry(
    gateway: Gateway, repo: Repo, worktree: Worktree, *, copy: Sequence[str], link: Sequence[str]
) -> Carried:
    """See `orch.ports.Git.carry_ignored`."""
    if not (copy or link) or repo.local_path == repo.common_dir:
        return Carried()
    tree = places.find_tree(repo, worktree)
    passed_over: list[str] = []
    main = pinned.main_place(repo)
    copies = matching(gateway, main, copy)
    links = _entries(repo.local_path, matching(gateway, main, link, "--directory"))
    # git refuses to be asked about paths behind a link, which a branch may have in the way.
    hidden = {p for p in (*copies, *links) if _is_behind_link(os.fsencode(tree.path), p)}
    ignored = _ignored(gateway, tree.place, [p for p in (*copies, *links) if p not in hidden])
    brought: dict[str, list[str]] = {"copy": [], "link": []}
    for kind, paths in (("link", links), ("copy", copies)):
        for path in paths:
            shown = status.shown(path)
            if path in hidden:
                passed_over.append(f"{shown} would lie behind a link in the worktree")
            elif path not in ignored:
                passed_over.append(f"{shown} is not ignored there, so it would be committed")
            elif reason := _bring(repo.local_path, tree.path, path, linked=kind == "link"):
                passed_over.append(f"{shown} {reason}")
            else:
                brought[kind].append(shown)
    return Carried(
        copied=tuple(brought["copy"]), linked=tuple(brought["link"]), passed_over=tuple(passed_over)
    )


def matching(gateway: Gateway, place: Place, patterns: Sequence[str], *options: str) -> list[bytes]:
    """Untracked paths of the main checkout; directories, where asked for, end with a slash."""
    if not patterns:
        return []
    words = ["ls-files", "-z", "--others", "--ignored", *options]
    words += [f"--exclude={pattern}" for pattern in patterns]
    found = gateway.run(words, place).stdout.split(b"\0")
    # Without --directory, what ends with a slash is a repository of its own.
    return [path for path in found if path and (options or not path.endswith(b"/"))]


def _entries(top: str, paths: Sequence[bytes]) -> list[bytes]:
    """Directories replaced by what is in them."""
    found = []
    for path in paths:
        if path.endswith(b"/"):
            with contextlib.suppress(OSError):
                names = sorted(os.listdir(os.path.join(os.fsencode(top), path)))
                found += [path + name for name in names]
        else:
            found.append(path)
    return found


def _ignored(gateway: Gateway, place: Place, paths: Sequence[bytes]) -> set[bytes]:
    if not paths:
        return set()
    output = gateway.run(
        ["check-ignore", "-z", "--stdin"], place, stdin=b"\0".join(paths) + b"\0", accept=(0, 1)
    )
    return set(output.stdout.split(b"\0"))


def _is_behind_link(top: bytes, path: bytes) -> bool:
    folder = os.path.dirname(path)
    while folder:
        if os.path.islink(os.path.join(top, folder)):
            return True
        folder = os.path.dirname(folder)
    return False


def _bring(source_top: str, target_top: str, path: bytes, *, linked: bool) -> str:
    """Empty, or why it was passed over."""
    source = os.path.join(os.fsencode(source_top), path)
    target = os.path.join(os.fsencode(target_top), path)
    if os.path.realpath(os.path.dirname(source)) != os.path.dirname(source):
        return "is reached through a link in the main checkout"
    with failures.our_own_writes(f"bring {status.shown(path)} to {target_top}"):
        if not _make_folders(os.fsencode(target_top), os.path.dirname(path)):
            return "would lie behind a link in the worktree"
        if os.path.lexists(target):
            return ""
        if linked:
            with contextlib.suppress(FileExistsError):
                os.symlink(source, target)
            return ""
        return _copy(source, target, os.fsencode(target_top))


def _make_folders(top: bytes, folder: bytes) -> bool:
    """Make the directories on the way; false when one of them is a link or a file."""
    here = top
    for part in filter(None, folder.split(b"/")):
        here = os.path.join(here, part)
        with contextlib.suppress(FileExistsError):
            os.mkdir(here)
        if not stat.S_ISDIR(os.lstat(here).st_mode):
            return False
    return True


def _copy(source: bytes, target: bytes, target_top: bytes) -> str:
    found = os.lstat(source)
    if stat.S_ISLNK(found.st_mode):
        where = os.readlink(source)
        inside = os.path.normpath(os.path.join(os.path.dirname(target), where))
        if not inside.startswith(target_top + b"/"):
            return "is a link that leads out of the checkout"
        os.symlink(where, target)
        return ""
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file"
    parent, name = os.path.split(target_top)
    unfinished = os.path.join(parent, b".orch-carry-" + name)
    try:
        _copy_file(source, unfinished)
        os.rename(unfinished, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
    return ""


def _copy_file(source: bytes, target: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(source, flags), "rb") as original:
        found = os.fstat(original.fileno())
        if not _shared_blocks(source, target, original.fileno()):
            with open(target, "wb") as copy:
                shutil.copyfileobj(original, copy, 1 << 20)
    os.chmod(target, stat.S_IMODE(found.st_mode) & 0o777)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _shared_blocks(source: bytes, target: bytes, original: int) -> bool:
    """Copy on write, where the file system can."""
    if sys.platform == "darwin":
        words = [b"/bin/cp", b"-c", source, target]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    with open(target, "wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original)
        except OSError:
            return False
    return True
