"""A `git worktree add` that was killed must not stop the making of another worktree."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.scenario import make


def test_a_half_made_entry_of_ours_is_cleared_and_a_persons_is_left(tmp_path: Path) -> None:
    """git cannot add a worktree while it cannot read the entry of another one (seen when the engine
    was killed between the two parallel worktrees of `multi_agent`)."""
    world = make(tmp_path / "w")
    folder = world.repo / ".git" / "worktrees"
    for name, reason in (("half", "orch orch/half\n"), ("theirs", "in use by a person\n")):
        entry = folder / name
        entry.mkdir(parents=True)
        (entry / "locked").write_text(reason, encoding="utf-8")
        (entry / "gitdir").write_text(f"/nowhere/{name}/.git\n", encoding="utf-8")
        (entry / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
        (entry / "commondir").write_text("" if name == "half" else "../..\n", encoding="utf-8")
    done = world.orch("run", "basic_pr", "--issue", "1")
    assert done.returncode == 0, done.stderr
    assert not (folder / "half").exists()
    assert (folder / "theirs").exists()
