"""What `orch.model.history.CommitViews` promises; part of the contract of `orch.ports.Git`."""

from __future__ import annotations

from orch.model.repo import Repo
from orch.ports import Git


class GitReadingContract:
    """Mixed into the contract of the port."""

    def test_a_file_is_read_as_the_commit_has_it(self, git: Git, repo: Repo) -> None:
        tip = git.resolve_base(repo, None, fetch=False).commit
        name = git.paths_at(repo, tip, 10_000)[0]
        text = git.file_at(repo, tip, name, 10_000)
        assert text
        assert git.file_at(repo, tip, name, 2) == text[:2]
        assert git.file_at(repo, tip, "no such file", 100) is None
        assert git.file_at(repo, tip, "src", 100) is None

    def test_paths_are_sorted_and_bounded(self, git: Git, repo: Repo) -> None:
        tip = git.resolve_base(repo, None, fetch=False).commit
        paths = list(git.paths_at(repo, tip, 10_000))
        assert paths == sorted(paths)
        assert len(git.paths_at(repo, tip, len(paths[0]) + 1)) <= 1

    def test_the_log_is_newest_first(self, git: Git, repo: Repo) -> None:
        tip = git.resolve_base(repo, None, fetch=False).commit
        log = git.log_at(repo, tip, 100)
        assert log[0].startswith(f"{tip[:12]} ")
        assert list(git.log_at(repo, tip, 1)) == list(log[:1])
