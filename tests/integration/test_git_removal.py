"""Saving and removing worktrees that are hostile, odd or busy (H57, RELIABILITY §0.5): whatever lies
there, nothing that exists nowhere else is lost, and nothing that is not the worktree is touched.

Each ends in one of two ways: everything is saved (and comes back), or it is refused and every file
is still where it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orch.git import snapshots
from orch.model.errors import Conflict, OrchError, ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Saved, Worktree
from tests.gitrepos import START, GitRepos, worktree_at

AT = 1_700_000_000.0
KEEP = ("*.env",)


class Ground:
    """A registered repository with a worktree of ours, and a foreign directory beside it."""

    def __init__(self, root: Path) -> None:
        self.repos = GitRepos(root)
        self.git = self.repos.gateway()
        self.main = self.repos.repository(files={**START, ".gitignore": "*.env\n*.log\n"})
        self.repo: Repo = self.repos.register(self.git, self.main)
        self.base = self.git.resolve_base(self.repo, None, fetch=False).commit
        self.tree = self.worktree("one")
        self.top = Path(self.tree.path)
        self.foreign = self.repos.root / "foreign"
        self.foreign.mkdir()
        (self.foreign / "precious.txt").write_text("precious\n")

    def worktree(self, name: str) -> Worktree:
        worktree = worktree_at(self.repo, name, self.base)
        self.git.add_worktree(self.repo, worktree, key="k")
        return worktree

    def run(self, *words: str, where: Path | None = None, ok: bool = True) -> str:
        return self.repos.git(where or self.top, *words, ok=ok)

    def rescue(self, key: str = "k") -> list[Saved]:
        return list(self.git.rescue(self.repo, self.tree, key=key, at=AT, keep=KEEP))

    def discard(self, key: str = "k") -> str:
        return self.git.discard_worktree(self.repo, self.tree, key=key, keep=KEEP)

    def remove(self) -> Saved:
        saved = self.rescue()[-1]
        self.discard()
        assert not os.path.lexists(self.top)
        assert [n for n in os.listdir(self.top.parent) if n.startswith(".orch")] == []
        return saved

    def there_and_back(self) -> Saved:
        """Removed and restored: the same files to the byte, the same status."""
        files, status = self.files(), self.run("status", "--short")
        saved = self.remove()
        self.git.restore_worktree(self.repo, saved)
        assert self.files() == files
        assert self.run("status", "--short") == status
        self.sound()
        return saved

    def files(self, top: Path | None = None) -> dict[str, bytes | str]:
        """All there is, ignored files that nothing lists left out."""
        found: dict[str, bytes | str] = {}
        for folder, folders, names in os.walk(top or self.top):
            links = [name for name in folders if Path(folder, name).is_symlink()]
            for name in [*names, *links]:
                path = Path(folder, name)
                if name != ".git" and not name.endswith(".log"):
                    inside = str(path.relative_to(top or self.top))
                    found[inside] = os.readlink(path) if path.is_symlink() else path.read_bytes()
        return found

    def sound(self) -> None:
        said = self.repos.git(self.main, "fsck", "--no-dangling", "--no-progress")
        assert said == ""

    def refused(self, code: str, act: Callable[[], object] | None = None) -> OrchError:
        """Both steps refuse, and every file is where it was."""
        files, refs = self.files(), self.repos.git(self.main, "for-each-ref")
        for step in (act,) if act else (self.rescue, self.discard, self.risk):
            with pytest.raises(OrchError) as caught:
                step()
            assert caught.value.code in (code, "not_saved"), caught.value.message
            assert caught.value.hint
        assert self.files() == files
        assert self.repos.git(self.main, "for-each-ref") == refs
        assert (self.foreign / "precious.txt").read_text() == "precious\n"
        return caught.value

    def risk(self) -> object:
        return self.git.at_risk(self.repo, self.tree, keep=KEEP)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


# --- everything comes back


def test_every_kind_of_change_comes_back_to_the_byte(ground: Ground) -> None:
    top = ground.top
    (top / "README.md").write_text("staged\n")
    ground.run("add", "README.md")
    (top / "README.md").write_text("and edited\n")
    (top / "src" / "app.py").unlink()
    (top / "docs" / "guide.txt").unlink()
    (top / "docs").rmdir()
    (top / "docs").write_text("a file where a directory was\n")
    (top / "deep" / "er").mkdir(parents=True)
    (top / "deep" / "er" / "bytes.bin").write_bytes(bytes(range(256)) * 9)
    os.symlink("/etc/passwd", top / "out")
    os.symlink("nowhere", top / "dangling")
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    (top / "local.env").write_text("SECRET=1\n")
    (top / "noise.log").write_text("not listed\n")
    for name in ("-dash", 'quo"te', "tab\tand\nline", "ümlaut", " blank ", "*star", ":colon"):
        (top / name).write_text(f"{name}\n")
    (top / os.fsdecode(b"not-\xff-utf8")).write_text("x\n")
    ground.there_and_back()
    assert os.access(top / "run.sh", os.X_OK)
    assert ground.run("show", ":README.md") == "staged"
    assert not (top / "noise.log").exists()


def test_line_ends_encodings_keywords_and_filters_change_nothing(ground: Ground) -> None:
    """What an agent writes into `.gitattributes` decides nothing; a filter such as LFS never runs."""
    canary = ground.repos.root / "canary"
    ground.repos.git(ground.main, "config", "filter.evil.clean", f"touch {canary}; cat")
    ground.repos.git(ground.main, "config", "filter.evil.smudge", f"touch {canary}; cat")
    (ground.top / ".gitattributes").write_text(
        "*.crlf text eol=crlf\n*.u16 working-tree-encoding=UTF-16\n*.id ident\n*.bin filter=evil\n"
        "*.lf text\n"
    )
    contents = {
        "mixed.crlf": b"a\r\nb\nc\r\n", "mixed.lf": b"a\r\nb\n", "x.u16": b"\xff\xfea\x00\n\x00",
        "broken.u16": b"\xff", "x.id": b"$Id: 12345 $\n", "x.bin": b"\0\1\2",
    }  # fmt: skip
    for name, content in contents.items():
        (ground.top / name).write_bytes(content)
    files = ground.files()
    saved = ground.remove()
    ground.git.restore_worktree(ground.repo, saved)
    assert ground.files() == files
    assert not canary.exists()


def test_h57_commits_that_only_the_worktree_remembers_are_kept(ground: Ground) -> None:
    """On a detached HEAD, reset away, amended, in a bisection, left by a broken rebase."""
    lost = []
    ground.run("checkout", "--quiet", "--detach")
    lost.append(ground.repos.commit(ground.top, {"detached.txt": "1\n"}, "Detached"))
    ground.run("checkout", "--quiet", ground.tree.branch)
    lost.append(ground.repos.commit(ground.top, {"reset.txt": "1\n"}, "Reset away"))
    ground.run("reset", "--quiet", "--hard", "HEAD~1")
    lost.append(ground.repos.commit(ground.top, {"amended.txt": "1\n"}, "Amended"))
    ground.run("commit", "--quiet", "--amend", "-m", "Amended again")
    ground.run("update-ref", "refs/worktree/mine", lost[0])
    saved = ground.remove()
    ground.repos.git(ground.main, "reflog", "expire", "--expire=now", "--all")
    ground.repos.git(ground.main, "gc", "--quiet", "--prune=now")
    known = ground.repos.git(ground.main, "rev-list", saved.ref).split()
    assert set(lost) <= set(known)
    ground.sound()


def test_a_worktree_that_is_just_being_made_holds_up_no_other(ground: Ground) -> None:
    """git begins one with a HEAD of zeros; then looks over all working trees fail."""
    half = ground.main / ".git" / "worktrees" / "half"
    half.mkdir()
    (half / "HEAD").write_text("0" * 40 + "\n")
    (half / "commondir").write_text("../..\n")
    (half / "gitdir").write_text(f"{ground.top.parent}/half/.git\n")
    (half / "locked").write_text("initializing\n")
    tip = ground.repos.commit(ground.top, {"amended.txt": "1\n"}, "Amended")
    ground.run("commit", "--quiet", "--amend", "-m", "Amended again")
    assert not ground.git.at_risk(ground.repo, ground.tree).nothing
    assert tip in ground.repos.git(ground.main, "rev-list", ground.remove().ref).split()


def test_h57_a_detached_head_with_commits_and_changes_comes_back(ground: Ground) -> None:
    ground.run("checkout", "--quiet", "--detach")
    tip = ground.repos.commit(ground.top, {"detached.txt": "1\n"}, "Detached")
    (ground.top / "more.txt").write_text("more\n")
    ground.there_and_back()
    assert ground.run("rev-parse", "HEAD") == tip
    assert ground.run("branch", "--show-current") == ""


def test_h57_a_merge_in_progress_is_kept_with_both_sides(ground: Ground) -> None:
    ground.repos.commit(ground.top, {"README.md": "worktree\n"})
    other = ground.repos.commit(ground.main, {"README.md": "main\n"})
    ground.run("merge", "main", ok=False)
    assert "<<<<<<<" in (ground.top / "README.md").read_text()
    assert ground.git.at_risk(ground.repo, ground.tree).unfinished == "a merge"
    files = ground.files()
    ground.repos.git(ground.main, "update-ref", "refs/heads/main", ground.base)
    ground.repos.git(ground.main, "reset", "--quiet", "--hard")
    saved = ground.remove()
    assert saved.unfinished == "a merge"
    assert other in ground.repos.git(ground.main, "rev-list", saved.ref).split()
    ground.git.restore_worktree(ground.repo, saved)
    assert ground.files() == files


def test_h57_an_interrupted_rebase_with_an_autostash_is_kept(ground: Ground) -> None:
    ground.repos.commit(ground.top, {"README.md": "worktree\n"})
    ground.repos.commit(ground.main, {"README.md": "main\n"})
    (ground.top / "src" / "app.py").write_text("stashed\n")
    ground.run("rebase", "--autostash", "main", ok=False)
    assert (ground.top / "src" / "app.py").read_text() != "stashed\n"
    saved = ground.remove()
    known = ground.repos.git(ground.main, "rev-list", saved.ref).split()
    shown = [ground.repos.git(ground.main, "show", f"{c}:src/app.py", ok=False) for c in known]
    assert "stashed" in shown


def test_h57_a_stash_outlives_the_worktree(ground: Ground) -> None:
    (ground.top / "README.md").write_text("stashed\n")
    ground.run("stash", "--quiet")
    ground.remove()
    assert ground.repos.git(ground.main, "show", "stash@{0}:README.md") == "stashed"


def test_h57_changes_that_git_was_told_to_overlook_are_seen(ground: Ground) -> None:
    ground.run("update-index", "--assume-unchanged", "README.md")
    ground.run("update-index", "--skip-worktree", "src/app.py")
    (ground.top / "README.md").write_text("unseen\n")
    (ground.top / "src" / "app.py").write_text("unseen too\n")
    assert ground.run("status", "--short") == ""
    risk = ground.git.at_risk(ground.repo, ground.tree)
    assert risk.dirty == ("README.md", "src/app.py")
    saved = ground.remove()
    ground.git.restore_worktree(ground.repo, saved)
    assert (ground.top / "README.md").read_text() == "unseen\n"
    assert (ground.top / "src" / "app.py").read_text() == "unseen too\n"


def test_a_sparse_checkout_is_not_taken_for_deletions(ground: Ground) -> None:
    ground.run("sparse-checkout", "set", "src")
    assert not (ground.top / "docs").exists()
    risk = ground.git.at_risk(ground.repo, ground.tree)
    assert risk.dirty == ()
    saved = ground.remove()
    assert saved.changed == 0
    assert ground.repos.git(ground.main, "show", f"{saved.ref}:docs/guide.txt") == "one\ntwo"


def test_h57_a_copied_index_has_the_time_of_the_original(tmp_path: Path) -> None:
    """A file changed in the tick in which it was staged differs in nothing but its content; the
    index's own time is what makes git look into it."""
    index, copy = tmp_path / "index", tmp_path / "copy"
    index.write_bytes(b"DIRC")
    os.utime(index, ns=(1_000_000_000, 1_000_000_007))
    assert snapshots._copy_index(str(index), str(copy))
    assert copy.stat().st_mtime_ns == 1_000_000_007


