"""The contract of `orch.ports.Git`, for the real program, the double, and anybody's.

A third party proves an adapter with:

    class TestMine(GitContract):
        @pytest.fixture
        def hands(self, tmp_path): return MyHands(tmp_path)

`GitHands` is what people, agents and other machines do to the repositories from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, get_args

import pytest

from orch.model.effect import Strategy
from orch.model.errors import (
    Conflict,
    MergeConflict,
    NotFound,
    OrchError,
    PushRejected,
    ToolFailed,
    UsageError,
)
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from orch.ports import Git
from orch.testing.repositories import made, planned, refused


class GitHands(Protocol):
    """Everything that is not the service."""

    git: Git

    def repository(
        self, slug: str = "thing", *, branch: str = "main", remote: bool = True, empty: bool = False
    ) -> Repo:
        """A registered repository with `README.md` and `src/app.py` in one commit."""

    def path_of_empty_repository(self) -> str: ...

    def commit(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str:
        """A person commits on a local branch."""

    def commit_remotely(self, repo: Repo, branch: str, changes: Mapping[str, str]) -> str: ...

    def break_remote(self, repo: Repo) -> None: ...

    def refuse_remotely(self, repo: Repo, branch: str, words: str) -> None:
        """The remote's hook declines pushes to `branch` and says `words`."""

    def tip(self, repo: Repo, ref: str) -> str:
        """The commit at a full ref name, empty when there is none."""

    def parents(self, repo: Repo, commit: str) -> Sequence[str]: ...

    def message(self, repo: Repo, commit: str) -> str: ...

    def files_of(self, repo: Repo, commit: str) -> Mapping[str, str]: ...

    def write(self, worktree: Worktree, changes: Mapping[str, str]) -> None:
        """An agent writes files."""

    def remove(self, worktree: Worktree, name: str) -> None: ...

    def read(self, worktree: Worktree, name: str) -> str | None: ...

    def agent_commit(self, repo: Repo, worktree: Worktree) -> str: ...

    def agent_switch(self, repo: Repo, worktree: Worktree, branch: str) -> None:
        """The agent goes on on a new branch; an empty name detaches HEAD."""

    def agent_reset(self, repo: Repo, worktree: Worktree, commit: str) -> None:
        """The agent takes its branch and files back to `commit`."""

    def begin_merge(self, repo: Repo, worktree: Worktree) -> None:
        """The agent leaves a merge unfinished."""

    def delete_directory(self, worktree: Worktree) -> None: ...

    def worktree_by_hand(self, repo: Repo, branch: str) -> str:
        """A person makes a linked worktree on a new branch; its directory."""

    def occupy(self, repo: Repo, worktree: Worktree) -> None:
        """Somebody's files lie where the worktree is to be."""


