"""Where a home's sockets are: below it, or, where that name is too long, in a private directory.

Invariant: the same for every process of a home, whatever its TMPDIR; nobody else can reach into it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from orch.model.errors import ToolFailed

LIMIT = 100
"""Bytes; a socket's name holds 103 on macOS, and its maker may want some for itself."""
SHORT = Path("/tmp")


def fitting(path: Path, key: Path) -> Path:
    """`path`; where that is too long for a socket's name, one named from `key` in this user's own
    directory under /tmp."""
    if len(os.fsencode(path)) <= LIMIT:
        return path
    import hashlib  # late: it brings OpenSSL, and most names are short enough

    digest = hashlib.sha256(os.fsencode(key)).hexdigest()[:20]
    return SHORT / f"orch-{os.geteuid()}" / f"{digest}.sock"


def service_socket(home: Path) -> Path:
    """Where the service of `home` (a real path) listens."""
    path = home / "run" / "orch.sock"
    return fitting(path, path)


def has_place(path: Path) -> bool:
    """Whether the socket's directory is there; an error when it is a shared one's neighbour and
    somebody else could reach into it."""
    folder = path.parent
    return is_private(folder) if folder.parent == SHORT else folder.is_dir()


def is_private(folder: Path) -> bool:
    """False when it is not there; an error when somebody else could reach into it."""
    try:
        known = folder.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(known.st_mode) and known.st_uid == os.geteuid() and not known.st_mode & 0o077:
        return True
    raise ToolFailed(
        f"{folder} is not a private directory of this user.",
        code="socket_unsafe",
        hint=f"Look at `ls -ld {folder}`, remove it, then run the command again.",
    )
