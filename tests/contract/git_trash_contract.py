"""The part of the contract of `orch.ports.Git` that removes worktrees, and keeps what was in them.

Run like `GitContract`, with the same hands (H57: nothing that exists nowhere else is removed before
it was saved).
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orch.model.errors import Conflict, NotFound
from orch.model.repo import Repo
from orch.model.worktree import Saved, Worktree
from orch.ports import Git
from orch.testing.repositories import made, refused
from tests.contract.git_contract import GitHands

KEEP = ("*.swp",)
AT = 1_700_000_000.0
DAY = "20231114"


def removed(git: Git, repo: Repo, worktree: Worktree, key: str = "k1") -> Saved:
    """Save and remove; the newest entry."""
    saved = git.rescue(repo, worktree, key=key, at=AT, keep=KEEP)[-1]
    git.discard_worktree(repo, worktree, key=key, keep=KEEP)
    return saved


class GitTrashContract:
    """Saving, removing, restoring, adopting."""

    @pytest.fixture
    def hands(self) -> GitHands:
        raise NotImplementedError

    @pytest.fixture
    def git(self, hands: GitHands) -> Git:
        return hands.git

    @pytest.fixture
    def repo(self, hands: GitHands) -> Repo:
        return hands.repository()

    # --- what is at risk

    def test_a_fresh_worktree_risks_nothing(self, git: Git, repo: Repo) -> None:
        risk = git.at_risk(repo, made(git, repo), keep=KEEP)
        assert risk.nothing
        assert not risk.missing

    def test_h57_changes_untracked_files_and_listed_ignored_ones_are_at_risk(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"README.md": "new\n", "new.txt": "n\n", "notes.swp": "s\n"})
        risk = git.at_risk(repo, worktree, keep=KEEP)
        assert (risk.dirty, risk.ignored) == (("README.md", "new.txt"), ("notes.swp",))
        assert risk.lost == ()
        unlisted = git.at_risk(repo, worktree)
        assert (unlisted.ignored, unlisted.lost) == ((), ("notes.swp",))

    def test_h57_personal_files_are_at_risk_but_not_in_ignored_directories(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        files = {".aider.pem": "mine\n", "node_modules/a/ca.pem": "theirs\n"}
        hands.write(worktree, {**files, ".aider.key": "k" * 70_000})
        risk = git.at_risk(repo, worktree)
        assert (risk.dirty, risk.ignored) == ((), (".aider.pem",))
        assert risk.lost == (".aider.key", "node_modules/")
        [saved] = git.rescue(repo, worktree, key="k", at=AT)
        assert saved.changed == 1

    def test_h57_commits_are_at_risk_until_a_remote_has_them(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        git.commit(repo, worktree, "Work", key="c")
        assert [line.partition(" ")[2][:4] for line in git.at_risk(repo, worktree).commits] == [
            "Work"
        ]
        git.push(repo, worktree)
        assert git.at_risk(repo, worktree).nothing

    # --- saving and removing

    def test_everything_comes_back_as_it_was(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"one.txt": "1\n"})
        tip = git.commit(repo, worktree, "Work", key="c")
        hands.write(worktree, {"one.txt": "2\n", "new.txt": "n\n", "notes.swp": "s\n"})
        hands.remove(worktree, "README.md")
        dirty = git.state(repo, worktree).dirty
        saved = removed(git, repo, worktree)
        assert saved.id == f"{DAY}-{worktree.name}"
        assert saved.changed == 4
        assert git.worktrees(repo) == []
        assert not git.branch_exists(repo, worktree.branch)
        assert git.made_from(repo, worktree.branch) == ""
        assert git.restore_worktree(repo, git.trash(repo)[-1]) == worktree
        state = git.state(repo, worktree)
        assert (state.head, state.branch, state.dirty) == (tip, worktree.branch, dirty)
        assert hands.read(worktree, "one.txt") == "2\n"
        assert hands.read(worktree, "new.txt") == "n\n"
        assert hands.read(worktree, "notes.swp") == "s\n"
        assert hands.read(worktree, "README.md") is None
        assert git.made_from(repo, worktree.branch) == worktree.base_commit

    def test_saving_changes_nothing_in_the_worktree(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"README.md": "new\n", "new.txt": "n\n"})
        before = git.state(repo, worktree)
        git.rescue(repo, worktree, key="k", at=AT)
        assert git.state(repo, worktree) == before

    def test_saving_twice_with_one_key_is_one_entry(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        first = git.rescue(repo, worktree, key="k", at=AT)
        assert git.rescue(repo, worktree, key="k", at=AT + 9) == first
        assert git.trash(repo) == first

    def test_what_changed_since_is_a_second_entry(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        git.rescue(repo, worktree, key="k", at=AT)
        hands.write(worktree, {"new.txt": "more\n"})
        found = git.rescue(repo, worktree, key="k", at=AT + 9)
        assert [saved.id for saved in found] == [
            f"{DAY}-{worktree.name}", f"{DAY}-{worktree.name}-2",
        ]  # fmt: skip

    def test_both_steps_may_be_repeated_when_all_is_gone(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        saved = removed(git, repo, worktree)
        assert git.rescue(repo, worktree, key="k1", at=AT + 5, keep=KEEP) == [saved]
        assert git.discard_worktree(repo, worktree, key="k1", keep=KEEP) == ""

    def test_h57_nothing_unsaved_is_removed(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        with refused(Conflict, "not_saved"):
            git.discard_worktree(repo, worktree, key="k")
        git.rescue(repo, worktree, key="another", at=AT)
        with refused(Conflict, "not_saved"):
            git.discard_worktree(repo, worktree, key="k")
        assert hands.read(worktree, "new.txt") == "n\n"

    def test_h57_what_came_after_saving_is_not_removed(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        git.rescue(repo, worktree, key="k", at=AT, keep=KEEP)
        for late in ("late.txt", "late.swp"):
            hands.write(worktree, {late: "l\n"})
            with refused(Conflict, "worktree_changed"):
                git.discard_worktree(repo, worktree, key="k", keep=KEEP)
            assert hands.read(worktree, late) == "l\n"
            git.rescue(repo, worktree, key="k", at=AT, keep=KEEP)
        assert git.discard_worktree(repo, worktree, key="k", keep=KEEP) == ""
        assert git.worktrees(repo) == []

    def test_h57_commits_on_a_detached_head_come_back(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.agent_switch(repo, worktree, "")
        hands.write(worktree, {"new.txt": "n\n"})
        commit = hands.agent_commit(repo, worktree)
        assert len(git.at_risk(repo, worktree).commits) == 1
        saved = removed(git, repo, worktree)
        git.restore_worktree(repo, saved)
        state = git.state(repo, worktree)
        assert (state.head, state.branch, state.dirty) == (commit, "", ())

    def test_a_branch_that_the_agent_went_to_stays(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.agent_switch(repo, worktree, "agents-own")
        hands.write(worktree, {"new.txt": "n\n"})
        commit = hands.agent_commit(repo, worktree)
        removed(git, repo, worktree)
        assert hands.tip(repo, "refs/heads/agents-own") == commit
        assert not git.branch_exists(repo, worktree.branch)

    def test_a_branch_that_was_not_made_here_stays(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        theirs = hands.commit(repo, "theirs", {"t.txt": "t\n"})
        worktree = replace(made(git, repo), branch="theirs")
        git.rescue(repo, worktree, key="k", at=AT)
        kept = git.discard_worktree(repo, worktree, key="k")
        assert "was not made by orch" in kept
        assert hands.tip(repo, "refs/heads/theirs") == theirs

    def test_a_directory_that_is_gone_leaves_its_branch_to_be_saved(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        tip = git.commit(repo, worktree, "Work", key="c")
        hands.delete_directory(worktree)
        assert git.at_risk(repo, worktree).missing
        saved = removed(git, repo, worktree)
        assert (saved.tip, saved.directory) == (tip, False)
        assert not git.branch_exists(repo, worktree.branch)
        git.restore_worktree(repo, saved)
        assert git.state(repo, worktree).head == tip

    def test_nothing_at_all_is_nothing_to_save(self, git: Git, repo: Repo) -> None:
        worktree = made(git, repo)
        removed(git, repo, worktree)
        assert git.rescue(repo, worktree, key="other", at=AT) == []
        assert git.discard_worktree(repo, worktree, key="other") == ""

    def test_somebody_elses_directory_is_neither_saved_nor_removed(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.delete_directory(worktree)
        removed(git, repo, worktree)
        hands.occupy(repo, worktree)
        for act in (
            lambda: git.at_risk(repo, worktree),
            lambda: git.rescue(repo, worktree, key="k", at=AT),
            lambda: git.discard_worktree(repo, worktree, key="k"),
            lambda: git.restore_worktree(repo, git.trash(repo)[-1]),
        ):
            with refused(Conflict, "worktree_foreign"):
                act()

    # --- coming back, and giving up

    def test_a_branch_that_moved_since_is_not_taken_over(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        saved = removed(git, repo, worktree)
        hands.commit(repo, worktree.branch, {"other.txt": "o\n"})
        with refused(Conflict, "branch_foreign"):
            git.restore_worktree(repo, saved)

    def test_a_restored_worktree_can_be_removed_and_restored_again(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"new.txt": "n\n"})
        git.restore_worktree(repo, removed(git, repo, worktree, "k1"))
        git.restore_worktree(repo, removed(git, repo, worktree, "k2"))
        assert hands.read(worktree, "new.txt") == "n\n"

    def test_only_what_is_old_enough_is_given_up(self, git: Git, repo: Repo) -> None:
        worktree = made(git, repo)
        [old] = git.rescue(repo, worktree, key="k", at=AT)
        [new] = git.rescue(repo, worktree, key="k2", at=AT + 100)
        assert git.purge_trash(repo, older_than=AT) == []
        assert git.purge_trash(repo, older_than=AT + 100) == [old]
        assert git.trash(repo) == [new]

    # --- what people made by hand

    def test_a_worktree_made_by_hand_is_adopted_pushed_and_its_branch_kept(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        by_hand = hands.worktree_by_hand(repo, "by-hand")
        worktree = git.adopt(repo, by_hand, "hand")
        assert (worktree.name, worktree.branch, worktree.path) == ("hand", "by-hand", by_hand)
        assert worktree.base_commit == hands.tip(repo, "refs/heads/main")
        hands.write(worktree, {"new.txt": "n\n"})
        tip = git.commit(repo, worktree, "Work", key="c")
        assert git.push(repo, worktree) == tip
        assert git.adopt(repo, by_hand, "hand") == worktree
        assert git.rescue(repo, worktree, key="k", at=AT)[-1].ours is False
        assert "was not made by orch" in git.discard_worktree(repo, worktree, key="k")
        assert hands.tip(repo, "refs/heads/by-hand") == tip

    def test_only_linked_worktrees_on_a_branch_are_adopted(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        for path in (repo.local_path, "/"):
            with refused(Conflict, "not_a_worktree"):
                git.adopt(repo, path, "x")
        worktree = made(git, repo)
        hands.agent_switch(repo, worktree, "")
        with refused(Conflict, "branch_moved"):
            git.adopt(repo, worktree.path, "x")

    # --- clones

    def test_a_clone_with_something_of_its_own_is_kept(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        assert list(git.only_in_clone(repo)) == []
        hands.commit(repo, "mine", {"m.txt": "m\n"})
        assert len(git.only_in_clone(repo)) == 1
        with refused(Conflict, "clone_has_work"):
            git.remove_clone(repo)
        assert git.branch_exists(repo, "mine")

    def test_a_clone_that_its_remote_has_goes(self, git: Git, repo: Repo) -> None:
        git.remove_clone(repo)
        with refused(NotFound, "not_a_repository"):
            git.inspect(repo.local_path)
        git.remove_clone(repo)
