"""Committing what agents really leave behind."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.git.cli import GitCli
from orch.model.errors import Conflict, NotFound, ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests.gitrepos import GitRepos, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


@pytest.fixture
def repo(repos: GitRepos, git: GitCli) -> Repo:
    return repos.register(git, repos.repository())


@pytest.fixture
def tree(git: GitCli, repo: Repo) -> Worktree:
    worktree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    return worktree


def committed(repos: GitRepos, repo: Repo, commit: str) -> set[str]:
    listing = repos.git(repo.local_path, "ls-tree", "-r", "-z", "--name-only", commit)
    return {name for name in listing.split("\0") if name}


STRANGE = [
    b"new\nline.txt",
    b"tab\there",
    b" leading and trailing ",
    b"-rf",
    b"--amend",
    b":(glob)**",
    b'quote"and\\slash',
    b"latin-\xe9\xff.txt",
    "é漢🎉.txt".encode(),
    b"$(touch x)`y`;z",
    b"a*?[b]",
    b"dir with space/in it",
    b"#hash",
    b"x" * 255,
]


def test_names_of_any_bytes_are_committed_as_they_are(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    for name in STRANGE:
        target = os.path.join(os.fsencode(tree.path), name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(name)
    state = git.state(repo, tree)
    assert len(state.dirty) == len(STRANGE)
    for path in state.dirty:
        path.encode()  # reported as text that JSON can hold
    tip = git.commit(repo, tree, "Strange names", key="k1")
    assert {os.fsencode(name) for name in committed(repos, repo, tip)} >= set(STRANGE)
    assert git.state(repo, tree).dirty == ()


def test_kinds_of_files_may_change_into_each_other(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    top = Path(tree.path)
    repos.commit(top, {"file": "f\n", "dir/one": "1\n", "dir/two": "2\n", "gone/x": "x\n"})
    (top / "file").unlink()
    (top / "file").mkdir()
    (top / "file" / "inside").write_text("now a directory\n")
    for name in ("one", "two"):
        (top / "dir" / name).unlink()
    (top / "dir").rmdir()
    (top / "dir").write_text("now a file\n")
    (top / "gone" / "x").unlink()
    (top / "gone").rmdir()
    (top / "gone").symlink_to(repos.root)
    (top / "README.md").unlink()
    (top / "README.md").symlink_to("src/app.py")
    (top / "src" / "app.py").chmod(0o755)
    tip = git.commit(repo, tree, "Changed kinds", key="k1")
    assert git.state(repo, tree).dirty == ()
    names = committed(repos, repo, tip)
    assert {"file/inside", "dir", "gone", "README.md"} <= names
    assert not {"file", "dir/one", "gone/x"} & names
    modes = repos.git(repo.local_path, "ls-tree", tip, "README.md", "gone", "src/")
    assert modes.count("120000") == 2
    assert "100755" in modes
    assert repos.git(tree.path, "status", "--porcelain") == ""


def test_what_the_agent_staged_is_committed_as_the_files_are(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    top = Path(tree.path)
    (top / "staged.txt").write_text("old\n")
    (top / "intended.txt").write_text("x\n")
    (top / "undone.txt").write_text("x\n")
    repos.git(top, "add", "staged.txt", "undone.txt")
    repos.git(top, "add", "--intent-to-add", "intended.txt")
    repos.git(top, "rm", "--quiet", "--cached", "README.md")
    repos.git(top, "rm", "--quiet", "docs/guide.txt")
    (top / "staged.txt").write_text("new\n")
    (top / "undone.txt").unlink()
    tip = git.commit(repo, tree, "Staged", key="k1")
    names = committed(repos, repo, tip)
    assert {"staged.txt", "intended.txt", "README.md"} <= names
    assert not {"undone.txt", "docs/guide.txt"} & names
    assert repos.git(top, "show", f"{tip}:staged.txt") == "new"


def test_staged_changes_that_cancel_out_make_no_commit(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    top = Path(tree.path)
    (top / "a.txt").write_text("x\n")
    (top / "README.md").write_text("other\n")
    repos.git(top, "add", "-A")
    (top / "a.txt").unlink()
    (top / "README.md").write_text("start\n")
    assert git.commit(repo, tree, "Nothing", key="k1") == tree.base_commit


def test_sockets_and_pipes_are_passed_over(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    top = Path(tree.path)
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(top)  # the path of a socket is short
        try:
            server.bind("socket")
        finally:
            os.chdir(place)
        (top / "a.txt").write_text("a\n")
        tip = git.commit(repo, tree, "a", key="k1")
    assert not {"pipe", "socket"} & committed(repos, repo, tip)
    (top / "README.md").unlink()
    os.mkfifo(top / "README.md")
    with pytest.raises(Conflict) as caught:
        git.commit(repo, tree, "a", key="k2")
    assert caught.value.code == "unreadable_file"


def test_an_embedded_repository_is_refused_until_it_is_dealt_with(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    inside = Path(tree.path, "vendor", "lib")
    inside.mkdir(parents=True)
    repos.git(inside, "init", "--quiet")
    repos.commit(inside, {"lib.py": "x = 1\n"})
    with pytest.raises(Conflict) as caught:
        git.commit(repo, tree, "lib", key="k1")
    assert caught.value.code == "embedded_repository"
    assert caught.value.data["files"] == ["vendor/lib"]
    repos.git(tree.path, "add", "-A")
    with pytest.raises(Conflict) as caught:
        git.commit(repo, tree, "lib", key="k1")
    assert caught.value.code == "embedded_repository", "staged by the agent is no better"
    repos.git(tree.path, "rm", "--quiet", "--force", "--cached", "vendor/lib")
    Path(tree.path, ".gitignore").write_text("vendor/\n")
    tip = git.commit(repo, tree, "lib", key="k1")
    assert ".gitignore" in committed(repos, repo, tip)
    Path(tree.path, ".gitignore").unlink()
    subprocess.run(["rm", "-rf", str(inside / ".git")], check=True)
    tip = git.commit(repo, tree, "lib as files", key="k2")
    assert "vendor/lib/lib.py" in committed(repos, repo, tip)


def test_a_submodule_is_moved_like_any_file(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    library = repos.repository("library", remote=False)
    repos.git(tree.path, "submodule", "--quiet", "add", str(library), "lib")
    first = git.commit(repo, tree, "Add lib", key="k1")
    newer = repos.commit(Path(tree.path, "lib"), {"new.txt": "x\n"})
    tip = git.commit(repo, tree, "Move lib", key="k2")
    assert tip != first
    assert newer in repos.git(tree.path, "ls-tree", tip, "lib")
    assert git.state(repo, tree).dirty == ()


def test_h72_tracked_files_with_a_tool_s_name_are_committed(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    base = repos.commit(repo.local_path, {"plugins/keep.txt": "x\n"})
    Path(repo.local_path, "node_modules").mkdir()
    Path(repo.local_path, "node_modules", "kept.js").write_text("1\n")
    repos.git(repo.local_path, "add", "--force", "node_modules/kept.js")
    repos.git(repo.local_path, "commit", "--quiet", "-m", "tracked")
    base = repos.git(repo.local_path, "rev-parse", "HEAD")
    worktree = worktree_at(repo, "b", base)
    git.add_worktree(repo, worktree, key="k")
    Path(worktree.path, "node_modules", "kept.js").write_text("2\n")
    Path(worktree.path, "node_modules", "other.js").write_text("3\n")
    assert git.state(repo, worktree).dirty == ("node_modules/kept.js",)
    tip = git.commit(repo, worktree, "x", key="k1")
    assert repos.git(repo.local_path, "show", f"{tip}:node_modules/kept.js") == "2"


def test_the_person_s_own_ignore_files_are_respected(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    (repos.home / ".config" / "git").mkdir(parents=True)
    (repos.home / ".config" / "git" / "ignore").write_text("*.global\n")
    Path(repo.common_dir, "info", "exclude").write_text("*.local\n")
    git.pin(repo.common_dir, repo.pinned_dir)
    worktree = worktree_at(repo, "b", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    for name in ("a.global", "a.local", "a.txt"):
        Path(worktree.path, name).write_text("x\n")
    assert git.state(repo, worktree).dirty == ("a.txt",)


def test_a_file_that_a_filter_stores_is_refused(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    """Committing an LFS file without LFS would put its content into git itself."""
    top = Path(tree.path)
    (top / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (top / "big.bin").write_bytes(b"\0" * 1000)
    with pytest.raises(Conflict) as caught:
        git.commit(repo, tree, "big", key="k1")
    assert caught.value.code == "needs_filter"
    assert caught.value.data["files"] == ["big.bin"]
    repos.git(top, "add", "-A")
    tip = git.commit(repo, tree, "big", key="k1")
    assert "big.bin" in committed(repos, repo, tip), "what the person staged is taken"


@pytest.fixture
def as_somebody() -> Iterator[GitRepos]:
    """A user who may not read everything: oneself, or for root a moment as nobody."""
    if os.geteuid() != 0:
        with tempfile.TemporaryDirectory() as root:
            yield GitRepos(Path(root, "r"))
        return
    # root's own temporary directory may be closed to nobody; this one is open to all
    with tempfile.TemporaryDirectory(dir="/tmp") as root:
        os.chown(root, 65534, 65534)
        os.setegid(65534)
        os.seteuid(65534)
        try:
            yield GitRepos(Path(root, "r"))
        finally:
            os.seteuid(0)
            os.setegid(0)


def test_an_unreadable_file_is_named(as_somebody: GitRepos) -> None:
    git = as_somebody.gateway()
    repo = as_somebody.register(git, as_somebody.repository(remote=False))
    tree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, tree, key="k")
    secret = Path(tree.path, "secret.txt")
    secret.write_text("x")
    secret.chmod(0)
    with pytest.raises(Conflict) as caught:
        git.commit(repo, tree, "x", key="k1")
    assert caught.value.code == "unreadable_file"
    assert "secret.txt" in caught.value.message


def test_directories_without_rights_can_be_removed(as_somebody: GitRepos) -> None:
    """Package managers take the right to write away from their caches."""
    git = as_somebody.gateway()
    repo = as_somebody.register(git, as_somebody.repository(remote=False))
    tree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, tree, key="k")
    inside = Path(tree.path, "node_modules", "x", "y")
    inside.mkdir(parents=True)
    (inside / "f").write_text("x")
    for place, mode in ((inside, 0o000), (inside.parent, 0o500), (inside.parents[1], 0o100)):
        place.chmod(mode)
    git.remove_worktree(repo, tree)
    assert os.listdir(repo.workspace_dir) == []


def test_large_files_do_not_fill_the_memory(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    with Path(tree.path, "large.bin").open("wb") as stream:
        stream.truncate(80 << 20)
    tip = git.commit(repo, tree, "large", key="k1")
    assert "large.bin" in committed(repos, repo, tip)


def test_a_broken_head_or_index_is_a_plain_error(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    admin = Path(repo.common_dir, "worktrees", "a")
    Path(tree.path, "a.txt").write_text("a\n")
    index = (admin / "index").read_bytes()
    (admin / "index").write_bytes(b"garbage")
    with pytest.raises(ToolFailed) as failed:
        git.commit(repo, tree, "a", key="k1")
    assert failed.value.code == "git_failed"
    (admin / "index").write_bytes(index)
    (admin / "HEAD").write_text("nonsense\n")
    with pytest.raises((ToolFailed, NotFound)):
        git.commit(repo, tree, "a", key="k1")
    (admin / "HEAD").write_text(f"ref: refs/heads/{tree.branch}\n")
    assert git.commit(repo, tree, "a", key="k1") != tree.base_commit


def test_a_branch_that_the_agent_deleted_is_told(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    Path(tree.path, "a.txt").write_text("a\n")
    repos.git(repo.local_path, "update-ref", "-d", f"refs/heads/{tree.branch}")
    with pytest.raises(Conflict) as caught:
        git.commit(repo, tree, "a", key="k1")
    assert caught.value.code == "branch_moved"
    git.add_worktree(repo, tree, key="k")
    tip = git.commit(repo, tree, "a", key="k1")
    assert "a.txt" in committed(repos, repo, tip)


def test_the_pointer_is_put_right_for_the_person(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    pointer = Path(tree.path, ".git")
    pointer.write_text("gitdir: /nowhere\n")
    Path(tree.path, "a.txt").write_text("a\n")
    git.commit(repo, tree, "a", key="k1")
    assert repos.git(tree.path, "status", "--porcelain") == ""
    assert pointer.read_text() == f"gitdir: {repo.common_dir}/worktrees/a\n"


def test_the_committer_is_the_person_and_the_author_may_be_another(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    Path(tree.path, "a.txt").write_text("a\n")
    tip = git.commit(repo, tree, "a", key="k1", author="Ann Other <ann@localhost>")
    show = ("show", "-s", "--format=%an %ae|%cn %ce")
    assert repos.git(tree.path, *show, tip) == "Ann Other ann@localhost|Pat Person pat@localhost"


def test_without_any_identity_there_is_one(repos: GitRepos) -> None:
    path = repos.repository()
    (repos.home / ".gitconfig").unlink()
    git = repos.gateway()
    repo = repos.register(git, path)
    tree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, tree, key="k")
    Path(tree.path, "a.txt").write_text("a\n")
    tip = git.commit(repo, tree, "a", key="k1")
    assert repos.git(path, "show", "-s", "--format=%cn <%ce>", tip) == "Orch <orch@localhost>"


def test_an_identity_by_directory_is_found(repos: GitRepos) -> None:
    """People set it with `includeIf "gitdir:…"`."""
    (repos.home / "work.config").write_text("[user]\n\temail = pat@work\n")
    with (repos.home / ".gitconfig").open("a") as config:
        config.write(f'[includeIf "gitdir:{repos.root}/"]\n\tpath = {repos.home}/work.config\n')
    git = repos.gateway()
    repo = repos.register(git, repos.repository())
    tree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, tree, key="k")
    Path(tree.path, "a.txt").write_text("a\n")
    tip = git.commit(repo, tree, "a", key="k1")
    assert repos.git(tree.path, "show", "-s", "--format=%ce", tip) == "pat@work"


def test_a_trailer_joins_the_trailers_that_are_there(
    repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree
) -> None:
    Path(tree.path, "a.txt").write_text("a\n")
    message = "Title\n\nText.\n\nCo-authored-by: X <x@y>\n"
    tip = git.commit(repo, tree, message, key="run/1#2")
    trailers = repos.git(tree.path, "show", "-s", "--format=%(trailers)", tip).split("\n")
    assert trailers[:2] == ["Co-authored-by: X <x@y>", "Orch-Key: run/1#2"]


def test_a_full_disk_is_said(repos: GitRepos, git: GitCli, repo: Repo, tree: Worktree) -> None:
    """git's own words for it, without a disk to fill (see the test on a small tmpfs)."""
    stand_in = repos.root / "full"
    stand_in.write_text(
        '#!/bin/sh\ncase "$*" in *update-index*) echo \'error: unable to write file: No space left'
        ' on device\' >&2; exit 128;; *) exec git "$@";; esac\n'
    )
    stand_in.chmod(0o755)
    Path(tree.path, "a.txt").write_text("a\n")
    with pytest.raises(ToolFailed) as caught:
        repos.gateway(program=str(stand_in)).commit(repo, tree, "a", key="k1")
    assert caught.value.code == "disk_full"
    assert git.commit(repo, tree, "a", key="k1") != tree.base_commit


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB; needs root."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("needs root and the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.root
def test_a_disk_that_fills_up_leaves_a_sound_repository(small_disk: Path) -> None:
    repos = GitRepos(small_disk)
    git = repos.gateway()
    repo = repos.register(git, repos.repository())
    tree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, tree, key="k")
    Path(tree.path, "work.bin").write_bytes(os.urandom(300_000))
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"\1" * (4 << 20))
    other = worktree_at(repo, "b", tree.base_commit)
    for act in (
        lambda: git.commit(repo, tree, "x", key="k1"),
        lambda: git.add_worktree(repo, other, key="k"),
        lambda: git.pin(repo.common_dir, repo.pinned_dir),
        lambda: git.clone(repo.local_path, str(small_disk / "clone")),
    ):
        with pytest.raises(ToolFailed) as caught:
            act()
        assert caught.value.code == "disk_full", caught.value.as_dict()
    assert git.state(repo, tree).dirty == ("work.bin",), "reading goes on"
    assert not (small_disk / "clone").exists()
    filler.unlink()
    git.add_worktree(repo, other, key="k")
    tip = git.commit(repo, tree, "x", key="k1")
    assert git.push(repo, tree) == tip
    assert "missing" not in repos.git(repo.local_path, "fsck")
    assert list(Path(repo.common_dir).rglob("*.lock")) == []
