"""The part of the contract of `orch.ports.Forge` that needs a repository; see `orch.testing.forges`.

A third party proves an adapter with:

    class TestMerging(ForgeMergeContract):
        @pytest.fixture
        def forge(self, hands, clock): return MyForge(hands.git, clock)

`hands` are those of the git that the forge is given: repositories in memory, unless the adapter's
test has others.
"""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.effect import Strategy
from orch.model.errors import Conflict, MergeConflict, NotFound, UsageError
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from orch.ports import Forge
from orch.testing.forges import SteppingClock, opened
from orch.testing.repositories import (
    STRATEGIES,
    MemoryRepositories,
    Repositories,
    pushed,
    refused,
)


class ForgeMergeContract:
    """Subclass as `TestX` and give a `forge` that works with the git of `hands`."""

    @pytest.fixture
    def clock(self) -> SteppingClock:
        return SteppingClock()

    @pytest.fixture
    def hands(self) -> Repositories:
        return MemoryRepositories()

    @pytest.fixture
    def repo(self, hands: Repositories) -> Repo:
        return hands.repository()

    @pytest.fixture
    def forge(self, hands: Repositories, clock: SteppingClock) -> Forge:
        raise NotImplementedError("give a fixture `forge` with an empty forge over `hands.git`")

    def begin(self, forge: Any, repo: Repo, number: int, key: str) -> None:
        """What a merge with `key` does before it pushes: the key is in the record."""
        pytest.skip("this forge's merges cannot be cut short by the test")

    def reopened(self, forge: Any) -> Any:
        """The same PRs, as another process would find them."""
        return forge

    def ready(
        self, forge: Forge, hands: Repositories, repo: Repo, name: str = "a", **more: Any
    ) -> tuple[Worktree, PullRequest]:
        """An open PR of one pushed commit."""
        worktree, head = pushed(hands.git, hands, repo, name)
        return worktree, opened(forge, worktree.branch, repo, head_sha=head, **more)

    def merged(self, forge: Forge, repo: Repo, number: int = 1, **more: Any) -> PullRequest:
        words: dict[str, Any] = {"strategy": "merge", "expected_head": "", "key": "run/5#1"}
        return forge.merge_pr(repo, number, **(words | more))

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_a_merged_pr_says_which_commit_did_it(
        self, forge: Forge, hands: Repositories, repo: Repo, strategy: Strategy
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        hands.commit_remotely(repo, "main", {"other.txt": "x\n"})
        base = hands.git.remote_tip(repo, "main")
        done = self.merged(forge, repo, strategy=strategy, expected_head=pull.head_sha)
        assert (done.state, done.merge_key) == ("merged", "run/5#1")
        assert done.merged_sha == hands.git.remote_tip(repo, "main")
        assert (done.base_sha, done.head_sha) == (base, pull.head_sha)
        assert done.merged_at == "2025-11-21T04:00:00Z"
        assert hands.files_of(repo, done.merged_sha)["a.txt"] == "work\n"
        again = self.reopened(forge)
        assert again.get_pr(repo, 1) == again.refresh_pr(repo, 1) == done

    def test_the_commit_names_the_pr_and_says_what_it_said(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        self.ready(forge, hands, repo, title="Add\na", body="Why.\n")
        done = self.merged(forge, repo, strategy="squash")
        text = hands.message(repo, done.merged_sha).strip()
        assert text == "Add a (#1)\n\nWhy.\n\nOrch-Key: run/5#1"
        self.ready(forge, hands, repo, "b")
        done = self.merged(forge, repo, 2, key="run/6")
        text = hands.message(repo, done.merged_sha).strip()
        assert text == "Merge pull request thing#2 from orch/b\n\nTitle\n\nOrch-Key: run/6"
        self.ready(forge, hands, repo, "c")
        done = self.merged(forge, repo, 3, key="run/7", message="Mine")
        assert hands.message(repo, done.merged_sha).strip() == "Mine\n\nOrch-Key: run/7"

    def test_merging_again_with_any_key_is_the_same_answer(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        done = self.merged(forge, repo)
        tip = hands.git.remote_tip(repo, "main")
        for key in ("run/5#1", "other"):
            same = self.merged(self.reopened(forge), repo, key=key, expected_head=pull.head_sha)
            assert same == done
        assert hands.git.remote_tip(repo, "main") == tip
        with refused(Conflict, "head_moved"):
            self.merged(forge, repo, expected_head="b" * 40)

    def test_h80_another_head_than_the_expected_is_refused(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        moved = hands.commit_remotely(repo, pull.head, {"b.txt": "x\n"})
        base = hands.git.remote_tip(repo, "main")
        with refused(Conflict, "head_moved") as caught:
            self.merged(forge, repo, expected_head=pull.head_sha)
        assert caught.value.data == {"expected": pull.head_sha, "head": moved}
        assert forge.get_pr(repo, 1) == pull
        assert hands.git.remote_tip(repo, "main") == base
        assert self.merged(forge, repo, expected_head=moved).head_sha == moved

    def test_a_look_follows_the_branch(self, forge: Forge, hands: Repositories, repo: Repo) -> None:
        worktree, pull = self.ready(forge, hands, repo)
        looked = forge.refresh_pr(repo, 1)
        assert (looked.head_sha, looked.base_sha) == (pull.head_sha, worktree.base_commit)
        moved = hands.commit_remotely(repo, pull.head, {"b.txt": "x\n"})
        assert forge.get_pr(repo, 1).head_sha == pull.head_sha
        assert forge.refresh_pr(repo, 1).head_sha == moved
        assert self.reopened(forge).get_pr(repo, 1).head_sha == moved

    @pytest.mark.parametrize("forward", [False, True])
    def test_h81_a_head_that_a_person_merged_by_hand_is_merged(
        self, forge: Forge, hands: Repositories, repo: Repo, forward: bool
    ) -> None:
        worktree, pull = self.ready(forge, hands, repo)
        forge.refresh_pr(repo, 1)
        by_hand = hands.merge_remotely(repo, pull.head, forward=forward)
        hands.set_remotely(repo, pull.head, "")
        looked = forge.refresh_pr(repo, 1)
        assert (looked.state, looked.merged_sha) == ("merged", by_hand)
        assert (looked.base_sha, looked.merge_key) == (worktree.base_commit, "")
        assert self.merged(forge, repo) == looked

    @pytest.mark.parametrize("state", ["failure", "pending"])
    def test_a_check_that_failed_or_has_not_ended_stands_in_the_way(
        self, forge: Forge, hands: Repositories, repo: Repo, state: Any
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        forge.set_check(repo, pull.head_sha, "lint", "success")
        forge.set_check(repo, pull.head_sha, "docs", "neutral")
        for name in ("unit", "types"):
            forge.set_check(repo, pull.head_sha, name, state)
        base = hands.git.remote_tip(repo, "main")
        code = "checks_failed" if state == "failure" else "checks_pending"
        for trial in (True, False):
            with refused(Conflict, code) as caught:
                self.merged(forge, repo, trial=trial)
            assert caught.value.data == {"checks": ["types", "unit"]}
        assert (forge.get_pr(repo, 1), hands.git.remote_tip(repo, "main")) == (pull, base)
        assert self.merged(forge, repo, ignore_checks=True).state == "merged"

    def test_h77_a_new_push_has_no_checks(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        forge.set_check(repo, pull.head_sha, "unit", "failure")
        moved = hands.commit_remotely(repo, pull.head, {"b.txt": "x\n"})
        assert forge.checks(repo, moved) == ()
        assert self.merged(forge, repo).head_sha == moved

    def test_a_draft_is_not_merged_unless_told(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        self.ready(forge, hands, repo, draft=True)
        with refused(Conflict, "pr_draft"):
            self.merged(forge, repo)
        assert self.merged(forge, repo, ignore_checks=True).state == "merged"

    def test_a_closed_pr_is_not_merged_until_it_is_open_again(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        self.ready(forge, hands, repo)
        assert forge.close_pr(repo, 1).state == forge.close_pr(repo, 1).state == "closed"
        with refused(Conflict, "pr_closed"):
            self.merged(forge, repo)
        assert self.reopened(forge).get_pr(repo, 1).state == "closed"
        assert forge.refresh_pr(repo, 1).state == "closed"
        assert forge.reopen_pr(repo, 1).state == forge.reopen_pr(repo, 1).state == "open"
        assert self.merged(forge, repo).state == "merged"
        for act in (forge.close_pr, forge.reopen_pr):
            with refused(Conflict, "pr_merged"):
                act(repo, 1)
        assert forge.get_pr(repo, 1).state == "merged"

    def test_a_pr_without_its_branch_stays_closed_and_is_not_merged(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        hands.set_remotely(repo, pull.head, "")
        with refused(Conflict, "head_gone"):
            self.merged(forge, repo)
        assert forge.refresh_pr(repo, 1).state == "open"
        forge.close_pr(repo, 1)
        with refused(Conflict, "head_gone"):
            forge.reopen_pr(repo, 1)
        assert forge.get_pr(repo, 1).state == "closed"

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_h70_a_conflict_leaves_the_pr_open(
        self, forge: Forge, hands: Repositories, repo: Repo, strategy: Strategy
    ) -> None:
        self.ready(forge, hands, repo)
        base = hands.commit_remotely(repo, "main", {"a.txt": "theirs\n"})
        for trial in (True, False):
            with refused(MergeConflict, "merge_conflict") as caught:
                self.merged(forge, repo, strategy=strategy, trial=trial)
            assert caught.value.data["files"] == ["a.txt"]
        assert forge.get_pr(repo, 1).state == "open"
        assert hands.git.remote_tip(repo, "main") == base

    def test_a_trial_changes_nothing(self, forge: Forge, hands: Repositories, repo: Repo) -> None:
        worktree, pull = self.ready(forge, hands, repo)
        assert self.merged(forge, repo, trial=True).state == "open"
        assert forge.get_pr(repo, 1) == pull
        assert hands.git.remote_tip(repo, "main") == worktree.base_commit

    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("key", ["run/5#1", "another"])
    def test_what_landed_before_its_record_is_found(
        self, forge: Forge, hands: Repositories, repo: Repo, strategy: Strategy, key: str
    ) -> None:
        """Killed between push and record: whoever merges next, with whatever key, finds it."""
        _, pull = self.ready(forge, hands, repo)
        base = hands.commit_remotely(repo, "main", {"other.txt": "x\n"})
        self.begin(forge, repo, 1, "run/5#1")
        landed = hands.git.land(
            repo, head=pull.head, base="main", expected=pull.head_sha, strategy=strategy,
            message="M", key="run/5#1",
        )  # fmt: skip
        # Meanwhile others take it back, and the branch goes on.
        tip = hands.commit_remotely(repo, "main", {"a.txt": "taken back\n"})
        hands.commit_remotely(repo, pull.head, {"late.txt": "x\n"})
        done = self.merged(self.reopened(forge), repo, strategy=strategy, key=key)
        assert (done.state, done.merged_sha) == ("merged", landed.commit)
        assert (done.base_sha, done.head_sha) == (base, pull.head_sha)
        assert hands.git.remote_tip(repo, "main") == tip

    def test_the_branch_of_a_merged_pr_is_deleted_if_it_is_ours_and_as_merged(
        self, forge: Forge, hands: Repositories, repo: Repo
    ) -> None:
        _, pull = self.ready(forge, hands, repo)
        with refused(Conflict, "pr_not_merged"):
            forge.delete_head(repo, 1)
        self.merged(forge, repo)
        moved = hands.commit_remotely(repo, pull.head, {"b.txt": "x\n"})
        with refused(Conflict, "head_moved"):
            forge.delete_head(repo, 1)
        assert hands.git.remote_tip(repo, pull.head) == moved
        hands.set_remotely(repo, pull.head, pull.head_sha)
        assert forge.delete_head(repo, 1)
        assert not forge.delete_head(repo, 1)
        theirs = hands.commit_remotely(repo, "theirs", {"x.txt": "x\n"})
        opened(forge, "theirs", repo, head_sha=theirs)
        self.merged(forge, repo, 2, key="run/6")
        with refused(Conflict, "branch_foreign"):
            forge.delete_head(repo, 2)
        assert hands.git.remote_tip(repo, "theirs") == theirs

    @pytest.mark.parametrize("key", ["", "a b", "a\nb", "a-->"])
    def test_what_is_no_key_is_refused_at_once(
        self, forge: Forge, hands: Repositories, repo: Repo, key: str
    ) -> None:
        self.ready(forge, hands, repo)
        with refused(UsageError, "bad_key"):
            self.merged(forge, repo, key=key)
        assert forge.get_pr(repo, 1).state == "open"

    def test_an_unknown_pr_is_refused(self, forge: Forge, hands: Repositories, repo: Repo) -> None:
        for act in (
            lambda: self.merged(forge, repo, 7),
            lambda: forge.close_pr(repo, 7),
            lambda: forge.reopen_pr(repo, 7),
            lambda: forge.refresh_pr(repo, 7),
            lambda: forge.delete_head(repo, 7),
        ):
            with refused(NotFound, "unknown_pr"):
                act()