class GitContract:
    """Every promise of the port that can be seen through it."""

    @pytest.fixture
    def hands(self) -> GitHands:
        raise NotImplementedError

    @pytest.fixture
    def git(self, hands: GitHands) -> Git:
        return hands.git

    @pytest.fixture
    def repo(self, hands: GitHands) -> Repo:
        return hands.repository()

    # --- looking ---------------------------------------------------------------------

    def test_the_version_is_a_tuple_of_numbers(self, git: Git) -> None:
        assert git.version() >= (2, 38)

    def test_inspect_tells_what_repository_a_path_is_in(self, git: Git, repo: Repo) -> None:
        found = git.inspect(f"{repo.local_path}/src")
        assert (found.common_dir, found.main_path) == (repo.common_dir, repo.local_path)
        assert (found.top, found.bare, found.branch) == (repo.local_path, False, "main")
        assert found.remotes == {"origin": repo.remote_url}
        assert found.default_branch == "main"
        assert found.head == git.resolve_base(repo, None, fetch=False).commit

    def test_inspect_of_a_worktree_reports_the_main_checkout(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        found = git.inspect(worktree.path)
        assert (found.main_path, found.common_dir) == (repo.local_path, repo.common_dir)
        assert (found.top, found.branch) == (worktree.path, worktree.branch)

    def test_inspect_refuses_a_path_outside_of_any_repository(self, git: Git, repo: Repo) -> None:
        with refused(NotFound, "not_a_repository"):
            git.inspect("/")

    def test_inspect_refuses_a_repository_without_commits(self, git: Git, hands: GitHands) -> None:
        with refused(Conflict, "no_commits"):
            git.inspect(hands.path_of_empty_repository())

    def test_an_unpinned_repository_is_refused(self, git: Git, repo: Repo) -> None:
        foreign = Repo(
            slug="other",
            local_path=repo.local_path,
            common_dir=repo.common_dir,
            pinned_dir=repo.pinned_dir + "-absent",
            workspace_dir=repo.workspace_dir,
            default_branch="main",
        )
        with refused(NotFound, "not_pinned"):
            git.branch_exists(foreign, "main")

    # --- bases -----------------------------------------------------------------------

    def test_the_base_is_the_default_branch_and_h71_a_full_commit(
        self, git: Git, hands: GitHands
    ) -> None:
        repo = hands.repository(branch="trunk")
        base = git.resolve_base(repo, None, fetch=True)
        assert (base.branch, base.warnings) == ("trunk", ())
        assert base.commit == hands.tip(repo, "refs/heads/trunk")

    def test_a_base_that_is_behind_its_remote_is_taken_from_there(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        newer = hands.commit_remotely(repo, "main", {"new.txt": "new\n"})
        assert git.resolve_base(repo, None, fetch=True).commit == newer
        assert hands.tip(repo, "refs/heads/main") != newer, "local branches are never moved"

    def test_without_fetch_the_remote_is_not_asked(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        newer = hands.commit_remotely(repo, "main", {"new.txt": "new\n"})
        assert git.resolve_base(repo, None, fetch=False).commit != newer

    def test_a_local_branch_ahead_of_its_remote_wins(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        mine = hands.commit(repo, "main", {"mine.txt": "mine\n"})
        base = git.resolve_base(repo, "main", fetch=True)
        assert (base.commit, base.warnings) == (mine, ())

    def test_a_diverged_base_is_the_local_one_with_a_warning(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        mine = hands.commit(repo, "main", {"mine.txt": "mine\n"})
        hands.commit_remotely(repo, "main", {"theirs.txt": "theirs\n"})
        base = git.resolve_base(repo, "main", fetch=True)
        assert base.commit == mine
        assert "diverged" in base.warnings[0]

    def test_h64_a_base_that_only_the_remote_has_is_found(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        there = hands.commit_remotely(repo, "release/1", {"r.txt": "r\n"})
        for word in ("release/1", "origin/release/1"):
            base = git.resolve_base(repo, word, fetch=True)
            assert (base.branch, base.commit) == ("release/1", there)

    def test_an_unreachable_remote_only_warns(self, git: Git, hands: GitHands, repo: Repo) -> None:
        hands.break_remote(repo)
        base = git.resolve_base(repo, None, fetch=True)
        assert base.commit == hands.tip(repo, "refs/heads/main")
        assert "could not be fetched" in base.warnings[0]

    def test_an_unknown_base_is_refused_with_near_names(self, git: Git, repo: Repo) -> None:
        with refused(NotFound, "unknown_branch") as caught:
            git.resolve_base(repo, "mian", fetch=True)
        assert "main" in caught.value.hint

    @pytest.mark.parametrize(
        "name", ["", "-d", "a b", "a..b", "x@{1}", "a.lock", "HEAD", "x" * 201]
    )
    def test_h67_impossible_names_are_refused_before_anything_happens(
        self, git: Git, repo: Repo, name: str
    ) -> None:
        with refused(UsageError, "bad_name"):
            git.branch_exists(repo, name)
        if name:
            with refused(UsageError, "bad_name"):
                git.resolve_base(repo, name, fetch=True)

    # --- worktrees -------------------------------------------------------------------

    def test_a_worktree_has_the_base_s_files_on_its_own_branch(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        assert hands.read(worktree, "README.md") == "start\n"
        state = git.state(repo, worktree)
        assert (state.branch, state.head) == (worktree.branch, worktree.base_commit)
        assert (state.dirty, state.ahead, state.behind) == ((), 0, 0)
        assert list(git.worktrees(repo)) == [(worktree.path, worktree.branch)]
        assert git.branch_exists(repo, worktree.branch)
        assert hands.tip(repo, f"refs/orch/made/{worktree.branch}") == worktree.base_commit

    def test_making_it_again_changes_nothing(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"work.txt": "work\n"})
        git.add_worktree(repo, worktree, key="other")
        assert hands.read(worktree, "work.txt") == "work\n"
        hands.agent_commit(repo, worktree)
        git.add_worktree(repo, worktree, key="k")
        assert git.state(repo, worktree).ahead == 1

    def test_a_deleted_directory_is_made_again_from_the_branch(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"work.txt": "work\n"})
        tip = git.commit(repo, worktree, "Work", key="k1")
        hands.delete_directory(worktree)
        with refused(NotFound, "worktree_missing"):
            git.state(repo, worktree)
        git.add_worktree(repo, worktree, key="k")
        assert hands.read(worktree, "work.txt") == "work\n"
        assert git.state(repo, worktree).head == tip

    def test_a_branch_that_is_not_ours_is_refused(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        theirs = hands.commit(repo, "orch/a", {"x.txt": "x\n"})
        with refused(Conflict, "branch_foreign"):
            made(git, repo, "a")
        assert hands.tip(repo, "refs/heads/orch/a") == theirs
        assert list(git.worktrees(repo)) == []

    def test_a_name_below_an_existing_branch_is_refused(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        with refused(Conflict, "branch_foreign"):
            made(git, repo, "a", branch="main/a")

    def test_a_path_that_is_not_ours_is_refused(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = planned(git, repo, "a")
        hands.occupy(repo, worktree)
        with refused(Conflict, "worktree_foreign"):
            git.add_worktree(repo, worktree, key="k")

    def test_an_untouched_worktree_moves_to_a_newly_resolved_base(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        made(git, repo, "a")
        newer = hands.commit(repo, "main", {"new.txt": "new\n"})
        worktree = made(git, repo, "a")
        assert worktree.base_commit == newer
        assert hands.read(worktree, "new.txt") == "new\n"
        assert git.state(repo, worktree).dirty == ()

    def test_a_worktree_with_work_stays_on_its_base(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo, "a")
        hands.write(worktree, {"work.txt": "work\n"})
        hands.commit(repo, "main", {"new.txt": "new\n"})
        with refused(Conflict, "worktree_has_work"):
            made(git, repo, "a")
        git.commit(repo, worktree, "Work", key="k1")
        with refused(Conflict, "branch_foreign"):
            made(git, repo, "a")
        assert hands.read(worktree, "work.txt") == "work\n"

    def test_an_untouched_worktree_can_be_removed_and_made_again(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        for _ in range(2):
            git.remove_worktree(repo, worktree)
        assert list(git.worktrees(repo)) == []
        assert not git.branch_exists(repo, worktree.branch)
        assert hands.tip(repo, f"refs/orch/made/{worktree.branch}") == ""
        assert hands.read(worktree, "README.md") is None
        git.add_worktree(repo, worktree, key="k")
        assert git.state(repo, worktree).dirty == ()

    def test_h57_a_worktree_with_work_is_not_removed(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"untracked.txt": "only here\n"})
        with refused(Conflict, "worktree_has_work"):
            git.remove_worktree(repo, worktree)
        git.commit(repo, worktree, "Work", key="k1")
        with refused(Conflict, "worktree_has_work"):
            git.remove_worktree(repo, worktree)
        assert hands.read(worktree, "untracked.txt") == "only here\n"

    def test_h74_another_repository_s_worktrees_are_not_touched(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        other = hands.repository("other")
        theirs = made(git, other)
        ours = made(git, repo)
        git.remove_worktree(repo, ours)
        assert git.state(other, theirs).dirty == ()
        assert list(git.worktrees(other)) == [(theirs.path, theirs.branch)]

    # --- state -----------------------------------------------------------------------

    def test_state_lists_changed_new_and_removed_files(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"README.md": "other\n", "new/file.txt": "new\n"})
        hands.remove(worktree, "src/app.py")
        state = git.state(repo, worktree)
        assert state.dirty == ("README.md", "new/file.txt", "src/app.py")
        assert state.ahead == 0

    def test_h63_state_counts_commits_against_the_base(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"a.txt": "a\n"})
        hands.agent_commit(repo, worktree)
        hands.write(worktree, {"b.txt": "b\n"})
        git.commit(repo, worktree, "b", key="k1")
        hands.commit(repo, "main", {"c.txt": "c\n"})
        state = git.state(repo, worktree)
        assert (state.ahead, state.behind) == (2, 1)

    def test_state_shows_where_head_is(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        hands.agent_switch(repo, worktree, "side")
        assert git.state(repo, worktree).branch == "side"
        hands.agent_switch(repo, worktree, "")
        assert git.state(repo, worktree).branch == ""

    # --- commit ----------------------------------------------------------------------

    def test_a_commit_holds_all_changes_and_the_key(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"README.md": "other\n", "new.txt": "new\n"})
        hands.remove(worktree, "src/app.py")
        tip = git.commit(repo, worktree, "Change things\n\nWith reasons.", key="run1/2#1")
        files = hands.files_of(repo, tip)
        assert (files["README.md"], files["new.txt"]) == ("other\n", "new\n")
        assert "src/app.py" not in files
        assert list(hands.parents(repo, tip)) == [worktree.base_commit]
        lines = hands.message(repo, tip).strip().splitlines()
        assert (lines[0], lines[-1]) == ("Change things", "Orch-Key: run1/2#1")
        assert git.state(repo, worktree).dirty == ()

    def test_h69_nothing_to_commit_is_success(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        assert git.commit(repo, worktree, "Nothing", key="k1") == worktree.base_commit
        hands.write(worktree, {"a.txt": "a\n"})
        theirs = hands.agent_commit(repo, worktree)
        assert git.commit(repo, worktree, "Nothing", key="k2") == theirs

    def test_a_repeated_commit_is_the_same_commit(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"a.txt": "a\n"})
        tip = git.commit(repo, worktree, "a", key="run/1")
        assert git.commit(repo, worktree, "a", key="run/1") == tip
        hands.write(worktree, {"b.txt": "b\n"})
        assert git.commit(repo, worktree, "a", key="run/1") == tip
        other = git.commit(repo, worktree, "b", key="run/10")
        hands.write(worktree, {"c.txt": "c\n"})
        assert git.commit(repo, worktree, "a", key="run/1") == tip, "run/1 is not run/10"
        assert hands.parents(repo, other) == [tip]

    def test_h72_state_of_tools_is_not_committed(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        tools = (
            ".orch/run.json",
            ".aider.chat.history.md",
            "web/node_modules/x/i.js",
            "src/__pycache__/app.cpython-311.pyc",
            ".venv/bin/python",
            ".claude/settings.local.json",
            ".DS_Store",
        )
        hands.write(worktree, dict.fromkeys(tools, "state\n"))
        assert git.state(repo, worktree).dirty == ()
        hands.write(worktree, {".orch.toml": "x = 1\n", ".claude/commands/a.md": "a\n"})
        tip = git.commit(repo, worktree, "x", key="k1")
        added = hands.files_of(repo, tip).keys() - {"README.md", "src/app.py"}
        assert added == {".orch.toml", ".claude/commands/a.md"}

    def test_a_head_elsewhere_is_refused(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        hands.agent_switch(repo, worktree, "side")
        hands.write(worktree, {"a.txt": "a\n"})
        for _ in range(2):
            with refused(Conflict, "branch_moved"):
                git.commit(repo, worktree, "a", key="k1")
            with refused(Conflict, "branch_moved"):
                git.merge(repo, worktree, ["main"], "merge", key="k2")
            hands.agent_switch(repo, worktree, "")

    def test_an_unfinished_merge_of_the_agent_is_refused(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.begin_merge(repo, worktree)
        hands.write(worktree, {"a.txt": "a\n"})
        with refused(Conflict, "worktree_busy"):
            git.commit(repo, worktree, "a", key="k1")

    def test_a_bad_author_and_a_bad_key_are_refused(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = made(git, repo)
        hands.write(worktree, {"a.txt": "a\n"})
        with refused(UsageError, "bad_author"):
            git.commit(repo, worktree, "a", key="k1", author="nobody")
        with refused(UsageError, "bad_key"):
            git.commit(repo, worktree, "a", key="k\nSigned-off-by: x")
        tip = git.commit(repo, worktree, "a", key="k1", author="Ann Other <ann@localhost>")
        assert hands.parents(repo, tip) == [worktree.base_commit]

    def test_text_is_data_in_messages(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = made(git, repo)
        for number, text in enumerate(
            ["--amend", "$(touch x)`touch y`", "-F /etc/passwd", "# not a comment", "a\0b", "é漢🎉"]
        ):
            hands.write(worktree, {"n.txt": f"{number}\n"})
            tip = git.commit(repo, worktree, text, key=f"k{number}")
            assert hands.message(repo, tip).startswith(
                text.replace("\0", "\N{REPLACEMENT CHARACTER}")
            )

    # --- merge -----------------------------------------------------------------------

    @pytest.mark.parametrize("strategy", ["merge", "rebase", "squash"])
    def test_all_branches_work_together_afterwards(
        self, git: Git, hands: GitHands, repo: Repo, strategy: str
    ) -> None:
        one, two = work(git, hands, repo, "one"), work(git, hands, repo, "two")
        into = made(git, repo, "into")
        tip = merge(git, repo, into, [one, two], strategy)
        assert hands.files_of(repo, tip).keys() >= {"one.txt", "two.txt", "README.md"}
        assert hands.read(into, "two.txt") == "two\n"
        state = git.state(repo, into)
        assert (state.head, state.dirty, state.branch) == (tip, (), into.branch)
        assert merge(git, repo, into, [one, two], strategy) == tip, "repeating changes nothing"
        again = merge(git, repo, into, [one, two], strategy, key="another")
        assert again == tip, "H73: what is contained is skipped"

    @pytest.mark.parametrize("strategy", ["merge", "rebase", "squash"])
    def test_a_repeated_merge_takes_nothing_new(
        self, git: Git, hands: GitHands, repo: Repo, strategy: str
    ) -> None:
        one, two = work(git, hands, repo, "one"), work(git, hands, repo, "two")
        into = made(git, repo, "into")
        tip = merge(git, repo, into, [one, two], strategy)
        hands.write(two, {"later.txt": "later\n"})
        git.commit(repo, two, "later", key="later")
        assert merge(git, repo, into, [one, two], strategy) == tip
        assert merge(git, repo, into, [one, two], strategy, key="another") != tip

    def test_a_merge_has_two_parents_a_squash_or_rebase_one(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        one, two = work(git, hands, repo, "one"), work(git, hands, repo, "two")
        merged = merge(git, repo, made(git, repo, "m"), [one, two], "merge")
        assert list(hands.parents(repo, merged)) == [
            hands.tip(repo, f"refs/heads/{one.branch}"),
            hands.tip(repo, f"refs/heads/{two.branch}"),
        ]
        for strategy, depth in (("squash", 2), ("rebase", 2)):
            tip = merge(git, repo, made(git, repo, strategy), [one, two], strategy)
            for _ in range(depth):
                [tip] = hands.parents(repo, tip)
            assert tip == one.base_commit

    @pytest.mark.parametrize("strategy", ["merge", "rebase", "squash"])
    def test_h70_a_conflict_names_the_files_and_changes_nothing(
        self, git: Git, hands: GitHands, repo: Repo, strategy: str
    ) -> None:
        one = work(git, hands, repo, "one", {"README.md": "one\n", "one.txt": "1\n"})
        two = work(git, hands, repo, "two", {"README.md": "two\n", "two.txt": "2\n"})
        into = made(git, repo, "into")
        with refused(MergeConflict, "merge_conflict") as caught:
            merge(git, repo, into, [one, two], strategy)
        assert caught.value.data["files"] == ["README.md"]
        state = git.state(repo, into)
        assert (state.head, state.dirty, state.branch) == (into.base_commit, (), into.branch)
        assert hands.read(into, "one.txt") is None

    def test_a_worktree_with_changed_files_is_not_merged_into(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        one, into = work(git, hands, repo, "one"), made(git, repo, "into")
        hands.write(into, {"README.md": "in work\n"})
        with refused(Conflict, "worktree_dirty") as caught:
            merge(git, repo, into, [one], "merge")
        assert caught.value.data["files"] == ["README.md"]
        assert hands.read(into, "README.md") == "in work\n"

    def test_h66_untracked_files_only_matter_where_they_are_in_the_way(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        one, into = work(git, hands, repo, "one"), made(git, repo, "into")
        hands.write(into, {"one.txt": "mine\n"})
        with refused(Conflict, "worktree_dirty"):
            merge(git, repo, into, [one], "merge")
        assert hands.read(into, "one.txt") == "mine\n"
        hands.remove(into, "one.txt")
        hands.write(into, {"note.txt": "mine\n"})
        merge(git, repo, into, [one], "merge")
        assert hands.read(into, "note.txt") == "mine\n"

    def test_an_unknown_branch_is_refused(self, git: Git, repo: Repo) -> None:
        with refused(NotFound, "unknown_branch"):
            git.merge(repo, made(git, repo), ["orch/nowhere"], "merge", key="k1")

    # --- push ------------------------------------------------------------------------

    def test_a_pushed_branch_is_at_the_remote(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = work(git, hands, repo, "one")
        assert git.remote_tip(repo, worktree.branch) == ""
        tip = git.push(repo, worktree)
        assert tip == git.state(repo, worktree).head == git.remote_tip(repo, worktree.branch)
        assert git.push(repo, worktree) == tip, "repeating is no error"
        hands.write(worktree, {"more.txt": "more\n"})
        newer = git.commit(repo, worktree, "more", key="k9")
        assert git.push(repo, worktree) == newer == git.remote_tip(repo, worktree.branch)

    def test_others_commits_at_the_remote_are_never_overwritten(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = work(git, hands, repo, "one")
        pushed = git.push(repo, worktree)
        theirs = hands.commit_remotely(repo, worktree.branch, {"theirs.txt": "x\n"})
        hands.write(worktree, {"ours.txt": "x\n"})
        git.commit(repo, worktree, "ours", key="k9")
        for force, expected in ((False, ""), (True, pushed), (True, "")):
            with refused(PushRejected, "push_rejected"):
                git.push(repo, worktree, force=force, expected=expected)
        assert git.remote_tip(repo, worktree.branch) == theirs

    def test_our_own_pushed_tip_may_be_replaced_with_force(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = work(git, hands, repo, "one")
        pushed = git.push(repo, worktree)
        rewrite(hands, repo, worktree)
        with refused(PushRejected, "push_rejected"):
            git.push(repo, worktree)
        tip = git.push(repo, worktree, force=True, expected=pushed)
        assert git.remote_tip(repo, worktree.branch) == tip != pushed

    def test_the_default_branch_is_never_pushed(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        main = planned(git, repo, "x", branch="main")
        with refused(PushRejected, "default_branch"):
            git.push(repo, main)

    def test_a_branch_that_we_did_not_make_is_not_pushed(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        hands.commit(repo, "theirs", {"x.txt": "x\n"})
        with refused(Conflict, "branch_foreign"):
            git.push(repo, planned(git, repo, "x", branch="theirs"))
        with refused(NotFound, "unknown_branch"):
            git.push(repo, planned(git, repo, "x", branch="nowhere"))

    def test_a_hook_s_reason_is_told(self, git: Git, hands: GitHands, repo: Repo) -> None:
        worktree = work(git, hands, repo, "one")
        hands.refuse_remotely(repo, worktree.branch, "no pushes on Fridays")
        with refused(PushRejected, "push_rejected") as caught:
            git.push(repo, worktree)
        assert "no pushes on Fridays" in caught.value.message
        assert git.remote_tip(repo, worktree.branch) == ""

    def test_a_broken_line_is_an_unknown_outcome(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = work(git, hands, repo, "one")
        hands.break_remote(repo)
        with pytest.raises(OrchError) as caught:
            git.push(repo, worktree)
        assert isinstance(caught.value, ToolFailed | NotFound)
        assert caught.value.code in ("network", "remote_missing")

    def test_no_remote_is_refused(self, git: Git, hands: GitHands) -> None:
        repo = hands.repository("lonely", remote=False)
        worktree = work(git, hands, repo, "one")
        with refused(UsageError, "no_remote"):
            git.push(repo, worktree)
        with refused(UsageError, "no_remote"):
            git.remote_tip(repo, "main")
        assert git.resolve_base(repo, None, fetch=True).warnings == ()

    @pytest.mark.parametrize("remote", ["-x", "ext::sh -c true", "--upload-pack=x", "a b", "fd::7"])
    def test_h67_a_remote_is_a_name_or_a_url(
        self, git: Git, hands: GitHands, repo: Repo, remote: str
    ) -> None:
        worktree = work(git, hands, repo, "one")
        with pytest.raises(UsageError):
            git.push(repo, worktree, remote=remote)
        with pytest.raises(UsageError):
            git.remote_tip(repo, "main", remote=remote)

    # --- diff and clone --------------------------------------------------------------

    def test_diff_shows_what_the_branch_did_since_the_base(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        worktree = work(git, hands, repo, "one")
        hands.commit(repo, "main", {"unrelated.txt": "x\n"})
        text = git.diff(repo, "main", worktree.branch)
        assert "+one" in text
        assert "unrelated" not in text
        assert text == git.diff(repo, worktree.base_commit, git.state(repo, worktree).head)
        with refused(NotFound, "unknown_branch"):
            git.diff(repo, "main", "nowhere")

    def test_a_clone_is_a_repository_with_its_remote(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        target = f"{repo.workspace_dir}-clone"
        git.clone(repo.remote_url, target)
        found = git.inspect(target)
        assert found.remotes == {"origin": repo.remote_url}
        assert (found.branch, found.default_branch, found.main_path) == ("main", "main", target)
        with refused(Conflict, "path_taken"):
            git.clone(repo.remote_url, target)

    def test_a_clone_from_nowhere_leaves_nothing(
        self, git: Git, hands: GitHands, repo: Repo
    ) -> None:
        target = f"{repo.workspace_dir}-clone"
        with pytest.raises(OrchError):
            git.clone(repo.remote_url + "-nowhere", target)
        with refused(NotFound, "not_a_repository"):
            git.inspect(target)
        git.clone(repo.remote_url, target)


def work(
    git: Git, hands: GitHands, repo: Repo, name: str, changes: Mapping[str, str] | None = None
) -> Worktree:
    """A worktree with one commit, which adds `<name>.txt` unless told otherwise."""
    worktree = made(git, repo, name)
    hands.write(worktree, changes or {f"{name}.txt": f"{name}\n"})
    git.commit(repo, worktree, f"Work of {name}", key=f"work-{name}")
    return worktree


def merge(
    git: Git,
    repo: Repo,
    into: Worktree,
    worktrees: Sequence[Worktree],
    strategy: str,
    *,
    key: str = "merge-key",
) -> str:
    chosen = get_args(Strategy)[get_args(Strategy).index(strategy)]
    return git.merge(repo, into, [w.branch for w in worktrees], chosen, key=key)


def rewrite(hands: GitHands, repo: Repo, worktree: Worktree) -> str:
    """The agent throws its commits away and makes another."""
    hands.agent_reset(repo, worktree, worktree.base_commit)
    hands.write(worktree, {"rewritten.txt": "other\n"})
    return hands.agent_commit(repo, worktree)
