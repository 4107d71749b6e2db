"""The door to git: environment, time limits, locks, faults."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orch.git import failures, locks
from orch.git.cli import GitCli
from orch.git.gateway import Gateway, Limits, Place
from orch.model.errors import Conflict, NotFound, ToolFailed
from tests.gitrepos import QUICK, GitRepos, worktree_at


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(tmp_path)


def program(repos: GitRepos, text: str) -> str:
    """A program in git's place."""
    path = repos.root / "git-stand-in"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def gone(pid: int, limit_s: float = 60.0) -> None:
    """A killed process closes its pipes a moment before it is dead."""
    deadline = time.monotonic() + limit_s
    while is_alive(pid):
        assert time.monotonic() < deadline, f"{pid} lives"
        time.sleep(0.01)


def test_a_missing_git_is_named(repos: GitRepos) -> None:
    with pytest.raises(ToolFailed) as caught:
        repos.gateway(program="git-that-is-not-there").version()
    assert caught.value.code == "git_missing"
    assert "2.38" in caught.value.hint


def test_an_old_git_tells_its_version(repos: GitRepos) -> None:
    old = program(repos, "echo 'git version 2.17.1 (Apple Git-112)'")
    assert repos.gateway(program=old).version() == (2, 17, 1)
    with pytest.raises(ToolFailed) as caught:
        repos.gateway(program=program(repos, "echo nonsense")).version()
    assert caught.value.code == "git_failed"


@pytest.mark.linux
def test_a_git_that_hangs_is_ended_with_its_children(repos: GitRepos) -> None:
    note = repos.root / "child"
    hanging = program(repos, f"sleep 300 & echo $! > {note}\nwait")
    gateway = Gateway(repos.environ, program=hanging, limits=QUICK)
    with pytest.raises(ToolFailed) as caught:
        gateway.run(["fetch"], timeout=0.3)
    assert caught.value.code == "git_timeout"
    with pytest.raises(ToolFailed) as caught:
        gateway.run(["push"], timeout=0.3, reach="far")
    assert caught.value.code == "network", "what the network did is not known"
    gone(int(note.read_text()))


@pytest.mark.linux
def test_a_child_that_keeps_the_pipes_open_does_not_hold_us_up(repos: GitRepos) -> None:
    note = repos.root / "child"
    lingering = program(repos, f"sleep 300 & echo $! > {note}\necho done")
    started = time.monotonic()
    said = Gateway(repos.environ, program=lingering, limits=QUICK).run(["x"])
    assert said.text() == "done"
    assert time.monotonic() - started < 10
    gone(int(note.read_text()))


@pytest.mark.linux
def test_a_child_in_a_session_of_its_own_is_left_but_not_waited_for(repos: GitRepos) -> None:
    """A shared ssh connection keeps git's pipes open for as long as it lives."""
    note = repos.root / "child"
    shared = program(repos, f"setsid sh -c 'echo $$ > {note}; exec sleep 60' &\necho done")
    started = time.monotonic()
    said = Gateway(repos.environ, program=shared, limits=QUICK).run(["x"])
    child = int(note.read_text())
    try:
        assert said.text() == "done"
        assert time.monotonic() - started < 10
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_environment_of_local_commands_is_ours(repos: GitRepos) -> None:
    repos.environ.update(
        GH_TOKEN="t",
        GIT_DIR="/nowhere",
        GIT_WORK_TREE="/nowhere",
        GIT_INDEX_FILE="/nowhere",
        GIT_TRACE="/nowhere",
        GIT_EXTERNAL_DIFF="/nowhere",
        GIT_CONFIG_PARAMETERS="'core.fsmonitor'='x'",
        LD_PRELOAD="/nowhere.so",
    )
    gateway = Gateway(repos.environ, program=program(repos, "env"))
    local = dict(line.split("=", 1) for line in gateway.run([]).text().splitlines())
    assert not {"GH_TOKEN", "GIT_DIR", "GIT_TRACE", "GIT_EXTERNAL_DIFF"} & local.keys()
    assert not {"GIT_INDEX_FILE", "GIT_CONFIG_PARAMETERS", "LD_PRELOAD"} & local.keys()
    assert (local["GIT_CONFIG_GLOBAL"], local["GIT_CONFIG_NOSYSTEM"]) == ("/dev/null", "1")
    near = dict(line.split("=", 1) for line in gateway.run([], reach="near").text().splitlines())
    assert near == local
    far = dict(line.split("=", 1) for line in gateway.run([], reach="far").text().splitlines())
    assert far["GH_TOKEN"] == "t"
    assert not {"GIT_DIR", "GIT_WORK_TREE", "GIT_TRACE", "GIT_CONFIG_PARAMETERS"} & far.keys()
    assert far["GIT_TERMINAL_PROMPT"] == local["GIT_TERMINAL_PROMPT"] == "0"


