"""Starts git: argument vector, environment, time limit, and the translation of what went wrong.

Invariants:

- Local commands see an environment of a few words that are ours, no configuration of the person,
  of the system or of the repository (a `Place` names the pinned view), no hooks and no terminal.
- Commands over the network may use the person's own global configuration and environment
  (credentials, proxies, `insteadOf`); never hooks, never a prompt: each git is in a session of its
  own, so ssh has no terminal to ask on and needs no batch option that would hide the person's
  `core.sshCommand`.
- A command that meets a lock left by a dead process removes it (see `locks`) and runs again.
- Faults leave as `OrchError`, exactly once translated (see `failures`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from orch.git import failures, locks, names

# `none`: our environment, no configuration but the pinned one. `near`: the same, for repositories on
# this machine; one that belongs to another user is tried again with the person's configuration,
# which may say that it is safe. `person`: our environment, the person's configuration, for looking
# only. `far`: the person's environment and configuration, for the network.
Reach = Literal["none", "near", "person", "far", "plain"]

_SLICE_S = 1.0
# A transaction that was killed leaves a lock for each of its refs.
_LOCKS_AT_MOST = 4
# Seconds: `git worktree add` writes an entry file by file, and no git reads one that is half there.
_HALF_MADE_S = (0.02, 0.1, 0.4)

DEFAULT_PROTOCOLS = frozenset({"file", "git", "https", "ssh"})

# Set on every command, above any file. What could start a program, write where it should not, or
# make two equal calls differ is switched off.
FORCED_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.attributesFile": "/dev/null",
    "core.fsync": "committed",  # a commit we reported survives a power cut, +2.5 ms a commit
    "core.fsyncMethod": "batch",
    "core.pager": "cat",
    "core.quotePath": "false",
    "core.bigFileThreshold": "64m",
    "diff.external": "",
    "diff.ignoreSubmodules": "dirty",
    "diff.renames": "true",
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "push.followTags": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "protocol.ext.allow": "never",
    "log.showSignature": "false",
    "advice.detachedHead": "false",
    "merge.renames": "true",
}
_LOCAL_WORDS = frozenset(
    {
        "GIT_EXEC_PATH",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "HOME",
        "HTTPS_PROXY",
        "LD_LIBRARY_PATH",
        "NO_PROXY",
        "PATH",
        "SSH_AUTH_SOCK",  # partial clones fetch objects in the middle of local work
        "TMPDIR",
        "TZ",
        "XDG_CONFIG_HOME",
        "https_proxy",
        "no_proxy",
    }
)
_NO_CONFIGURATION = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "XDG_CONFIG_HOME": "/dev/null",
}
_PERSONS_GIT_WORDS = frozenset(
    {
        "GIT_ASKPASS",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",
        "GIT_PROXY_COMMAND",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
    }
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a command may take, in seconds. `lock_s` is how long a held lock is waited for,
    `settle_s` how long an ownerless one is watched before it is removed."""

    local_s: float = 900.0
    look_s: float = 15.0
    fetch_s: float = 60.0
    transfer_s: float = 1_800.0
    lock_s: float = 10.0
    settle_s: float = 0.1


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command works. `git_dir` and `common_dir` are never left to git to find out;
    `work_tree` is empty for commands on the repository as a whole. `directory` is where the
    process stands: `/`, except where git itself has to look around (`inspect`). `roots` are the
    directories in which a dead process's lock may be removed."""

    git_dir: str = ""
    common_dir: str = ""
    work_tree: str = ""
    directory: str = "/"
    roots: tuple[str, ...] = ()


NOWHERE = Place()


class Output(msgspec.Struct, frozen=True):
    """What a command said. `stderr` is text with credentials taken out of URLs."""

    code: int
    stdout: bytes
    stderr: str

    def text(self) -> str:
        """Standard output without the last line break; bytes that are not UTF-8 are escaped."""
        return self.stdout.decode("utf-8", "backslashreplace").rstrip("\n")


