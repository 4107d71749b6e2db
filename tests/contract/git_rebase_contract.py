"""The part of the contract of `orch.ports.Git` by which a branch follows its base."""

from __future__ import annotations

import pytest

from orch.model.errors import Conflict, MergeConflict, UsageError
from orch.model.repo import Repo
from orch.ports import Git
from orch.testing.repositories import pushed, refused
from tests.contract.git_landing_contract import LandingHands


class GitRebaseContract:
    """Subclass as `TestX` beside `GitContract`."""

    def test_the_commits_stand_on_the_new_base_and_the_files_are_there(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        """H78."""
        worktree, head = pushed(git, hands, repo)
        base = hands.commit_remotely(repo, "main", {"other.txt": "theirs\n"})
        onto = git.landing(repo, head=worktree.branch, base="main", head_sha=head).base_tip
        assert onto == base
        tip = git.rebase(repo, worktree, onto, key="k/1")
        assert list(hands.parents(repo, tip)) == [base]
        assert git.state(repo, worktree).head == tip
        assert not git.state(repo, worktree).dirty
        assert set(hands.files_of(repo, tip)) >= {"a.txt", "other.txt"}
        assert git.rebase(repo, worktree, onto, key="k/1") == tip, "repeating changes nothing"
        assert git.rebase(repo, worktree, onto, key="k/2") == tip

    def test_a_conflict_changes_nothing_and_names_the_files(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        hands.commit_remotely(repo, "main", {"a.txt": "theirs\n"})
        onto = git.landing(repo, head=worktree.branch, base="main", head_sha=head).base_tip
        with refused(MergeConflict, "merge_conflict") as caught:
            git.rebase(repo, worktree, onto, key="k/1")
        assert caught.value.data["files"] == ["a.txt"]
        assert git.state(repo, worktree).head == head
        assert not git.state(repo, worktree).dirty

    def test_a_branch_with_merges_of_its_own_is_refused(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        other, _ = pushed(git, hands, repo, name="b")
        git.merge(repo, worktree, [other.branch], "merge", key="k/0")
        merged = git.state(repo, worktree).head
        hands.commit_remotely(repo, "main", {"other.txt": "theirs\n"})
        onto = git.landing(repo, head=worktree.branch, base="main", head_sha=head).base_tip
        with refused(Conflict, "has_merges"):
            git.rebase(repo, worktree, onto, key="k/1")
        assert git.state(repo, worktree).head == merged

    @pytest.mark.parametrize("onto", ["main", "--help", ""])
    def test_only_a_commit_is_a_base(
        self, git: Git, hands: LandingHands, repo: Repo, onto: str
    ) -> None:
        worktree, _ = pushed(git, hands, repo)
        with refused(UsageError, "bad_name"):
            git.rebase(repo, worktree, onto, key="k/1")
