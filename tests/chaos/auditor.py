"""The auditor: asks git, tmux, the kernel and the files, and believes nothing that Orch says alone.

Invariants of RELIABILITY §5.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.scenario import PLAYS, Scenario

OUR_LOCKS = {"engine.lock", ".lock"}


def complaints(world: Scenario, template: str) -> list[str]:
    """Everything that is not as promised after a finished run; empty when all is well."""
    runs = json.loads(world.orch("ps", "--json").stdout)
    if len(runs) != 1:
        return [f"{len(runs)} runs instead of one"]
    run = world.show()
    found = [*_run(run), *_attempts(world, run, template), *_git(world, run, template)]
    return [*found, *_left_over(world), *_tickets(world, template)]


def _run(run: dict[str, Any]) -> Iterator[str]:
    if run["status"] != "done":
        yield f"the run is {run['status']}: {run['error'] or run['reason']}"
    for step in run["steps"]:
        if step["status"] != "confirmed":
            yield f"step {step['path']} ({step['effect']}) is {step['status']}"
    if run["unresolved"]:
        yield f"unresolved: {run['unresolved']}"


def _attempts(world: Scenario, run: dict[str, Any], template: str) -> Iterator[str]:
    lines = world.ledger.read_text(encoding="utf-8").split("\n") if world.ledger.exists() else []
    ran = Counter(line.split()[0] for line in lines if line)
    for attempt, times in ran.items():
        if times > 1:
            yield f"attempt {attempt} ran {times} times"
    work = [a for a in run["attempts"] if a["role"] in ("work", "review")]
    known = {attempt["id"]: attempt for attempt in work}
    for attempt in ran:
        if attempt not in known:
            yield f"attempt {attempt} ran and is not in the record"
    for attempt in work:
        if attempt["status"] in ("starting", "running"):
            yield f"attempt {attempt['id']} is {attempt['status']} in an ended run"
        if attempt["status"] == "succeeded" and attempt["id"] not in ran:
            yield f"attempt {attempt['id']} succeeded and never ran"
    good = Counter(a["step"] for a in work if a["status"] == "succeeded")
    expected = PLAYS[template].steps or (len(PLAYS[template].agents),)
    if len(good) not in expected or any(count != 1 for count in good.values()):
        yield f"succeeded attempts by step: {dict(good)}"


def _git(world: Scenario, run: dict[str, Any], template: str) -> Iterator[str]:
    check = subprocess.run(
        ["git", "fsck", "--full", "--strict"], cwd=world.repo, env=world.environ(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if check.returncode:
        yield f"git fsck: {check.stdout}{check.stderr}"
    expected = PLAYS[template].branches
    heads = world.git("for-each-ref", "--format=%(refname:short)", "refs/heads/orch").split()
    if len(heads) != expected:
        yield f"branches: {heads}"
    listed = json.loads(world.orch("worktree", "list", "--json").stdout)
    if sorted(item["branch"] for item in listed) != sorted(heads):
        yield f"worktrees {[item['branch'] for item in listed]} for branches {heads}"
    paths = re.findall(r"^worktree (.*)$", world.git("worktree", "list", "--porcelain"), re.M)
    recorded = {os.path.realpath(item["path"]) for item in listed}
    if {os.path.realpath(p) for p in paths} - {os.path.realpath(world.repo)} != recorded:
        yield f"git knows the worktrees {paths}"
    for item in listed:
        if item["status"] != "active" or item["dirty"]:
            yield f"worktree {item['slug']} is {item['status']}, dirty: {item['dirty']}"
    yield from _history(world, run, template)


def _history(world: Scenario, run: dict[str, Any], template: str) -> Iterator[str]:
    """The pull request, the remote and the branch agree; each key made one commit."""
    pulls = json.loads(world.orch("pr", "list", "--json").stdout)
    if len(pulls) != 1 or len(run["prs"]) != 1:
        yield f"{len(pulls)} PRs at the forge, {len(run['prs'])} in the record"
        return
    head = pulls[0]["head"]
    remote = dict(
        reversed(line.split("\t")) for line in world.git("ls-remote", "origin").splitlines()
    )
    ours = {ref for ref in remote if "/orch/" in ref}
    if PLAYS[template].landed:
        yield from _landed(world, pulls[0], ours)
        return
    if ours != {f"refs/heads/{head}"}:
        yield f"pushed branches: {sorted(ours)}"
    tip = world.git("rev-parse", f"refs/heads/{head}").strip()
    if remote.get(f"refs/heads/{head}") != tip:
        yield f"the remote has {remote.get(f'refs/heads/{head}')}, the branch {tip}"
    keys = Counter(
        re.findall(r"^\s*Orch-Key: (\S+)$", world.git("log", "--no-merges", "--branches"), re.M)
    )
    for key, count in keys.items():
        if count > 1:
            yield f"{count} commits with the key {key}"
    for name in PLAYS[template].agents:
        text = world.git("show", f"{tip}:{name}.txt")
        if not text.startswith(f"{name} by "):
            yield f"{name}.txt in the PR holds {text!r}"


def _landed(world: Scenario, pull: dict[str, Any], ours: set[str]) -> Iterator[str]:
    """One commit more on the base, with the work in it; nothing else is left at the remote."""
    if pull["state"] != "merged" or ours:
        yield f"the PR is {pull['state']}, the remote has {sorted(ours)}"
    count = world.git("rev-list", "--count", "main", where=world.remote).strip()
    if count != "2":
        yield f"main has {count} commits at the remote, not 2"
    text = world.git("show", "main:one.txt", where=world.remote)
    if not text.startswith("one by "):
        yield f"one.txt on main holds {text!r}"


def _left_over(world: Scenario) -> Iterator[str]:
    for place in (world.repo, world.remote, world.home):
        for path in place.rglob("*.lock"):
            if path.name not in OUR_LOCKS:
                yield f"lock left over: {path}"
    if world.tmux_server() is not None:
        yield "a tmux server is left over"
    mark = f"ORCH_HOME={world.home}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes()
                place = (entry / "cwd").readlink()  # commands of a test share one command line
            except OSError:
                continue
            ours = (
                mark in environ
                or os.fsencode(world.root) in command
                or place.is_relative_to(world.root)
            )
            if ours and command and int(entry.name) != os.getpid():
                yield f"process left over: {entry.name} {command!r:.200}"
    for path in world.root.rglob("pwned"):
        yield f"a shell has run the ticket: {path}"


def _tickets(world: Scenario, template: str) -> Iterator[str]:
    issues = json.loads(world.orch("issue", "list", "--json").stdout)
    if len(issues) != PLAYS[template].issues:
        yield f"{len(issues)} issues instead of {PLAYS[template].issues}"
