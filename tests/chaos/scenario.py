"""A small world to kill things in: a repository with history, a bare remote, a home, agents.

The agents are shell commands that write down every time they run, so that an attempt that ran twice
is seen from outside of everything that Orch keeps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance import forking

GIT = {
    "GIT_AUTHOR_NAME": "Person", "GIT_AUTHOR_EMAIL": "person@localhost",
    "GIT_COMMITTER_NAME": "Person", "GIT_COMMITTER_EMAIL": "person@localhost",
    "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip

AGENT = """
import os, sys, time
with open({ledger!r}, "a") as file:
    file.write(os.environ["ORCH_ATTEMPT"] + " {name}\\n")
time.sleep({seconds})
with open("{name}.txt", "a") as file:
    file.write("{name} by " + os.environ["ORCH_ATTEMPT"] + "\\n")
print("{name} did its part")
"""

JUDGE = """
import os, time
with open({ledger!r}, "a") as file:
    file.write(os.environ["ORCH_ATTEMPT"] + " {name}\\n")
time.sleep({seconds})
print('{{"approved": true}}')
"""


@dataclass(frozen=True)
class Scenario:
    """Paths of one world. `orch` runs the command line in it."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def repo(self) -> Path:
        return self.root / "thing"

    @property
    def remote(self) -> Path:
        return self.root / "remote.git"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {
            **kept, **GIT, "HOME": str(self.root), "ORCH_HOME": str(self.home),
            "PYTHONWARNINGS": "error", **more,
        }  # fmt: skip

    def orch(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a process group of its own."""
        done = forking.origin().run(
            words, cwd=self.root, env=self.environ(**environ), given=b"", timeout=240
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def start(self, *words: str, **environ: str) -> forking.Started:
        """Start a command in a process group of its own."""
        return forking.origin().start(words, cwd=self.root, env=self.environ(**environ))

    def git(self, *words: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=where or self.repo, env=self.environ(), capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def show(self, run: str = "@") -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.orch("show", run, "--json").stdout)
        return record

    def tmux_server(self) -> int | None:
        """The pid of this home's tmux server."""
        socket = self.home / "run" / "tmux.sock"
        done = subprocess.run(
            ["tmux", "-S", str(socket), "display-message", "-p", "#{pid}"],
            env=self.environ(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        return int(done.stdout) if done.stdout.strip().isdigit() else None

    def kill_tmux(self) -> bool:
        pid = self.tmux_server()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None


def make(root: Path, *, seconds: float = 0.05) -> Scenario:
    """Build the world: one commit on the remote, two agents, one ticket, the repository added."""
    world = Scenario(root)
    root.mkdir(parents=True, exist_ok=True)
    world.git("init", "-q", "--bare", "-b", "main", str(world.remote), where=root)
    world.git("clone", "-q", str(world.remote), str(world.repo), where=root)
    (world.repo / "README.md").write_text("a thing\n", encoding="utf-8")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "Start")
    world.git("push", "-q", "origin", "HEAD:main")
    world.home.mkdir(mode=0o700)
    lines = ['[defaults]\nagent = "one"\ninstall_dependencies = "never"\n']
    programs = {"one": AGENT, "two": AGENT, "judge": JUDGE, "ear": EAR}
    for name, text in programs.items():
        script = root / f"{name}.py"
        script.write_text(
            text.format(ledger=str(world.ledger), name=name, seconds=seconds), encoding="utf-8"
        )
        command = json.dumps([sys.executable, "-I", "-S", str(script)])
        io = 'io = "tty"\n' if name == "ear" else ""
        lines.append(f"[agents.{name}]\ncommand = {command}\n{io}")
    config = world.home / "config.toml"
    config.write_text("\n".join(lines), encoding="utf-8")
    config.chmod(0o600)
    for name, play in PLAYS.items():
        if play.flow:
            (root / f"{name}.py").write_text(play.flow, encoding="utf-8")
    for words in (
        ("repo", "add", str(world.repo)),
        ("issue", "create", "Do a thing; $(touch pwned)", "--body", "`touch pwned`"),
    ):
        done = world.orch(*words)
        assert done.returncode == 0, done.stderr + done.stdout
    return world


EAR = """
import os, select, sys, time
with open({ledger!r}, "a") as file:
    file.write(os.environ["ORCH_ATTEMPT"] + " {name}\\n")
heard, end = "", time.monotonic() + 1.5
print("listening", flush=True)
while time.monotonic() < end and select.select([sys.stdin], [], [], end - time.monotonic())[0]:
    heard += sys.stdin.readline()
    end = min(end, time.monotonic() + 0.5)
times = heard.count("a word that is said once")
with open("{name}.txt", "a") as file:
    file.write("{name} by " + os.environ["ORCH_ATTEMPT"] + " heard it " + str(times) + "\\n")
sys.exit(9 if times > 1 else 0)
"""


@dataclass(frozen=True)
class Play:
    """What is run, and what has to be there afterwards: the agents whose files are in the PR, the
    branches, the issues. `steps` are the numbers of agents' steps there may be, where it is not one
    for each agent. `flow` is the text of a workflow file of its own. What has `landed` is merged
    (squashed) at the remote, its branch and worktree are gone."""

    words: tuple[str, ...]
    agents: tuple[str, ...] = ("one",)
    steps: tuple[int, ...] = ()
    branches: int = 1
    issues: int = 1
    flow: str = ""
    landed: bool = False


BESIDE = """
from orch import *

@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt=issue.title, agent="one")
    found = yield CreateIssue("Found on the way", labels=["later"])
    yield Sleep(0.02)
    ended = yield WaitForStatus(ref)
    if not ended.ok:
        raise StepError(ended.message, code=ended.code)
    text = yield CaptureOutput(ref)
    yield Log(text)
    same = yield GetIssue(found.id)
    yield ResolveIssue(same, result="done")
    assert not (yield ListIssues(labels=["later"]))
    return (yield CreatePR(env=env, title=issue.title))
"""

TALK = """
from orch import *

@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt=issue.title, agent="ear")
    said = yield SendMessage(ref, "a word that is said once")
    ended = yield WaitForStatus(ref)
    if not ended.ok:
        raise StepError("heard it twice, or worse: " + ended.message, code="twice")
    return (yield CreatePR(env=env, title=issue.title, body=said.code or "delivered"))
"""

LANDED = """
from orch import *

@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt=issue.title, agent="one")
    pull = yield CreatePR(env=env, title=issue.title)
    merged = yield MergePR(pull, strategy="squash")
    yield DeleteWorktree(env=env, force=True)
    return merged
"""

CARED = """
from orch import *

@do
def workflow(issue):
    policy = yield TaskPolicy()
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt=issue.title, agent="one")
    pull = yield CreatePR(env=env, title=issue.title)
    other = yield CreateWorktree(issue=issue, suffix="other")
    yield RunAgent(env=other, prompt=issue.title, agent="two")
    yield Commit(env=other, message="beside")
    push = ["git", "push", "origin", "HEAD:main"]
    yield RunCommand(env=other, command=push, check=True, retry=Retry(attempts=3, base_s=0.1))
    seen = yield LookAtPR(pull, policy.strategy)
    yield Rebase(env=env, onto=seen.base_tip)
    yield Push(env=env, force=True)
    seen = yield LookAtPR(pull, policy.strategy)
    assert not seen.conflicts
    yield SetCheck(seen.pull, "unit", "success", "all of them")
    found = yield FindWork()
    assert [work.unclaimed for work in found] == [False, False]
    news = yield WaitForPR(seen.pull, until="green", timeout=60)
    assert news.what == "green"
    return news.pull
"""

PLAYS: dict[str, Play] = {
    "basic_pr": Play(("run", "basic_pr", "--issue", "ISSUE-001", "--json")),
    # An attempt that is killed after its work was done has done it: then no fix is needed.
    "enforced_pr": Play(
        (
            "run", "enforced_pr", "--issue", "ISSUE-001", "--json", "--params",
            '{"test_command": ["awk", "END { exit NR < 2 }", "one.txt"]}',
        ),
        steps=(1, 2),
    ),
    "reviewed_pr": Play(
        (
            "run", "reviewed_pr", "--issue", "ISSUE-001", "--json", "--params",
            '{"review_agent": "judge"}',
        ),
        steps=(2,),
    ),
    "multi_agent": Play(
        (
            "run", "multi_agent", "--issue", "ISSUE-001", "--json", "--params",
            '{"impl_agent": "one", "test_agent": "two", "test_command": ["test", "-f", "two.txt"]}',
        ),
        agents=("one", "two"), branches=3,
    ),
    "landed": Play(
        ("run", "landed.py", "--issue", "ISSUE-001", "--json"), branches=0, landed=True,
        flow=LANDED,
    ),
    "cared": Play(
        ("run", "cared.py", "--issue", "ISSUE-001", "--json"), agents=("one", "two"), branches=2,
        flow=CARED,
    ),
    "talk": Play(
        ("run", "talk.py", "--issue", "ISSUE-001", "--json"), agents=("ear",), flow=TALK
    ),
    "beside": Play(
        ("run", "beside.py", "--issue", "ISSUE-001", "--json"), issues=2, flow=BESIDE
    ),
}  # fmt: skip


def resume_until_done(world: Scenario, limit_s: float = 180.0) -> list[str]:
    """What a person does after a crash: `orch resume` until nothing is left. Gives what went
    wrong on the way."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        done = world.orch("resume")
        listed = json.loads(world.orch("ps", "--json").stdout)
        if all(run["status"] in ("done", "error", "aborted", "blocked") for run in listed):
            return []
        if done.returncode not in (0, 1):
            return [f"orch resume ended with {done.returncode}: {done.stderr[-500:]}"]
    return ["the run did not come to an end"]
