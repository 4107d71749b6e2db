"""Making and removing worktrees against hostile and ordinary surroundings, and what it costs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orch.git import disposal
from orch.git.cli import GitCli
from orch.model.errors import Conflict, NotFound, OrchError, ToolFailed, UsageError
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests.gitrepos import GitRepos, tree_files, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


@pytest.fixture
def repo(repos: GitRepos, git: GitCli) -> Repo:
    return repos.register(git, repos.repository())


def made(git: GitCli, repo: Repo, name: str = "a", *, branch: str = "") -> Worktree:
    base = git.resolve_base(repo, None, fetch=False).commit
    worktree = worktree_at(repo, name, base, branch=branch)
    git.add_worktree(repo, worktree, key="k")
    return worktree


class Counted:
    """A gateway that notes each git it starts."""

    def __init__(self, repos: GitRepos) -> None:
        self._log = repos.root / "started"
        program = repos.root / "counting-git"
        program.write_text(f'#!/bin/sh\necho "$1" >> {self._log}\nexec git "$@"\n')
        program.chmod(0o755)
        self.git = repos.gateway(program=str(program))

    def taken(self) -> list[str]:
        """The commands since the last look."""
        started = self._log.read_text().split() if self._log.exists() else []
        self._log.write_text("")
        return started


def test_ordinary_work_starts_few_processes(repos: GitRepos, repo: Repo) -> None:
    """Each costs one to three milliseconds; the bench of the whole counts on this."""
    counted = Counted(repos)
    git = counted.git
    base = git.resolve_base(repo, None, fetch=False).commit
    counted.taken()
    tree = worktree_at(repo, "a", base)
    git.add_worktree(repo, tree, key="k")
    assert counted.taken() == ["update-ref", "worktree"]
    git.add_worktree(repo, tree, key="k")
    assert len(counted.taken()) <= 2
    git.state(repo, tree)
    assert counted.taken() == ["status"]
    git.commit(repo, tree, "nothing", key="k1")
    assert counted.taken() == ["status"]
    Path(tree.path, "a.txt").write_text("a\n")
    git.commit(repo, tree, "a", key="k1")
    expected = ["status", "update-index", "write-tree", "commit-tree", "update-ref"]
    assert counted.taken() == expected
    git.push(repo, tree)
    assert counted.taken() == ["for-each-ref", "push"]
    git.locate(repo.local_path)
    assert counted.taken() == ["rev-parse"]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "é漢🎉",
        "x" * 200,
        'it\'s "quoted"',
        "$(touch x)",
        "#{pane}",
        "a.b-c_d",
        "-x",
        ".hidden",
    ],
)
def test_any_directory_name_does(repos: GitRepos, git: GitCli, repo: Repo, name: str) -> None:
    tree = made(git, repo, name, branch="orch/plain")
    git.add_worktree(repo, tree, key="k")
    Path(tree.path, "a.txt").write_text("a\n")
    tip = git.commit(repo, tree, "a", key="k1")
    assert repos.git(tree.path, "rev-parse", "HEAD") == tip
    shutil.rmtree(tree.path)
    git.add_worktree(repo, tree, key="k")
    assert Path(tree.path, "a.txt").exists()
    assert len(git.worktrees(repo)) == 1


def test_names_and_paths_beyond_the_file_system_s_limits_are_refused(
    git: GitCli, repo: Repo
) -> None:
    base = git.resolve_base(repo, None, fetch=False).commit
    for name, branch, code in (
        ("a", "orch/" + "é" * 101, "bad_name"),
        ("x" * 256, "orch/x", "bad_path"),
        ("a\nb", "orch/x", "bad_path"),
    ):
        with pytest.raises(UsageError) as caught:
            git.add_worktree(repo, worktree_at(repo, name, base, branch=branch), key="k")
        assert caught.value.code == code
    assert not os.path.exists(repo.workspace_dir)


def test_an_unknown_commit_is_refused(git: GitCli, repo: Repo) -> None:
    with pytest.raises(NotFound) as caught:
        git.add_worktree(repo, worktree_at(repo, "a", "1" * 40), key="k")
    assert caught.value.code == "unknown_commit"
    assert not git.branch_exists(repo, "orch/a")


def test_a_branch_that_is_checked_out_elsewhere_is_refused(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    tree = made(git, repo)
    repos.git(repo.local_path, "worktree", "remove", "--force", "--force", tree.path)
    repos.git(repo.local_path, "worktree", "add", "--quiet", str(repos.root / "mine"), tree.branch)
    with pytest.raises(Conflict) as caught:
        git.add_worktree(repo, tree, key="k")
    assert caught.value.code == "branch_in_use"
    assert str(repos.root / "mine") in caught.value.message


def test_a_file_or_link_in_the_way_is_refused(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    base = git.resolve_base(repo, None, fetch=False).commit
    os.makedirs(repo.workspace_dir)
    Path(repo.workspace_dir, "file").write_text("x")
    os.symlink(repos.home, Path(repo.workspace_dir, "link"))
    os.symlink("nowhere", Path(repo.workspace_dir, "dangling"))
    for name in ("file", "link", "dangling"):
        with pytest.raises(Conflict) as caught:
            git.add_worktree(repo, worktree_at(repo, name, base), key="k")
        assert caught.value.code == "worktree_foreign"
        assert os.path.lexists(Path(repo.workspace_dir, name))


def test_the_person_s_worktrees_are_never_pruned(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    """H74: one on a disk that is not mounted just now has its record only."""
    away = repos.root / "away"
    repos.git(repo.local_path, "worktree", "add", "--quiet", "-b", "away", str(away))
    os.rename(away, repos.root / "unmounted")
    tree = made(git, repo)
    shutil.rmtree(tree.path)
    git.add_worktree(repo, tree, key="k")
    git.remove_worktree(repo, tree)
    os.rename(repos.root / "unmounted", away)
    assert repos.git(away, "status", "--porcelain") == ""


def test_h57_work_on_no_branch_is_not_removed(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    tree = made(git, repo)
    repos.git(tree.path, "checkout", "--quiet", "--detach")
    repos.commit(tree.path, {"x.txt": "x\n"})
    with pytest.raises(Conflict) as caught:
        git.remove_worktree(repo, tree)
    assert caught.value.code == "worktree_has_work"


def test_h56_a_removal_that_broke_off_can_be_repeated(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    tree = made(git, repo)
    dying = repos.root / "dying"
    dying.write_text('#!/bin/sh\n[ "$1" = update-ref ] && kill -9 $$\nexec git "$@"\n')
    dying.chmod(0o755)
    with pytest.raises(ToolFailed):
        repos.gateway(program=str(dying)).remove_worktree(repo, tree)
    assert git.branch_exists(repo, tree.branch)
    git.remove_worktree(repo, tree)
    assert not git.branch_exists(repo, tree.branch)
    assert repos.git(repo.local_path, "for-each-ref", "refs/orch") == ""


def test_a_branch_of_the_person_s_is_not_removed(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    repos.git(repo.local_path, "branch", "orch/a")
    base = git.resolve_base(repo, None, fetch=False).commit
    with pytest.raises(Conflict) as caught:
        git.remove_worktree(repo, worktree_at(repo, "a", base))
    assert caught.value.code == "branch_foreign"


def test_removing_follows_no_link_out(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    precious = repos.root / "precious"
    precious.mkdir()
    (precious / "file.txt").write_text("precious\n")
    tree = made(git, repo)
    Path(repo.common_dir, "info", "exclude").write_text("out*\nhard\n")
    git.pin(repo.common_dir, repo.pinned_dir)
    os.symlink(precious, Path(tree.path, "out"))
    os.symlink("nowhere", Path(tree.path, "out2"))
    os.link(precious / "file.txt", Path(tree.path, "hard"))
    git.remove_worktree(repo, tree)
    assert tree_files(precious) == {"file.txt": "precious\n"}


def test_a_tree_deeper_than_any_path_can_be_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    place = os.open(top, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("a long name for a directory", dir_fd=place)
        inner = os.open("a long name for a directory", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    disposal.remove_tree(str(top))
    assert os.listdir(tmp_path) == []


def test_a_wide_tree_is_removed_in_good_time(tmp_path: Path) -> None:
    for number in range(2_000):
        (tmp_path / "top" / f"d{number}" / "e").mkdir(parents=True)
        (tmp_path / "top" / f"d{number}" / "f").touch()
    disposal.remove_tree(str(tmp_path / "top"))
    assert os.listdir(tmp_path) == []


def test_what_an_interrupted_removal_left_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".orch-trash-top" / "7" / "x").mkdir(parents=True)
    (tmp_path / ".orch-trash-top" / "link").symlink_to(tmp_path)
    (tmp_path / "top").mkdir()
    disposal.remove_tree(str(tmp_path / "top"))
    assert os.listdir(tmp_path) == []
    disposal.remove_tree(str(tmp_path / "top"))
    disposal.remove_tree(str(tmp_path / "no" / "parent"))


def test_state_of_a_replaced_directory_is_missing(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    tree = made(git, repo)
    moved = Path(f"{tree.path}-moved")
    os.rename(tree.path, moved)
    os.symlink(moved, tree.path)
    for act in (
        lambda: git.state(repo, tree),
        lambda: git.commit(repo, tree, "x", key="k1"),
        lambda: git.merge(repo, tree, ["main"], "merge", key="k2"),
    ):
        with pytest.raises(NotFound) as caught:
            act()
        assert caught.value.code == "worktree_missing"


def test_a_link_above_the_worktree_is_not_followed(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    tree = made(git, repo)
    os.rename(repo.workspace_dir, f"{repo.workspace_dir}-moved")
    os.symlink(f"{repo.workspace_dir}-moved", repo.workspace_dir)
    with pytest.raises(NotFound):
        git.state(repo, tree)


def test_looking_takes_no_lock(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    """An agent may be committing at the same moment."""
    tree = made(git, repo)
    index = Path(repo.common_dir, "worktrees", "a", "index")
    lock = index.with_name("index.lock")
    lock.touch()
    os.utime(Path(tree.path, "README.md"), (1, 1))
    before = index.read_bytes()
    assert git.state(repo, tree).dirty == ()
    assert lock.exists()
    lock.unlink()
    assert git.state(repo, tree).dirty == ()
    assert index.read_bytes() == before, "the index is not refreshed either"


def test_two_owners_making_one_worktree_end_with_one(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    base = git.resolve_base(repo, None, fetch=False).commit
    tree = worktree_at(repo, "a", base)

    def attempt(_: int) -> bool:
        try:
            git.add_worktree(repo, tree, key="k")
        except OrchError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(attempt, range(4)))
    git.add_worktree(repo, tree, key="k")
    assert any(outcomes)
    assert git.state(repo, tree).dirty == ()
    assert len(git.worktrees(repo)) == 1
    assert "missing" not in repos.git(repo.local_path, "fsck")


def test_the_agent_s_own_git_works_in_the_worktree(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    tree = made(git, repo)
    assert repos.git(tree.path, "rev-parse", "--git-common-dir") == repo.common_dir
    repos.commit(tree.path, {"x.txt": "x\n"})
    repos.git(tree.path, "stash", "list")
    repos.git(tree.path, "log", "--oneline", "-3")
    assert git.state(repo, tree).ahead == 1
    assert "locked" in repos.git(repo.local_path, "worktree", "list")
