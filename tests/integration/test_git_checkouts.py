"""Repositories as people have them: where they are, what is their default branch, how we see them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from orch.git.cli import GitCli
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests.gitrepos import GitRepos, tree_files, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


def whole_job(repos: GitRepos, git: GitCli, repo: Repo) -> Worktree:
    """Worktree, commit and diff in that repository."""
    base = git.resolve_base(repo, None, fetch=True)
    worktree = worktree_at(repo, "job", base.commit)
    git.add_worktree(repo, worktree, key="k")
    Path(worktree.path, "job.txt").write_text("job\n")
    tip = git.commit(repo, worktree, "Job", key="k1")
    assert git.state(repo, worktree).ahead == 1
    assert "+job" in git.diff(repo, base.commit, worktree.branch)
    assert repos.git(worktree.path, "rev-parse", "HEAD") == tip
    assert repos.git(worktree.path, "status", "--porcelain") == ""
    assert "missing" not in repos.git(repo.common_dir, "fsck")
    return worktree


def test_any_place_in_a_checkout_leads_to_it(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository("a place with spaces é")
    link = repos.root / "link"
    link.symlink_to(path)
    for place in (path, path / "src", path / ".git", link, link / "docs"):
        found = git.inspect(str(place))
        assert (found.main_path, found.common_dir) == (str(path), str(path / ".git")), place
        assert git.locate(str(place))[0] == str(path / ".git")
    whole_job(repos, git, repos.register(git, link))


def test_a_repository_in_a_home_reached_through_a_link(repos: GitRepos, git: GitCli) -> None:
    (repos.root / "real").mkdir()
    (repos.root / "linked").symlink_to("real")
    path = repos.repository("real/thing")
    found = git.inspect(str(repos.root / "linked" / "thing"))
    assert found.top == str(path)


@pytest.mark.parametrize("name", ["bare.git", "bare"])
def test_a_bare_repository_does_the_whole_job(repos: GitRepos, git: GitCli, name: str) -> None:
    source = repos.repository("source", remote=False, branch="trunk")
    repos.git(repos.root, "clone", "--quiet", "--bare", str(source), name)
    found = git.inspect(str(repos.root / name))
    assert (found.bare, found.top, found.branch) == (True, "", "trunk")
    assert found.default_branch == "trunk"
    assert found.main_path == found.common_dir == str(repos.root / name)
    repo = repos.register(git, repos.root / name)
    worktree = whole_job(repos, git, repo)
    again = git.inspect(worktree.path)
    assert (again.main_path, again.top) == (str(repos.root / name), worktree.path)
    assert git.push(repo, worktree)


def test_a_detached_checkout_does_the_whole_job(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository(branch="trunk", history=3)
    repos.git(path, "checkout", "--quiet", "--detach", "HEAD~1")
    found = git.inspect(str(path))
    assert (found.branch, found.default_branch) == ("", "trunk")
    assert found.head == repos.git(path, "rev-parse", "HEAD")
    whole_job(repos, git, repos.register(git, path))


def test_a_separate_git_directory_does_the_whole_job(repos: GitRepos, git: GitCli) -> None:
    elsewhere = repos.root / "elsewhere.git"
    path = repos.repository(remote=False)
    repos.git(path, "init", "--quiet", f"--separate-git-dir={elsewhere}")
    found = git.inspect(str(path))
    assert (found.main_path, found.common_dir) == (str(path), str(elsewhere))
    whole_job(repos, git, repos.register(git, path))


def test_a_submodule_is_a_repository_of_its_own(repos: GitRepos, git: GitCli) -> None:
    library = repos.repository("library", remote=False)
    path = repos.repository("outer", remote=False)
    repos.git(path, "submodule", "--quiet", "add", str(library), "lib")
    found = git.inspect(str(path / "lib"))
    assert found.main_path == str(path / "lib")
    assert found.common_dir == str(path / ".git" / "modules" / "lib")
    worktree = whole_job(repos, git, repos.register(git, path / "lib"))
    assert git.inspect(worktree.path).main_path == str(path / "lib")


def test_a_person_s_own_worktree_may_be_registered(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository()
    repos.git(path, "worktree", "add", "--quiet", "-b", "side", str(repos.root / "side"))
    found = git.inspect(str(repos.root / "side"))
    assert (found.main_path, found.top, found.branch) == (
        str(path),
        str(repos.root / "side"),
        "side",
    )
    repo = repos.register(git, repos.root / "side")
    whole_job(repos, git, repo)
    assert (str(repos.root / "side"), "side") in git.worktrees(repo)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_packed_repository_of_either_format_does_the_whole_job(
    repos: GitRepos, git: GitCli, object_format: str
) -> None:
    path = repos.root / "thing"
    words = ["init", "--quiet", "-b", "main", f"--object-format={object_format}", str(path)]
    repos.git(repos.root, *words)
    repos.commit(path, {"a.txt": "a\n"})
    repos.git(path, "gc", "--quiet")
    repo = repos.register(git, path)
    worktree = whole_job(repos, git, repo)
    repos.git(path, "pack-refs", "--all")
    shutil.rmtree(worktree.path)
    repos.git(path, "update-ref", f"refs/heads/{worktree.branch}", worktree.base_commit)
    git.remove_worktree(repo, worktree)
    assert repos.git(path, "for-each-ref", "refs/orch", f"refs/heads/{worktree.branch}") == ""


def test_a_shallow_clone_does_the_whole_job(repos: GitRepos, git: GitCli) -> None:
    source = repos.repository("source", history=5)
    remote = repos.git(source, "remote", "get-url", "origin")
    repos.git(repos.root, "clone", "--quiet", "--depth=1", f"file://{remote}", "shallow")
    repo = repos.register(git, repos.root / "shallow")
    worktree = whole_job(repos, git, repo)
    assert git.push(repo, worktree) == git.remote_tip(repo, worktree.branch)


def test_a_partial_clone_fetches_what_it_needs(repos: GitRepos, git: GitCli) -> None:
    source = repos.repository("source", history=3)
    remote = repos.git(source, "remote", "get-url", "origin")
    repos.git(Path(remote), "config", "uploadpack.allowFilter", "true")
    repos.git(Path(remote), "config", "uploadpack.allowAnySHA1InWant", "true")
    words = ["clone", "--quiet", "--no-checkout", "--filter=blob:none"]
    repos.git(repos.root, *words, f"file://{remote}", "partial")
    whole_job(repos, git, repos.register(git, repos.root / "partial"))


def test_the_default_branch_is_what_the_remote_says(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository(branch="develop")
    repos.git(path, "checkout", "--quiet", "-b", "main")
    assert git.inspect(str(path)).default_branch == "develop"
    repos.git(path, "remote", "set-head", "origin", "--delete")
    assert git.inspect(str(path)).default_branch == "develop", "asked when it is not known here"


def test_without_a_remote_the_usual_names_count_then_where_head_is(
    repos: GitRepos, git: GitCli
) -> None:
    path = repos.repository(branch="production", remote=False)
    assert git.inspect(str(path)).default_branch == "production"
    repos.git(path, "branch", "master")
    assert git.inspect(str(path)).default_branch == "master"
    repos.git(path, "branch", "main")
    assert git.inspect(str(path)).default_branch == "main"
    repos.git(repos.root, "config", "--global", "init.defaultBranch", "production")
    assert git.inspect(str(path)).default_branch == "production"


def test_several_remotes_are_listed_and_origin_leads(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository(branch="trunk")
    fork = repos.bare("fork.git", "other")
    repos.git(path, "remote", "add", "a-fork", str(fork))
    found = git.inspect(str(path))
    assert set(found.remotes) == {"origin", "a-fork"}
    assert found.default_branch == "trunk"
    repos.git(path, "remote", "rename", "origin", "upstream")
    assert git.inspect(str(path)).default_branch == "trunk", "the branch's own remote comes next"


def test_an_unreachable_remote_does_not_stop_the_look(repos: GitRepos, git: GitCli) -> None:
    path = repos.repository(branch="trunk", remote=False)
    for url in ("/nowhere/x.git", "ext::sh -c true", "https://127.0.0.1:1/x.git"):
        repos.git(path, "remote", "add", "origin", url)
        assert git.inspect(str(path)).default_branch == "trunk"
        repos.git(path, "remote", "remove", "origin")


def test_head_on_a_branch_without_commits_is_no_obstacle_when_others_have_some(
    repos: GitRepos, git: GitCli
) -> None:
    path = repos.repository(branch="main", remote=False)
    repos.git(path, "symbolic-ref", "HEAD", "refs/heads/unborn")
    found = git.inspect(str(path))
    assert (found.branch, found.default_branch) == ("", "main")
    assert found.head == repos.git(path, "rev-parse", "main")


def test_places_that_are_no_repository_are_refused(repos: GitRepos, git: GitCli) -> None:
    for place in ("nowhere", "home"):
        with pytest.raises(NotFound) as caught:
            git.inspect(str(repos.root / place))
        assert caught.value.code == "not_a_repository"
    with pytest.raises(NotFound):
        git.pin(str(repos.home), str(repos.root / "pin"))
    (repos.root / "broken" / ".git").mkdir(parents=True)
    with pytest.raises(NotFound):
        git.inspect(str(repos.root / "broken"))


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_repository_of_another_user_is_refused_with_the_way_out(
    repos: GitRepos, git: GitCli
) -> None:
    path = repos.repository(remote=False)
    os.chown(path, 65534, 65534)
    os.chown(path / ".git", 65534, 65534)
    with pytest.raises(Conflict) as caught:
        git.inspect(str(path))
    assert caught.value.code == "unsafe_ownership"
    for place in (path, path / ".git"):
        repos.git(repos.root, "config", "--global", "--add", "safe.directory", str(place))
    whole_job(repos, git, repos.register(git, path))


def test_a_repository_that_moved_away_is_told(repos: GitRepos, git: GitCli) -> None:
    repo = repos.register(git, repos.repository())
    os.rename(repo.local_path, f"{repo.local_path}-moved")
    with pytest.raises(NotFound) as caught:
        git.branch_exists(repo, "main")
    assert caught.value.code == "repository_gone"


def test_the_variables_of_a_surrounding_git_do_not_mislead(repos: GitRepos) -> None:
    """`orch` may be started from a hook or an alias, where git sets them."""
    other = repos.repository("other", remote=False)
    path = repos.repository(remote=False)
    repos.environ.update(GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other), GIT_PREFIX="x/")
    git = repos.gateway()
    assert git.inspect(str(path)).main_path == str(path)


def test_pinning_takes_transport_and_identity_and_nothing_else(
    repos: GitRepos, git: GitCli
) -> None:
    path = repos.repository()
    settings = {
        "user.name": 'Odd "Name" \\ # ; tab\there',
        "url.https://mirror/.insteadOf": "https://slow/",
        "http.https://host/.proxy": "http://proxy:1",
        "credential.helper": "store --file=/x",
        "core.sshCommand": "ssh -i ~/.ssh/special",
        "core.autocrlf": "input",
        "core.fsmonitor": "evil",
        "core.hooksPath": "evil",
        "core.editor": "evil",
        "core.worktree": str(path),
        "alias.st": "!evil",
        "filter.x.clean": "evil",
        "diff.x.textconv": "evil",
        "merge.x.driver": "evil",
        "remote.origin.uploadpack": "evil",
        "remote.origin.receivepack": "evil",
        "remote.origin.vcs": "evil",
        "gpg.program": "evil",
        "uploadpack.packObjectsHook": "evil",
        "include.path": "evil",
    }
    for key, value in settings.items():
        repos.git(path, "config", key, value)
    repo = repos.register(git, path)
    listing = repos.git(repos.root, "config", "--file", f"{repo.pinned_dir}/config", "--list")
    assert "evil" not in listing
    assert "worktree" not in listing
    for key in ("user.name", "credential.helper", "core.sshCommand", "core.autocrlf"):
        assert (
            repos.git(repos.root, "config", "--file", f"{repo.pinned_dir}/config", key)
            == settings[key]
        )
    assert "url.https://mirror/.insteadof=https://slow/" in listing
    assert f"remote.origin.url={repo.remote_url}" in listing
    assert not Path(repo.pinned_dir, "hooks").exists()


def test_pinning_again_takes_what_the_person_changed(repos: GitRepos, git: GitCli) -> None:
    repo = repos.register(git, repos.repository())
    repos.git(repo.local_path, "config", "user.email", "new@localhost")
    (Path(repo.pinned_dir) / "hooks").mkdir()
    os.unlink(Path(repo.pinned_dir) / "objects")
    git.pin(repo.common_dir, repo.pinned_dir)
    tree = whole_job(repos, git, repo)
    assert repos.git(tree.path, "show", "-s", "--format=%ce") == "new@localhost"
    assert not Path(repo.pinned_dir, "hooks").exists()
    assert [n for n in os.listdir(repo.pinned_dir) if n.endswith(".new")] == []


def test_the_person_s_housekeeping_does_not_hurt(repos: GitRepos, git: GitCli) -> None:
    """gc, repack, prune and an emptied `worktrees` directory."""
    repo = repos.register(git, repos.repository())
    tree = whole_job(repos, git, repo)
    repos.git(repo.local_path, "worktree", "prune", "--expire=now")
    repos.git(repo.local_path, "gc", "--quiet", "--prune=now")
    assert git.state(repo, tree).ahead == 1
    repos.git(repo.local_path, "worktree", "unlock", tree.path)
    repos.git(repo.local_path, "worktree", "remove", "--force", tree.path)
    assert not Path(repo.common_dir, "worktrees").exists()
    other = msgspec.structs.replace(tree, name="b", branch="orch/b", path=f"{repo.workspace_dir}/b")
    git.add_worktree(repo, other, key="k")
    assert git.state(repo, other).dirty == ()


def test_a_clone_is_complete_or_absent(repos: GitRepos, git: GitCli) -> None:
    source = repos.repository("source", branch="trunk", history=2)
    remote = repos.git(source, "remote", "get-url", "origin")
    target = repos.root / "clones" / "a b"
    dying = repos.root / "dying"
    dying.write_text('#!/bin/sh\n[ "$1" = reset ] && kill -9 $$\nexec git "$@"\n')
    dying.chmod(0o755)
    with pytest.raises(OrchError):
        repos.gateway(program=str(dying)).clone(remote, str(target))
    assert os.listdir(target.parent) == []
    leftover = target.parent / f".{target.name}.cloning"
    leftover.mkdir()
    (leftover / "half").write_text("x")
    git.clone(remote, str(target))
    assert os.listdir(target.parent) == [target.name]
    assert tree_files(target).keys() == tree_files(source).keys()
    assert repos.git(target, "status", "--porcelain") == ""
    assert git.inspect(str(target)).default_branch == "trunk"
    whole_job(repos, git, repos.register(git, target))


def test_a_clone_runs_no_filter_and_takes_no_submodules(repos: GitRepos, git: GitCli) -> None:
    canary = repos.root / "canary"
    with (repos.home / ".gitconfig").open("a") as config:
        config.write(f'[filter "x"]\n\tsmudge = touch {canary}\n[submodule]\n\trecurse = true\n')
    library = repos.repository("library", remote=False)
    source = repos.repository("source", remote=False)
    repos.git(source, "submodule", "--quiet", "add", str(library), "lib")
    repos.commit(source, {".gitattributes": "*.txt filter=x\n"})
    canary.unlink(missing_ok=True)
    git.clone(str(source), str(repos.root / "clone"))
    assert not canary.exists()
    assert os.listdir(repos.root / "clone" / "lib") == []


def test_an_empty_remote_is_refused_and_leaves_nothing(repos: GitRepos, git: GitCli) -> None:
    remote = repos.bare()
    with pytest.raises(Conflict) as caught:
        git.clone(str(remote), str(repos.root / "clone"))
    assert caught.value.code == "no_commits"
    assert not [name for name in os.listdir(repos.root) if "clon" in name and ".lock" not in name]


@pytest.mark.parametrize(
    "url", ["ext::sh -c true", "-x", "", "relative/path", "ftp://h/x", "ssh://-oProxyCommand=x/y"]
)
def test_h67_urls_that_could_run_something_are_refused(
    repos: GitRepos, git: GitCli, url: str
) -> None:
    with pytest.raises(UsageError) as caught:
        git.clone(url, str(repos.root / "clone"))
    assert caught.value.code == "bad_url"
    assert not (repos.root / "clone").exists()


def test_a_diff_is_capped_and_runs_nothing(repos: GitRepos, git: GitCli) -> None:
    repo = repos.register(git, repos.repository())
    base = git.resolve_base(repo, None, fetch=False).commit
    tree = worktree_at(repo, "a", base)
    git.add_worktree(repo, tree, key="k")
    Path(tree.path, "big.txt").write_text("a long line of text\n" * 200_000)
    Path(tree.path, "latin.txt").write_bytes(b"gr\xfc\xdfe\n")
    git.commit(repo, tree, "big", key="k1")
    text = git.diff(repo, "main", tree.branch)
    assert text.endswith("[diff cut at 1 MiB]\n")
    assert len(text.encode()) <= (1 << 20) + 100
    Path(tree.path, "big.txt").unlink()
    git.commit(repo, tree, "small", key="k2")
    assert "+gr\\xfc\\xdfe" in git.diff(repo, base, tree.branch)
    assert git.diff(repo, "main", "main") == ""
