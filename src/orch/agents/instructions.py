"""What a repository tells agents in a file of its own (CLAUDE.md, AGENTS.md), as text.

Invariant: a plain file below the worktree, never what a link points at; at most `LIMIT` bytes.
"""

from __future__ import annotations

import os
import stat

FILE = "instructions.md"
LIMIT = 64 * 1024


def of(worktree: str, *names: str) -> str:
    """The first of these files that is there; empty for none."""
    for name in names:
        try:
            file = os.open(f"{worktree}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return os.pread(file, LIMIT, 0).decode("utf-8", "replace")
        finally:
            os.close(file)
    return ""
