"""Merging with the real program: crashes in the middle, odd histories, authorship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orch.git.cli import GitCli
from orch.model.effect import Strategy
from orch.model.errors import Conflict, MergeConflict, ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests.gitrepos import GitRepos, tree_files, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


@pytest.fixture
def repo(repos: GitRepos, git: GitCli) -> Repo:
    return repos.register(git, repos.repository())


def made(git: GitCli, repo: Repo, name: str) -> Worktree:
    worktree = worktree_at(repo, name, git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    return worktree


def two_sides(git: GitCli, repo: Repo) -> list[str]:
    branches = []
    for name in ("one", "two"):
        tree = made(git, repo, name)
        Path(tree.path, f"{name}.txt").write_text(f"{name}\n")
        git.commit(repo, tree, name, key=name)
        branches.append(tree.branch)
    return branches


def git_that_fails_at(repos: GitRepos, words: str, times: int = 1) -> GitCli:
    """A git that dies before `git <words>` has done anything, the first `times` times."""
    stand_in, counter = repos.root / "failing", repos.root / "failed"
    stand_in.write_text(
        f'#!/bin/sh\ncase "$*" in {words}*)\n'
        f'  if [ "$(cat {counter} 2>/dev/null | wc -c)" -lt {times} ]; then\n'
        f"    printf x >> {counter}; kill -9 $$; fi;;\n"
        'esac\nexec git "$@"\n'
    )
    stand_in.chmod(0o755)
    return repos.gateway(program=str(stand_in))


@pytest.mark.parametrize("moment", ["read-tree", "update-ref", "commit-tree", "merge-tree"])
@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_merge_that_was_interrupted_is_completed_once(
    repos: GitRepos, git: GitCli, repo: Repo, moment: str, strategy: Strategy
) -> None:
    branches, into = two_sides(git, repo), made(git, repo, "into")
    with pytest.raises(ToolFailed):
        git_that_fails_at(repos, moment).merge(repo, into, branches, strategy, key="m")
    tip = git.merge(repo, into, branches, strategy, key="m")
    state = git.state(repo, into)
    assert (state.head, state.dirty) == (tip, ())
    assert {"one.txt", "two.txt"} <= tree_files(into.path).keys()
    assert state.ahead == (3 if strategy == "merge" else 2)
    assert os.listdir(Path(repo.pinned_dir, "pending")) == []


def test_a_merge_that_stopped_between_files_and_branch_is_finished_by_whoever_comes(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    branches, into = two_sides(git, repo), made(git, repo, "into")
    with pytest.raises(ToolFailed):
        git_that_fails_at(repos, "update-ref").merge(repo, into, branches, "merge", key="m")
    Path(into.path, "more.txt").write_text("more\n")
    tip = git.commit(repo, into, "More", key="c")
    parents = repos.git(into.path, "show", "-s", "--format=%P", tip).split()
    assert len(parents) == 1
    merged = repos.git(into.path, "show", "-s", "--format=%P %s", parents[0])
    assert "Merge branch" in merged
    assert repos.git(into.path, "show", "--format=", "--name-only", tip) == "more.txt"


def test_other_changes_are_never_swept_away_by_finishing_a_merge(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    branches, into = two_sides(git, repo), made(git, repo, "into")
    with pytest.raises(ToolFailed):
        git_that_fails_at(repos, "update-ref").merge(repo, into, branches, "merge", key="m")
    Path(into.path, "README.md").write_text("someone's\n")
    with pytest.raises(Conflict) as caught:
        git.merge(repo, into, branches, "merge", key="m")
    assert caught.value.code == "worktree_dirty"
    assert Path(into.path, "README.md").read_text() == "someone's\n"


def test_lines_of_one_file_merge_when_they_do_not_touch(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    lines = [f"{n}\n" for n in range(20)]
    repos.commit(repo.local_path, {"list.txt": "".join(lines)})
    for name, line in (("top", 0), ("bottom", 19)):
        tree = made(git, repo, name)
        changed = list(lines)
        changed[line] = f"{name}\n"
        Path(tree.path, "list.txt").write_text("".join(changed))
        git.commit(repo, tree, name, key=name)
    for strategy in ("merge", "squash", "rebase"):
        into = made(git, repo, strategy)
        chosen: Strategy = strategy  # type: ignore[assignment]
        git.merge(repo, into, ["orch/top", "orch/bottom"], chosen, key="m")
        text = Path(into.path, "list.txt").read_text()
        assert text.startswith("top\n")
        assert text.endswith("bottom\n")


def test_a_rebase_keeps_authors_dates_and_messages(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    [one, two] = two_sides(git, repo)
    tree = made(git, repo, "three")
    env = {
        "GIT_AUTHOR_NAME": "Zoë",
        "GIT_AUTHOR_EMAIL": "z@z",
        "GIT_AUTHOR_DATE": "1700000000 +0530",
    }
    Path(tree.path, "three.txt").write_text("3\n")
    repos.environ.update(env)
    repos.git(tree.path, "add", "-A")
    repos.git(tree.path, "commit", "--quiet", "-m", "Drei\n\nMit Grüßen")
    for name in env:
        del repos.environ[name]
    into = made(git, repo, "into")
    tip = git.merge(repo, into, [one, two, tree.branch], "rebase", key="m")
    said = repos.git(into.path, "show", "-s", "--format=%an|%ae|%ad|%s|%b", "--date=raw", tip)
    assert said.startswith("Zoë|z@z|1700000000 +0530|Drei|Mit Grüßen")
    assert "Orch-Key: m" in said


def test_messages_in_another_encoding_survive_a_rebase(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    [one, two] = two_sides(git, repo)
    tree = Path(made(git, repo, "three").path)
    (tree / "three.txt").write_text("3\n")
    (repos.root / "message").write_bytes("Grüße".encode("latin-1"))
    repos.git(tree, "add", "-A")
    words = ["-c", "i18n.commitEncoding=latin-1", "commit", "--quiet", "-F"]
    repos.git(tree, *words, str(repos.root / "message"))
    into = made(git, repo, "into")
    tip = git.merge(repo, into, [one, two, "orch/three"], "rebase", key="m")
    assert repos.git(into.path, "show", "-s", "--format=%s", tip) == "Grüße"


def test_a_rebase_leaves_merges_out_and_skips_what_is_there(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    [one, two] = two_sides(git, repo)
    tree = made(git, repo, "three")
    repos.git(tree.path, "merge", "--quiet", "--no-ff", "--no-edit", one)
    repos.commit(tree.path, {"three.txt": "3\n"})
    into = made(git, repo, "into")
    picked = repos.git(into.path, "rev-parse", two)
    repos.git(into.path, "cherry-pick", picked)
    tip = git.merge(repo, into, [two, tree.branch], "rebase", key="m")
    subjects = repos.git(into.path, "log", "--format=%s", f"{into.base_commit}..{tip}")
    assert sorted(subjects.split("\n")) == ["More", "one", "two"]


def test_unrelated_histories_are_a_conflict_without_files(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    other = repos.repository("other", remote=False, files={"other.txt": "other\n"})
    repos.git(repo.local_path, "fetch", "--quiet", str(other), "main:refs/heads/foreign")
    into = made(git, repo, "into")
    for strategy in ("merge", "squash", "rebase"):
        chosen: Strategy = strategy  # type: ignore[assignment]
        with pytest.raises(MergeConflict) as caught:
            git.merge(repo, into, ["foreign"], chosen, key="m")
        assert caught.value.code == "unrelated_histories"


def test_h70_a_conflict_in_the_second_branch_takes_the_first_back(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    for name, files in {
        "one": {"one.txt": "1\n", "é\tname.txt": "1\n"},
        "two": {"é\tname.txt": "2\n"},
    }.items():
        tree = made(git, repo, name)
        for path, text in files.items():
            Path(tree.path, path).write_text(text)
        git.commit(repo, tree, name, key=name)
    into = made(git, repo, "into")
    refs = repos.git(repo.local_path, "for-each-ref")
    with pytest.raises(MergeConflict) as caught:
        git.merge(repo, into, ["orch/one", "orch/two"], "merge", key="m")
    assert caught.value.data["files"] == ["é\tname.txt"]
    assert "orch/two" in caught.value.message
    assert repos.git(repo.local_path, "for-each-ref") == refs
    assert not Path(into.path, "one.txt").exists()
    assert repos.git(into.path, "status", "--porcelain") == ""


def test_h68_a_tag_with_a_branch_s_name_confuses_nobody(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    wrong = repos.commit(repo.local_path, {"wrong.txt": "x\n"})
    repos.git(repo.local_path, "reset", "--quiet", "--hard", "HEAD~1")
    for name in ("main", "orch/one", "orch/two", "orch/into", "origin/main"):
        repos.git(repo.local_path, "tag", name, wrong)
    assert git.resolve_base(repo, "main", fetch=True).commit != wrong
    branches, into = two_sides(git, repo), made(git, repo, "into")
    tip = git.merge(repo, into, branches, "merge", key="m")
    assert git.push(repo, into) == tip == git.remote_tip(repo, into.branch)
    assert "wrong" not in git.diff(repo, "main", into.branch)
    assert "wrong.txt" not in tree_files(into.path)
    assert repos.git(into.path, "symbolic-ref", "HEAD") == "refs/heads/orch/into"


def test_ignored_files_in_the_way_of_a_merge_are_replaced(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    repos.commit(repo.local_path, {".gitignore": "build/\n"})
    tree = made(git, repo, "one")
    Path(tree.path, "build").mkdir()
    Path(tree.path, "build", "out.txt").write_text("tracked\n")
    repos.git(tree.path, "add", "--force", "build/out.txt")
    repos.git(tree.path, "commit", "--quiet", "-m", "force")
    into = made(git, repo, "into")
    Path(into.path, "build").mkdir()
    Path(into.path, "build", "out.txt").write_text("built\n")
    git.merge(repo, into, ["orch/one"], "merge", key="m")
    assert Path(into.path, "build", "out.txt").read_text() == "tracked\n"
