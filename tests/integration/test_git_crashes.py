"""git killed at any point: the same call again always ends well (RELIABILITY §0.2).

The exhaustive tests let strace end git at every system call that changes something; where there is
no strace (or it may not trace) they are skipped and counted. The others need nothing.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orch.git.cli import GitCli
from orch.model.errors import OrchError
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests import stride
from tests.gitrepos import QUICK, GitRepos, worktree_at

CHANGING = [
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "symlink",
    "symlinkat",
    "write",
    "chmod",
    "fchmod",
    "ftruncate",
    "fsync",
]


@functools.cache
def strace_is_usable() -> bool:
    strace = shutil.which("strace")
    if strace is None:
        return False
    words = [strace, "-f", "-o", "/dev/null", "-e", "inject=mkdir:signal=SIGKILL:when=1", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


exhaustive = [
    pytest.mark.slow,
    pytest.mark.chaos,
    pytest.mark.skipif(not strace_is_usable(), reason="strace is missing or may not trace"),
]


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


@pytest.fixture
def repo(repos: GitRepos, git: GitCli) -> Repo:
    files = {f"dir{n % 3}/file{n}.txt": f"{n}\n" for n in range(8)}
    return repos.register(git, repos.repository(files=files))


class Killer:
    """A `git` that is ended at one system call of one subcommand, also where git runs it."""

    def __init__(self, repos: GitRepos) -> None:
        self.repos = repos
        self.directory = repos.root / "killer"
        self.directory.mkdir()
        core = self.repos.git(repos.root, "--exec-path")
        for program in os.listdir(core):
            if program != "git":
                os.symlink(f"{core}/{program}", self.directory / program)
        self.real = shutil.which("git") or "git"

    def at(self, subcommand: str, call: str, number: int) -> GitCli:
        """A gateway whose `git <subcommand>` dies at its `number`-th system call `call`."""
        return self._traced(
            subcommand,
            f"-o /dev/null -e trace='?{call}' -e inject='?{call}':signal=SIGKILL:when={number}",
        )

    def _traced(self, subcommand: str, how: str) -> GitCli:
        """A gateway whose `git <subcommand>` runs under strace."""
        script = self.directory / "git"
        script.write_text(
            "#!/bin/sh\n"
            'for word in "$@"; do case "$word" in -*) ;; *) break;; esac; done\n'
            f'if [ "$word" = {subcommand} ]; then\n'
            f'  exec strace {how} {self.real} "$@"\n'
            f'fi\nexec {self.real} "$@"\n'
        )
        script.chmod(0o755)
        # The other end of a push is started under this name.
        other_end = self.directory / "git-receive-pack"
        other_end.unlink()
        other_end.write_text(f'#!/bin/sh\nexec {script} receive-pack "$@"\n')
        other_end.chmod(0o755)
        environ = self.repos.environ | {"GIT_EXEC_PATH": str(self.directory)}
        return GitCli(environ, program=str(script), limits=QUICK)

    def every_point(
        self, subcommand: str, act: Callable[[GitCli, str], bool], *, more: Sequence[str] = ()
    ) -> int:
        """Call `act` with a git that dies at one system call after the other (`stride`); gives how
        many there are. `act` also gets a new name each time, and tells whether git died."""
        record = self.directory / "calls"
        wanted = ",".join(f"?{call}" for call in (*CHANGING, *more))
        assert not act(self._traced(subcommand, f"-A -o {record} -e trace={wanted}"), "counted")
        counts = Counter(line.partition("(")[0] for line in record.read_text().splitlines())
        points = 0
        for call in (*CHANGING, *more):
            for number in range(1, counts[call] + 1, stride.step):
                if not act(self.at(subcommand, call, number), f"{call}-{number}"):
                    break  # `git` ran several times, and each makes fewer calls
                points = points + min(stride.step, counts[call] + 1 - number)
        return points


def died(act: Callable[[], object]) -> bool:
    """Whether the act failed; only what comes after it has to succeed."""
    try:
        act()
    except OrchError:
        return True
    return False


def audit(repos: GitRepos, repo: Repo, worktree: Worktree) -> None:
    """What a person sees from outside: a whole worktree, a sound repository, no leftovers."""
    assert repos.git(worktree.path, "status", "--porcelain") == ""
    assert repos.git(worktree.path, "symbolic-ref", "HEAD") == f"refs/heads/{worktree.branch}"
    listing = repos.git(repo.local_path, "worktree", "list", "--porcelain")
    assert listing.count(f"worktree {worktree.path}\n") == 1
    said = repos.git(repo.local_path, "fsck", "--no-dangling")
    assert "missing" not in said
    assert "broken" not in said
    assert_no_leftovers(repo)


def assert_no_leftovers(repo: Repo) -> None:
    locks = [str(p) for p in Path(repo.common_dir).rglob("*.lock")]
    assert locks == []
    if os.path.isdir(repo.workspace_dir):
        assert [n for n in os.listdir(repo.workspace_dir) if n.startswith(".orch-trash")] == []
    admins = [
        entry
        for entry in Path(repo.common_dir, "worktrees").iterdir()
        if not (entry / "gitdir").exists()
    ]
    assert admins == []


@pytest.mark.parametrize(
    ("subcommand", "at_least"),
    [("update-ref", 10), ("worktree", 30), ("symbolic-ref", 3), ("reset", 20)],
)
class TestExhaustively:
    pytestmark = exhaustive

    def test_add_worktree_succeeds_after_git_was_killed_anywhere(
        self,
        repos: GitRepos,
        git: GitCli,
        repo: Repo,
        subcommand: str,
        at_least: int,
    ) -> None:
        base = git.resolve_base(repo, None, fetch=False).commit

        def act(deadly: GitCli, name: str) -> bool:
            worktree = worktree_at(repo, name, base)
            other = worktree_at(repo, f"{name}-other", base)
            failed = died(lambda: deadly.add_worktree(repo, worktree, key="k"))
            # git reads all entries before it adds one: a half made one must not stop others.
            git.add_worktree(repo, other, key="k")
            git.add_worktree(repo, worktree, key="k")
            audit(repos, repo, worktree)
            git.remove_worktree(repo, other)
            git.remove_worktree(repo, worktree)  # git reads the others: keep the count steady
            assert_no_leftovers(repo)
            return failed

        # Opening is what makes a file; most openings only read, so only the main act gets them.
        more = ["openat"] if subcommand == "worktree" else []
        points = Killer(repos).every_point(subcommand, act, more=more)
        assert points >= at_least, "the harness has to reach git"


def one_commit(git: GitCli, repo: Repo, worktree: Worktree) -> str:
    """Content of its own each time, or git would find the objects and write nothing."""
    Path(worktree.path, "new.txt").write_text(f"new {worktree.name}\n")
    Path(worktree.path, "dir0/file0.txt").write_text(f"changed {worktree.name}\n")
    Path(worktree.path, "dir1/file1.txt").unlink()
    return git.commit(repo, worktree, "Work", key="run/1")


class TestExhaustivelyCommitting:
    pytestmark = exhaustive

    @pytest.mark.parametrize(
        "subcommand", ["update-index", "write-tree", "commit-tree", "update-ref"]
    )
    def test_commit_succeeds_once_after_git_was_killed_anywhere(
        self, repos: GitRepos, git: GitCli, repo: Repo, subcommand: str
    ) -> None:
        base = git.resolve_base(repo, None, fetch=False).commit

        def act(deadly: GitCli, name: str) -> bool:
            worktree = worktree_at(repo, name, base)
            git.add_worktree(repo, worktree, key="k")
            failed = died(lambda: one_commit(deadly, repo, worktree))
            tip = git.commit(repo, worktree, "Work", key="run/1")
            state = git.state(repo, worktree)
            assert (state.head, state.ahead) == (tip, 1)
            audit(repos, repo, worktree)
            return failed

        assert Killer(repos).every_point(subcommand, act) >= 3

    @pytest.mark.parametrize("subcommand", ["read-tree", "update-ref"])
    def test_merge_succeeds_once_after_git_was_killed_anywhere(
        self, repos: GitRepos, git: GitCli, repo: Repo, subcommand: str
    ) -> None:
        base = git.resolve_base(repo, None, fetch=False).commit
        sides = [worktree_at(repo, name, base) for name in ("one", "two")]
        for side in sides:
            git.add_worktree(repo, side, key="k")
            Path(side.path, f"{side.name}.txt").write_text("x\n")
            Path(side.path, "dir0/file0.txt").write_text("same\n")
            git.commit(repo, side, side.name, key=side.name)
        branches = [side.branch for side in sides]

        def act(deadly: GitCli, name: str) -> bool:
            worktree = worktree_at(repo, name, base)
            git.add_worktree(repo, worktree, key="k")
            failed = died(lambda: deadly.merge(repo, worktree, branches, "merge", key="run/2"))
            tip = git.merge(repo, worktree, branches, "merge", key="run/2")
            state = git.state(repo, worktree)
            assert (state.head, state.ahead, state.dirty) == (tip, 3, ())
            assert Path(worktree.path, "two.txt").exists()
            assert os.listdir(Path(repo.pinned_dir, "pending")) == []
            audit(repos, repo, worktree)
            return failed

        assert Killer(repos).every_point(subcommand, act) >= 3

    @pytest.mark.parametrize("subcommand", ["push", "receive-pack"])
    def test_push_succeeds_after_git_was_killed_anywhere(
        self, repos: GitRepos, git: GitCli, repo: Repo, subcommand: str
    ) -> None:
        base = git.resolve_base(repo, None, fetch=False).commit

        def act(deadly: GitCli, name: str) -> bool:
            worktree = worktree_at(repo, name, base)
            git.add_worktree(repo, worktree, key="k")
            tip = one_commit(git, repo, worktree)
            failed = died(lambda: deadly.push(repo, worktree))
            assert git.push(repo, worktree) == tip
            assert git.remote_tip(repo, worktree.branch) == tip
            assert list(Path(repo.remote_url).rglob("*.lock")) == []
            # Both ends name all refs to each other: keep the count of calls steady.
            repos.git(repo.remote_url, "update-ref", "-d", f"refs/heads/{worktree.branch}")
            return failed

        assert Killer(repos).every_point(subcommand, act) >= 3


def test_add_worktree_succeeds_after_git_was_killed_at_some_moment(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    """Without strace: the whole process group dies after a while; each moment is a try."""
    base = git.resolve_base(repo, None, fetch=False).commit
    real = shutil.which("git")
    script = repos.root / "hasty-git"
    deaths = 0
    for step in range(24):
        worktree = worktree_at(repo, f"w{step}", base)
        script.write_text(
            f'#!/bin/sh\n{real} "$@" &\nsleep {step * 0.0004:.4f}\nkill -9 $! 2>/dev/null\nwait $!\n'
        )
        script.chmod(0o755)
        hasty = repos.gateway(program=str(script))
        deaths += died(functools.partial(hasty.add_worktree, repo, worktree, key="k"))
        git.add_worktree(repo, worktree, key="k")
        audit(repos, repo, worktree)
    assert deaths > 0


def remains_of(git: GitCli, repo: Repo, worktree: Worktree) -> Path:
    """A complete worktree as material for a wreck; gives its administrative directory."""
    git.add_worktree(repo, worktree, key="k")
    return Path(repo.common_dir, "worktrees", worktree.name)


def no_branch_yet(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    shutil.rmtree(admin)
    shutil.rmtree(worktree.path)
    repos.git(repo.local_path, "update-ref", "-d", f"refs/heads/{worktree.branch}")


def branch_only(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    shutil.rmtree(admin)
    shutil.rmtree(worktree.path)


def admin_is_empty(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    branch_only(repos, repo, worktree, admin)
    admin.mkdir()


def admin_is_only_locked(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    shutil.rmtree(worktree.path)
    for entry in admin.iterdir():
        if entry.name != "locked":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def directory_is_empty(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    admin_is_only_locked(repos, repo, worktree, admin)
    os.mkdir(worktree.path)


def pointer_is_empty(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    directory_is_empty(repos, repo, worktree, admin)
    Path(worktree.path, ".git").touch()


def head_is_missing(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    (admin / "HEAD").unlink()
    (admin / "index").unlink()


def half_of_the_files(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    (admin / "index").rename(admin / "index.lock")
    shutil.rmtree(Path(worktree.path, "dir0"))
    Path(worktree.path, "dir1/file1.txt").write_text("hal")


def directory_is_gone(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    shutil.rmtree(worktree.path)


def locks_are_left(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    (admin / "index.lock").touch()
    (admin / "HEAD.lock").touch()
    Path(repo.common_dir, f"refs/heads/{worktree.branch}.lock").touch()
    Path(repo.common_dir, f"refs/orch/made/{worktree.branch}.lock").touch()


def pointer_is_gone(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    Path(worktree.path, ".git").unlink()


def removal_was_interrupted(repos: GitRepos, repo: Repo, worktree: Worktree, admin: Path) -> None:
    trash = Path(repo.workspace_dir, f".orch-trash-{worktree.name}")
    trash.mkdir()
    os.rename(worktree.path, trash / "0")


WRECKS = [
    no_branch_yet,
    branch_only,
    admin_is_empty,
    admin_is_only_locked,
    directory_is_empty,
    pointer_is_empty,
    head_is_missing,
    half_of_the_files,
    directory_is_gone,
    locks_are_left,
    pointer_is_gone,
    removal_was_interrupted,
]


@pytest.mark.parametrize("wreck", WRECKS, ids=lambda wreck: str(wreck.__name__))
def test_a_wreck_is_made_whole(
    repos: GitRepos,
    git: GitCli,
    repo: Repo,
    wreck: Callable[[GitRepos, Repo, Worktree, Path], None],
) -> None:
    base = git.resolve_base(repo, None, fetch=False).commit
    worktree, other = worktree_at(repo, "a", base), worktree_at(repo, "a1", base)
    git.add_worktree(repo, other, key="k")
    wreck(repos, repo, worktree, remains_of(git, repo, worktree))
    git.add_worktree(repo, worktree, key="k")
    audit(repos, repo, worktree)
    audit(repos, repo, other)


def test_a_record_without_branch_is_completed(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    """git was killed between the two refs of one transaction."""
    base = git.resolve_base(repo, None, fetch=False).commit
    worktree = worktree_at(repo, "a", base)
    repos.git(repo.local_path, "update-ref", f"refs/orch/made/{worktree.branch}", base)
    git.add_worktree(repo, worktree, key="k")
    audit(repos, repo, worktree)


def test_another_s_files_beside_a_pointer_are_not_taken_for_a_wreck(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    base = git.resolve_base(repo, None, fetch=False).commit
    worktree = worktree_at(repo, "a", base)
    admin = remains_of(git, repo, worktree)
    shutil.rmtree(admin)
    Path(worktree.path, "work.txt").write_text("only here\n")
    with pytest.raises(OrchError) as caught:
        git.add_worktree(repo, worktree, key="k")
    assert caught.value.code == "worktree_foreign"
    assert Path(worktree.path, "work.txt").read_text() == "only here\n"


def test_a_repository_without_files_at_the_path_is_not_taken_for_a_wreck(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    base = git.resolve_base(repo, None, fetch=False).commit
    worktree = worktree_at(repo, "a", base)
    os.makedirs(worktree.path)
    repos.git(worktree.path, "init", "--quiet")
    with pytest.raises(OrchError) as caught:
        git.add_worktree(repo, worktree, key="k")
    assert caught.value.code == "worktree_foreign"
    assert stat.S_ISDIR(os.lstat(f"{worktree.path}/.git").st_mode)
