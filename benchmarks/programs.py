"""Whole programs against their nearest plain equivalent: the command line, and the main job."""

from __future__ import annotations

import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ORCH = str(Path(sys.executable).with_name("orch"))
SCRIPT = """#!/bin/sh
# What `orch run basic_pr` does, by hand: fetch, worktree, agent in tmux, commit, push, a PR record.
set -eu
repo=$1 tree=$2 branch=$3 agent=$4 socket=$5
git -C "$repo" fetch --quiet origin main
git -C "$repo" worktree add --quiet -b "$branch" "$tree" origin/main
tmux -S "$socket" -f /dev/null new-session -d -s "job" \
  "cd '$tree' && $agent < '$repo/README.md' > '$tree.out' 2> '$tree.err'; echo \\$? > '$tree.exit'"
while ! test -s "$tree.exit"; do sleep 0.01; done
test "$(cat "$tree.exit")" = 0
test -n "$(git -C "$tree" status --porcelain)"
git -C "$tree" add --all
git -C "$tree" commit --quiet --message "Do the work"
git -C "$tree" push --quiet origin "HEAD:refs/heads/$branch"
printf '{"head": "%s", "base": "main", "sha": "%s"}' "$branch" \
  "$(git -C "$tree" rev-parse HEAD)" > "$tree.pr"
"""


def cpu_seconds(argv: list[str], environ: dict[str, str]) -> float:
    """User and system seconds of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, env=environ, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def wall_seconds(argv: list[str], environ: dict[str, str], cwd: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        argv, env=environ, check=True, cwd=cwd, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - began


def in_turn(
    one: Callable[[int], float], other: Callable[[int], float], rounds: int
) -> tuple[float, float]:
    """Medians of two measurements taken in turn, A B A B, after one round of warm-up."""
    pairs = [(one(number), other(number)) for number in range(rounds + 1)][1:]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


class Place:
    """A home, a repository with a bare remote, and an agent that takes `seconds`."""

    def __init__(self, root: Path, seconds: float) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(root), "ORCH_HOME": str(root / "home"),
            "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@localhost",
            "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@localhost",
        }  # fmt: skip
        self.repo = root / "thing"
        self._git("init", "--quiet", "--bare", "-b", "main", str(root / "remote.git"))
        self._git("clone", "--quiet", str(root / "remote.git"), str(self.repo))
        for number in range(50):
            (self.repo / f"file-{number}.txt").write_text("text\n" * 20, encoding="utf-8")
        (self.repo / "README.md").write_text("a thing\n", encoding="utf-8")
        self._git("-C", str(self.repo), "add", ".")
        self._git("-C", str(self.repo), "commit", "--quiet", "-m", "Start")
        self._git("-C", str(self.repo), "push", "--quiet", "origin", "HEAD:main")
        self.agent = ["sh", "-c", f"sleep {seconds}; echo done > done.txt"]
        home = root / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(
            f"[agents.sh]\ncommand = {json.dumps(self.agent)}\n", encoding="utf-8"
        )
        (root / "by-hand.sh").write_text(SCRIPT, encoding="utf-8")
        for words in (("repo", "add", str(self.repo)), ("issue", "create", "Do the work")):
            subprocess.run([ORCH, *words, "--quiet"], env=self.environ, check=True, cwd=root)

    def _git(self, *words: str) -> None:
        subprocess.run(
            ["git", *words], env=self.environ, check=True, cwd=self.root,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def orch(self, number: int) -> float:
        argv = [ORCH, "run", "basic_pr", "--issue", "ISSUE-001", "--json"]
        return wall_seconds(argv, self.environ, self.root)

    def by_hand(self, number: int) -> float:
        tree = str(self.root / f"tree-{number}")
        argv = [
            "sh", str(self.root / "by-hand.sh"), str(self.repo), tree, f"hand/{number}",
            shlex.join(self.agent), str(self.root / "hand.sock"),
        ]  # fmt: skip
        return wall_seconds(argv, self.environ, self.root)
