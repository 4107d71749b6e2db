"""The workflow author's API, resolved lazily: `from orch import do, RunAgent, Gather`.

Importing `orch` itself loads nothing, so that the command line stays quick.
"""

from __future__ import annotations

from orch._version import __version__

TYPE_CHECKING = False  # as type checkers read it; importing `typing` costs more than all of this
if TYPE_CHECKING:
    from typing import Any

    from orch.model.attempt import AgentResult as AgentResult
    from orch.model.delivery import Delivery as Delivery
    from orch.model.effect import (
        AgentRef as AgentRef,
        AgentStatus as AgentStatus,
        CaptureOutput as CaptureOutput,
        CommandResult as CommandResult,
        Commit as Commit,
        CreateIssue as CreateIssue,
        CreatePR as CreatePR,
        CreateWorktree as CreateWorktree,
        DeleteWorktree as DeleteWorktree,
        Effect as Effect,
        FindWork as FindWork,
        Gate as Gate,
        GateAnswer as GateAnswer,
        GetIssue as GetIssue,
        JudgePR as JudgePR,
        ListIssues as ListIssues,
        Log as Log,
        LookAtPR as LookAtPR,
        MergeBranches as MergeBranches,
        MergePR as MergePR,
        Now as Now,
        Push as Push,
        Random as Random,
        Rebase as Rebase,
        ResolveIssue as ResolveIssue,
        Retry as Retry,
        RunAgent as RunAgent,
        RunCommand as RunCommand,
        SendMessage as SendMessage,
        SetCheck as SetCheck,
        Sleep as Sleep,
        SpawnAgent as SpawnAgent,
        TaskPolicy as TaskPolicy,
        TellReviewers as TellReviewers,
        WaitForPR as WaitForPR,
        WaitForStatus as WaitForStatus,
    )
    from orch.model.errors import (
        AgentFailed as AgentFailed,
        Cancelled as Cancelled,
        CommandFailed as CommandFailed,
        GateRejected as GateRejected,
        MergeConflict as MergeConflict,
        NoChange as NoChange,
        PushRejected as PushRejected,
        ReviewRejected as ReviewRejected,
        StepError as StepError,
        StepTimeout as StepTimeout,
    )
    from orch.model.pull import PullRequest as PullRequest
    from orch.model.ticket import Ticket as Ticket
    from orch.model.worktree import Worktree as Worktree
    from orch.workflow.program import Gather as Gather, do as do

_HOMES = {
    "orch.model.attempt": ("AgentResult",),
    "orch.model.delivery": ("Delivery",),
    "orch.model.effect": (
        "AgentRef", "AgentStatus", "CaptureOutput", "CommandResult", "Commit", "CreateIssue",
        "CreatePR", "CreateWorktree", "DeleteWorktree", "Effect", "FindWork", "Gate",
        "GateAnswer", "GetIssue", "JudgePR", "ListIssues", "Log", "LookAtPR", "MergeBranches",
        "MergePR", "Now", "OpenFolder", "Push", "Random", "Rebase", "ResolveIssue", "Retry",
        "Route", "RunAgent", "RunCommand", "SendMessage", "SetCheck", "Sleep", "SpawnAgent",
        "TaskPolicy", "TellReviewers", "WaitForPR", "WaitForStatus",
    ),
    "orch.model.errors": (
        "AgentFailed", "Cancelled", "CommandFailed", "GateRejected", "MergeConflict", "NoChange",
        "PushRejected", "ReviewRejected", "StepError", "StepTimeout",
    ),
    "orch.model.pull": ("PullRequest",),
    "orch.model.ticket": ("Ticket",),
    "orch.model.worktree": ("Worktree",),
    # typed as Any above: the rooms below must not know the one that runs them
    "orch.script": ("RunBlocked", "run_sync"),
    "orch.workflow.program": ("Gather", "do"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'orch' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
