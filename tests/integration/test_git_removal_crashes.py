"""Saving, removing and restoring, killed at any point: the same calls again lose nothing (H57).

strace ends our own process (or a git that it has started, each at its own n-th call) at every system
call that changes what directories hold. Where there is no strace (or it may not trace) the tests are
skipped and counted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from orch.git.cli import GitCli
from orch.model.errors import OrchError
from orch.model.worktree import Worktree
from tests import stride
from tests.gitrepos import GitRepos, tree_files, worktree_at
from tests.integration.test_git_crashes import Killer, exhaustive

pytestmark = [*exhaustive, pytest.mark.timeout(600)]

CALLS = {
    "rename": "?rename,?renameat,?renameat2",
    "unlink": "?unlink,?unlinkat,?rmdir",
    "make": "?mkdir,?mkdirat,?symlink,?symlinkat,?link,?linkat",
}
AT = 1_700_000_000.0
CHILD = """
import json, sys
import msgspec
from orch.git.cli import GitCli
from orch.model.repo import Repo
from orch.model.worktree import Worktree

environ, repo, worktree, act = json.loads(sys.argv[1])
git = GitCli(environ)
repo, worktree = msgspec.convert(repo, Repo), msgspec.convert(worktree, Worktree)
if act == "restore":
    git.restore_worktree(repo, git.trash(repo)[-1])
else:
    git.rescue(repo, worktree, key="k", at=1.7e9, keep=("*.env",))
    git.discard_worktree(repo, worktree, key="k", keep=("*.env",))
"""


class Stage:
    def __init__(self, root: Path) -> None:
        self.repos = GitRepos(root)
        self.git = self.repos.gateway()
        files = {f"dir{n % 2}/file{n}.txt": f"{n}\n" for n in range(4)} | {".gitignore": "*.env\n"}
        self.repo = self.repos.register(self.git, self.repos.repository(files=files))
        self.base = self.git.resolve_base(self.repo, None, fetch=False).commit

    def worktree(self, name: str) -> tuple[Worktree, dict[str, str]]:
        """One with a commit, staged, unstaged, untracked and ignored work."""
        worktree = worktree_at(self.repo, name, self.base)
        self.git.add_worktree(self.repo, worktree, key="k")
        self.repos.commit(worktree.path, {"committed.txt": "c\n"})
        top = Path(worktree.path)
        (top / "staged.txt").write_text("s\n")
        self.repos.git(top, "add", "staged.txt")
        (top / "dir0" / "file0.txt").write_text("changed\n")
        (top / "dir1" / "file1.txt").unlink()
        (top / "local.env").write_text("e\n")
        return worktree, tree_files(top)

    def killed(self, worktree: Worktree, act: str, calls: str, number: int) -> bool:
        """Act in a process that dies at its `number`-th call; false when it came to its end."""
        told = [self.repos.environ, *map(msgspec.to_builtins, (self.repo, worktree)), act]
        strace = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}"]
        inject = ["-e", f"inject={calls}:signal=SIGKILL:when={number}"]
        done = subprocess.run(
            [*strace, *inject, sys.executable, "-c", CHILD, json.dumps(told)],
            cwd=Path(__file__).parents[2], capture_output=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        return done.returncode != 0

    def finish(self, worktree: Worktree) -> None:
        self.git.rescue(self.repo, worktree, key="k", at=AT, keep=("*.env",))
        self.git.discard_worktree(self.repo, worktree, key="k", keep=("*.env",))

    def check(self, worktree: Worktree, files: dict[str, str]) -> None:
        """Gone without remains, then back as it was."""
        folder = Path(worktree.path).parent
        assert os.listdir(folder) == []
        assert self.git.worktrees(self.repo) == []
        entries = [s for s in self.git.trash(self.repo) if s.worktree.name == worktree.name]
        self.git.restore_worktree(self.repo, entries[-1])
        assert tree_files(worktree.path) == files
        status = self.repos.git(worktree.path, "status", "--short")
        assert status.split("\n") == [" M dir0/file0.txt", " D dir1/file1.txt", "A  staged.txt"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def clear(stage: Stage, worktree: Worktree) -> None:
    """Leave no worktree behind, so that the next name starts from an empty directory."""
    shutil.rmtree(worktree.path)
    stage.repos.git(stage.repo.local_path, "worktree", "unlock", worktree.path)
    stage.repos.git(stage.repo.local_path, "worktree", "prune")


@pytest.mark.parametrize("kind", CALLS)
def test_a_removal_killed_anywhere_is_completed_by_the_same_calls(stage: Stage, kind: str) -> None:
    points = 0
    for number in range(1, 200, stride.step):
        worktree, files = stage.worktree(f"{kind}-{number}")
        if not stage.killed(worktree, "remove", CALLS[kind], number):
            break
        points += stride.step
        stage.finish(worktree)
        stage.check(worktree, files)
        clear(stage, worktree)
    assert points > 3
    assert stage.repos.git(stage.repo.local_path, "fsck", "--no-dangling", "--no-progress") == ""


@pytest.mark.parametrize("command", ["update-ref", "worktree", "read-tree", "checkout-index"])
def test_a_restore_whose_git_is_killed_anywhere_loses_nothing(stage: Stage, command: str) -> None:
    """What it left in the place is removed like any worktree; the entry is still there."""
    killer = Killer(stage.repos)

    def act(git: GitCli, name: str) -> bool:
        worktree, files = stage.worktree(name)
        stage.finish(worktree)
        [saved] = [s for s in stage.git.trash(stage.repo) if s.worktree.name == name]
        died = False
        try:
            git.restore_worktree(stage.repo, saved)
        except OrchError:
            died = True
        if died:
            stage.git.rescue(stage.repo, worktree, key="again", at=AT)
            stage.git.discard_worktree(stage.repo, worktree, key="again")
            stage.git.restore_worktree(stage.repo, saved)
        assert tree_files(worktree.path) == files
        clear(stage, worktree)
        return died

    assert killer.every_point(command, act) > 1