class Gateway:
    """The one door to the program."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        program: str = "git",
        protocols: frozenset[str] = DEFAULT_PROTOCOLS,
        limits: Limits | None = None,
    ) -> None:
        self.program = program
        self.protocols = protocols
        self.limits = limits or Limits()
        forced = _forced(protocols)
        self._environments: dict[Reach, dict[str, str]] = {
            "none": _small_environment(environ) | _NO_CONFIGURATION | forced,
            "near": _small_environment(environ) | _NO_CONFIGURATION | forced,
            "person": _small_environment(environ) | forced,
            "far": _persons_environment(environ) | forced,
            "plain": _persons_environment(environ) | _forced(protocols | {"http"}),
        }
        self._locks = locks.Locks(wait_s=self.limits.lock_s, settle_s=self.limits.settle_s)

    def run(
        self,
        args: Sequence[str],
        place: Place = NOWHERE,
        *,
        stdin: bytes = b"",
        accept: tuple[int, ...] = (0,),
        reach: Reach = "none",
        timeout: float = 0.0,
        variables: Mapping[str, str | bytes] | None = None,
        lock_roots: Sequence[str] = (),
    ) -> Output:
        """Run `git <args>` and give what it said. A code outside `accept` is raised.

        `timeout` is in seconds (default: the local limit). `lock_roots` are further directories in
        which a stale lock may be removed; the place's own are always among them.
        """
        environment = self._environment(place, reach, variables or {})
        seconds = timeout or self.limits.local_s
        output = self._once(args, place, environment, stdin, seconds, reach)
        if reach == "near" and "dubious ownership" in output.stderr:
            environment = self._environment(place, "person", variables or {})
            output = self._once(args, place, environment, stdin, seconds, reach)
        for _ in range(_LOCKS_AT_MOST):
            lock = failures.lock_in_the_way(output.stderr) if output.code else ""
            if not lock or not self._locks.release(lock, (*place.roots, *lock_roots)):
                break
            output = self._once(args, place, environment, stdin, seconds, reach)
        for pause in _HALF_MADE_S:
            if not output.code or not failures.is_half_made(output.stderr):
                break
            time.sleep(pause)
            output = self._once(args, place, environment, stdin, seconds, reach)
        if output.code in accept:
            return output
        # git does not always say why a write failed.
        full = failures.is_disk_full((place.common_dir, place.work_tree, *lock_roots))
        said = f"{output.stderr}\nNo space left on device" if full else output.stderr
        raise failures.translated(
            args, output.code, said, network=reach in ("near", "far", "plain")
        )

    def read_capped(self, args: Sequence[str], place: Place, limit: int) -> tuple[bytes, bool]:
        """The first `limit` bytes of what `git <args>` prints, and whether there was more. The
        rest is never produced: the program is ended."""
        environment = self._environment(place, "none", {})
        process = self._start(args, place, environment, subprocess.DEVNULL)
        assert process.stdout is not None
        watch = threading.Timer(self.limits.local_s, os.killpg, (process.pid, signal.SIGKILL))
        watch.start()
        try:
            data = process.stdout.read(limit + 1)
            if len(data) > limit:
                return data[:limit], True
            _, stderr = process.communicate()
        finally:
            watch.cancel()
            _end(process)
        if process.returncode != 0:
            said = failures.readable(stderr)
            raise failures.translated(args, process.returncode, said, network=False)
        return data, False

    def free_locks(self, paths: Sequence[str], roots: Sequence[str]) -> None:
        """Remove those of `paths` that are locks of dead processes; a live owner is waited for and
        then `Conflict(repository_busy)`."""
        for path in paths:
            if os.path.lexists(path):
                self._locks.release(path, roots)

    def await_quiet(self, roots: Sequence[str], command: str = "") -> None:
        """Return when no git (or none that runs `command`) of this user works below `roots`;
        `Conflict(repository_busy)` when one still does after the lock limit."""
        self._locks.await_quiet(roots, command)

    def _environment(
        self, place: Place, reach: Reach, variables: Mapping[str, str | bytes]
    ) -> dict[str, str | bytes]:
        environment: dict[str, str | bytes] = dict(self._environments[reach])
        if place.git_dir:
            environment["GIT_DIR"] = place.git_dir
        if place.common_dir:
            environment["GIT_COMMON_DIR"] = place.common_dir
        if place.work_tree:
            environment["GIT_WORK_TREE"] = place.work_tree
        environment.update(variables)
        return environment

    def _start(
        self,
        args: Sequence[str],
        place: Place,
        environment: Mapping[str, str | bytes],
        stdin: int,
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self.program, *args],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=place.directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise failures.not_started(self.program, place.directory, error) from error

    def _once(
        self,
        args: Sequence[str],
        place: Place,
        environment: Mapping[str, str | bytes],
        stdin: bytes,
        seconds: float,
        reach: Reach,
    ) -> Output:
        process = self._start(
            args, place, environment, subprocess.PIPE if stdin else subprocess.DEVNULL
        )
        try:
            stdout, stderr = _communicate(process, stdin, seconds)
        except subprocess.TimeoutExpired as error:
            raise failures.too_slow(args, seconds, network=reach in ("far", "plain")) from error
        finally:
            _end(process)
        return Output(process.returncode, stdout, failures.readable(stderr))


def _communicate(
    process: subprocess.Popen[bytes], stdin: bytes, seconds: float
) -> tuple[bytes, bytes]:
    """What the program wrote to its end. Children that outlive a killed git can hold its pipes
    open for ever (pack-objects and receive-pack waiting for each other; a shared ssh connection):
    they are ended, or left, and what is there is taken."""
    deadline = time.monotonic() + seconds
    data: bytes | None = stdin or None
    ended = False
    while True:
        wait = min(_SLICE_S, max(deadline - time.monotonic(), 0.0))
        try:
            return process.communicate(data, timeout=wait)
        except subprocess.TimeoutExpired as partial:
            data = None
            if ended:
                return partial.output or b"", partial.stderr or b""
            ended = process.poll() is not None
            if ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            elif time.monotonic() >= deadline:
                raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the program and its children are gone and the pipes closed. One that still
    runs is asked first (git then takes its locks away) and forced after two seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2.0)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def reach_of(url: str) -> Reach:
    """How far a command goes that speaks to `url` (checked by `names.check_url`)."""
    if names.is_local_url(url):
        return "near"
    return "plain" if names.is_plain_url(url) else "far"


def _forced(protocols: frozenset[str]) -> dict[str, str]:
    words = {"GIT_CONFIG_COUNT": str(len(FORCED_SETTINGS))}
    for number, (key, value) in enumerate(FORCED_SETTINGS.items()):
        words[f"GIT_CONFIG_KEY_{number}"] = key
        words[f"GIT_CONFIG_VALUE_{number}"] = value
    return words | {
        "GIT_ALLOW_PROTOCOL": ":".join(sorted(protocols)),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_EDITOR": "false",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PAGER": "cat",
        "GIT_SEQUENCE_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "SSH_ASKPASS_REQUIRE": "never",
    }


def _small_environment(environ: Mapping[str, str]) -> dict[str, str]:
    words = {name: environ[name] for name in _LOCAL_WORDS if name in environ}
    return words | {"GIT_ASKPASS": ""}


def _persons_environment(environ: Mapping[str, str]) -> dict[str, str]:
    words = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name in _PERSONS_GIT_WORDS
    }
    words.setdefault("GIT_ASKPASS", "")
    return words
