"""Merges a pull request in a process of its own, and ends that process where it is told.

`python -m tests.chaos.landing_runner KIND STRATEGY ROOT`: one child for each point, ended by SIGKILL
there. All work in ROOT/scene, which is laid there from a copy for each; child N leaves it as ROOT/N.
Prints how many were killed. Kinds of points:

- `records`: right before each call to the system by which the PR's record changes;
- `after`: when a git command has ended, before anybody knows how;
- `during`: when a git command has just begun, which then goes on alone to its end: somebody else
  keeps its pipes open, and this process waits until both are gone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from orch.forges.local import LocalForge
from orch.git.gateway import Gateway
from orch.git.locks import git_processes
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.testing.forges import SteppingClock, opened
from tests.chaos.record_runner import Watch
from tests.gitrepos import GitRepos, worktree_at

KEY = "run/5#1"
BRANCH = "orch/work"
CHANGING = ["open", "write", "fsync", "fchmod", "link", "rename", "unlink", "mkdir"]


class Scene:
    """A repository with its remote, whose base went on, and one open PR of two commits."""

    def __init__(self, root: Path) -> None:
        self.repos = GitRepos(root)
        self.git = self.repos.gateway()
        self.path = self.repos.root / "thing"
        self.forge = LocalForge(self.repos.root / "forge", SteppingClock(), self.git)

    def prepare(self) -> None:
        repo = self.repos.register(self.git, self.repos.repository())
        base = self.git.resolve_base(repo, None, fetch=False).commit
        worktree = worktree_at(repo, "work", base)
        self.git.add_worktree(repo, worktree, key="k")
        for name in ("one", "two"):
            Path(worktree.path, f"{name}.txt").write_text(f"{name}\n")
            self.git.commit(repo, worktree, f"Add {name}", key=f"commit/{name}")
        head = self.git.push(repo, worktree)
        opened(self.forge, BRANCH, repo, head_sha=head)
        self.repos.commit_remotely(repo.remote_url, "main", {"other.txt": "theirs\n"})

    @property
    def repo(self) -> Repo:
        return self.repos.register(self.git, self.path)

    def merge(self, repo: Repo, strategy: Any) -> PullRequest:
        return self.forge.merge_pr(repo, 1, strategy=strategy, expected_head="", key=KEY)


def quiet(scene: Scene) -> None:
    """Return when no git that outlived its parent works here any more."""
    deadline = time.monotonic() + 60
    while git_processes([str(scene.repos.root)]):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hear_out(command: subprocess.Popen[bytes]) -> None:
    """Read what a command says until it is over, from a process of its own, so that the command can
    be told neither by its pipes nor by its end that nobody waits for it."""
    if os.fork():
        return
    if command.stdin is not None:
        command.stdin.close()
    for stream in (command.stdout, command.stderr):
        while stream is not None and stream.read1(65536):  # type: ignore[attr-defined]
            pass  # few words: no pipe fills up while the other one is read
    os._exit(0)


class Killer:
    """Ends this process at its `fatal`-th point."""

    def __init__(self, kind: str, fatal: int) -> None:
        self.kind, self.fatal, self.count = kind, fatal, 0

    def install(self) -> None:
        if self.kind == "records":
            watch = Watch(self.fatal)
            for name in CHANGING:
                setattr(os, name, watch._watched(name, getattr(os, name)))
            return
        method = "_once" if self.kind == "after" else "_start"
        real = getattr(Gateway, method)

        def deadly(*words: Any, **named: Any) -> Any:
            answer = real(*words, **named)
            self.count += 1
            if self.count == self.fatal:
                if self.kind == "during":
                    hear_out(answer)
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(Gateway, method, deadly)


def main(kind: str, strategy: str, root: Path, step: int) -> None:
    """Merge again and again, killed at each `step`-th point; prints how many scenes that left."""
    killed = 0
    scene = Scene(root / "scene")
    scene.prepare()
    shutil.copytree(root / "scene", root / "kept", symlinks=True)
    repo = scene.repo
    while True:
        alive, held = os.pipe()
        child = os.fork()
        if child == 0:
            Killer(kind, 1 + killed * step).install()
            scene.merge(repo, strategy)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        os.close(held)
        os.read(alive, 1)  # its end: whoever it left behind is gone, too
        os.close(alive)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, status
            break
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1
        quiet(scene)
        (root / "scene").rename(root / str(killed))
        shutil.copytree(root / "kept", root / "scene", symlinks=True)
    print(json.dumps(killed))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