@pytest.mark.parametrize("content", [b"", b"garbage", b"DIRC\0\0\0\2\0\0\0\1"], ids=repr)
def test_a_broken_index_costs_nothing_but_itself(ground: Ground, content: bytes) -> None:
    (ground.top / "new.txt").write_text("new\n")
    Path(ground.repo.common_dir, "worktrees", "one", "index").write_bytes(content)
    files = ground.files()
    saved = ground.remove()
    ground.git.restore_worktree(ground.repo, saved)
    assert ground.files() == files


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_an_index_that_is_no_file_is_not_read(ground: Ground, kind: str) -> None:
    index = Path(ground.repo.common_dir, "worktrees", "one", "index")
    index.unlink()
    if kind == "fifo":
        os.mkfifo(index)
    else:
        index.symlink_to(ground.foreign / "precious.txt")
    (ground.top / "new.txt").write_text("new\n")
    saved = ground.rescue()[-1]
    assert ground.repos.git(ground.main, "show", f"{saved.ref}:new.txt") == "new"


def test_an_orphan_branch_without_commits_is_kept(ground: Ground) -> None:
    ground.run("checkout", "--quiet", "--orphan", "fresh")
    (ground.top / "new.txt").write_text("new\n")
    saved = ground.remove()
    assert (saved.head, saved.on) == ("", "fresh")
    assert ground.repos.git(ground.main, "show", f"{saved.ref}:new.txt") == "new"


