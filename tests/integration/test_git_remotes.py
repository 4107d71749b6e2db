"""Remotes as they are: protected, moved, locked, gone, several of them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from orch.git.cli import GitCli
from orch.git.gateway import Limits
from orch.model.errors import NotFound, OrchError, PushRejected, ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests.gitrepos import GitRepos, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


@pytest.fixture
def repo(repos: GitRepos, git: GitCli) -> Repo:
    return repos.register(git, repos.repository())


def work(git: GitCli, repo: Repo, name: str = "a") -> Worktree:
    worktree = worktree_at(repo, name, git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    Path(worktree.path, f"{name}.txt").write_text("x\n")
    git.commit(repo, worktree, name, key=name)
    return worktree


def test_a_lock_that_a_killed_push_left_at_a_local_remote_is_removed(
    git: GitCli, repo: Repo
) -> None:
    tree = work(git, repo)
    lock = Path(repo.remote_url, "refs", "heads", f"{tree.branch}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert git.push(repo, tree) == git.remote_tip(repo, tree.branch)
    assert not lock.exists()


def test_a_protected_branch_is_told_with_the_remote_s_words(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    tree = work(git, repo)
    hook = Path(repo.remote_url, "hooks", "update")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'Protected branch.' >&2\necho 'Ask Kim.' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRejected) as caught:
        git.push(repo, tree)
    assert caught.value.message.endswith("Ask Kim.")
    assert caught.value.data["remote_said"][-2:] == ["Protected branch.", "Ask Kim."]
    assert "hook declined" in caught.value.data["reason"]


def test_a_remote_that_denies_rewriting_is_told(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    tree = work(git, repo)
    pushed = git.push(repo, tree)
    repos.git(repo.remote_url, "config", "receive.denyNonFastForwards", "true")
    repos.git(tree.path, "commit", "--quiet", "--amend", "-m", "other")
    with pytest.raises(PushRejected):
        git.push(repo, tree, force=True, expected=pushed)
    assert git.remote_tip(repo, tree.branch) == pushed


def test_a_branch_deleted_at_the_remote_is_pushed_again(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    tree = work(git, repo)
    pushed = git.push(repo, tree)
    repos.git(repo.remote_url, "update-ref", "-d", f"refs/heads/{tree.branch}")
    assert git.push(repo, tree, force=True, expected=pushed) == pushed
    assert git.remote_tip(repo, tree.branch) == pushed


def test_only_the_exact_branch_counts_as_the_remote_s_tip(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    main = repos.git(repo.remote_url, "rev-parse", "refs/heads/main")
    repos.git(repo.remote_url, "update-ref", "refs/heads/x/refs/heads/one", main)
    assert git.remote_tip(repo, "one") == ""
    assert git.remote_tip(repo, "main") == main


def test_another_remote_is_reached_by_name_or_url(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    second = repos.bare("second.git")
    repos.git(repo.local_path, "remote", "add", "fork", str(second))
    git.pin(repo.common_dir, repo.pinned_dir)
    one, two = work(git, repo, "one"), work(git, repo, "two")
    git.push(repo, one, remote="fork")
    git.push(repo, two, remote=str(second))
    assert git.remote_tip(repo, one.branch) == ""
    assert git.remote_tip(repo, one.branch, remote="fork") != ""
    assert git.remote_tip(repo, two.branch, remote=f"file://{second}") != ""


def test_a_relative_remote_is_meant_from_the_checkout(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository("project", remote=False)
    repos.bare("beside.git")
    repos.git(path, "remote", "add", "origin", "../beside.git")
    repo = repos.register(git, path)
    assert repo.remote_url == str(repos.root / "beside.git")
    tree = work(git, repo)
    assert git.push(repo, tree) == git.remote_tip(repo, tree.branch)


def test_a_remote_url_rewritten_by_the_person_is_reached(repos: GitRepos) -> None:
    path = repos.repository("project", remote=False)
    there = repos.bare("there.git")
    repos.git(path, "remote", "add", "origin", "example:there.git")
    with (repos.home / ".gitconfig").open("a") as config:
        config.write(f'[url "{repos.root}/"]\n\tinsteadOf = example:\n')
    git = repos.gateway()
    repo = repos.register(git, path)
    tree = work(git, repo)
    tip = git.push(repo, tree)
    assert repos.git(there, "rev-parse", f"refs/heads/{tree.branch}") == tip


def test_a_person_s_settings_written_later_by_others_are_not_taken(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    """What is pinned is pinned until the person registers the repository again."""
    decoy = repos.bare("decoy.git")
    repos.git(repo.local_path, "remote", "set-url", "origin", str(decoy))
    tree = work(git, repo)
    tip = git.push(repo, tree)
    assert repos.git(repo.remote_url, "rev-parse", f"refs/heads/{tree.branch}") == tip
    assert repos.git(decoy, "for-each-ref") == ""


def test_a_remote_that_does_not_answer_is_an_unknown_outcome(repos: GitRepos, repo: Repo) -> None:
    hanging = repos.root / "hanging"
    hanging.write_text(
        '#!/bin/sh\ncase "$1" in push|fetch|ls-remote) sleep 60;; *) exec git "$@";; esac\n'
    )
    hanging.chmod(0o755)
    git = repos.gateway(
        program=str(hanging), limits=Limits(look_s=0.2, fetch_s=0.2, transfer_s=0.2)
    )
    far = msgspec.structs.replace(repo, remote_url="https://localhost:1/x.git")
    tree = work(git, far)
    for act in (lambda: git.push(far, tree), lambda: git.remote_tip(far, tree.branch)):
        with pytest.raises(ToolFailed) as caught:
            act()
        assert caught.value.code == "network"
    base = git.resolve_base(far, None, fetch=True)
    assert "could not be fetched" in base.warnings[0]


def test_a_refused_connection_is_the_network(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    tree = work(git, repo)
    with pytest.raises(ToolFailed) as caught:
        git.push(repo, tree, remote="git://127.0.0.1:1/x.git")
    assert caught.value.code == "network"


def test_a_remote_that_moved_away_is_named(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    tree = work(git, repo)
    os.rename(repo.remote_url, f"{repo.remote_url}-gone")
    with pytest.raises(NotFound) as caught:
        git.push(repo, tree)
    assert caught.value.code == "remote_missing"


def test_h65_a_remote_without_an_owner_is_refused(git: GitCli, repo: Repo) -> None:
    tree = work(git, repo)
    for remote in ("https://", "ssh://", "https:///", "://x", "null"):
        with pytest.raises(OrchError):
            git.push(repo, tree, remote=remote)


def test_tokens_of_the_environment_do_not_reach_a_local_remote_s_hooks(repos: GitRepos) -> None:
    repos.environ["GH_TOKEN"] = "canary-token"
    git = repos.gateway()
    repo = repos.register(git, repos.repository())
    seen = repos.root / "seen"
    hook = Path(repo.remote_url, "hooks", "pre-receive")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nenv > {seen}\n")
    hook.chmod(0o755)
    git.push(repo, work(git, repo))
    assert "canary-token" not in seen.read_text()


def test_fetching_brings_one_branch_and_no_tags(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    newer = repos.commit_remotely(repo.remote_url, "main", {"n.txt": "n\n"})
    repos.commit_remotely(repo.remote_url, "other", {"o.txt": "o\n"})
    repos.git(repo.remote_url, "tag", "v1", newer)
    assert git.resolve_base(repo, None, fetch=True).commit == newer
    refs = repos.git(repo.local_path, "for-each-ref", "--format=%(refname)").split("\n")
    assert "refs/remotes/origin/other" not in refs
    assert "refs/tags/v1" not in refs
    assert not Path(repo.common_dir, "FETCH_HEAD").exists()
    assert repos.git(repo.local_path, "rev-parse", "refs/remotes/origin/main") == newer


def test_a_rewritten_remote_base_is_taken_over(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    repos.commit_remotely(repo.remote_url, "release", {"one.txt": "1\n"})
    git.resolve_base(repo, "release", fetch=True)
    repos.git(repo.remote_url, "update-ref", "-d", "refs/heads/release")
    again = repos.commit_remotely(repo.remote_url, "release", {"two.txt": "2\n"})
    assert git.resolve_base(repo, "release", fetch=True).commit == again
