"""What git's complaints mean: exit codes and stderr as `OrchError`s with a code and a hint.

Invariant: git always speaks C-locale English to us, and no credential inside a URL survives into
an error (H95). A sentence names the thing and the reason; git's last words are in `data["stderr"]`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from orch.model.errors import (
    Conflict,
    NotFound,
    OrchError,
    SignInNeeded,
    ToolFailed,
)

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]+@")
_HALF_MADE = re.compile(r"failed to read .*/worktrees/.*/commondir")
_LOCK = re.compile(r"Unable to create '(.+?\.lock)': File exists")
_STDERR_CHARACTERS = 4_000
_ROOM_BYTES = 32 * 1024

_FULL_DISK = ("no space left on device", "disk quota exceeded", "enospc")
_SIGN_IN = (
    "authentication failed",
    "could not read username",
    "could not read password",
    "terminal prompts disabled",
    "permission denied (publickey",
    "host key verification failed",
    "http basic: access denied",
    "the requested url returned error: 401",
    "the requested url returned error: 403",
)
_NO_REPOSITORY_THERE = (
    "does not appear to be a git repository",
    "repository not found",
    "the requested url returned error: 404",
)
_BROKEN_LINE = (
    "could not resolve host",
    "could not read from remote repository",
    "couldn't connect",
    "connection refused",
    "connection reset",
    "connection timed out",
    "connection closed",
    "network is unreachable",
    "no route to host",
    "operation timed out",
    "the remote end hung up",
    "early eof",
    "unexpected disconnect",
    "unable to access",
    "rpc failed",
    "gnutls_handshake",
    "openssl ssl_",
    "ssl certificate problem",
    "ssl_error",
    "the requested url returned error: 5",
)


def readable(stderr: bytes) -> str:
    """The last of what git said, as text without credentials."""
    text = stderr[-_STDERR_CHARACTERS:].decode("utf-8", "backslashreplace")
    return _CREDENTIALS.sub("***@", text)


def lock_in_the_way(stderr: str) -> str:
    """The path of the lock that git could not take, or empty."""
    found = _LOCK.search(stderr)
    return found.group(1) if found else ""


def is_half_made(stderr: str) -> bool:
    """Whether git gave up at the entry of a worktree that is being made, or whose maker is gone."""
    return _HALF_MADE.search(stderr) is not None


def last_line(stderr: str) -> str:
    """The line that says why: the last `fatal:` or `error:`, else the last one at all."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    chosen = (telling or lines or [""])[-1]
    return chosen.removeprefix("fatal: ").removeprefix("error: ")


def translated(args: Sequence[str], code: int, stderr: str, *, network: bool) -> OrchError:
    """The error for a command that ended with `code`."""
    data = {"command": _shown(args), "exit_code": code, "stderr": stderr}
    lower = stderr.lower()
    reason = last_line(stderr).rstrip(".") or f"it ended with code {code} and said nothing"
    what = f"git {args[0]}"
    if any(words in lower for words in _FULL_DISK):
        return ToolFailed(
            f"{what} failed: the disk is full.",
            code="disk_full",
            hint="Free some space, then repeat the command.",
            **data,
        )
    if lock := lock_in_the_way(stderr):
        return Conflict(
            f"{what} failed: another process holds {lock}.",
            code="repository_busy",
            hint="Wait for the other git command to end, then repeat.",
            **data,
        )
    if network:
        found = _network_failure(what, reason, lower, data)
        if found is not None:
            return found
    if "not a git repository" in lower:
        return NotFound(
            f"{what} failed: {reason}.",
            code="not_a_repository",
            hint="See the registered repositories with: orch repo list",
            **data,
        )
    return ToolFailed(
        f"{what} failed: {reason}.",
        code="git_failed",
        hint="See the checks with: orch doctor",
        **data,
    )


def _network_failure(
    what: str, reason: str, lower: str, data: dict[str, object]
) -> OrchError | None:
    if any(words in lower for words in _SIGN_IN):
        return SignInNeeded(
            f"{what} failed: the remote refused us: {reason}.",
            code="sign_in_needed",
            hint="Make 'git fetch' work without a prompt in that repository, then repeat.",
            **data,
        )
    if any(words in lower for words in _NO_REPOSITORY_THERE):
        return NotFound(
            f"{what} failed: there is no repository at the remote: {reason}.",
            code="remote_missing",
            hint="See the remotes with: git remote -v",
            **data,
        )
    if any(words in lower for words in _BROKEN_LINE):
        return ToolFailed(
            f"{what} failed: the remote cannot be reached: {reason}.",
            code="network",
            hint="Check the connection, then repeat the command.",
            **data,
        )
    return None


def is_disk_full(places: Iterable[str]) -> bool:
    """Whether one of these directories (empty words are skipped) has no room left for a file."""
    for place in filter(None, places):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        no_inodes = found.f_files > 0 and found.f_favail == 0
        if no_inodes or found.f_bavail * found.f_frsize < _ROOM_BYTES:
            return True
    return False


def too_slow(args: Sequence[str], seconds: float, *, network: bool) -> ToolFailed:
    """The error for a command that had to be ended. For the network the outcome is unknown."""
    return ToolFailed(
        f"git {args[0]} did not end within {seconds:g} s and was stopped.",
        code="network" if network else "git_timeout",
        hint="Check the connection, then repeat the command."
        if network
        else "Check the disk and other running git commands, then repeat.",
        command=_shown(args),
    )


def not_started(program: str, directory: str, error: Exception) -> OrchError:
    """The error for a program that could not be started at all."""
    if isinstance(error, FileNotFoundError | NotADirectoryError) and directory != "/":
        return NotFound(
            f"There is no directory {directory}.",
            code="not_a_repository",
            hint="Give the path of a git repository.",
        )
    if isinstance(error, FileNotFoundError | PermissionError):
        return ToolFailed(
            f"The program {program!r} cannot be started: {error}.",
            code="git_missing",
            hint="Install git 2.38 or newer.",
        )
    return ToolFailed(
        f"The program {program!r} cannot be started: {error}.",
        code="git_failed",
        hint="See the checks with: orch doctor",
    )


@contextlib.contextmanager
def our_own_writes(what: str) -> Iterator[None]:
    """Translate faults of our own file operations: `what` completes "Cannot …"."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ToolFailed(
            f"Cannot {what}: {error.strerror or error}.",
            code="disk_full" if full else "git_failed",
            hint="Free some space, then repeat the command."
            if full
            else "Check the directory's owner and rights.",
            file=str(error.filename or ""),
        ) from error


def _shown(args: Sequence[str]) -> str:
    return _CREDENTIALS.sub("***@", " ".join(["git", *args]))[:500]