def test_a_gone_branch_leaves_its_files(ground: Ground) -> None:
    (ground.top / "new.txt").write_text("new\n")
    ground.repos.git(ground.main, "update-ref", "-d", f"refs/heads/{ground.tree.branch}")
    saved = ground.remove()
    assert ground.repos.git(ground.main, "show", f"{saved.ref}:new.txt") == "new"
    ground.git.restore_worktree(ground.repo, saved)
    assert (ground.top / "new.txt").read_text() == "new\n"


# --- what is not the worktree


def test_h57_a_linked_directory_harms_nothing(ground: Ground) -> None:
    shutil.copyfile(ground.top / ".git", ground.foreign / ".git")
    os.rename(ground.top, ground.repos.root / "moved")
    os.symlink(ground.foreign, ground.top)
    ground.refused("worktree_foreign")
    assert (ground.repos.root / "moved" / "README.md").exists()


def test_h57_a_link_on_the_way_harms_nothing(ground: Ground) -> None:
    parent = ground.top.parent
    os.rename(parent, f"{parent}-moved")
    os.symlink(f"{parent}-moved", parent)
    ground.refused("worktree_foreign")
    assert Path(f"{parent}-moved", "one", "README.md").exists()


def test_h57_a_repository_in_its_place_is_kept(ground: Ground) -> None:
    shutil.rmtree(ground.top)
    ground.repos.git(ground.repos.root, "clone", "--quiet", str(ground.main), str(ground.top))
    ground.repos.commit(ground.top, {"theirs.txt": "theirs\n"}, "Theirs")
    ground.refused("worktree_foreign")
    assert ground.run("log", "-1", "--format=%s") == "Theirs"


