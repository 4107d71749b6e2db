"""Ignored files for a fresh worktree: only what git ignores, never from or to anywhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orch.git.cli import GitCli
from orch.model.repo import Repo
from orch.model.worktree import Carried, Worktree
from tests.gitrepos import START, GitRepos, worktree_at

IGNORES = "*.env\nnode_modules/\n/build/\nvendor\n"


class Ground:
    def __init__(self, root: Path) -> None:
        self.repos = GitRepos(root)
        self.git: GitCli = self.repos.gateway()
        self.main = self.repos.repository(files={**START, ".gitignore": IGNORES})
        self.outside = self.repos.root / "outside"
        self.outside.mkdir()
        (self.outside / "secret.env").write_text("outside\n")

    def carry(self, copy: tuple[str, ...] = (), link: tuple[str, ...] = ()) -> Carried:
        self.repo: Repo = self.repos.register(self.git, self.main)
        base = self.git.resolve_base(self.repo, None, fetch=False).commit
        self.tree: Worktree = worktree_at(self.repo, "one", base)
        self.git.add_worktree(self.repo, self.tree, key="k")
        self.top = Path(self.tree.path)
        return self.again(copy, link)

    def again(self, copy: tuple[str, ...] = (), link: tuple[str, ...] = ()) -> Carried:
        carried = self.git.carry_ignored(self.repo, self.tree, copy=copy, link=link)
        assert self.repos.git(self.top, "status", "--short") == ""
        assert self.git.state(self.repo, self.tree).dirty == ()
        assert os.listdir(self.top.parent) == ["one"]
        return carried

    def write(self, name: str, text: str = "x\n") -> Path:
        path = self.main / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_without_policy_nothing_is_brought(ground: Ground) -> None:
    ground.write("a.env")
    assert ground.carry() == Carried()


def test_files_are_copied_with_rights_and_time_at_any_depth(ground: Ground) -> None:
    ground.write("a.env").chmod(0o600)
    deep = ground.write("deep/er/b.env", "b\n")
    deep.chmod(0o755)
    os.utime(deep, (1_000_000_000, 1_000_000_000))
    ground.write("ümlaut \n.env", "u\n")
    assert ground.carry(copy=("*.env",)).copied == ("a.env", "deep/er/b.env", "ümlaut \n.env")
    assert (ground.top / "a.env").stat().st_mode & 0o777 == 0o600
    copy = (ground.top / "deep" / "er" / "b.env").stat()
    assert (copy.st_mode & 0o777, copy.st_mtime) == (0o755, 1_000_000_000)
    assert not (ground.top / "a.env").samefile(ground.main / "a.env")


def test_a_whole_directory_is_copied_with_its_inner_links(ground: Ground) -> None:
    ground.write("node_modules/.bin/x/run.js", "run\n")
    (ground.main / "node_modules" / "run").symlink_to(".bin/x/run.js")
    ground.carry(copy=("node_modules",))
    assert os.readlink(ground.top / "node_modules" / "run") == ".bin/x/run.js"
    assert (ground.top / "node_modules" / "run").read_text() == "run\n"


def test_what_is_there_stays_and_an_interrupted_call_is_completed(ground: Ground) -> None:
    ground.write("a.env", "main's\n")
    ground.write("b.env", "main's\n")
    ground.carry(copy=("*.env",))
    (ground.top / "a.env").write_text("mine\n")
    (ground.top / "b.env").unlink()
    (ground.top.parent / ".orch-carry-one").write_text("half a fi")
    ground.again(copy=("*.env",))
    assert (ground.top / "a.env").read_text() == "mine\n"
    assert (ground.top / "b.env").read_text() == "main's\n"


def test_what_git_would_commit_is_not_brought(ground: Ground) -> None:
    ground.write("notes.txt")
    carried = ground.carry(copy=("notes.txt", "README.md"), link=("notes.txt",))
    assert (carried.copied, carried.linked) == ((), ())
    assert len(carried.passed_over) == 2, "a tracked file is no ignored one"
    assert not (ground.top / "notes.txt").exists()


def test_links_that_lead_out_are_neither_followed_nor_copied(ground: Ground) -> None:
    (ground.main / "out.env").symlink_to(ground.outside / "secret.env")
    (ground.main / "up.env").symlink_to("../outside/secret.env")
    ground.write("build/a.env").unlink()
    (ground.main / "build").rmdir()
    (ground.main / "vendor").symlink_to(ground.outside)
    carried = ground.carry(copy=("*.env", "vendor", "vendor/*"), link=("vendor/*",))
    assert carried.copied == ()
    assert sorted(os.listdir(ground.top)) == [
        ".git", ".gitignore", "CHANGES.md", "README.md", "docs", "src",
    ]  # fmt: skip


def test_a_link_in_the_branch_leads_no_copy_out(ground: Ground) -> None:
    """The branch has `conf -> /somewhere` where the main checkout has a directory."""
    os.symlink(ground.outside, ground.main / "conf")
    ground.repos.git(ground.main, "add", "conf")
    ground.repos.git(ground.main, "commit", "--quiet", "-m", "A link")
    (ground.main / "conf").unlink()
    ground.write("conf/new.env", "new\n")
    carried = ground.carry(copy=("*.env",))
    assert carried.copied == ()
    assert os.listdir(ground.outside) == ["secret.env"]


def test_a_pipe_or_a_repository_is_passed_over(ground: Ground) -> None:
    os.mkfifo(ground.main / "pipe.env")
    ground.repos.git(ground.main, "init", "--quiet", "node_modules/inner")
    ground.write("node_modules/inner/x.env")
    carried = ground.carry(copy=("*.env", "node_modules"))
    assert carried.copied == ()


def test_directories_are_linked_entry_by_entry(ground: Ground) -> None:
    ground.write("node_modules/left/index.js", "left\n")
    carried = ground.carry(link=("node_modules",))
    assert carried.linked == ("node_modules/left",)
    assert not (ground.top / "node_modules").is_symlink()
    (ground.top / "node_modules" / "mine").mkdir()
    assert os.listdir(ground.main / "node_modules") == ["left"]
    ground.git.rescue(ground.repo, ground.tree, key="k", at=1e9)
    ground.git.discard_worktree(ground.repo, ground.tree, key="k")
    assert (ground.main / "node_modules" / "left" / "index.js").read_text() == "left\n"


def test_an_unchanged_copy_is_no_work(ground: Ground) -> None:
    """So deleting a worktree does not put secrets into the repository without need."""
    ground.write("a.env", "SECRET=1\n")
    ground.carry(copy=("*.env",))
    assert ground.git.at_risk(ground.repo, ground.tree, keep=("*.env",)).nothing
    [saved] = ground.git.rescue(ground.repo, ground.tree, key="k", at=1e9, keep=("*.env",))
    listing = ground.repos.git(ground.main, "ls-tree", "-r", "--name-only", saved.ref)
    assert "a.env" not in listing


def test_a_bare_repository_has_nothing_to_bring(ground: Ground) -> None:
    bare = Path(f"{ground.main}-remote.git")
    repo = ground.repos.register(ground.git, bare, "bare")
    base = ground.git.resolve_base(repo, None, fetch=False).commit
    tree = worktree_at(repo, "one", base)
    ground.git.add_worktree(repo, tree, key="k")
    assert ground.git.carry_ignored(repo, tree, copy=("*",), link=("*",)) == Carried()
    saved = ground.git.rescue(repo, tree, key="k", at=1e9, keep=("*",))
    assert ground.git.discard_worktree(repo, tree, key="k", keep=("*",)) == ""
    assert ground.git.restore_worktree(repo, saved[-1]) == tree
