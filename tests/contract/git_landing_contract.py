"""The part of the contract of `orch.ports.Git` by which pull requests land; see `git_contract`."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from orch.model.effect import Strategy
from orch.model.errors import Conflict, MergeConflict, NotFound, PushRejected, ToolFailed
from orch.model.pull import Landing
from orch.model.repo import Repo
from orch.ports import Git
from orch.testing.repositories import STRATEGIES, Repositories, pushed, refused
from tests.contract.git_contract import GitHands

MESSAGE = "Merge pull request thing#1 from orch/a\n\nTitle"


class LandingHands(GitHands, Repositories, Protocol):
    """And what people do at the remote."""


def landed(
    git: Git, repo: Repo, expected: str, strategy: Strategy = "merge", **more: Any
) -> Landing:
    words: dict[str, Any] = {"head": "orch/a", "base": "main", "message": MESSAGE, "key": "k/1"}
    return git.land(repo, expected=expected, strategy=strategy, **(words | more))


def looked(git: Git, repo: Repo, head_sha: str, *keys: str) -> Landing:
    return git.landing(repo, head="orch/a", base="main", head_sha=head_sha, keys=keys)


class GitLandingContract:
    """Subclass as `TestX` beside `GitContract`."""

    def test_an_open_head_is_looked_at_and_nothing_moves(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        tracking = hands.tip(repo, "refs/remotes/origin/main")
        base = hands.commit_remotely(repo, "main", {"other.txt": "theirs\n"})
        assert looked(git, repo, head, "k/1") == Landing(
            base_tip=base, head_tip=head, head_sha=head, start=worktree.base_commit
        )
        assert hands.tip(repo, "refs/remotes/origin/main") == tracking

    def test_a_merge_has_both_as_parents_and_the_key(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        found = landed(git, repo, head)
        assert git.remote_tip(repo, "main") == found.commit
        assert found.start == worktree.base_commit
        assert list(hands.parents(repo, found.commit)) == [worktree.base_commit, head]
        assert hands.message(repo, found.commit).strip() == f"{MESSAGE}\n\nOrch-Key: k/1"
        assert hands.files_of(repo, found.commit)["a.txt"] == "work\n"

    def test_a_squash_is_one_commit_on_the_base(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, _ = pushed(git, hands, repo)
        hands.write(worktree, {"b.txt": "more\n"})
        git.commit(repo, worktree, "Add b", key="commit-b")
        head = git.push(repo, worktree)
        found = landed(git, repo, head, "squash")
        assert list(hands.parents(repo, found.commit)) == [worktree.base_commit]
        assert {"a.txt", "b.txt"} <= hands.files_of(repo, found.commit).keys()

    def test_a_rebase_takes_over_what_only_adds_as_it_is(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        _, head = pushed(git, hands, repo)
        assert landed(git, repo, head, "rebase").commit == head == git.remote_tip(repo, "main")

    def test_a_rebase_replays_on_a_base_that_went_on(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, _ = pushed(git, hands, repo)
        hands.write(worktree, {"b.txt": "more\n"})
        git.commit(repo, worktree, "Add b", key="commit-b")
        head = git.push(repo, worktree)
        base = hands.commit_remotely(repo, "main", {"other.txt": "theirs\n"})
        found = landed(git, repo, head, "rebase")
        [parent] = hands.parents(repo, found.commit)
        assert list(hands.parents(repo, parent)) == [base]
        assert hands.message(repo, found.commit).startswith("Add b")
        assert (found.start, git.remote_tip(repo, "main")) == (base, found.commit)
        again = looked(git, repo, head, "k/1")
        assert (again.start, again.commit) == (base, found.commit)

    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("moved", [False, True], ids=["base stood", "base went on"])
    def test_repeated_with_the_same_key_it_lands_once(
        self, git: Git, hands: LandingHands, repo: Repo, strategy: Strategy, moved: bool
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        if moved:
            hands.commit_remotely(repo, "main", {"other.txt": "theirs\n"})
        first = landed(git, repo, head, strategy)
        # Others go on, and take it back again: it has landed all the same.
        hands.commit_remotely(repo, "main", {"a.txt": "taken back\n"})
        after = git.remote_tip(repo, "main")
        again = landed(git, repo, head, strategy)
        assert (again.commit, again.base_tip) == (first.commit, after)
        assert git.remote_tip(repo, "main") == after
        hands.write(worktree, {"late.txt": "late\n"})
        git.commit(repo, worktree, "Late", key="commit-late")
        git.push(repo, worktree)
        if not (strategy == "rebase" and not moved):  # that key is in the record only
            late = landed(git, repo, head, strategy)
            assert (late.commit, late.head_sha) == (first.commit, head)
            assert git.remote_tip(repo, "main") == after

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_a_conflict_changes_nothing_and_names_the_files(
        self, git: Git, hands: LandingHands, repo: Repo, strategy: Strategy
    ) -> None:
        _, head = pushed(git, hands, repo)
        base = hands.commit_remotely(repo, "main", {"a.txt": "theirs\n"})
        with refused(MergeConflict, "merge_conflict") as caught:
            landed(git, repo, head, strategy)
        assert caught.value.data["files"] == ["a.txt"]
        assert git.remote_tip(repo, "main") == base

    def test_h80_a_head_that_moved_is_refused(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        _, head = pushed(git, hands, repo)
        moved = hands.commit_remotely(repo, "orch/a", {"b.txt": "x\n"})
        base = git.remote_tip(repo, "main")
        with refused(Conflict, "head_moved") as caught:
            landed(git, repo, head)
        assert caught.value.data == {"expected": head, "head": moved}
        hands.set_remotely(repo, "orch/a", "")
        with refused(Conflict, "head_gone"):
            landed(git, repo, head)
        assert git.remote_tip(repo, "main") == base

    def test_a_trial_pushes_nothing_and_finds_conflicts(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        assert landed(git, repo, head, trial=True).commit
        assert git.remote_tip(repo, "main") == worktree.base_commit
        assert not looked(git, repo, head, "k/1").commit
        hands.commit_remotely(repo, "main", {"a.txt": "theirs\n"})
        with refused(MergeConflict, "merge_conflict"):
            landed(git, repo, head, trial=True)

    @pytest.mark.parametrize("forward", [False, True])
    def test_h81_what_a_person_merged_by_hand_has_landed(
        self, git: Git, hands: LandingHands, repo: Repo, forward: bool
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        by_hand = hands.merge_remotely(repo, "orch/a", forward=forward)
        hands.commit_remotely(repo, "main", {"later.txt": "x\n"})
        found = looked(git, repo, head)
        assert found.commit == (head if forward else by_hand)
        assert found.start == ("" if forward else worktree.base_commit)
        assert landed(git, repo, head, "squash").commit == found.commit
        hands.set_remotely(repo, "orch/a", "")
        gone = looked(git, repo, head)
        assert (gone.commit, gone.head_tip, gone.head_sha) == (found.commit, "", head)

    def test_a_branch_that_was_taken_back_has_landed_nothing(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        hands.set_remotely(repo, "orch/a", worktree.base_commit)
        assert looked(git, repo, head).commit == ""

    def test_a_squash_of_what_is_there_already_adds_nothing(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        _, head = pushed(git, hands, repo)
        base = hands.commit_remotely(repo, "main", {"a.txt": "work\n"})
        assert landed(git, repo, head, "squash").commit == base == git.remote_tip(repo, "main")

    def test_a_key_counts_only_as_the_last_line_on_the_base_s_own_line(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, _ = pushed(git, hands, repo)
        hands.write(worktree, {"b.txt": "x\n"})
        git.commit(repo, worktree, "Fake", key="pr/2")
        head = git.push(repo, worktree)
        other, _ = pushed(git, hands, repo, "other")
        landed(git, repo, head, message="Merge it\n\nOrch-Key: pr/3")
        tip = git.remote_tip(repo, other.branch)
        for key in ("pr/2", "pr/3", "k/", "1"):
            found = git.landing(repo, head=other.branch, base="main", head_sha=tip, keys=[key])
            assert found.commit == "", key

    def test_a_refusal_of_the_remote_is_told_and_changes_nothing(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        hands.refuse_remotely(repo, "main", "Protected.")
        with refused(PushRejected, "push_rejected") as caught:
            landed(git, repo, head)
        assert "Protected." in caught.value.message
        assert git.remote_tip(repo, "main") == worktree.base_commit

    def test_no_base_and_no_connection_are_told(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        _, head = pushed(git, hands, repo)
        with refused(NotFound, "unknown_branch"):
            landed(git, repo, head, base="nowhere")
        hands.break_remote(repo)
        with pytest.raises((ToolFailed, NotFound)) as caught:
            landed(git, repo, head)
        assert caught.value.code in ("network", "remote_missing")

    def test_only_our_branch_at_the_expected_commit_is_deleted(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo)
        theirs = hands.commit_remotely(repo, "theirs", {"x.txt": "x\n"})
        with refused(Conflict, "branch_foreign"):
            git.delete_at_remote(repo, "theirs", expected=theirs)
        with refused(Conflict, "head_moved"):
            git.delete_at_remote(repo, worktree.branch, expected=worktree.base_commit)
        with refused(PushRejected, "default_branch"):
            git.delete_at_remote(repo, "main", expected=worktree.base_commit)
        assert git.remote_tip(repo, worktree.branch) == head
        assert git.delete_at_remote(repo, worktree.branch, expected=head)
        assert git.remote_tip(repo, worktree.branch) == ""
        assert not git.delete_at_remote(repo, worktree.branch, expected=head)
        assert git.remote_tip(repo, "theirs") == theirs

    def test_the_files_of_a_diff_are_counted(
        self, git: Git, hands: LandingHands, repo: Repo
    ) -> None:
        worktree, head = pushed(git, hands, repo, text="one\ntwo\n")
        [change] = git.diff_stat(repo, worktree.base_commit, head)
        assert (change.path, change.added, change.removed) == ("a.txt", 2, 0)
        assert list(git.diff_stat(repo, head, head)) == []