def test_git_has_no_terminal_to_ask_on(repos: GitRepos) -> None:
    asking = program(repos, "(exec < /dev/tty) 2>/dev/null && echo asked || echo refused")
    assert Gateway(repos.environ, program=asking).run([], reach="far").text() == "refused"


def test_transports_that_run_programs_are_refused(repos: GitRepos) -> None:
    canary = repos.root / "canary"
    gateway = Gateway(repos.environ)
    (repos.home / ".gitconfig").write_text('[protocol "ext"]\n\tallow = always\n')
    with pytest.raises(ToolFailed) as caught:
        gateway.run(["ls-remote", f"ext::touch {canary}"], reach="far")
    assert "not allowed" in caught.value.message
    assert not canary.exists()
    with pytest.raises(ToolFailed) as caught:
        gateway.run(["ls-remote", "http://127.0.0.1:1/x"], reach="far")
    assert "not allowed" in caught.value.message


def test_hooks_of_the_person_s_configuration_do_not_run_over_the_network(repos: GitRepos) -> None:
    path = repos.repository(remote=False)
    canary, hooks = repos.root / "canary", repos.home / "hooks"
    hooks.mkdir()
    (hooks / "reference-transaction").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (hooks / "reference-transaction").chmod(0o755)
    repos.git(path, "config", "--global", "core.hooksPath", str(hooks))
    place = Place(git_dir=str(path / ".git"))
    Gateway(repos.environ).run(["update-ref", "refs/heads/x", "HEAD"], place, reach="far")
    assert not canary.exists()
    repos.git(path, "update-ref", "refs/heads/y", "HEAD")
    assert canary.exists(), "plain git runs it"


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("error: file write error: No space left on device", ToolFailed, "disk_full"),
        ("fatal: write error: Disk quota exceeded", ToolFailed, "disk_full"),
        ("fatal: Unable to create '/x/index.lock': File exists.", Conflict, "repository_busy"),
        ("fatal: not a git repository: '/x'", NotFound, "not_a_repository"),
        ("fatal: something else", ToolFailed, "git_failed"),
        ("", ToolFailed, "git_failed"),
    ],
)
def test_complaints_become_errors(said: str, kind: type, code: str) -> None:
    error = failures.translated(["add"], 128, said, network=False)
    assert isinstance(error, kind)
    assert error.code == code
    assert error.hint


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fatal: unable to access 'https://h/r/': Could not resolve host: h", "network"),
        ("ssh: connect to host h port 22: Connection refused", "network"),
        ("fatal: the remote end hung up unexpectedly", "network"),
        (
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            "sign_in_needed",
        ),
        (
            "git@h: Permission denied (publickey).\nfatal: Could not read from remote",
            "sign_in_needed",
        ),
        ("fatal: '/x.git' does not appear to be a git repository", "remote_missing"),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/r/' not found",
            "remote_missing",
        ),
        ("error: 500\nfatal: unable to access: The requested URL returned error: 502", "network"),
    ],
)
def test_complaints_of_the_network_are_told_apart(said: str, code: str) -> None:
    assert failures.translated(["fetch"], 128, said, network=True).code == code


def test_h95_credentials_in_urls_are_not_shown() -> None:
    said = failures.readable(b"fatal: unable to access 'https://me:s3cret@host/r.git/': no")
    error = failures.translated(["fetch", "https://me:s3cret@host/r.git"], 128, said, network=True)
    assert "s3cret" not in str(error.as_dict())


def held_lock(lock: Path) -> subprocess.Popen[bytes]:
    """Another process that has the lock open."""
    code = f"import sys; f = open({str(lock)!r}, 'x'); print('held', flush=True); sys.stdin.read()"
    held = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert held.stdout is not None
    assert held.stdout.readline() == b"held\n"
    return held


