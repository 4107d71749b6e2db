"""Plausible records for tests: everything that a test does not care about is filled in."""

from __future__ import annotations

import hashlib
from typing import Any

from orch.model import command as cmd
from orch.model.attempt import Attempt
from orch.model.effect import Log, RunAgent, encode_effect, kind_of
from orch.model.event import Actor
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import Owner, Source
from orch.model.step import Outcome
from orch.model.ticket import Ticket
from orch.model.worktree import Worktree

PERSON = Actor("person", "ada")
ENGINE = Actor("engine")
RUN = "0123456789ab"
ME = Owner(pid=101, started=5_000, boot="boot-1")
OTHER = Owner(pid=202, started=6_000, boot="boot-1")


def a_repo(slug: str = "thing", **changed: Any) -> Repo:
    return Repo(
        **{
            "slug": slug,
            "local_path": f"/src/{slug}",
            "common_dir": f"/src/{slug}/.git",
            "pinned_dir": f"/pins/{slug}",
            "workspace_dir": f"/trees/{slug}",
            "default_branch": "main",
            "remote_name": "origin",
            "remote_url": f"/remotes/{slug}.git",
        }
        | changed
    )


def a_ticket(identifier: str = "ISSUE-001", **changed: Any) -> Ticket:
    return Ticket(**{"id": identifier, "title": "Add a --json flag", "body": "Please."} | changed)


def a_worktree(name: str = "issue-001-add-0123456", **changed: Any) -> Worktree:
    return Worktree(
        **{
            "repo": "thing",
            "name": name,
            "branch": f"orch/{name}",
            "path": f"/trees/thing/{name}",
            "base_branch": "main",
            "base_commit": "a" * 40,
        }
        | changed
    )


def a_pull(number: int = 1, **changed: Any) -> PullRequest:
    return PullRequest(
        **{
            "repo": "thing",
            "number": number,
            "url": f"file:///prs/{number}",
            "state": "open",
            "head": "orch/issue-001-add-0123456",
            "base": "main",
            "title": "Add a --json flag",
        }
        | changed
    )


def an_attempt(identifier: str = "aaaaaaaaaaaa", **changed: Any) -> Attempt:
    return Attempt(
        **{
            "id": identifier,
            "run": RUN,
            "path": "0",
            "n": 1,
            "role": "work",
            "agent": "claude",
            "status": "starting",
            "terminal": f"orch-{identifier}",
            "directory": f"/home/attempts/{identifier}",
        }
        | changed
    )


def a_source(module: str = "flow", text: str = "x = 1\n") -> Source:
    return Source(module, f"/flows/{module}.py", text, hashlib.sha256(text.encode()).hexdigest())


def create_run(run: str = RUN, **changed: Any) -> cmd.CreateRun:
    return cmd.CreateRun(
        **{
            "id": run,
            "workflow": "basic_pr",
            "entry": "flow:basic_pr",
            "repo": "thing",
            "title": "Add a --json flag",
            "params": {},
            "sources": (a_source(),),
        }
        | changed
    )


def plan(path: str, effect: Any = None, *, attempt: Attempt | None = None) -> cmd.Plan:
    asked = Log("hello") if effect is None else effect
    return cmd.Plan(path, kind_of(asked), encode_effect(asked), attempt=attempt)


def agent_plan(path: str = "0", *, attempt: Attempt | None = None) -> cmd.Plan:
    return plan(path, RunAgent(env=a_worktree(), prompt="work"), attempt=attempt)


def settle(path: str, **changed: Any) -> cmd.Settle:
    return cmd.Settle(**{"path": path, "outcome": Outcome()} | changed)


def advance(epoch: int = 1, run: str = RUN, **changed: Any) -> cmd.Advance:
    return cmd.Advance(run=run, epoch=epoch, **changed)
