"""What people may want to hear of: occasions, named in the words of hooks, rules, notifications.

Invariant: this table of names is the only one; a hook file, a rule and a notification that name the
same thing hear of the same moment.
"""

from __future__ import annotations

import fnmatch
from typing import Any, Literal, Protocol

import msgspec

from orch.model.naming import moment

Level = Literal["info", "error"]
HOOKS = {
    "on_service_start": "service.started",
    "on_service_stop": "service.stopped",
    "on_task_created": "task.created",
    "on_task_routed": "task.routed",
    "on_task_started": "task.started",
    "on_worktree_created": "worktree.created",
    "on_agent_session_start": "agent.started",
    "on_agent_session_end": "agent.ended",
    "on_branch_pushed": "branch.pushed",
    "on_pr_created": "pr.opened",
    "on_task_completed": "task.done",
    "on_task_blocked": "task.blocked",
    "on_task_failed": "task.failed",
    "on_job_fired": "job.fired",
}
"""Hook file -> the occasion it runs at."""
NAMES = (
    *HOOKS.values(), "task.in_review", "task.needs_review", "task.cancelled", "run.done",
    "run.failed", "run.blocked", "gate.waiting", "question.waiting", "pr.merged", "pr.closed",
    "job.failed", "ticket.assigned", "ticket.created",
)  # fmt: skip
"""All names. `ticket.*` come with the trackers that tell of them."""
ERRORS = frozenset(
    {
        "task.failed",
        "task.needs_review",
        "run.failed",
        "run.blocked",
        "gate.waiting",
        "job.failed",
        "question.waiting",
    }
)
"""What failed or waits for a person."""
FINALS = frozenset({"task.done", "task.failed", "task.needs_review", "run.done", "run.failed"})


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """`names`: its name first, then wider ones that it also answers to. `entity` is what it happened
    to, unique within one life of it (`task:12/<run>`). `text` is one sentence. `facts` is plain data
    about it; texts in it are other people's."""

    names: tuple[str, ...]
    entity: str
    seq: int
    at: float
    text: str
    repo: str = ""
    workflow: str = ""
    branch: str = ""
    labels: tuple[str, ...] = ()
    agent: str = ""
    source: str = ""
    task: int = 0
    run: str = ""
    facts: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def level(self) -> Level:
        return "error" if ERRORS.intersection(self.names) else "info"

    @property
    def final(self) -> bool:
        return bool(FINALS.intersection(self.names))

    def data(self) -> dict[str, Any]:
        """What a hook reads on its standard input."""
        return {
            "event": self.name, "level": self.level, "entity": self.entity, "seq": self.seq,
            "at": moment(self.at), "text": self.text, "repo": self.repo or None,
            "workflow": self.workflow or None, "branch": self.branch or None,
            "task": self.task or None, "run": self.run or None, **self.facts,
        }  # fmt: skip


class Wish(Protocol):
    """What a rule and a notification ask for: globs, a comma stands for "or"; empty is all."""

    @property
    def on(self) -> str: ...
    @property
    def repo(self) -> str: ...
    @property
    def workflow(self) -> str: ...
    @property
    def branch(self) -> str: ...


def wanted(wish: Wish, found: Occasion) -> bool:
    return (
        any(fits(wish.on, name) for name in found.names)
        and (not wish.repo or fits(wish.repo, found.repo))
        and (not wish.workflow or fits(wish.workflow, found.workflow))
        and (not wish.branch or fits(wish.branch, found.branch))
    )


def fits(patterns: str, word: str) -> bool:
    """Whether one of the comma-separated globs is the word's."""
    return any(fnmatch.fnmatchcase(word, one.strip()) for one in patterns.split(",") if one.strip())


def unheard(patterns: str) -> list[str]:
    """Those of the patterns that no occasion can ever fit."""
    given = [one.strip() for one in patterns.split(",")]
    return [one for one in given if not any(fnmatch.fnmatchcase(name, one) for name in NAMES)]
