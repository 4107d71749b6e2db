"""A `git worktree add` that was killed must not stop the making of another worktree."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.chaos.scenario import make
from tests.gitrepos import GitRepos


def half_made(folder: Path) -> None:
    """As a `git worktree add` of ours leaves it that was killed, or is at work this very moment."""
    folder.mkdir(parents=True)
    (folder / "locked").write_text("orch orch/half\n", encoding="utf-8")
    (folder / "gitdir").write_text("/nowhere/half/.git\n", encoding="utf-8")
    (folder / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (folder / "commondir").write_text("", encoding="utf-8")


def test_worktrees_are_listed_beside_a_half_made_one(tmp_path: Path) -> None:
    """git cannot list them while it cannot read the entry of one (seen by a look at them while
    another task began)."""
    repos = GitRepos(tmp_path)
    git = repos.gateway()
    repo = repos.register(git, repos.repository())
    repos.git(repo.local_path, "worktree", "add", "--quiet", "-b", "mine", str(tmp_path / "mine"))
    half_made(Path(repo.common_dir, "worktrees", "half"))
    assert repos.git(repo.local_path, "worktree", "list", ok=False) == ""
    assert git.worktrees(repo) == [(str(tmp_path / "mine"), "mine")]


@pytest.mark.parametrize("look", ["fetch", "list"])
def test_an_entry_that_somebody_makes_this_very_moment_is_waited_for(
    tmp_path: Path, look: str
) -> None:
    repos = GitRepos(tmp_path)
    git = repos.gateway()
    repo = repos.register(git, repos.repository())
    entry = Path(repo.common_dir, "worktrees", "half")
    half_made(entry)
    (entry / "locked").unlink()  # a person's
    repos.commit_remotely(repo.remote_url, "main", {"b.txt": "b\n"})
    made = threading.Timer(0.2, lambda: (entry / "commondir").write_text("../..\n"))
    made.start()
    try:
        if look == "fetch":
            assert git.resolve_base(repo, "main", fetch=True).commit == git.remote_tip(repo, "main")
        else:
            assert git.worktrees(repo) == [("/nowhere/half", "main")]
    finally:
        made.join()


def test_a_half_made_entry_of_ours_is_cleared_and_a_persons_is_left(tmp_path: Path) -> None:
    """git cannot add a worktree while it cannot read the entry of another one (seen when the engine
    was killed between the two parallel worktrees of `multi_agent`)."""
    world = make(tmp_path / "w")
    folder = world.repo / ".git" / "worktrees"
    for name in ("half", "theirs"):
        half_made(folder / name)
    (folder / "theirs" / "locked").write_text("in use by a person\n", encoding="utf-8")
    (folder / "theirs" / "gitdir").write_text("/nowhere/theirs/.git\n", encoding="utf-8")
    (folder / "theirs" / "commondir").write_text("../..\n", encoding="utf-8")
    done = world.orch("run", "basic_pr", "--issue", "1")
    assert done.returncode == 0, done.stderr
    assert not (folder / "half").exists()
    assert (folder / "theirs").exists()