def test_h57_another_repositorys_worktree_in_its_place_is_kept(ground: Ground) -> None:
    other = ground.repos.repository("other", remote=False)
    shutil.rmtree(ground.top)
    ground.repos.git(other, "worktree", "add", "--quiet", "-b", "x", str(ground.top))
    (ground.top / "theirs.txt").write_text("theirs\n")
    ground.refused("worktree_foreign")
    assert "x" in ground.repos.git(other, "worktree", "list")


def test_a_pointer_to_another_repository_is_refused_and_one_to_nothing_is_not(
    ground: Ground,
) -> None:
    (ground.top / "new.txt").write_text("new\n")
    pointer = ground.top / ".git"
    kept = pointer.read_text()
    pointer.write_text(f"gitdir: {ground.main / '.git'}\n")
    ground.refused("worktree_foreign")
    pointer.unlink()
    pointer.symlink_to(ground.main / ".git")
    ground.refused("worktree_foreign")
    for harmless in (None, "gitdir: /nowhere/at/all\n", "garbage", kept):
        pointer.unlink(missing_ok=True)
        if harmless is not None:
            pointer.write_text(harmless)
        assert ground.rescue()[-1].changed == 1
    saved = ground.remove()
    assert ground.repos.git(ground.main, "show", f"{saved.ref}:new.txt") == "new"