@pytest.mark.linux
def test_a_lock_with_a_living_owner_is_never_removed(repos: GitRepos) -> None:
    git = repos.gateway(limits=Limits(lock_s=0.3, settle_s=0.05))
    repo = repos.register(git, repos.repository())
    worktree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    Path(worktree.path, "a.txt").write_text("a\n")
    lock = Path(repo.common_dir, "worktrees", "a", "index.lock")
    held = held_lock(lock)
    with held:
        with pytest.raises(Conflict) as caught:
            git.commit(repo, worktree, "a", key="k1")
        assert caught.value.code == "repository_busy"
        assert caught.value.data["processes"] == [held.pid]
        assert lock.exists()
        assert held.stdin is not None
        held.stdin.close()
        held.wait(timeout=60)
    assert git.commit(repo, worktree, "a", key="k1") != worktree.base_commit
    assert not lock.exists()


@pytest.mark.linux
def test_a_closed_lock_is_left_while_a_git_works_in_the_worktree(repos: GitRepos) -> None:
    """git closes `index.lock` and still holds it while a commit's editor is open."""
    git = repos.gateway(limits=Limits(lock_s=0.3, settle_s=0.05))
    repo = repos.register(git, repos.repository())
    worktree = worktree_at(repo, "a", git.resolve_base(repo, None, fetch=False).commit)
    git.add_worktree(repo, worktree, key="k")
    Path(worktree.path, "README.md").write_text("edited\n")
    started, go_on = repos.root / "started", repos.root / "go-on"
    os.mkfifo(go_on)
    editor = repos.root / "editor"
    editor.write_text(f'#!/bin/sh\ntouch {started}\ncat {go_on} > /dev/null\necho said > "$1"\n')
    editor.chmod(0o755)
    writing = subprocess.Popen(
        ["git", "commit", "-a"],
        cwd=worktree.path,
        env=repos.environ | {"GIT_EDITOR": str(editor)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(Conflict) as caught:
            git.commit(repo, worktree, "mine", key="k1")
        assert caught.value.code == "repository_busy"
        go_on.write_text("")
        assert writing.wait(timeout=60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(writing.pid, signal.SIGKILL)
        writing.wait(timeout=60)
    assert git.state(repo, worktree).ahead == 1


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps, as macOS has it")
def test_without_proc_any_git_of_the_user_counts_as_working(
    repos: GitRepos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_PROC", str(repos.root / "no-proc"))
    path = repos.repository(remote=False)
    working = subprocess.Popen(["git", "cat-file", "--batch"], cwd=path, stdin=subprocess.PIPE)
    try:
        assert working.pid in locks.git_processes([str(repos.home)])
    finally:
        working.communicate()
    assert working.pid not in locks.git_processes([str(repos.home)])


def test_a_lock_outside_of_the_repository_is_not_touched(repos: GitRepos) -> None:
    outside = repos.root / "outside.lock"
    outside.touch()
    inside = repos.root / "inside"
    inside.mkdir()
    (inside / "link.lock").symlink_to(outside)
    said = f"echo \"fatal: Unable to create '{outside}': File exists.\" >&2; exit 128"
    gateway = Gateway(repos.environ, program=program(repos, said), limits=QUICK)
    with pytest.raises(Conflict):
        gateway.run(["x"], Place(roots=(str(inside),)))
    gateway.free_locks([str(inside / "link.lock")], [str(inside)])
    assert outside.exists()
    assert (inside / "link.lock").is_symlink()


def test_many_threads_may_use_one_gateway(repos: GitRepos) -> None:
    from concurrent.futures import ThreadPoolExecutor

    git: GitCli = repos.gateway()
    repo = repos.register(git, repos.repository())
    base = git.resolve_base(repo, None, fetch=False).commit

    def one(number: int) -> tuple[str, str]:
        worktree = worktree_at(repo, f"w{number}", base)
        git.add_worktree(repo, worktree, key="k")
        Path(worktree.path, f"{number}.txt").write_text("x\n")
        tip = git.commit(repo, worktree, "x", key=f"k{number}")
        assert git.push(repo, worktree) == tip
        return worktree.branch, tip

    with ThreadPoolExecutor(8) as pool:
        made = dict(pool.map(one, range(16)))
    assert {branch: git.remote_tip(repo, branch) for branch in made} == made
    assert "missing" not in repos.git(repo.local_path, "fsck")
