"""What the double adds to the contract: the same in every run."""

from __future__ import annotations

from orch.git.memory import MemoryGit
from orch.git.memory_world import is_ignored
from orch.model.repo import Repo
from orch.model.worktree import Worktree


def history() -> list[str]:
    """The commits of one small story, told anew."""
    git = MemoryGit()
    git.world.make_repository("/src/thing", remote_url="/remote.git")
    git.pin("/src/thing/.git", "/pins/thing")
    repo = Repo(
        slug="thing",
        local_path="/src/thing",
        common_dir="/src/thing/.git",
        pinned_dir="/pins/thing",
        workspace_dir="/worktrees/thing",
        default_branch="main",
        remote_name="origin",
        remote_url="/remote.git",
    )
    base = git.resolve_base(repo, None, fetch=True).commit
    tips = []
    for name in ("one", "two"):
        worktree = Worktree(
            repo="thing",
            name=name,
            branch=f"orch/{name}",
            path=f"/worktrees/thing/{name}",
            base_branch="main",
            base_commit=base,
        )
        git.add_worktree(repo, worktree, key=name)
        git.world.repositories[repo.common_dir].trees[worktree.path].files[f"{name}.txt"] = "x\n"
        tips.append(git.commit(repo, worktree, "Work", key=name))
        tips.append(git.push(repo, worktree))
    return [base, *tips, *git.world.remotes["/remote.git"].refs.values()]


def test_equal_stories_have_equal_commits() -> None:
    assert history() == history()
    assert len(set(history())) == 3


def test_tool_state_is_known_by_its_path() -> None:
    for path in ("a/node_modules/b.js", ".orch/x", "x/.DS_Store", "m/__pycache__/a.pyc", "a.pyc"):
        assert is_ignored(path), path
    for path in (".orch.toml", "node_modules", "src/orch/a.py", "sub/.claude/settings.local.json"):
        assert not is_ignored(path), path