def test_a_directory_that_git_does_not_know_is_kept(ground: Ground) -> None:
    (ground.top / "new.txt").write_text("new\n")
    shutil.rmtree(Path(ground.repo.common_dir, "worktrees", "one"))
    ground.refused("worktree_foreign")


def test_h74_other_worktrees_and_their_entries_stay(ground: Ground) -> None:
    other = ground.worktree("other")
    (Path(other.path) / "new.txt").write_text("new\n")
    by_hand = ground.repos.root / "by-hand"
    ground.repos.git(ground.main, "worktree", "add", "--quiet", "-b", "hand", str(by_hand))
    shutil.rmtree(by_hand)  # prunable, but not ours to prune
    ground.remove()
    assert (Path(other.path) / "new.txt").exists()
    assert {path for path, _ in ground.git.worktrees(ground.repo)} == {other.path, str(by_hand)}


def test_a_branch_checked_out_elsewhere_stays(ground: Ground) -> None:
    tip = ground.repos.commit(ground.top, {"new.txt": "new\n"})
    ground.run("checkout", "--quiet", "--detach")
    ground.repos.git(ground.main, "checkout", "--quiet", ground.tree.branch)
    ground.rescue()
    assert "is checked out in" in ground.discard()
    assert ground.repos.git(ground.main, "rev-parse", ground.tree.branch) == tip
    ground.repos.git(ground.main, "checkout", "--quiet", "main")
    elsewhere = ground.repos.root / "elsewhere"
    ground.repos.git(ground.main, "worktree", "add", "--quiet", str(elsewhere), ground.tree.branch)
    assert str(elsewhere) in ground.discard()


def test_a_branch_that_moved_after_it_was_saved_stays(ground: Ground) -> None:
    ground.rescue()
    shutil.rmtree(ground.top)
    other = ground.repos.commit(ground.main, {"m.txt": "m\n"})
    ground.repos.git(ground.main, "update-ref", f"refs/heads/{ground.tree.branch}", other)
    assert "has moved since" in ground.discard()
    assert ground.repos.git(ground.main, "rev-parse", ground.tree.branch) == other


# --- repositories inside


def test_h57_a_repository_inside_is_kept(ground: Ground) -> None:
    inner = ground.top / "inner"
    ground.repos.git(ground.repos.root, "clone", "--quiet", str(ground.main), str(inner))
    ground.repos.commit(inner, {"inner.txt": "inner\n"}, "Inner")
    error = ground.refused("embedded_repository")
    assert error.data["files"] == ["inner"]


def test_h57_a_repository_begun_in_a_tracked_directory_is_kept(ground: Ground) -> None:
    ground.repos.git(ground.top / "src", "init", "--quiet")
    ground.repos.commit(ground.top / "src", {"inner.txt": "inner\n"}, "Inner")
    (ground.top / "src" / "inner.txt").unlink()
    error = ground.refused("embedded_repository")
    assert error.data["files"] == ["src"]


def test_h57_a_submodule_with_work_in_it_is_kept(ground: Ground) -> None:
    library = ground.repos.repository("library", remote=False)
    allow = ("-c", "protocol.file.allow=always")
    ground.run(*allow, "submodule", "--quiet", "add", str(library), "lib")
    ground.run("commit", "--quiet", "-m", "With a library")
    ground.repos.commit(ground.top / "lib", {"work.txt": "work\n"}, "Work in the library")
    ground.refused("embedded_repository")
    ground.run("submodule", "--quiet", "deinit", "--force", "lib")
    ground.refused("embedded_repository")  # its commits are still in git's directory for it


