"""Landing with real git: others who push meanwhile, remotes that refuse, traps in the repository."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orch.engine.step_context import may_pass
from orch.git.cli import GitCli
from orch.git.landing import TRIES
from orch.model.errors import Conflict, PushRejected
from orch.model.pull import Landing
from orch.model.repo import Repo
from tests.gitrepos import QUICK, GitRepos, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


@pytest.fixture
def git(repos: GitRepos) -> GitCli:
    return repos.gateway()


@pytest.fixture
def repo(repos: GitRepos, git: GitCli) -> Repo:
    return repos.register(git, repos.repository())


def work(git: GitCli, repo: Repo, name: str = "a") -> str:
    """A pushed branch `orch/<name>` that adds `<name>.txt`; its tip."""
    worktree = worktree_at(repo, name, git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    Path(worktree.path, f"{name}.txt").write_text("x\n")
    git.commit(repo, worktree, name, key=name)
    return git.push(repo, worktree)


def land(git: GitCli, repo: Repo, expected: str, name: str = "a", **more: Any) -> Landing:
    words: dict[str, Any] = {"strategy": "merge", "message": "M", "key": f"key/{name}"}
    return git.land(repo, head=f"orch/{name}", base="main", expected=expected, **(words | more))


def meddling(
    repos: GitRepos, repo: Repo, branch: str, times: int, *, delete: bool = False,
    before: Sequence[str] = ("push",), back: bool = False,
) -> GitCli:  # fmt: skip
    """A git before whose pushes (`before`) somebody else pushes to `branch`, goes `back` on it or
    deletes it, `times` times in all."""
    real, script, count = shutil.which("git"), repos.root / "meddling-git", repos.root / "count"
    parent = f"{branch}~1" if back else branch
    made = f"made=$({real} commit-tree {branch}^{{tree}} -p {parent} -m theirs)"
    when = "|".join(f'*" {word} "*' for word in before)
    deed = f"-d refs/heads/{branch}" if delete else f"refs/heads/{branch} $made"
    script.write_text(
        "#!/bin/sh\n"
        f'case " $* " in {when}) if [ "$(wc -l < {count})" -lt {times} ]; then\n'
        f"  echo >> {count}\n"
        f'  env -u GIT_COMMON_DIR GIT_DIR="{repo.remote_url}" GIT_AUTHOR_NAME="T$$" sh -c \'\n'
        f"    {made}\n    {real} update-ref {deed}' || exit 99\n"
        f'fi;; esac\nexec {real} "$@"\n'
    )
    script.chmod(0o755)
    count.touch()
    environ = repos.environ | {
        "GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@x", "GIT_COMMITTER_NAME": "T",
        "GIT_COMMITTER_EMAIL": "t@x",
    }  # fmt: skip
    for name in ("user.name", "user.email"):
        repos.git(repo.remote_url, "config", name, "T")
    return GitCli(environ, program=str(script), limits=QUICK)


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_base_that_moves_at_the_last_moment_is_merged_into_again(
    repos: GitRepos, git: GitCli, repo: Repo, strategy: str
) -> None:
    head = work(git, repo)
    found = land(meddling(repos, repo, "main", TRIES - 1), repo, head, strategy=strategy)
    assert git.remote_tip(repo, "main") == found.commit
    log = repos.git(repo.remote_url, "log", "--format=%s", "main").splitlines()
    assert log.count("theirs") == TRIES - 1
    assert log.count({"merge": "M", "squash": "M", "rebase": "a"}[strategy]) == 1


def test_a_base_that_never_stands_still_is_given_up(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    head = work(git, repo)
    with pytest.raises(Conflict) as caught:
        land(meddling(repos, repo, "main", 100), repo, head)
    assert caught.value.code == "base_moved"
    log = repos.git(repo.remote_url, "log", "--format=%s", "main").splitlines()
    assert (log.count("theirs"), log.count("M")) == (TRIES, 0)


def test_a_base_to_which_others_push_all_the_time_is_looked_at(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    head = work(git, repo)
    repos.commit_remotely(repo.remote_url, "main", {"b.txt": "b\n"})
    busy = meddling(repos, repo, "main", 1000, before=("fetch", "ls-remote"))
    seen = busy.landing(repo, head="orch/a", base="main", head_sha=head)
    assert (seen.head_tip, bool(seen.start), seen.commit) == (head, True, "")


def test_a_base_that_is_taken_back_all_the_time_may_be_looked_at_later(
    repos: GitRepos, git: GitCli, repo: Repo
) -> None:
    head = work(git, repo)
    repos.commit_remotely(repo.remote_url, "main", {"b.txt": "b\n"})
    busy = meddling(repos, repo, "main", 1000, before=("fetch", "ls-remote"), back=True)
    with pytest.raises(Conflict) as caught:
        busy.landing(repo, head="orch/a", base="main", head_sha=head)
    assert may_pass(caught.value)


@pytest.mark.parametrize(("delete", "code"), [(False, "head_moved"), (True, "head_gone")])
def test_h80_a_head_that_moves_at_the_last_moment_is_not_merged(
    repos: GitRepos, git: GitCli, repo: Repo, delete: bool, code: str
) -> None:
    head = work(git, repo)
    base = git.remote_tip(repo, "main")
    with pytest.raises(Conflict) as caught:
        land(meddling(repos, repo, "orch/a", 1, delete=delete), repo, head)
    assert caught.value.code == code
    assert git.remote_tip(repo, "main") == base
    assert (git.remote_tip(repo, "orch/a") == "") == delete


def test_many_land_at_once(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    """No lock is shared: each is a home of its own for all that git knows."""
    heads = {name: work(git, repo, name) for name in ("a", "b", "c")}
    twice = [*heads.items(), *heads.items()]

    def one(item: tuple[str, str]) -> Landing:
        while True:
            try:
                return land(git, repo, item[1], item[0])
            except Conflict as error:
                if error.code not in ("base_moved", "repository_busy"):
                    raise

    with ThreadPoolExecutor(6) as pool:
        landed = list(pool.map(one, twice))
    assert [found.commit for found in landed[:3]] == [found.commit for found in landed[3:]]
    log = repos.git(repo.remote_url, "log", "--first-parent", "--format=%s", "main").splitlines()
    assert log.count("M") == 3
    assert list(Path(repo.remote_url).rglob("*.lock")) == []


def test_a_remote_with_a_work_tree_on_the_base_is_told(repos: GitRepos, git: GitCli) -> None:
    there = repos.repository("there", remote=False)
    repos.git(repos.root, "clone", "--quiet", str(there), str(repos.root / "here"))
    repo = repos.register(git, repos.root / "here")
    head = work(git, repo)
    before = repos.git(there, "rev-parse", "HEAD")
    with pytest.raises(PushRejected) as caught:
        land(git, repo, head)
    assert caught.value.code == "base_checked_out"
    assert str(there) in caught.value.hint
    assert repos.git(there, "rev-parse", "HEAD") == before
    assert repos.git(there, "status", "--porcelain") == ""
    repos.git(there, "switch", "--quiet", "--detach")
    assert land(git, repo, head).commit == repos.git(there, "rev-parse", "main")


def test_nothing_in_the_repository_runs(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    """Hooks, filters, merge and diff drivers, signing: all named by somebody, none started."""
    trap = repos.root / "sprung"
    touch = f"touch {trap}; false"
    for name, value in (
        ("merge.trap.driver", touch), ("filter.trap.clean", touch), ("filter.trap.smudge", touch),
        ("commit.gpgsign", "true"), ("gpg.program", str(trap)), ("diff.external", touch),
        ("core.fsmonitor", touch),
    ):  # fmt: skip
        repos.git(repo.local_path, "config", name, value)
    hooks = Path(repo.common_dir, "hooks")
    hooks.mkdir(exist_ok=True)
    for name in ("pre-push", "pre-commit", "commit-msg", "reference-transaction", "post-merge"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    Path(repo.common_dir, "info").mkdir(exist_ok=True)
    Path(repo.common_dir, "info", "attributes").write_text("* merge=trap filter=trap diff=trap\n")
    head = work(git, repo)
    repos.commit_remotely(
        repo.remote_url, "main", {".gitattributes": "* merge=trap filter=trap\n", "a.md": "x\n"}
    )
    for strategy in ("squash", "merge", "rebase"):
        land(git, repo, head, strategy=strategy, trial=True)
    land(git, repo, head, strategy="rebase")
    git.diff_stat(repo, "main", head)
    assert not trap.exists()


def test_a_fetch_that_was_cut_short_is_made_good(repos: GitRepos, git: GitCli, repo: Repo) -> None:
    """A killed git may leave a commit without its files; to have the one is not to have the other."""
    head = work(git, repo)
    theirs = repos.commit_remotely(repo.remote_url, "main", {"b.txt": "theirs\n"})
    content = repos.git(repo.remote_url, "cat-file", "commit", theirs) + "\n"
    lonely = repos.root / "commit"
    lonely.write_text(content)
    repos.git(repo.local_path, "hash-object", "-w", "-t", "commit", "--literally", str(lonely))
    assert repos.git(repo.local_path, "cat-file", "-t", theirs) == "commit"
    found = land(git, repo, head)
    listing = repos.git(repo.remote_url, "ls-tree", "--name-only", found.commit).split()
    assert {"a.txt", "b.txt"} <= set(listing)
