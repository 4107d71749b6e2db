"""Runs one act on a vault or a local forge in a process of its own, and ends it where it is told.

- `kill ACT ROOT [same]`: one child for each call that the act makes to the system, ended by SIGKILL
  right before that call (and in the middle of each write). Child N works in ROOT/N, or all of them
  in ROOT/same. Prints how many were killed.
- `trace ACT ROOT`: no kill; prints the calls and what each was made on, as JSON.
- `many WHAT ROOT COUNT TAG`: waits for a line on stdin, then makes COUNT records and prints their
  numbers, as JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orch.forges.local import LocalForge
from orch.git.memory import MemoryGit
from orch.model.pull import PullRequest
from orch.testing.forges import SteppingClock, opened
from orch.trackers.vault import Vault

NOW = "2025-11-21T04:00:00Z"
BODY = "a body\r\nof some lines\n" * 200
WATCHED = ["open", "write", "fsync", "fchmod", "link", "rename", "unlink", "mkdir", "close", "read"]


def forge(root: Path) -> LocalForge:
    return LocalForge(root / "forge", SteppingClock(), MemoryGit())


def vault(root: Path) -> Vault:
    return Vault(root / "vault")


def nothing(root: Path) -> None:
    root.mkdir(exist_ok=True)


def two_issues(root: Path) -> None:
    root.mkdir(exist_ok=True)
    if not vault(root).list()[0]:
        for title in ("one", "two"):
            vault(root).create(title, body=BODY, labels=["a"], created=NOW, key=f"key-{title}")


def two_pulls(root: Path) -> None:
    root.mkdir(exist_ok=True)
    if not forge(root).list_prs():
        for head in ("one", "two"):
            opened(forge(root), head, body=BODY, key=f"key-{head}")


def new_issue(root: Path) -> None:
    vault(root).create("new", body=BODY, labels=["a"], created=NOW, key="key-new")


def changed_issue(root: Path) -> None:
    vault(root).update("2", title="changed", body=BODY * 2, labels=["b"], status="closed")


def new_pull(root: Path) -> PullRequest:
    return opened(forge(root), "new", body=BODY, key="key-new")


ACTS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "first-issue": (nothing, new_issue),
    "next-issue": (two_issues, new_issue),
    "changed-issue": (two_issues, changed_issue),
    "first-pull": (nothing, new_pull),
    "next-pull": (two_pulls, new_pull),
}


class Watch:
    """Counts the calls to `os.*` and `flock`, names what they are made on, and kills at one."""

    def __init__(self, fatal: int = 0, report: Path | None = None) -> None:
        self.fatal, self.report = fatal, report
        self.calls: list[list[str]] = []
        self._paths: dict[int, str] = {}
        self._count = 0

    def install(self) -> None:
        for name in WATCHED:
            setattr(os, name, self._watched(name, getattr(os, name)))
        fcntl.flock = self._watched("flock", fcntl.flock)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            first = arguments[0]
            target = self._paths.get(first, "") if isinstance(first, int) else str(first)
            self.calls.append([name, target, *[str(a) for a in arguments[1:2] if name != "write"]])
            self._point(name)
            if name == "write" and len(arguments[1]) > 1:
                if self._is_next():
                    real(first, bytes(arguments[1])[: len(arguments[1]) // 2])
                self._point("half a write")
            result = real(*arguments, **named)
            if name == "open":
                self._paths[result] = target
            return result

        return call

    def _is_next(self) -> bool:
        return self._count + 1 == self.fatal

    def _point(self, name: str) -> None:
        self._count += 1
        if self._count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def kill(act: str, root: Path, *, same: bool) -> None:
    prepare, perform = ACTS[act]
    killed = 0
    while True:
        place = root / ("same" if same else str(killed + 1))
        child = os.fork()
        if child == 0:
            prepare(place)
            watch = Watch(killed + 1)
            watch.install()
            perform(place)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, status
            break
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1
    print(json.dumps(killed))


def trace(act: str, root: Path) -> None:
    prepare, perform = ACTS[act]
    prepare(root)
    watch = Watch()
    watch.install()
    perform(root)
    print(json.dumps(watch.calls))


def many(what: str, root: Path, count: int, tag: str) -> None:
    sys.stdin.readline()
    numbers = []
    for n in range(count):
        if what == "issues":
            made = vault(root).create(f"{tag}-{n}", created=NOW, key=f"key-{tag}-{n}")
            numbers.append(int(made.id.rpartition("-")[2]))
        elif what == "pulls":
            pull = opened(forge(root), f"{tag}-{n}", title=tag, key=f"key-{tag}-{n}")
            numbers.append(pull.number)
        elif what == "labels":
            vault(root).update("1", labels=[str(n)])
        else:
            vault(root).update("1", pr_url=str(n))
    print(json.dumps(numbers))


if __name__ == "__main__":
    verb, what, place, *rest = sys.argv[1:]
    if verb == "kill":
        kill(what, Path(place), same=bool(rest))
    elif verb == "trace":
        trace(what, Path(place))
    else:
        many(what, Path(place), int(rest[0]), rest[1])
