"""Views as plain JSON data: the shapes that `--json` prints and that people script against.

Invariant: keys are only ever added. Times are RFC 3339 in UTC, empty when there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.model.attempt import Attempt
from orch.model.errors import OrchError
from orch.model.naming import moment
from orch.model.pull import PullRequest
from orch.model.repo import Repo, shown_url
from orch.model.run import Run
from orch.model.step import Step
from orch.model.ticket import Ticket
from orch.model.worktree import KEPT_S, Saved, TreeState, Worktree

if TYPE_CHECKING:
    from orch.ports import Store


def run_record(store: Store, run: Run, *, driven: bool) -> dict[str, Any]:
    """`id, workflow, status, reason, repo, issue, result, error, steps, attempts, prs, unresolved`
    and `task, agent, params, driven, created_at, updated_at, ended_at`. `driven`: a process goes on
    with it now."""
    return {
        "id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "reason": msgspec.to_builtins(run.reason) if run.reason else None,
        "repo": run.repo,
        "issue": run.issue.id if run.issue else None,
        "result": run.result,
        "error": msgspec.to_builtins(run.error) if run.error else None,
        "steps": [step_record(step) for step in store.steps(run.id)],
        "attempts": [attempt_record(attempt) for attempt in store.attempts(run.id)],
        "prs": [pull_record(pull) for pull in store.pulls(run.id)],
        "unresolved": [msgspec.to_builtins(item) for item in run.unresolved],
        "task": run.task,
        "agent": run.agent,
        "params": run.params,
        "driven": driven,
        "created_at": moment(run.created_at),
        "updated_at": moment(run.updated_at),
        "ended_at": moment(run.ended_at),
    }


def step_record(step: Step) -> dict[str, Any]:
    return {
        "path": step.path,
        "effect": step.kind,
        "status": step.status,
        "attempt": step.attempt,
        "error": msgspec.to_builtins(step.outcome.failure)
        if step.outcome is not None and step.outcome.failure is not None
        else None,
        "planned_at": moment(step.planned_at),
        "settled_at": moment(step.settled_at),
    }


def attempt_record(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "role": attempt.role,
        "agent": attempt.agent,
        "name": attempt.name,
        "status": attempt.status,
        "exit_code": attempt.exit_code,
        "worktree": attempt.worktree,
        "branch": attempt.branch,
        "step": attempt.path,
        "n": attempt.n,
        "code": attempt.code,
        "message": attempt.message,
        "terminal": attempt.terminal,
        "directory": attempt.directory,
        "usage": attempt.usage,
        "stop_requested": attempt.stop,
        "started_at": moment(attempt.started_at),
        "ended_at": moment(attempt.ended_at),
    }


def pull_record(pull: PullRequest) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(pull)
    return record


def repo_record(repo: Repo) -> dict[str, Any]:
    return {
        "slug": repo.slug,
        "local_path": repo.local_path,
        "remote_url": shown_url(repo.remote_url),
        "default_branch": repo.default_branch,
        "workspace_dir": repo.workspace_dir,
        "remote_name": repo.remote_name,
    }


def ticket_record(ticket: Ticket) -> dict[str, Any]:
    """Every key that a ticket of any source has; one of the vault has no value for some."""
    record: dict[str, Any] = msgspec.to_builtins(ticket)
    return {
        **record, "source": ticket.tracker, "source_id": ticket.id, "state": ticket.status,
        "assignee": "", "priority": "", "url": "", "blocked_by": [], "synced_at": None,
        "author": "", "milestone": "", "parent": "", "word": "", "gone": False, "task": None,
        "why": "",
    }  # fmt: skip


def worktree_record(
    worktree: Worktree, state: TreeState | None, error: OrchError | None = None
) -> dict[str, Any]:
    """`status` is `active`, `missing`, or `unknown` where it could not be looked at; the reason
    is in `message`."""
    unknown = error is not None and error.code != "worktree_missing"
    return {
        "repo": worktree.repo,
        "slug": worktree.name,
        "branch": worktree.branch,
        "path": worktree.path,
        "status": "active" if state is not None else "unknown" if unknown else "missing",
        "dirty": bool(state.dirty) if state is not None else False,
        "ahead": state.ahead if state is not None else 0,
        "behind": state.behind if state is not None else 0,
        "base_branch": worktree.base_branch,
        "base_commit": worktree.base_commit,
        "head": state.head if state is not None else "",
        "issue": worktree.issue,
        "run": worktree.run,
        "message": error.message if error is not None else "",
    }


def saved_record(saved: Saved) -> dict[str, Any]:
    """What is kept of a removed worktree; `until` is when it may be given up."""
    return {
        "id": saved.id,
        "repo": saved.worktree.repo,
        "slug": saved.worktree.name,
        "branch": saved.worktree.branch,
        "ref": saved.ref,
        "commit": saved.commit,
        "changed": saved.changed,
        "tip": saved.tip,
        "saved_at": moment(saved.at),
        "until": moment(saved.at + KEPT_S),
        "restore": f"orch worktree restore {saved.id}",
    }


def plain(struct: msgspec.Struct) -> dict[str, Any]:
    """Any Struct as JSON data."""
    record: dict[str, Any] = msgspec.to_builtins(struct)
    return record