def test_a_submodule_that_was_never_fetched_is_no_work(ground: Ground) -> None:
    commit = ground.base
    ground.run("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    ground.run("commit", "--quiet", "-m", "With a library")
    (ground.top / "lib").mkdir(exist_ok=True)
    saved = ground.remove()
    ground.git.restore_worktree(ground.repo, saved)
    assert ground.run("status", "--short") == ""


# --- busy and changing


def test_h57_what_comes_while_it_is_saved_is_not_lost(ground: Ground) -> None:
    """A program writes on in the directory all the time."""
    script = "while :; do echo line >> grows.txt; done"
    writer = subprocess.Popen(["sh", "-c", script], cwd=ground.top)
    try:
        while not (ground.top / "grows.txt").exists():
            assert writer.poll() is None
        ground.rescue()
        with pytest.raises(Conflict) as caught:
            ground.discard()
        assert caught.value.code == "worktree_changed"
    finally:
        writer.kill()
        writer.wait()
    assert ground.top.is_dir()
    content = (ground.top / "grows.txt").read_text()
    ground.git.restore_worktree(ground.repo, ground.remove())
    assert (ground.top / "grows.txt").read_text() == content


def test_a_git_at_work_there_is_waited_for_and_then_told(ground: Ground) -> None:
    lock = Path(ground.repo.common_dir, "worktrees", "one", "index.lock")
    held = lock.open("x")
    try:
        with pytest.raises(Conflict) as caught:
            ground.rescue()
        assert caught.value.code == "repository_busy"
    finally:
        held.close()
    assert ground.rescue()
    assert not lock.exists()


def test_an_interrupted_removal_is_completed(ground: Ground) -> None:
    """Put aside but not removed: the same call goes on, and a restore gets everything."""
    (ground.top / "new.txt").write_text("new\n")
    ground.rescue()
    held = ground.top.parent / ".orch-held-one"
    os.rename(ground.top, held)
    assert ground.git.at_risk(ground.repo, ground.tree).dirty == ("new.txt",)
    assert len(ground.rescue()) == 1
    with pytest.raises(Conflict):
        ground.git.restore_worktree(ground.repo, ground.rescue()[-1])
    ground.discard()
    assert os.listdir(ground.top.parent) == []
    ground.git.restore_worktree(ground.repo, ground.git.trash(ground.repo)[-1])
    assert (ground.top / "new.txt").read_text() == "new\n"


def test_a_removal_that_was_killed_while_emptying_never_saves_the_rest(ground: Ground) -> None:
    (ground.top / "new.txt").write_text("new\n")
    [saved] = ground.rescue()
    aside = ground.top.parent / ".orch-trash-.orch-held-one"
    aside.mkdir()
    os.rename(ground.top, aside / "0")
    (aside / "0" / "new.txt").unlink()
    assert ground.rescue() == [saved]
    assert ground.discard() == ""
    assert os.listdir(ground.top.parent) == []
    assert ground.git.trash(ground.repo) == [saved]


def test_something_new_at_the_path_of_an_interrupted_removal_is_told(ground: Ground) -> None:
    ground.rescue()
    os.rename(ground.top, ground.top.parent / ".orch-held-one")
    ground.top.mkdir()
    (ground.top / "theirs.txt").write_text("theirs\n")
    ground.refused("worktree_foreign")


# --- rights


def test_read_only_directories_are_saved_and_removed(ground: Ground) -> None:
    folder = ground.top / "locked"
    folder.mkdir()
    (folder / "file.txt").write_text("x\n")
    (folder / "file.txt").chmod(0o400)
    folder.chmod(0o500)
    files = ground.files()
    saved = ground.remove()
    ground.git.restore_worktree(ground.repo, saved)
    assert ground.files() == files


UNREADABLE = """
import os, sys
from pathlib import Path
from tests.integration.test_git_removal import Ground
from orch.model.errors import Conflict

place, kind = sys.argv[1:]
if os.geteuid() == 0:  # root reads everything: go on as somebody who is bound by rights
    os.chown(place, 65534, 65534)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
ground = Ground(Path(place, "ground"))
victim = ground.top / kind
if kind == "directory":
    victim.mkdir()
    (victim / "inside.txt").write_text("secret")
else:
    victim.write_text("secret")
victim.chmod(0)
for step in (ground.rescue, ground.discard):
    try:
        step()
    except Conflict as error:
        print(error.code)
victim.chmod(0o700)
assert (victim / "inside.txt" if kind == "directory" else victim).read_text() == "secret"
print(len(ground.rescue()), ground.discard() == "")
"""


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_h57_what_cannot_be_read_is_not_removed(kind: str) -> None:
    # root's own temporary directory may be closed to nobody; this one is open to all
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        done = subprocess.run(
            [sys.executable, "-c", UNREADABLE, place, kind],
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.stdout.split() == ["unreadable_file", "not_saved", "1", "True"], done.stderr


# --- a full disk


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """4 MB of memory as a disk."""
    folder = Path(tempfile.mkdtemp(prefix="orch-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "orch-test", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        if mounted.returncode != 0:
            pytest.skip(f"no tmpfs may be mounted here: {mounted.stderr.strip()}")
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def fill(ballast: Path) -> None:
    """Take all the room there is."""
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_h57_a_full_disk_removes_nothing(small_disk: Path) -> None:
    ground = Ground(small_disk)
    (ground.top / "big.bin").write_bytes(os.urandom(600_000))
    ballast = small_disk / "ballast"
    fill(ballast)
    files = ground.files()
    with pytest.raises(ToolFailed) as caught:
        ground.rescue()
    assert caught.value.code == "disk_full"
    with pytest.raises(Conflict) as refused:
        ground.discard()
    assert refused.value.code == "not_saved"
    assert ground.files() == files
    # Room for the first copy, then none for the proof: the directory goes back to its place.
    os.truncate(ballast, ballast.stat().st_size - 1_300_000)
    ground.rescue()
    (ground.top / "more.bin").write_bytes(os.urandom(200_000))
    fill(ballast)
    files = ground.files()
    with pytest.raises(OrchError) as late:
        ground.discard()
    assert late.value.code in ("disk_full", "worktree_changed")
    assert ground.files() == files
    ballast.unlink()
    ground.there_and_back()


# --- the trash itself


def test_entries_that_an_agent_forged_are_passed_over_or_lead_nowhere(ground: Ground) -> None:
    """The refs are the repository's: anybody in it can write there."""
    ground.run("update-ref", "refs/orch/trash/forged-1", ground.base)
    assert ground.git.trash(ground.repo) == []
    ground.git.purge_trash(ground.repo, older_than=AT * 2)
    assert ground.repos.git(ground.main, "rev-parse", "refs/orch/trash/forged-1") == ground.base
    outside = replace(
        ground.rescue()[-1].worktree, path=str(ground.repos.home / ".config"), name="evil"
    )
    forged = replace(ground.rescue()[-1], worktree=outside)
    ground.discard()
    restored = ground.git.restore_worktree(ground.repo, forged)
    assert restored.path == f"{ground.repo.workspace_dir}/evil"
    assert not (ground.repos.home / ".config").exists()
    for name in ("../evil", "a/b", "..", "-x\n"):
        with pytest.raises(OrchError):
            ground.git.restore_worktree(
                ground.repo, replace(forged, worktree=replace(outside, name=name))
            )


def test_a_restore_is_refused_where_the_branch_is_used(ground: Ground) -> None:
    saved = ground.remove()
    ground.git.restore_worktree(ground.repo, saved)
    elsewhere = replace(saved, worktree=replace(saved.worktree, name="two"))
    with pytest.raises(Conflict) as caught:
        ground.git.restore_worktree(ground.repo, elsewhere)
    assert caught.value.code == "branch_in_use"
